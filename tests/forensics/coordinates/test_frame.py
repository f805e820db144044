"""Frames between embeddings: an order where there is one, else the rotation, and no assignment where none can reach."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.forensics.search.coordinates import frame as of_frames
from modelprov.forensics.search.coordinates.frame import _permutation, _roughly_polar, find_frame
from modelprov.forensics.search.coordinates.pairing import assigned


@pytest.mark.parametrize("least", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("shape", [(12, 12), (8, 12), (12, 8)])
def test_an_order_is_found_exactly_where_the_best_assignment_reaches_the_mean(
    shape: tuple[int, int], least: float
) -> None:
    for seed in range(20):
        cosines = np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * np.float32(0.1 * (1 + seed))
        order = assigned(np.abs(cosines))
        rows = np.flatnonzero(order >= 0)
        reached = np.abs(cosines[rows, order[rows]]).mean() >= least
        found = _permutation(cosines, least)
        assert (found is not None) == reached
        assert found is None or np.array_equal(found, order)


def test_no_assignment_is_looked_for_in_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise AssertionError("assigned")

    monkeypatch.setattr(of_frames, "assigned", refuse)
    rng = np.random.default_rng(1)
    values = rng.standard_normal((900, 48)).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((48, 48)))[0].astype(np.float32)
    for roughly in (False, True):
        found = find_frame(values, values @ turn, roughly=roughly)
        assert (found.kind, found.cosine) == ("rotated", pytest.approx(1, abs=1e-5))
        assert found.basis == pytest.approx(turn, abs=1e-4)


@pytest.mark.parametrize("shape", [(40, 40), (40, 24), (24, 40)])
def test_roughly_found_it_is_the_polar_factor_of_what_is_regular(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    product = rng.standard_normal(shape).astype(np.float32)
    left, values, right = np.linalg.svd(product.astype(np.float64), full_matrices=False)
    regular = ((left * np.linspace(0.2, 1, values.size)) @ right).astype(np.float32)
    assert _roughly_polar(regular) == pytest.approx(left @ right, abs=1e-4)
    assert np.isfinite(_roughly_polar(np.zeros(shape, np.float32))).all()
