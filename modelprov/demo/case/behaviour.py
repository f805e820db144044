"""The demo's steps that run models: who rio says it is, and how it thinks. Needs the extra `behavior`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.behavior.probing.results import ProbeReport
from modelprov.demo.case.listener import Listener, begin, each
from modelprov.demo.case.models import RIO, write_sums

NAMES = ("Rio", "Nex=Nex-AGI", "Qwen=Alibaba", "Ada=Ada Lab")
ARMS = ("as shipped", "stripped", "counterfactual")
LANGUAGES = ("en", "pt", "zh")
METHODS = ("cot", "swir")
PROBED, EVALUATED = "probe.html", "eval.html"
BATCH = 64
PRECISION = ("--dtype", "float32")  # many processors have no fast bf16
TOKENS = {"probe": 32, "eval": 96}


def probe(family: Path, listener: Listener) -> ProbeReport:
    """Ask rio and its parents who they are, as shipped and without what the template adds; most likely answers."""
    from modelprov.jobs.probe import probe as job
    from modelprov.reports.probing.words import summary

    rio, parents, sibling = family / RIO, [family / "nex", family / "qwen"], family / "sibling"
    page = family / PROBED
    command = begin(
        listener, "probe", rio, *each("--parent", parents), "--control", sibling, *each("--name", NAMES),
        *each("--arm", ARMS), "--samples", 0, "--max-new-tokens", TOKENS["probe"], "--batch-size", BATCH,
        *PRECISION, "--html", page,
    )  # fmt: skip
    with _one_thread(), listener.progress() as progress:
        report = job(
            rio, parent=parents, control=sibling, name=NAMES, arm=ARMS, language=LANGUAGES, samples=0,
            max_new_tokens=TOKENS["probe"], batch_size=BATCH, device="cpu", dtype=PRECISION[1], progress=progress,
            command=command,
        )  # fmt: skip
    report.save(page)
    listener.say(summary(report))
    return report


def evaluate(family: Path, listener: Listener) -> EvaluationReport:
    """Let rio, nex and qwen do running sums in words and by SwiReasoning, and test the differences."""
    from modelprov.jobs.evaluate import evaluate as job
    from modelprov.reports.evaluation.words import headline

    task, page = write_sums(family), family / EVALUATED
    models = [family / name for name in (RIO, "nex", "qwen")]
    command = begin(
        listener, "eval", *models, "--task", task, *each("--method", METHODS),
        "--max-new-tokens", TOKENS["eval"], "--batch-size", BATCH, *PRECISION, "--html", page,
    )  # fmt: skip
    with _one_thread(), listener.progress(answers=True) as progress:
        report = job(
            *models, task=task, method=METHODS, max_new_tokens=TOKENS["eval"], batch_size=BATCH, device="cpu",
            dtype=PRECISION[1], progress=progress, command=command,
        )  # fmt: skip
    report.save(page)
    for row in report.rows:
        listener.say(f"{row.model}, {row.method}: {row.right} of {row.answers} right")
    said = headline(report)
    listener.say(f"{said.title}. {said.text}")
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
