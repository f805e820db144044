"""The demo's models: the trained family in a folder, unpacked or trained anew, and what a case on it begins with."""

from __future__ import annotations

import time
from pathlib import Path

from modelprov.demo.case.listener import Listener
from modelprov.demo.tiny.members import RECORD
from modelprov.demo.tiny.merging import write_rio_recipe
from modelprov.demo.tiny.shipped import record, unpack
from modelprov.demo.tiny.task import write_task
from modelprov.errors import UsageError

FOLDER, RIO, RECIPE, TASK = "trained", "rio", "rio.yml", "sums.jsonl"
QUESTIONS = 80


def prepare(folder: Path, seed: int | None, listener: Listener) -> Path:
    """The trained family in `folder`, made where it is not there: unpacked, or trained anew from `seed`.

    Raises `UsageError` when training is asked for where a family lies already, or without the extra.
    """
    family = folder / FOLDER
    if (family / RECORD).exists():
        if seed is not None:
            made_from = record(family).get("seed")
            raise UsageError(
                f"{family} holds a family already (seed {made_from}), so it was not trained anew",
                "Choose another folder, or remove this one.",
            )
        listener.say(f"Using the trained family in {family} (delete the folder to make it anew).", unbroken=True)
    elif seed is None:
        unpack(family)
        listener.say(
            f"Three language models of 0.66 million parameters are now in {family}: "
            "qwen, and nex and sibling, each trained further from it."
        )
    else:
        train(family, seed, listener)
    return family


def train(family: Path, seed: int, listener: Listener) -> None:
    """Train the family step by step, and say what it reached."""
    from modelprov.behavior.extra import require

    require("training")
    from modelprov.demo.tiny.making import make_family
    from modelprov.demo.tiny.members import MEMBERS
    from modelprov.demo.tiny.words import reached

    started = time.perf_counter()
    with listener.progress(answers=True) as progress:
        progress.stage("training", sum(member.steps for member in MEMBERS))
        made = make_family(family, seed, lambda *_: progress.advance(1))
    listener.say(f"Trained {len(MEMBERS)} models in {time.perf_counter() - started:,.0f} s on one core:")
    for line in reached(made):
        listener.say(f"  {line}", unbroken=True)


def lay_out(family: Path) -> None:
    """Put beside the models what the case begins with: the recipe of rio, and the sums."""
    write_recipe(family)
    write_sums(family)


def write_recipe(family: Path) -> Path:
    """The file of rio's recipe, written anew."""
    write_rio_recipe(family / RECIPE)
    return family / RECIPE


def write_sums(family: Path) -> Path:
    """The file of sums to do, written where it is not there."""
    task = family / TASK
    if not task.exists():
        write_task(task, QUESTIONS)
    return task
