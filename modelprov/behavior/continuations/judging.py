"""Whether a suspect answers like a parent beyond every control. Numbers in, findings out; asks nobody.

A wrong accusation is the worst that can come of it, so all of these must hold, and the sentence stays "answers like":

1. at least `CONTROLS` counted controls, of the parent's kind (`continuing.py`), no two of them nearly the same model;
2. McNemar's one-sided test on the same prompts, against every control (Holm over all parents and controls) <= `LEVEL`;
3. the parent's kappa lies beyond the controls' as one more of them would not (t-test, Holm over parents) <= `LEVEL`;
4. its kappa is larger than that of every control by at least `MARGIN`.

The second alone is not enough: that one unrelated model agrees more than three others do is nothing special, and with
thousands of prompts it is always significant. The values come from `benchmarks/answering` (table in docs/probe.md).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from modelprov.behavior.continued import Agreement, Judged
from modelprov.behavior.statistics import holm, mcnemar
from modelprov.shares import wilson

CONTROLS = 3
LEVEL = 0.01
MARGIN = 0.03  # kappa; of 312 strangers in benchmarks/answering none reached 0.0226 beyond three controls
SPREAD = 0.005  # kappa; least deviation that controls count as having, which may lie close to each other by luck
ALIKE = 0.9  # kappa between two controls above which they count as one
KINDRED = 0.1  # kappa between a control and the parent, below which the control says nothing: a model of noise has 0
CONSTANT = 0.9  # share of its most frequent answer above which a model's answers tell nothing
PROMPTS = 500  # compared, below which nothing is judged

Answers = Sequence[str]


def agreement(label: str, role: str, suspect: Answers, other: Answers) -> Agreement:
    """How often two models give the same answer, and Cohen's kappa (1960) of it."""
    equal, count = sum(a == b for a, b in zip(suspect, other, strict=True)), len(suspect)
    bounds = wilson(equal, count)
    return Agreement.model_validate(
        {"label": label, "role": role, "equal": equal, "prompts": count, "low": bounds.low, "high": bounds.high,
         "kappa": kappa(suspect, other)}
    )  # fmt: skip


def kappa(first: Answers, second: Answers) -> float | None:
    """Cohen's kappa: (observed - expected) / (1 - expected) agreement; None where chance alone gives all of it."""
    count = len(first)
    if not count:
        return None
    own, others = Counter(first), Counter(second)
    expected = sum(times * others[answer] for answer, times in own.items()) / count**2
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / count
    return None if expected >= 1 else (observed - expected) / (1 - expected)


def judge(
    suspect: Answers, parents: Mapping[str, Answers], controls: Mapping[str, Mapping[str, Answers]],
    unfit: Mapping[str, str] | None = None,
) -> tuple[Judged, ...]:  # fmt: skip
    """The finding for each parent; `controls` are those that count for it, by its label.

    `unfit` says why a parent cannot be judged at all.
    """
    reasons = {parent: reason(suspect, answers, controls[parent]) for parent, answers in parents.items()}
    reasons |= {parent: why for parent, why in (unfit or {}).items() if parent in parents}
    tested = [parent for parent, why in reasons.items() if why is None]
    paired = _paired(suspect, parents, controls, tested)
    kappas = {parent: _kappas(suspect, parents[parent], controls[parent]) for parent in tested}
    outlying = dict(zip(tested, holm([outlying_p(*kappas[parent]) for parent in tested]), strict=True))
    found = []
    for parent in parents:
        if (why := reasons[parent]) is not None:
            found.append(not_judged(parent, why, len(controls[parent])))
            continue
        own, others = kappas[parent]
        margin = own - max(others)
        beyond = paired[parent] <= LEVEL and outlying[parent] <= LEVEL and margin >= MARGIN
        found.append(
            Judged(
                parent=parent, finding="answers like" if beyond else "no more alike than the controls",
                controls=len(others), p=paired[parent], outlying_p=outlying[parent], margin=margin,
            )
        )  # fmt: skip
    return tuple(found)


def not_judged(parent: str, why: str, controls: int = 0) -> Judged:
    """The finding where there is none."""
    return Judged(parent=parent, finding="could not judge", controls=controls, reason=why)


def reason(suspect: Answers, parent: Answers, controls: Mapping[str, Answers]) -> str | None:
    """Why a parent cannot be judged, if so."""
    if len(controls) < CONTROLS:
        return f"it has {len(controls)} controls that count, and takes {CONTROLS}"
    if len(suspect) < PROMPTS:
        return f"{len(suspect)} prompts were answered by all, and it takes {PROMPTS}"
    for name, answers in (("the suspect", suspect), ("this parent", parent)):
        if most(answers) > CONSTANT:
            return f"{name} gives the same answer to {100 * most(answers):.0f} % of the prompts"
    if any(kappa(suspect, answers) is None for answers in (parent, *controls.values())):
        return "answers agree by habit alone"
    return None


def most(answers: Answers) -> float:
    """The share of the most frequent answer; 1 without any."""
    return max(Counter(answers).values()) / len(answers) if answers else 1.0


def outlying_p(own: float, others: Sequence[float]) -> float:
    """One-sided p that `own` is one more draw from where the others come from: a t-test with `len(others) - 1` degrees.

    The deviation of the others is taken to be at least `SPREAD`.
    """
    count = len(others)
    spread = max(float(np.std(others, ddof=1)), SPREAD) * math.sqrt(1 + 1 / count)
    return float(stats.t.sf((own - float(np.mean(others))) / spread, count - 1))


def _kappas(suspect: Answers, parent: Answers, controls: Mapping[str, Answers]) -> tuple[float, list[float]]:
    found = [kappa(suspect, answers) or 0.0 for answers in (parent, *controls.values())]
    return found[0], found[1:]


def _paired(
    suspect: Answers, parents: Mapping[str, Answers], controls: Mapping[str, Mapping[str, Answers]],
    tested: Sequence[str],
) -> dict[str, float]:  # fmt: skip
    """McNemar's one-sided p of each parent against the control that is hardest to beat, after Holm over all pairs."""
    pairs, values = [], []
    for parent in tested:
        like_parent = _equal(suspect, parents[parent])
        for answers in controls[parent].values():
            test = mcnemar(like_parent, _equal(suspect, answers))
            pairs.append(parent)
            values.append(test.p / 2 if test.only_first > test.only_second else 1.0)
    worst = dict.fromkeys(tested, 0.0)
    for parent, value in zip(pairs, holm(values), strict=True):
        worst[parent] = max(worst[parent], value)
    return worst


def _equal(first: Answers, second: Answers) -> list[bool]:
    return [a == b for a, b in zip(first, second, strict=True)]
