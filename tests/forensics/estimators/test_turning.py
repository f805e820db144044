"""Products of rows: a rotation keeps them, whatever else moves rows as far does not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases.opponent_fifth import copy_turned_a_little
from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.turning import products_moved
from modelprov.forensics.thresholds import TURNED
from tests.memory import judge


def _drawn(seed: int) -> tuple[Float64, Float64]:
    """Rows, and a basis near their own."""
    rng = np.random.default_rng(seed)
    skew = 0.01 * rng.standard_normal((96, 96))
    skew -= skew.T
    return rng.standard_normal((64, 96)), np.linalg.solve(np.eye(96) - skew, np.eye(96) + skew)


def test_a_rotation_leaves_the_products_of_rows() -> None:
    rows, basis = _drawn(1)
    assert products_moved(rows @ basis, rows) == pytest.approx(0, abs=1e-12)


def test_another_change_of_that_size_moves_them_and_both_together_half() -> None:
    rows, basis = _drawn(2)
    turned = rows @ basis
    other = np.random.default_rng(3).standard_normal(rows.shape)
    other *= np.linalg.norm(turned - rows) / np.linalg.norm(other)
    assert products_moved(rows + other, rows) == pytest.approx(1, abs=0.1)
    assert products_moved(turned + other, rows) == pytest.approx(np.sqrt(0.5), abs=0.1)
    scaled = products_moved(0.99 * rows, rows)
    assert scaled is not None
    assert scaled > 1


def test_where_nothing_changed_there_is_nothing_to_say() -> None:
    rows, _ = _drawn(4)
    assert products_moved(rows, rows) is None
    assert products_moved(2 * rows[:15], rows[:15]) is None  # too few to tell


def test_a_copy_that_was_rotated_a_little_is_cleared_by_nobody() -> None:
    found = judge(*copy_turned_a_little(np.random.default_rng(8)).models)
    assert (found.verdict.class_, found.verdict.rule) == ("inconclusive", "coordinates-open")
    assert "a rotation leaves them, and training does not (but orthogonal" in found.verdict.summary
    assert found.beyond is not None
    assert found.beyond.turned == ("P1",)
    assert TURNED == 0.5
