"""What rules say of numbers that a quantiser rounded: less than of bits, and nothing of what nothing bounds."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.types import Packing
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.packed import in_view_of_packing, shown
from modelprov.forensics.judging.verdict import Decision
from modelprov.forensics.results import LeastSquares, Mixing, VerdictClass

Q8, LOOSE = Packing("GGUF Q8_0", 8.5, True), Packing("GGUF IQ4_XS", 4.25, False)
LABELS = ("S", "A", "B")
LINE, MERGE = Decision(VerdictClass.ON_LINE, "near-the-line"), Decision(VerdictClass.MERGE, "reproduced")


def facts(*packed: Packing | None, error: float | None = 0.001) -> Facts:
    return Facts(elements=10_000, parents=2, packed=packed, weight_error=error)


@pytest.mark.parametrize(
    ("decision", "of", "words"),
    [
        (MERGE, facts(Q8, None, None), "prove no recipe"),
        (MERGE, facts(None, None, Q8), "B is quantised"),
        (LINE, facts(None, Q8, None), "A is quantised"),
        (LINE, facts(LOOSE, None, None), "nothing bounds"),
        (LINE, facts(Q8, None, None, error=0.2), "±0.20 only"),
        (LINE, facts(Q8, None, None, error=None), "not known"),
    ],
)
def test_what_steps_do_not_carry_is_inconclusive(decision: Decision, of: Facts, words: str) -> None:
    found = in_view_of_packing(decision, of, LABELS)
    assert (found.class_, found.rule) == (VerdictClass.INCONCLUSIVE, "quantised")
    assert words in (found.reason or "")


@pytest.mark.parametrize(
    ("decision", "of"),
    [
        (LINE, facts(Q8, None, None)),
        (MERGE, facts(None, None, None)),
        (MERGE, facts()),
        (Decision(VerdictClass.UNRELATED, "unrelated"), facts(LOOSE, None, None)),
        (Decision(VerdictClass.COPY, "identical", 1), facts(Q8, Q8)),
    ],
)
def test_what_they_do_carry_stands(decision: Decision, of: Facts) -> None:
    assert in_view_of_packing(decision, of, LABELS) == decision


def test_no_share_is_told_where_nothing_bounds_it() -> None:
    told = Mixing(alpha=0.6, low=0.59, high=0.61, least_squares=LeastSquares(alpha=0.6, collinearity=0.9))
    bare = shown(told, facts(LOOSE, None, None))
    assert (bare.alpha, bare.low, bare.high, bare.least_squares.alpha) == (None, None, None, None)
    assert "nothing bounds" in (bare.reason or "")
    assert shown(told, facts(Q8, None, None)) == told
    assert np.isclose(bare.least_squares.collinearity or 0, 0.9)
