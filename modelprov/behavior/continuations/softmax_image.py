"""Whether log-probabilities lie in the image of an output head. Numbers in, numbers and findings out; asks nobody.

A language model's logits are W h with W its output head [vocabulary, hidden]: whatever is asked, they lie in a space of
`hidden` dimensions, and log-probabilities in that and one more (the normaliser). The space is the model's signature
(Finlayson, Ren and Swayamdipta, "Logits of API-Protected LLMs Leak Proprietary Information", COLM 2024, arXiv
2403.09539; Carlini et al., "Stealing Part of a Production Language Model", ICML 2024, arXiv 2403.06634). Temperature
scales a point of the space, so it changes nothing.

What is left outside the space of the published head, as a share of the spread of the numbers, is at rounding where the
head is that one; small where the head was trained on, merged or rounded; large where it is another's. A parent is

- "its head" where that share is at most `ROUNDING` times that of its own numbers in bfloat16, no more than the steps of
  the served numbers leave (`GRAINS` times, and `FINE`), and at most `EXACT`, whatever the controls;
- "near its head" where at least `CONTROLS` count, p of a sign test over texts against every one of them and of a t-test
  on the logarithms are at most `LEVEL` (Holm), and it is at most `NEAR` times the least of a control's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from modelprov.behavior.continuations.judging import CONTROLS, LEVEL, outlying_p
from modelprov.behavior.imaged import HeadFinding, HeadJudged
from modelprov.behavior.statistics import holm

SPARE = 64
"""Log-probabilities of a text that are asked for beyond the dimensions of the image."""
LEAST_SPARE, LEAST_TEXTS = 16, 8
"""With fewer of them beyond the dimensions a text does not count, with fewer texts nothing is judged."""
ROUNDING = 2.0
"""Times what rounding to bfloat16 leaves outside."""
EXACT = 0.03
"""Share outside above which nothing is "its head", however coarse the parent's own numbers are; in benchmarks/answering
merges leave 0.037 and more, siblings 0.07."""
GRAINS, FINE = 1.2, 0.0035
"""Times what the steps of the served numbers leave outside, and what a head in bfloat16 leaves in fine numbers.
Logits with a common part of 10, as large models' have, lose 0.014 of their spread in bfloat16: within `ROUNDING` of it
would be a merge with 0.3 of another head, which leaves 0.021 in float32 and 0.026 in bfloat16."""
TIED, CLOSE = 5e-5, 0.5
"""Numbers nearer than this are equal; near is what lies within this share of the spread."""
NEAR = 0.5
"""Times the least share of a control; in benchmarks/answering strangers stay above 0.9 of it, finetunes and merges
below 0.18, students of a teacher's answers above 0.55."""
FORMATS = 2.0
"""Times what lies between a model's own numbers in float32 and in bfloat16."""
RELATED = 0.3
"""Share of a model's own numbers outside another's head, up to which the two are related (there: siblings at most
0.11, strangers at least 0.57)."""
KINDRED = 0.95
"""Share of a parent's own numbers outside a control's head, above which the control says nothing of that parent."""

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Head:
    """The rows of an output head for some tokens [tokens, hidden], and its bias there, if any."""

    rows: Reals
    bias: Reals | None = None

    def image(self) -> Reals:
        """An orthonormal basis [tokens, dimensions] of where its centred log-probabilities lie."""
        columns = self.rows if self.bias is None else np.column_stack([self.rows, self.bias])
        centred = columns - columns.mean(0)
        basis, corner = np.linalg.qr(centred)
        sizes = np.abs(np.diag(corner))
        return np.asarray(basis[:, sizes > 1e-10 * sizes.max(initial=0.0)])


def outside(image: Reals, logprobs: Reals) -> float:
    """The share of the spread of log-probabilities [tokens] that lies outside an image; both for degrees of freedom.

    NaN where all are equal, or the image leaves none free.
    """
    count, dimensions = image.shape
    centred = logprobs - logprobs.mean()
    left = centred - image @ (image.T @ centred)
    free, spread = count - 1 - dimensions, float(centred @ centred) / max(count - 1, 1)
    return math.sqrt(float(left @ left) / free / spread) if free > 0 and spread > 0 else math.nan


def grain(logprobs: Reals) -> float:
    """The share of their spread that log-probabilities [tokens] lost in rounding, by how often two are equal.

    Of numbers in steps of s, two that lie near each other are equal in a share s / 2d of the pairs at most d apart,
    whatever their distribution; rounding to s leaves s / sqrt(12). 0 of numbers that are never equal.
    """
    values, spread = np.sort(logprobs), float(np.std(logprobs))
    if not spread > 0:
        return math.nan
    tied, close = (
        int(np.sum(np.searchsorted(values, values + apart, side="right") - np.arange(1, len(values) + 1)))
        for apart in (TIED, CLOSE * spread)
    )
    return 2 * CLOSE * tied / close / math.sqrt(12) if close else 0.0


def apart(own: Reals, others: Reals) -> float:
    """The root mean square difference of two models' centred log-probabilities, over the spread of the first."""
    centred = own - own.mean()
    difference = centred - (others - others.mean())
    return float(np.sqrt((difference @ difference) / max(float(centred @ centred), 1e-300)))


def differ(share: float, formats: float) -> bool:
    """Whether numbers that are a share `apart` are other numbers: by more than two number formats make of one model."""
    return share > FORMATS * formats


def needed(hidden: int) -> int:
    """How many log-probabilities of a text are asked for: the image's dimensions, the normaliser, and some to spare."""
    return hidden + 1 + SPARE


def judge(
    shares: Mapping[str, Sequence[float]], rounding: Mapping[str, float], grains: Mapping[str, float],
    controls: Mapping[str, Sequence[str]], unfit: Mapping[str, str],
) -> tuple[HeadJudged, ...]:  # fmt: skip
    """The finding for each parent in `controls`, which names those that count for it.

    `shares` are those outside each model's head, text by text; `rounding` the median of a parent's own, `grains` that
    of the served numbers that its head was held against.
    """
    tested = [parent for parent, counted in controls.items() if parent not in unfit and len(counted) >= CONTROLS]
    pairs = [(parent, _sign_p(shares[parent], shares[each])) for parent in tested for each in controls[parent]]
    paired = dict.fromkeys(tested, 0.0)
    for (parent, _), p in zip(pairs, holm([p for _, p in pairs]), strict=True):
        paired[parent] = max(paired[parent], p)
    raw = [outlying_p(-_log(shares[parent]), [-_log(shares[each]) for each in controls[parent]]) for parent in tested]
    outlying = dict(zip(tested, holm(raw), strict=True))
    found = []
    for parent, counted in controls.items():
        if parent in unfit:
            found.append(HeadJudged(parent=parent, finding="could not judge", controls=0, reason=unfit[parent]))
            continue
        own = float(np.median(shares[parent]))
        least = min((float(np.median(shares[each])) for each in counted), default=math.nan)
        nearness = own / least if least > 0 else None
        beyond = parent in paired and max(paired[parent], outlying[parent]) <= LEVEL
        finding: HeadFinding = "no nearer than the controls"
        reason = None
        steps = math.hypot(GRAINS * grains[parent], FINE)
        if own <= min(ROUNDING * rounding[parent], steps, EXACT):
            finding = "its head"
        elif parent not in paired:
            finding = "could not judge"
            reason = f"it has {len(counted)} controls that count, and takes {CONTROLS}"
        elif beyond and nearness is not None and nearness <= NEAR:
            finding = "near its head"
        found.append(
            HeadJudged(
                parent=parent, finding=finding, controls=len(counted), p=paired.get(parent),
                outlying_p=outlying.get(parent), nearness=nearness, reason=reason,
            )
        )  # fmt: skip
    return tuple(found)


def _sign_p(own: Sequence[float], others: Sequence[float]) -> float:
    """One-sided p of the sign test that the first are smaller, text by text."""
    smaller = sum(a < b for a, b in zip(own, others, strict=True))
    return float(stats.binomtest(smaller, len(own), alternative="greater").pvalue)


def _log(shares: Sequence[float]) -> float:
    return math.log(max(float(np.median(shares)), 1e-12))
