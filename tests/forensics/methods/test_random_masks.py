"""DARE and DELLA are named by what their survivors hold; elements that somebody picked are not."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.forensics.methods.making import family, merged, search, thinned_by
from tests.memory import judge


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
@pytest.mark.parametrize(
    ("method", "each"),
    [
        ("dare_linear", {"weight": [0.6, 0.4], "density": [0.5, 0.5]}),
        ("dare_ties", {"weight": [0.6, 0.5], "density": [0.5, 0.7]}),
        ("della_linear", {"weight": [0.6, 0.5], "density": [0.5, 0.7], "epsilon": [0.15, 0.15]}),
        ("della", {"weight": [0.6, 0.5], "density": [0.5, 0.7], "epsilon": [0.15, 0.15]}),
    ],
)
def test_random_masks_are_named_with_estimates_of_their_parameters(
    dtype: DType, method: str, each: dict[str, list[float]]
) -> None:
    first, second, base = family(dtype, hidden=48)
    found = search(merged(method, [first, second], base, each=each), first, second, base)
    assert found is not None
    assert (found.made.method, found.made.models, found.made.base) == (method, (0, 1), 2)
    assert found.bits.equal >= 0.995 * found.bits.elements
    assert found.by_chance is not None
    assert found.by_chance < 0.1
    scale = found.made.each[0]["weight"] / 0.6 if method == "della" else 1.0  # only the ratio counts
    for name, values in each.items():
        own = [given[name] / (scale if name == "weight" else 1) for given in found.made.each]
        assert own == pytest.approx(values, abs=0.05), name


def test_a_random_choice_from_one_model_is_told_by_its_enlargement() -> None:
    first, second, base = family()
    found = judge(merged("dare_linear", [first], base, each={"weight": [0.7], "density": [0.3]}), first, second, base)
    assert found.verdict.rule == "method"
    assert found.method is not None
    assert (found.method.name, found.method.parents, found.method.base) == ("dare_linear", ("P1",), "P3")
    assert "a random choice of elements" in found.verdict.summary


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_elements_picked_from_a_model_and_its_base_are_no_dare(share: float) -> None:
    """Picked elements hold the parents' own numbers: nothing was enlarged."""
    first, second, base = family()
    rng = np.random.default_rng(2)
    suspect: Weights = {
        name: (np.where(rng.random(values.shape) < share, values, base[name][0]), dtype)
        for name, (values, dtype) in first.items()
    }
    assert search(suspect, first, second, base) is None
    assert judge(suspect, first, second, base).verdict.rule != "method"


@pytest.mark.parametrize("method", ["della", "della_linear"])
def test_densities_of_della_are_those_of_all_elements_not_of_the_large_ones_that_tell(method: str) -> None:
    """Between close parents only large changes tell, which DELLA keeps more often."""
    first, second, base = family(distance=4e-4, hidden=48)
    each = {"weight": [0.6, 0.5], "density": [0.5, 0.7], "epsilon": [0.15, 0.15]}
    found = thinned_by(merged(method, [first, second], base, each=each), first, second, base)
    assert found is not None
    assert found.method == method
    assert found.densities == pytest.approx((0.5, 0.7), abs=0.01)
    assert found.weights[1] / found.weights[0] == pytest.approx(0.5 / 0.6, abs=0.02)


@pytest.mark.parametrize(("distance", "weight", "density"), [(1e-4, 1.0, 0.5), (2e-4, 0.6, 0.3)])
def test_a_random_choice_between_parents_a_few_steps_apart_is_named(
    distance: float, weight: float, density: float
) -> None:
    """Bf16 steps: a change, its enlargement and its weight are rounded each, and powers of two have uneven cells."""
    first, _, base = family(distance=distance, hidden=96)
    each = {"weight": [weight], "density": [density]}
    found = thinned_by(merged("dare_linear", [first], base, each=each, arithmetic="mergekit-0.1.4"), first, base)
    assert found is not None
    assert (found.method, found.weights, found.densities) == ("dare_linear", (weight,), (density,))


def test_siblings_by_sign_steps_are_no_dare() -> None:
    """Changes of one size and none: shuffled, they are explained nearly as well."""
    _, _, base = family(DType.F32)
    rng = np.random.default_rng(4)
    first, suspect = dict(base), dict(base)
    for name, (values, dtype) in base.items():
        signs = rng.choice([-1, 1], (2, *values.shape))
        own = np.where(rng.random(signs.shape) < 0.96, signs, rng.choice([-1, 1], signs.shape))
        first[name] = (values + 1e-4 * signs.sum(axis=0)).astype(np.float32), dtype
        suspect[name] = (values + 0.5e-4 * own.sum(axis=0)).astype(np.float32), dtype
    found = judge(suspect, first, base)
    assert found.verdict.rule != "method"
