"""The demo's steps that run models: who rio says it is, and how it thinks. Needs the extra `behavior`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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
    from modelprov.behavior.probing.names import parse_names
    from modelprov.behavior.probing.probe import Plan
    from modelprov.cli.demo_case import show_command
    from modelprov.cli.probe import run
    from modelprov.reports.probing.words import summary
    from modelprov.reports.saving import save

    members = [(str(family / name), role) for name, role in
               (("rio", "suspect"), ("nex", "parent"), ("qwen", "parent"), ("sibling", "control"))]  # fmt: skip
    page = family / PROBED
    command = show_command(
        console, "probe", members[0][0], *(word for where, role in members[1:] for word in (f"--{role}", where)),
        *(word for one in NAMES for word in ("--name", one)), *(word for one in ARMS for word in ("--arm", one)),
        "--samples", 0, "--max-new-tokens", TOKENS["probe"], "--batch-size", BATCH, *PRECISION, "--html", page,
    )  # fmt: skip
    plan = Plan(
        names=parse_names(NAMES), arms=ARMS, languages=LANGUAGES, samples=0, max_new_tokens=TOKENS["probe"],
        batch_size=BATCH,
    )  # fmt: skip
    with _one_thread():
        report = run(members, plan, None, device="cpu", dtype=PRECISION[1]).model_copy(update={"command": command})
    save(report, page)
    console.print(summary(report))
    return report


def evaluate(family: Path, console: Console) -> EvaluationReport:
    """Let rio, nex and qwen do running sums in words and by SwiReasoning, and test the differences."""
    from modelprov.behavior.evaluation.answering import Asking
    from modelprov.behavior.evaluation.methods import plan
    from modelprov.behavior.evaluation.run import evaluate as run
    from modelprov.behavior.evaluation.tasks import load_task
    from modelprov.cli.demo_case import show_command
    from modelprov.cli.eval import subjects, write
    from modelprov.cli.progress import CountBar
    from modelprov.demo.tiny.task import write_task
    from modelprov.reports.evaluation.words import headline

    task, page = family / TASK, family / EVALUATED
    if not task.exists():
        write_task(task, QUESTIONS)
    places = [str(family / name) for name in ("rio", "nex", "qwen")]
    command = show_command(
        console, "eval", *places, "--task", task, *(word for one in METHODS for word in ("--method", one)),
        "--max-new-tokens", TOKENS["eval"], "--batch-size", BATCH, *PRECISION, "--html", page,
    )  # fmt: skip
    conditions, notes = plan(METHODS, [], 1, {"max_new_tokens": TOKENS["eval"]})
    subjects_of = subjects(places, "cpu", PRECISION[1], quiet=True)
    with _one_thread(), subjects_of as those, CountBar(terminal(error=True)) as bar:
        report = run(those, load_task(str(task)), conditions, Asking(batch_size=BATCH), bar, command, notes)
    write(report, {"html": page})
    for row in report.rows:
        console.print(f"{row.model}, {row.method}: {row.right} of {row.answers} right")
    said = headline(report)
    console.print(f"{said.title}. {said.text}")
    return report


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
