"""Who came first: parents made from the suspect, merges handed in as parents, controls."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from tests.forensics.families.family import WEIGHTS, family, named
from tests.generated import Size, apply, change, merge, model
from tests.memory import judge


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
@pytest.mark.parametrize("beyond", [1.25, 1.5, 2.0, 3.0])
def test_a_model_is_no_merge_of_one_that_was_made_by_carrying_it_on(beyond: float, dtype: DType) -> None:
    """Anyone can publish 1.5 x honest - 0.5 x base; that honest then lies between the two accuses nobody."""
    honest, _, base = family()
    made = merge([honest, base], (beyond, 1 - beyond), dtype=dtype)
    found = judge(honest, made, base)
    assert named(found) == ("inconclusive", "extrapolated")
    assert "do not settle" in found.verdict.summary
    assert named(judge(honest, base, made)) == ("inconclusive", "extrapolated")


def test_carrying_on_is_seen_beside_a_third_parent_too() -> None:
    honest, other, base = family()
    made = merge([honest, base], (1.5, -0.5))
    assert judge(honest, made, other, base).verdict.class_ == "inconclusive"


@pytest.mark.parametrize("share", [0.3, 0.5, 0.75, 0.9])
def test_a_merge_rounded_to_16_bits_carried_back_misses_its_parents_cells(share: float) -> None:
    parent, _, base = family()
    found = judge(merge([parent, base], (share, 1 - share)), parent, base)
    assert named(found) == ("merge", "reproduced")
    assert found.facts.extrapolated is None


def test_when_the_merge_is_handed_in_as_a_parent_the_summary_says_so() -> None:
    nex, _, qwen = family()
    rio = merge([nex, qwen], WEIGHTS)
    for suspect, *parents in ((nex, rio, qwen), (qwen, rio, nex), (nex, qwen, rio)):
        found = judge(suspect, *parents)
        assert named(found) == ("inconclusive", "other-child")
        middle = "P1" if parents[0] is rio else "P2"
        assert f"{middle} lies between" in found.verdict.summary


def test_roles_are_seen_though_rounding_bends_the_line_between_near_parents() -> None:
    rng = np.random.default_rng(11)
    base = model(rng, Size(3, 32, 64, 200))
    parent = apply(base, change(base, rng, 8e-5))
    found = judge(parent, merge([parent, base], WEIGHTS), base)
    assert found.facts.between == ()
    assert named(found) == ("inconclusive", "other-child")
    assert "P1 lies between S and P2" in found.verdict.summary


def test_a_control_that_fares_the_same_makes_a_merge_inconclusive() -> None:
    parent, other, base = family()
    suspect = merge([parent, base], WEIGHTS)
    innocent = judge(suspect, parent, base, controls=[other])
    assert named(innocent) == ("merge", "reproduced")
    same = judge(suspect, parent, base, controls=[other, merge([parent, base], [0.3, 0.7])])
    assert named(same) == ("inconclusive", "reproduced")
    assert "control 2" in (same.verdict.reason or "")
