"""The published figures of the Rio case: one alpha and bf16 rounding explain them."""

import numpy as np
import pytest

from benchmarks.rio_published import alphas_at, published_points, rms_error, simulate, table_points

ELEMENTS = 150_000


def test_the_five_points_are_the_published_ones():
    pairs = [(p.cosine, p.alpha) for p in table_points()]
    assert pairs == [(0.997, 0.567), (0.992, 0.573), (0.987, 0.582), (0.967, 0.627), (0.962, 0.647)]
    assert len(published_points()) == 7


def test_one_alpha_explains_the_spread_and_neither_of_the_others_does():
    rows = alphas_at(table_points(), (0.565, 4 / 7, 0.6), seed=60, elements=ELEMENTS)
    np.testing.assert_allclose(rows[0], [0.568, 0.573, 0.580, 0.627, 0.649], atol=0.0025)
    np.testing.assert_allclose(rows[1], [0.572, 0.577, 0.583, 0.629, 0.651], atol=0.0025)
    np.testing.assert_allclose(rows[2], [0.600, 0.603, 0.609, 0.658, 0.685], atol=0.0035)
    errors = [rms_error(table_points(), row) for row in rows]
    assert errors == pytest.approx([0.0011, 0.0034, 0.0317], abs=0.0006)


def test_norm_weights_near_one_show_about_nine_tenths_from_the_same_alpha():
    cosine, alpha = simulate([0.565], 3.5e-3, seed=61, elements=ELEMENTS, mean=1.0)[0]
    assert alpha == pytest.approx(0.9, abs=0.02)
    assert cosine > 0.95
