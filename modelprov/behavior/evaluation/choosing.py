"""Chooses SwiReasoning's alpha on questions of their own, so that the reported ones have no say. Prints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelprov.behavior.evaluation.answering import Asking, Generate
from modelprov.behavior.evaluation.methods import plan
from modelprov.behavior.evaluation.run import Subject, evaluate
from modelprov.behavior.evaluation.tasks import Task
from modelprov.errors import UsageError
from modelprov.progress import Progress, Within

ALPHAS = (1.0, 0.6, 0.3, 0.1)
"""What is tried: the paper tunes it between 0.1 and 1. Of equals the first is taken, nearest to the default."""

SWIR = "swir"


def choose_alpha(
    subject: Subject, development: Task, asked: Task, settings: Mapping[str, Any], asking: Asking, progress: Progress,
    generate: Generate | None = None,
) -> tuple[float, str]:  # fmt: skip
    """The alpha with most right answers on `development`, and a sentence that says so for the report.

    Raises `UsageError` where a question of `development` is also one of `asked`.
    """
    reported = {" ".join(one.question.split()) for one in asked.questions}
    shared = [one.id for one in development.questions if " ".join(one.question.split()) in reported]
    if shared:
        raise UsageError(
            f"{len(shared)} questions of {development.name} are also reported ({shared[0]})",
            "Choose alpha on other questions than those that are reported.",
        )
    right: dict[float, int] = {}
    for place, alpha in enumerate(ALPHAS, 1):
        conditions, _ = plan([SWIR], (), 1, {**settings, "alpha": alpha})
        inside = Within(progress, f"choosing alpha, trying {alpha:g}", place, len(ALPHAS))
        report = evaluate([subject], development, conditions, asking, inside, "", (), generate)
        right[alpha] = report.rows[0].right
    best = max(right, key=right.__getitem__)
    tried = ", ".join(f"{alpha:g}: {count}" for alpha, count in right.items())
    told = (
        f"swir's alpha {best:g} was chosen on {len(development.questions)} other questions ({development.location}); "
        f"right answers by alpha there: {tried}."
    )
    return best, told


def refuse_without(methods: Sequence[str], alpha: float | None, models: int) -> None:
    """Refuse a choice that nobody would see: without swir, beside an alpha, or for several models at once."""
    if SWIR not in methods or alpha is not None or models != 1:
        raise UsageError(
            "alpha can be chosen for one model, with the method swir and no alpha given",
            "Evaluate one model at a time, with the method swir.",
        )
