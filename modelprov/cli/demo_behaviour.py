"""The demo's steps that run models: who rio says it is, and how it thinks. Needs the extra `behavior`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from modelprov.cli.demo_shown import RIO, show_command
from modelprov.cli.terminal import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from modelprov.behavior.evaluation.results import EvaluationReport
    from modelprov.behavior.probing.results import ProbeReport

NAMES = ("Rio", "Nex=Nex-AGI", "Qwen=Alibaba", "Ada=Ada Lab")
ARMS = ("as shipped", "stripped", "counterfactual")
LANGUAGES = ("en", "pt", "zh")
METHODS = ("cot", "swir")
TASK, PROBED, EVALUATED = "sums.jsonl", "probe.html", "eval.html"
QUESTIONS = 80
BATCH = 64
PRECISION = ("--dtype", "float32")  # many processors have no fast bf16
TOKENS = {"probe": 32, "eval": 96}


def probe(family: Path, console: Console) -> ProbeReport:
    """Ask rio and its parents who they are, as shipped and without what the template adds; most likely answers."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.probe import probe as job
    from modelprov.reports.probing.words import summary

    rio, parents, sibling = family / RIO, [family / "nex", family / "qwen"], family / "sibling"
    page = family / PROBED
    command = show_command(
        console, "probe", rio, *_each("parent", parents), "--control", sibling, *_each("name", NAMES),
        *_each("arm", ARMS), "--samples", 0, "--max-new-tokens", TOKENS["probe"], "--batch-size", BATCH,
        *PRECISION, "--html", page,
    )  # fmt: skip
    with _one_thread(), Bar(terminal(error=True)) as bar:
        report = job(
            rio, parent=parents, control=sibling, name=NAMES, arm=ARMS, language=LANGUAGES, samples=0,
            max_new_tokens=TOKENS["probe"], batch_size=BATCH, device="cpu", dtype=PRECISION[1], progress=bar,
            command=command,
        )  # fmt: skip
    report.save(page)
    console.print(summary(report))
    return report


def evaluate(family: Path, console: Console) -> EvaluationReport:
    """Let rio, nex and qwen do running sums in words and by SwiReasoning, and test the differences."""
    from modelprov.cli.progress import CountBar
    from modelprov.jobs.evaluate import evaluate as job
    from modelprov.reports.evaluation.words import headline

    task, page = write_sums(family), family / EVALUATED
    models = [family / name for name in (RIO, "nex", "qwen")]
    command = show_command(
        console, "eval", *models, "--task", task, *_each("method", METHODS),
        "--max-new-tokens", TOKENS["eval"], "--batch-size", BATCH, *PRECISION, "--html", page,
    )  # fmt: skip
    with _one_thread(), CountBar(terminal(error=True)) as bar:
        report = job(
            *models, task=task, method=METHODS, max_new_tokens=TOKENS["eval"], batch_size=BATCH, device="cpu",
            dtype=PRECISION[1], progress=bar, command=command,
        )  # fmt: skip
    report.save(page)
    for row in report.rows:
        console.print(f"{row.model}, {row.method}: {row.right} of {row.answers} right")
    said = headline(report)
    console.print(f"{said.title}. {said.text}")
    return report


def write_sums(family: Path) -> Path:
    """The file of sums to do, written where it is not there."""
    from modelprov.demo.tiny.task import write_task

    task = family / TASK
    if not task.exists():
        write_task(task, QUESTIONS)
    return task


def _each(option: str, values: Iterable[object]) -> Iterator[object]:
    """An option once for each value."""
    for value in values:
        yield from (f"--{option}", value)


@contextmanager
def _one_thread() -> Iterator[None]:
    """For models this small, threads cost more than they bring."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
