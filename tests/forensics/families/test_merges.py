"""Merges of a generated family through the whole pipeline: every arithmetic, pieces, more than two parents."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.compare import Options
from modelprov.recipes.arithmetics import MEANS, Arithmetic
from tests.forensics.families.family import WEIGHTS, family, named
from tests.generated import Size, apply, change, layer_of, merge, model
from tests.memory import judge, run


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
@pytest.mark.parametrize("arithmetic", [arithmetic for arithmetic in Arithmetic if arithmetic not in MEANS])
def test_an_exact_merge_is_reproduced_to_the_last_bit_in_every_arithmetic(arithmetic: Arithmetic, dtype: DType) -> None:
    parent, _, base = family(dtype)
    everything = Options(threads=1, device="cpu", sample_elements=1 << 19)  # so that the sample settles every tie
    found = run([merge([parent, base], WEIGHTS, arithmetic), parent, base], options=everything).findings
    assert named(found) == ("merge", "reproduced")
    assert found.reproduction.bit_equal == 1
    assert found.reproduction.groups[0].weights["P1"] == pytest.approx(WEIGHTS[0], abs=1e-6)
    assert "the recipe explains every bit" in found.verdict.summary


@pytest.mark.parametrize(
    ("arithmetic", "name", "program"),
    [
        (Arithmetic.STEPWISE, "bf16-stepwise", "mergekit up to 0.1.4 with dtype bfloat16"),
        # bf16(0.6) + bf16(0.4) rounds to 1: nothing to divide by
        (Arithmetic.STEPWISE_UNNORMALISED, "bf16-stepwise", "mergekit up to 0.1.4 with dtype bfloat16"),
        (Arithmetic.STEPWISE_DELTA, "bf16-delta", "the task arithmetic of mergekit with dtype bfloat16"),
        (Arithmetic.TORCH_SUM, "torch-sum", "w * a + v * b of torch tensors"),
        (Arithmetic.TORCH_DELTA, "torch-delta", "b + w * (a - b) of torch tensors"),
        (Arithmetic.TORCH_ALPHA, "torch-alpha", "a.mul(w).add(b, alpha=v) of torch tensors"),
        (
            Arithmetic.TORCH_ALPHA_FROM_ZERO,
            "torch-alpha-from-zero",
            "zeros.add_(a, alpha=w).add_(b, alpha=v) of torch tensors",
        ),
        (Arithmetic.TORCH_DELTA_ALPHA, "torch-delta-alpha", "b.add(a - b, alpha=w) of torch tensors"),
    ],
)
def test_coarse_arithmetic_is_named_and_not_taken_for_training(arithmetic: Arithmetic, name: str, program: str) -> None:
    parent, _, base = family()
    found = judge(merge([parent, base], [0.6, 0.4], arithmetic), parent, base)
    assert named(found) == ("merge", "reproduced")
    assert found.reproduction.arithmetic is not None
    assert name in found.reproduction.arithmetic
    assert found.reproduction.programs == program
    assert f"as {program}, among others" in found.verdict.summary


@pytest.mark.parametrize(
    ("arithmetic", "name"), [(Arithmetic.TORCH_MEAN, "torch-mean"), (Arithmetic.FLOAT32_MEAN, "float32-mean")]
)
def test_a_mean_of_three_is_reproduced(arithmetic: Arithmetic, name: str) -> None:
    parents = family()
    found = judge(merge(parents, [1 / 3] * 3, arithmetic), *parents)
    assert named(found) == ("merge", "reproduced")
    assert found.reproduction.arithmetic == name
    assert found.reproduction.bit_equal == 1
    assert set(found.reproduction.groups[0].weights.values()) == {1 / 3}


@pytest.mark.parametrize("weight", [1 / 7, 0.6173, 2**-0.5])
def test_a_weight_off_every_grid_is_found_where_every_step_is_rounded(weight: float) -> None:
    parent, _, base = family()
    found = judge(merge([parent, base], [weight, 1 - weight], Arithmetic.TORCH_SUM), parent, base)
    assert named(found) == ("merge", "reproduced")
    assert found.reproduction.bit_equal == 1
    assert found.reproduction.groups[0].weights["P1"] == pytest.approx(weight, abs=1e-4)


def test_task_vectors_that_are_added_before_the_base_are_reproduced() -> None:
    parents = family()
    found = judge(merge(parents, [0.7, 0.5, -0.2], Arithmetic.TORCH_DELTA_SUM), *parents)
    assert named(found) == ("merge", "reproduced")
    assert found.reproduction.arithmetic == "torch-delta-sum"


def test_a_merge_with_a_ratio_for_each_layer_is_a_merge_in_pieces() -> None:
    parent, _, base = family()
    steps = {None: 0.5, 0: 0.2, 1: 0.5, 2: 0.8}
    found = judge(merge([parent, base], lambda name: (steps[layer_of(name)], 1 - steps[layer_of(name)])), parent, base)
    assert named(found) == ("merge", "reproduced")
    assert found.facts.pieces == 3


def test_a_ratio_for_each_layer_is_found_though_the_base_is_named_too() -> None:
    first, second, base = family()
    steps = {None: 0.5, 0: 0.2, 1: 0.5, 2: 0.8}
    suspect = merge([first, second], lambda name: (steps[layer_of(name)], 1 - steps[layer_of(name)]))
    found = judge(suspect, first, second, base)
    assert named(found) == ("merge", "reproduced")
    assert found.facts.pieces == 3


def test_the_rest_of_the_weight_as_float64_computes_it_decides_ties() -> None:
    parent, _, base = family(dtype=DType.F32)
    found = judge(merge([parent, base], [0.7, 1 - 0.7], Arithmetic.FLOAT64), parent, base)
    assert named(found) == ("merge", "reproduced")
    assert found.reproduction.bit_equal == 1


def test_layers_taken_whole_from_either_parent_could_be_a_stage_of_training_and_are_no_finding() -> None:
    """Training one layer first and the others later, the first frozen, leaves the same three files."""
    parent, _, base = family()
    found = judge(merge([parent, base], lambda name: (1, 0) if layer_of(name) == 1 else (0, 1)), parent, base)
    assert named(found) == ("inconclusive", "whole-parts")
    assert "training in stages" in found.verdict.summary


def test_layers_taken_whole_beside_layers_that_are_mixed_are_a_merge_in_pieces() -> None:
    parent, _, base = family()
    found = judge(merge([parent, base], lambda name: (1, 0) if layer_of(name) == 1 else (0.6, 0.4)), parent, base)
    assert named(found) == ("merge", "reproduced")


def test_three_parents_are_found_with_their_ratios() -> None:
    found = judge(merge(family(), [0.5, 0.3, 0.2]), *family())
    assert named(found) == ("merge", "reproduced")
    assert found.facts.weights == pytest.approx((0.5, 0.3, 0.2), abs=1e-3)


def test_a_parent_that_took_no_part_is_not_named_in_the_recipe() -> None:
    first, second, base = family()
    found = judge(merge([first, base], WEIGHTS), first, second, base)
    assert named(found) == ("merge", "reproduced")
    assert "P2" not in (found.reproduction.recipe or "")


def test_rounding_step_by_step_in_some_tensors_only_is_still_one_merge() -> None:
    """A weight of 0.1 in bf16 steps moves few elements enough to contradict a common coefficient."""
    rng = np.random.default_rng(9)
    base = model(rng, Size(3, 24, 24, 60), scale=0.5)
    for distance in (1e-4, 2e-4, 4e-4):
        parent = apply(base, change(base, rng, distance, uneven=0.8))
        found = judge(merge([parent, base], (0.1, 0.9), Arithmetic.STEPWISE_DELTA), parent, base)
        assert named(found) == ("merge", "reproduced")


@pytest.mark.parametrize(("weights", "others"), [((0.565, 0.435), 1), ((0.25, 0.75), 1), ((0.25, 0.75), 0)])
def test_coarse_arithmetic_between_close_parents_is_found_beside_a_base_that_has_no_part(
    weights: tuple[float, float], others: int
) -> None:
    """Rounding each step hides the weights by several hundredths, and gives some to the base."""
    rng = np.random.default_rng(5)
    base = model(rng, Size(layers=3, hidden=64, width=128, vocabulary=256), DType.BF16)
    parents = [apply(base, change(base, rng, 3e-5)) for _ in weights]
    found = judge(merge(parents, weights, Arithmetic.STEPWISE), *parents, *[base] * others)
    assert named(found) == ("merge", "reproduced")
    assert tuple(found.reproduction.groups[0].weights.values())[:2] == pytest.approx(weights)
