"""What rules say of numbers that a quantiser rounded: less than of bits, and nothing of what nothing bounds."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from modelprov.checkpoints.types import Packing
from modelprov.forensics.estimators.precision import Precision
from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.packed import bounded, in_view_of_packing, shown, with_width
from modelprov.forensics.mixing import LeastSquares, Mixing
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.search.fits import Exact, Fits

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


def test_packed_numbers_that_are_nearly_all_a_parents_are_no_copy_but_those_that_all_are() -> None:
    copy = Decision(VerdictClass.COPY, "identical", 1)
    for equal, rule in ((0.9998, "quantised"), (1.0, "identical")):
        found = in_view_of_packing(copy, replace(facts(Q8, Q8, None), equal=(equal, 0.5)), LABELS)
        assert found.rule == rule


@pytest.mark.parametrize(
    ("shows", "exact", "rule"),
    [
        (("F32", "F32"), True, "quantised"),
        (("F32", "BF16"), False, "quantised"),
        (("F32", "BF16"), True, "near-the-line"),
        (("BF16", "F16"), False, "near-the-line"),
    ],
)
def test_parents_of_float32_precision_may_be_made_to_have_a_quantised_suspect_between_them(
    shows: tuple[str, str], exact: bool, rule: str
) -> None:
    precision = tuple(Precision(each, each) for each in ("GGUF Q8_0", *shows))
    found = in_view_of_packing(LINE, replace(facts(Q8, None, None), precision=precision, exact=exact), LABELS)
    assert found.rule == rule
    assert rule == "near-the-line" or "A holds numbers of float32 precision" in (found.reason or "")


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


@pytest.mark.parametrize(("share", "rule"), [(0.04, "quantised"), (0.003, "near-one-parent")])
def test_a_quantised_parent_whose_small_share_is_certain_is_not_cleared_of(share: float, rule: str) -> None:
    """Its rounding, large beside the parents' distance, makes 0.6 of it look like 0.04."""
    of = replace(facts(None, Q8, None), weights=(share, 1 - share))
    found = in_view_of_packing(Decision(VerdictClass.SAME_ORIGIN, "near-one-parent", 2), of, LABELS)
    assert found.rule == rule


@pytest.mark.parametrize(("share", "rule"), [(0.0011, "quantised"), (0.0002, "near-one-parent")])
def test_what_others_shares_may_err_by_hides_no_share_of_a_quantised_parent(share: float, rule: str) -> None:
    """A tenth of it, in a merge that is nine tenths the nearest one, beside a third that is in neither."""
    of = replace(
        facts(None, None, Q8, None), parents=3, weights=(0.95, share, 0.05 - share), weight_error=0.00104,
        weight_errors=(0.00103, 0.0001, 0.00104),
    )  # fmt: skip
    found = in_view_of_packing(Decision(VerdictClass.SAME_ORIGIN, "near-one-parent", 1), of, [*LABELS, "C"])
    assert found.rule == rule


def test_no_share_is_told_where_nothing_bounds_it() -> None:
    told = Mixing(alpha=0.6, low=0.59, high=0.61, least_squares=LeastSquares(alpha=0.6, collinearity=0.9))
    bare = shown(told, facts(LOOSE, None, None))
    assert (bare.alpha, bare.low, bare.high, bare.least_squares.alpha) == (None, None, None, None)
    assert "nothing bounds" in (bare.reason or "")
    assert shown(told, facts(Q8, None, None)) == told
    assert np.isclose(bare.least_squares.collinearity or 0, 0.9)


def test_what_lies_in_every_cell_has_its_weights_from_there_and_is_straight() -> None:
    exact = Exact(np.tile([0.565, 0.435], (3, 1)), np.full((3, 1), 0.56), np.full((3, 1), 0.57), 600, np.ones(3, bool))
    fits = cast("Fits", SimpleNamespace(exact=exact))
    found = with_width(replace(facts(Q8, None, None), weights=(0.7, 0.3), straightness=0.2), fits)
    assert found.weights == (0.565, 0.435)
    assert found.straightness == 1.0
    assert np.isclose(found.weight_error or 0, 0.005)
    plain = facts(None, None, None)
    assert with_width(plain, fits) == plain
    ends = cast("Fits", SimpleNamespace(exact=replace(exact, weights=np.tile([1.0, 0.0], (3, 1)))))
    assert with_width(replace(facts(Q8, None, None), straightness=None), ends).straightness is None


def test_without_cells_in_the_sample_nothing_bounds_a_suspect() -> None:
    assert bounded((Q8, None), None) == (replace(Q8, nearest=False), None)
    assert bounded((None, Q8), None) == (None, Q8)
    assert bounded((), None) == ()


def test_cells_that_are_only_supposed_bound_nothing_unless_one_mixture_lies_in_all() -> None:
    supposed = replace(Q8, supposed=True)
    exact = Exact(np.tile([0.565, 0.435], (3, 1)), np.full((3, 1), 0.56), np.full((3, 1), 0.57), 600, np.ones(3, bool))
    apart = replace(exact, weights=np.array([[0.5, 0.5], [0.6, 0.4], [0.6, 0.4]]))
    partly = replace(exact, explained=np.array([True, True, False]))
    for own, known in ((exact, True), (apart, False), (partly, False), (None, False)):
        found = with_width(facts(supposed, None, None), cast("Fits", SimpleNamespace(exact=own)))
        assert found.packed[0] == replace(supposed, nearest=known)
        assert with_width(facts(Q8, None, None), cast("Fits", SimpleNamespace(exact=own))).packed[0] == Q8
    assert with_width(facts(supposed, None, None), None).packed[0] == replace(supposed, nearest=False)
