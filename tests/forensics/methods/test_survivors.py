"""Survivors of random masks come out to the bit as known programs round them; numbers that training left do not."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from modelprov.recipes.methods.steps import Steps
from tests.forensics.methods.making import family, merged, thinned_by
from tests.memory import judge


@pytest.mark.parametrize("stored", [DType.BF16, DType.F16])
@pytest.mark.parametrize("computed", [None, DType.F32])
@pytest.mark.parametrize("method", ["dare_linear", "della"])
def test_every_survivor_comes_out_in_the_programs_own_steps(method: str, computed: DType | None, stored: DType) -> None:
    first, second, base = family(stored)
    each = {"weight": [0.57, 0.43], "density": [0.5, 0.6]} | ({"epsilon": [0.1, 0.1]} if method == "della" else {})
    made = merged(method, [first, second], base, each=each, arithmetic="mergekit-0.1.4", dtype=computed)
    found = thinned_by(made, first, second, base)
    assert found is not None
    assert found.remade.told > 500
    assert found.remade.share > 0.998
    assert found.remade.computed


@pytest.mark.parametrize("own", [0.007, 0.001])
def test_a_random_part_of_a_training_with_little_of_its_own_is_no_dare(own: float) -> None:
    """The room that rounded steps need has it in it; the bits have not."""
    first, _, base = family()
    suspect = kept_part(first, base, lambda change, rng: 1.4 * change * (1 + own * rng.standard_normal(change.shape)))
    found = thinned_by(suspect, first, base)
    assert found is not None
    assert found.remade.told > 500
    assert found.remade.share < 0.9
    verdict = judge(suspect, first, base).verdict
    assert (verdict.class_, verdict.rule) == ("inconclusive", "thinned")
    assert "hold bits of a known program" in verdict.summary


def test_a_program_that_rounds_in_another_order_is_not_named() -> None:
    """Weighted first and enlarged then: nearly the same numbers, but not the bits of a program that is known."""
    first, _, base = family()
    step = Steps(np.float32, DType.BF16)
    suspect = kept_part(first, base, lambda change, _: step(np.float32(2.013) * step(np.float32(0.57) * step(change))))
    found = thinned_by(suspect, first, base)
    assert found is not None
    assert not found.remade.computed


def test_few_survivors_that_tell_name_no_program() -> None:
    """A change far smaller than the weights moves them by a few cells, in which any rounding ends alike."""
    first, _, base = family(distance=3e-4)
    made = merged("dare_linear", [first], base, each={"weight": [0.6], "density": [0.1]})
    found = thinned_by(made, first, base)
    assert found is None or not found.remade.computed


def kept_part(parent: Weights, base: Weights, change) -> Weights:  # type: ignore[no-untyped-def]
    """The base, and in a random half of the elements a change that is made of the parent's, rounded once."""
    rng = np.random.default_rng(3)
    made: Weights = {}
    for name, (values, dtype) in parent.items():
        kept = np.where(rng.random(values.shape) < 0.5, change(values - base[name][0], rng), 0)
        made[name] = store((base[name][0] + kept).astype(np.float32), dtype), dtype
    return made
