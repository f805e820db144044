"""Frame-ups by named methods, through the whole pipeline: a parent made for SLERP, NearSwap or DARE is no merge's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.cases import frame_ups_picking as picking
from benchmarks.cases.frame_ups_methods import planted_near_and_far, planted_on_the_arc, planted_thinned_out
from benchmarks.cases.kinds import Case
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.forensics.search.methods import middles
from tests.forensics.families.family import named
from tests.forensics.methods.making import family, merged, search
from tests.generated import Rng, cast
from tests.memory import judge

ONCE = {"arithmetic": "mergekit-0.1.4", "dtype": DType.F32}


@pytest.mark.parametrize("make", [planted_on_the_arc, planted_near_and_far, planted_thinned_out])
def test_a_parent_that_was_made_for_a_method_is_told_and_no_merge_claimed(make: Callable[[Rng], Case]) -> None:
    found = judge(*make(np.random.default_rng(14)).models)
    assert named(found) == ("inconclusive", "extrapolated")
    assert "comes out again as" in found.verdict.summary
    assert "may have been made from S" in found.verdict.summary
    assert found.method is None


@pytest.mark.parametrize(
    ("method", "own", "options"),
    [
        ("slerp", False, {"t": 0.5}),
        ("nearswap", False, {"t": 5e-4}),
        ("ties", True, {}),
        ("dare_linear", True, {}),
    ],
)
@pytest.mark.parametrize("given", [DType.BF16, DType.F32])
def test_a_true_merge_fills_its_cells_whatever_its_parents_precision(
    method: str, own: bool, options: dict[str, float], given: DType
) -> None:
    first, second, base = family(given)
    each = {"weight": [0.7, 0.5], "density": [0.5, 0.5]} if own else {}
    models = [first, second] if own else [second]
    suspect = merged(method, models, base if own else first, each=each, options=options, **ONCE)
    found = search(cast(suspect, DType.BF16), first, second, base)
    assert found is not None
    assert found.made.method == method
    assert len(found.middles) == len(models) + 1
    assert all(middle.share == 0 for middle in found.middles)
    assert all(middle.told for middle in found.middles) or given is DType.BF16


@pytest.mark.parametrize(
    ("make", "method"),
    [
        (picking.where_it_moved, "ties"),
        (picking.between_two_ranks, "breadcrumbs"),
        (picking.above_a_threshold, "arcee_fusion"),
        (picking.beyond_a_step, "nearswap"),
    ],
)
def test_numbers_that_are_taken_over_accuse_nobody(make: Callable[[Rng], tuple[Weights, ...]], method: str) -> None:
    """In files of 16 bits too: the parent was set around an honest finetune, and the method gives every bit."""
    found = judge(*make(np.random.default_rng([5, 2])))
    assert named(found) == ("inconclusive", "picked")
    assert found.method is not None
    assert found.method.name == method
    assert f"comes out again as {method} of P1" in found.verdict.summary
    assert "a parent made from the suspect gives the bits as well" in found.verdict.summary


@pytest.mark.parametrize("method", ["nearswap", "arcee_fusion"])
def test_a_true_swap_is_named_with_its_recipe_and_stays_open(method: str) -> None:
    first, second, base = family()
    suspect = merged(method, [second], first, options={"t": 5e-4} if method == "nearswap" else {})
    found = judge(suspect, first, second, base)
    assert named(found) == ("inconclusive", "picked")
    assert found.method is not None
    assert (found.method.name, found.method.bit_equal) == (method, 1)


@pytest.mark.parametrize("stored", [DType.BF16, DType.F16, DType.F32])
def test_a_true_merge_of_mixed_numbers_is_a_merge_in_steps_of_every_format(stored: DType) -> None:
    first, second, base = family(stored)
    each = {"weight": [0.7, 0.5], "density": [0.5, 0.5]}
    found = judge(merged("ties", [first, second], base, each=each), first, second, base)
    assert named(found) == ("merge", "method")


def test_where_too_few_elements_tell_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middles, "CENTRED_ELEMENTS", 1 << 40)
    for given, rule in ((DType.F32, "extrapolated"), (DType.BF16, "picked")):
        first, second, _ = family(given)
        suspect = cast(merged("slerp", [second], first, options={"t": 0.35}, **ONCE), DType.BF16)
        found = judge(suspect, first, second)
        assert found.verdict.rule == rule
        assert ("finer numbers" in found.verdict.summary) == (rule == "extrapolated")


def test_the_verdict_says_which_tensors_were_computed_again_and_whether_norms_come_out() -> None:
    first, second, base = family()
    suspect = merged("slerp", [second], first, options={"t": 0.35})
    summary = judge(suspect, first, second).verdict.summary
    assert "in all 26 matrices, it gives every bit, as it does in the 9 norms" in summary
    other = suspect | {name: base[name] for name, (values, _) in suspect.items() if values.ndim == 1}
    summary = judge(other, first, second).verdict.summary
    assert "it gives every bit (of 9 norms and other small tensors, which are not counted, in 0)" in summary
