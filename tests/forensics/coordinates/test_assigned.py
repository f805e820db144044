"""The assignment of largest sum: what is obvious is not searched for, and is the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from modelprov.forensics.search.coordinates.pairing import assigned


def best(scores: np.ndarray) -> float:
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return float(scores[rows, columns].sum())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(40, 40), (40, 60), (60, 40), (1, 1), (0, 5), (3, 0)])
@pytest.mark.parametrize("clear", [0.0, 5.0])
def test_no_assignment_has_a_larger_sum(seed: int, shape: tuple[int, int], clear: float) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=shape).astype(np.float32)
    for row, column in zip(rng.permutation(shape[0]), rng.permutation(shape[1]), strict=False):
        scores[row, column] += np.float32(clear)  # obvious pairs
    found = assigned(scores)
    rows = np.flatnonzero(found >= 0)
    assert len(rows) == min(shape)
    assert len(set(found[rows].tolist())) == len(rows)
    assert float(scores[rows, found[rows]].sum()) == pytest.approx(best(scores), abs=1e-4)
