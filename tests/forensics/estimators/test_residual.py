"""What is left beyond a mixture in one matrix: its size and rank against what was put in."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, rounding_cell, store
from modelprov.forensics.estimators.residual import Residual, _most_of, rank_of, residual

SHAPE = (64, 96)


def left_of(added: np.ndarray, weights: tuple[float, ...] = (0.6,), dtype: DType = DType.BF16) -> Residual:
    """The residual of a mixture of finetunes and their base to which something was added, stored in a format."""
    rng = np.random.default_rng(4)
    base = store(rng.standard_normal(SHAPE).astype(np.float32) * 0.02, dtype)
    parents = [store(base + rng.standard_normal(SHAPE).astype(np.float32) * 1e-3, dtype) for _ in weights]
    mixed = base + sum(w * (parent - base) for w, parent in zip(weights, parents, strict=True))
    suspect = store((mixed + added).astype(np.float32), dtype)
    lower, upper = rounding_cell(suspect.astype(np.float64), dtype)
    return residual(np.stack([suspect, *parents, base]).astype(np.float64), upper - lower)


def adapter(rank: int, size: float) -> np.ndarray:
    rng = np.random.default_rng(9)
    product = rng.standard_normal((SHAPE[0], rank)) @ rng.standard_normal((rank, SHAPE[1]))
    return product * size / np.sqrt(rank)


@pytest.mark.parametrize("weights", [(), (0.6,), (0.3, 0.4)])
@pytest.mark.parametrize("rank", [1, 4, 13])
def test_the_rank_of_an_adapter_is_found_beside_rounding(weights: tuple[float, ...], rank: int) -> None:
    found = left_of(adapter(rank, 1e-3), weights)
    assert found.changed
    assert rank_of(found) == pytest.approx(rank, abs=1)
    assert found.beyond == pytest.approx(np.square(adapter(rank, 1e-3)).sum(), rel=0.05)


def test_a_change_of_full_rank_or_half_of_it_has_no_low_rank() -> None:
    noise = np.random.default_rng(2).standard_normal(SHAPE) * 1e-3
    assert rank_of(left_of(noise)) is None
    assert rank_of(left_of(noise * 0.2 + adapter(4, 1e-3))) is None


def test_rounding_alone_is_no_change() -> None:
    found = left_of(np.zeros(SHAPE))
    assert not found.changed
    assert found.energy == pytest.approx(found.noise, rel=0.2)


def test_rows_and_columns_that_are_all_equal_are_measured_without_an_error() -> None:
    same = np.ones((3, *SHAPE))
    found = residual(same, np.zeros(SHAPE))
    assert (found.energy, found.distance, found.changed) == (0.0, 0.0, False)


def test_no_singular_values_are_computed_of_a_change_whose_sum_of_squares_shows_that_its_rank_is_not_low(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    low, full = left_of(adapter(4, 1e-3)), left_of(np.random.default_rng(2).standard_normal(SHAPE) * 1e-3)
    asked: list[int] = []
    real = np.linalg.eigvalsh
    monkeypatch.setattr(np.linalg, "eigvalsh", lambda gram: asked.append(len(gram)) or real(gram))
    assert (rank_of(full), asked) == (None, [])
    assert (rank_of(low), asked) == (4, [SHAPE[0]])


@pytest.mark.parametrize("rank", [1, 8, 48])
@pytest.mark.parametrize("count", [1, 12, 47])
def test_the_largest_squares_are_never_more_than_their_bound(rank: int, count: int) -> None:
    rng = np.random.default_rng(rank)
    matrix = rng.standard_normal((48, rank)) @ rng.standard_normal((rank, 60)) + 0.1 * rng.standard_normal((48, 60))
    gram = matrix @ matrix.T
    exact = np.sort(np.linalg.eigvalsh(gram))[-count:].sum()
    assert exact <= _most_of(gram, count) * (1 + 1e-12)


@pytest.mark.parametrize("shape", [(64, 96), (96, 64), (17, 40), (2, 30), (1, 8)])
@pytest.mark.parametrize("beside", [0.7, 0.94, 0.96, 0.97, 0.98, 0.99, 1.0, 1.01, 1.05])
def test_the_rank_is_that_of_all_singular_values_whatever_half_of_the_rows_shows(
    shape: tuple[int, int], beside: float
) -> None:
    rng, most = np.random.default_rng(11), int(0.25 * min(shape))
    falling = beside * 0.03 ** (0.5 / max(most, 1))  # about where the largest rank that counts is just enough
    for place in range(3):
        left = rng.standard_normal(shape) @ np.diag(falling ** np.arange(shape[1]))
        left[: shape[0] // 2] *= (0.1, 1.0, 10.0)[place]  # more, as much or less in the rows that are looked at
        energy = float(np.square(left).sum())
        found = Residual(left, energy, 0.01 * energy, 1.0, np.zeros((0, left.size)))
        squares = np.square(np.linalg.svd(left, compute_uv=False))
        allowed = 2 * found.noise + 0.01 * found.beyond
        enough = np.flatnonzero(energy - np.cumsum(squares[:most]) <= allowed)
        assert rank_of(found) == (int(enough[0]) + 1 if enough.size else None)


@pytest.mark.parametrize(("rest", "rank"), [(0.029, 16), (0.032, None)])
def test_rows_that_show_their_largest_squares_exactly_decide_as_all_of_them_do(rest: float, rank: int | None) -> None:
    rows = np.linalg.qr(np.random.default_rng(1).standard_normal((SHAPE[1], SHAPE[0])))[0].T
    squares = np.zeros(SHAPE[0])
    squares[:16], squares[16:32] = (1 - rest) / 16, rest / 16  # all that is left lies in the rows that are looked at
    found = Residual(np.sqrt(squares)[:, None] * rows, 1.0, 0.01, 1.0, np.zeros((0, rows.size)))
    assert rank_of(found) == rank  # up to 0.0299 counts as rounding
