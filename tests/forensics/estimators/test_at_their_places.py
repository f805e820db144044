"""What models share at their places beyond chance, which is that of each tensor; counts are the same however made."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.estimators import at_their_places
from modelprov.forensics.estimators.at_their_places import equal_beyond_chance
from modelprov.forensics.judging import sides
from modelprov.forensics.sampling.sample import Sample, from_values
from modelprov.forensics.search.fits import fit_sample
from modelprov.recipes.arithmetics import Arithmetic
from tests.forensics.recipe_oracle import DTYPES, merged, recipe


def sampled(suspect: list[float], parent: list[float], group: list[int]) -> Sample:
    values = np.array(suspect, np.float64)
    formats = np.zeros((2, len(values)), np.uint8)
    return Sample(values, values, values, np.array([parent], np.float64), np.array(group, np.int32), formats)


def test_a_tensor_of_one_number_shares_nothing_beyond_chance() -> None:
    """Zeros beside zeros are equal in any order; what the second tensor shares still counts."""
    assert equal_beyond_chance(sampled([0, 0, 1, 2], [0, 0, 3, 4], [0, 0, 1, 1]), 0) == 0
    assert equal_beyond_chance(sampled([0, 0, 1, 2], [0, 0, 1, 2], [0, 0, 1, 1]), 0) == pytest.approx(1 / 4)


def test_chance_is_the_mean_over_all_orders_within_each_tensor() -> None:
    """Against shuffling the parent's numbers, tensor by tensor; tensors lie in any order in a sample."""
    rng = np.random.default_rng(7)
    group = rng.integers(0, 3, 600)
    suspect, parent = rng.integers(0, 4, 600) + group, rng.integers(0, 4, 600) + group
    shuffled = []
    for _ in range(2_000):
        other = parent.copy()
        for tensor in range(3):
            other[group == tensor] = rng.permutation(parent[group == tensor])
        shuffled.append((suspect == other).mean())
    expected = (suspect == parent).mean() - np.mean(shuffled)
    found = equal_beyond_chance(sampled(list(suspect), list(parent), list(group)), 0)
    assert found == pytest.approx(expected, abs=4 * np.std(shuffled) / np.sqrt(len(shuffled)))


def merge(elements: int) -> Sample:
    parents = recipe("bf16", 3, elements, 2e-3)
    group = np.repeat(np.arange(5, dtype=np.int32), elements // 5)
    return from_values(merged(parents, 0.25, Arithmetic.FLOAT32, "bf16"), list(parents), DTYPES["bf16"], group)


@pytest.mark.parametrize("stored", [DType.BF16, DType.F32, DType.F64])
@pytest.mark.parametrize("in_order", [True, False])
def test_sizes_are_sorted_by_tensor_with_equal_ones_as_they_stand(stored: DType, in_order: bool) -> None:
    rng = np.random.default_rng(5)
    group = rng.integers(0, 7, 4000).astype(np.int32)
    group = np.sort(group) if in_order else group
    bits = rng.integers(0, 0x7F00, 4000).astype(np.uint32) << np.uint32(16)
    values = {DType.BF16: bits.view(np.float32), DType.F32: rng.random(4000, np.float32), DType.F64: rng.random(4000)}
    sizes = values[stored].astype(np.float64)
    sizes[::9] = sizes[0]
    order, first, counts = at_their_places._sorted_by_tensor(sizes, group)
    assert order.tolist() == np.lexsort((sizes, group)).tolist()
    assert first.tolist() == np.searchsorted(np.sort(group), np.unique(group)).tolist()
    assert counts.tolist() == np.bincount(group).tolist()


def test_sides_counted_in_pieces_are_those_of_all_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = merge(20_000)
    stratum = sample.group.astype(np.int64)
    fits = fit_sample(sample, stratum, 5, 0)
    weights = np.array([[0.25, 0.75]] * 4 + [[0.5, 0.5]])
    at_once = sides.sides(fits, weights)
    monkeypatch.setattr(sides, "PIECE", 997)
    assert sides.sides(fits, weights) == at_once
    assert at_once.ties > at_once.even > 0
    assert at_once.roomy >= at_once.strictly > 0
