"""What models share at their places beyond chance, where chance is that of each tensor."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.forensics.estimators.at_their_places import equal_beyond_chance
from modelprov.forensics.sampling.sample import Sample


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
