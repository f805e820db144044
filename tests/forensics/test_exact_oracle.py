"""The oracle for cells and ratios agrees with torch, with the compiled arithmetics, and with the package's cells."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import rounding_cell as package_cell
from modelprov.recipes.arithmetics import Arithmetic
from tests.forensics.exact_oracle import decoded, infinite, nearest, real_ratios, rounding_cell
from tests.forensics.recipe_oracle import DTYPES, STEPWISE, merged, ratio_set, recipe, rounded

ONCE = (Arithmetic.FLOAT32, Arithmetic.FLOAT32_DELTA, Arithmetic.FLOAT32_LERP)


def some_bits(kind: str, count: int, seed: int) -> list[int]:
    """Magnitudes of a format: the ends, the borders of subnormals and of powers of two, and random ones."""
    last = infinite(kind) - 1
    fixed = [0, 1, 2, last, last - 1, *(edge + step for edge in (1 << 7, 1 << 10, 1 << 23) for step in (-1, 0, 1))]
    return [bits for bits in fixed if bits <= last] + np.random.default_rng(seed).integers(0, last, count).tolist()


@pytest.mark.parametrize("kind", ["bf16", "f16"])
def test_a_cell_holds_exactly_what_torch_rounds_to_the_value(kind: str) -> None:
    for bits in some_bits(kind, 300, 1):
        value = decoded(bits, kind)
        cell = rounding_cell(value, kind)
        for sign in (1, -1):
            own = cell if sign > 0 else rounding_cell(-value, kind)
            for end, inside in ((own.low, own.low_inside), (own.high, own.high_inside)):
                middle = float(end)
                if not (np.float32(middle) == middle and math.isfinite(middle)):
                    continue
                below, above = (float(np.nextafter(np.float32(middle), np.float32(way))) for way in (-np.inf, np.inf))
                at = [float(x) == sign * float(value) for x in rounded([below, middle, above], kind)]
                expected = [Fraction(x) in own for x in (below, middle, above)]
                assert at == expected, (kind, bits, sign, end)
                assert (end in own) is inside


@pytest.mark.parametrize("kind", ["bf16", "f16"])
def test_cells_touch_without_gap_and_the_even_value_gets_the_tie(kind: str) -> None:
    for bits in some_bits(kind, 200, 2):
        lower, upper = (rounding_cell(decoded(number, kind), kind) for number in (bits, bits + 1))
        assert lower.high == upper.low
        assert lower.high_inside is (bits % 2 == 0)
        assert upper.low_inside is (bits % 2 == 1)
        past = bits == infinite(kind) - 1 and bits % 2 == 1
        assert nearest(lower.high, kind) == (None if past else decoded(bits + bits % 2, kind))


@pytest.mark.parametrize("kind", ["bf16", "f16", "f32"])
def test_the_cells_of_the_package_end_where_those_of_the_oracle_do(kind: str) -> None:
    magnitudes = [decoded(bits, kind) for bits in some_bits(kind, 200, 3)]
    exact = [rounding_cell(sign * value, kind) for value in magnitudes for sign in (1, -1)]
    values = np.array([sign * float(value) for value in magnitudes for sign in (1, -1)])
    lower, upper = package_cell(values, DTYPES[kind])
    np.testing.assert_array_equal(lower, [float(cell.low) for cell in exact])
    np.testing.assert_array_equal(upper, [float(cell.high) for cell in exact])


@pytest.mark.parametrize("kind", ["bf16", "f16"])
@pytest.mark.parametrize("arithmetic", [*ONCE, *STEPWISE])
@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.5, 0.7, 0.8])
def test_the_set_of_ratios_is_all_that_give_the_bits_and_nothing_else(
    kind: str, arithmetic: Arithmetic, alpha: float
) -> None:
    parents = recipe(kind, 4, 300, 2e-4)
    suspect = merged(parents, alpha, arithmetic, kind)
    wide = 4e-6 if arithmetic not in STEPWISE else 5e-3
    runs = ratio_set(suspect, parents, arithmetic, kind, alpha - wide, alpha + wide)
    assert any(start <= alpha <= stop for start, stop in runs)
    tries = np.random.default_rng(5).uniform(alpha - wide, alpha + wide, 300).tolist()
    for start, stop in runs:
        tries += [start, stop, math.nextafter(start, 0), math.nextafter(stop, 1), (start + stop) / 2]
    for ratio in tries:
        inside = any(start <= ratio <= stop for start, stop in runs)
        if alpha - wide <= ratio <= alpha + wide:
            assert inside is (merged(parents, ratio, arithmetic, kind).tobytes() == suspect.tobytes()), ratio


@pytest.mark.parametrize("kind", ["bf16", "f16"])
@pytest.mark.parametrize("alpha", [0.31337, 0.70711, 1.4142])
def test_exact_cells_bound_the_ratios_of_float64_arithmetic(kind: str, alpha: float) -> None:
    parents = recipe(kind, 6, 200, 3e-4)
    suspect = merged(parents, alpha, Arithmetic.FLOAT64, kind)
    exact = real_ratios(suspect.tolist(), parents[0].tolist(), parents[1].tolist(), kind)
    assert exact is not None
    assert Fraction(alpha) in exact
    inside = float(exact.low) + 1e-12, float(exact.high) - 1e-12
    outside = float(exact.low) - 1e-12, float(exact.high) + 1e-12
    assert all(merged(parents, ratio, Arithmetic.FLOAT64, kind).tobytes() == suspect.tobytes() for ratio in inside)
    assert all(merged(parents, ratio, Arithmetic.FLOAT64, kind).tobytes() != suspect.tobytes() for ratio in outside)


def test_at_three_tenths_a_programs_own_rounding_decides_ties_so_that_no_real_ratio_fits() -> None:
    """Parents on a lattice put many ties at a plain ratio; 0.3 and 0.7 as float64 fall on either side of them."""
    parents = recipe("bf16", 6, 200, 3e-4)
    suspect = merged(parents, 0.3, Arithmetic.FLOAT64, "bf16")
    assert real_ratios(suspect.tolist(), parents[0].tolist(), parents[1].tolist(), "bf16") is None
    pairs = zip(parents[0].tolist(), parents[1].tolist(), strict=True)
    unrounded = [Fraction(3, 10) * Fraction(p) + Fraction(7, 10) * Fraction(q) for p, q in pairs]
    cells = [rounding_cell(Fraction(s), "bf16") for s in suspect.tolist()]
    astray = [value for value, cell in zip(unrounded, cells, strict=True) if value not in cell]
    ties = [value for value, cell in zip(unrounded, cells, strict=True) if value in (cell.low, cell.high)]
    assert astray
    assert set(astray) <= set(ties)


def test_a_tie_belongs_to_the_even_neighbour_alone() -> None:
    step = 2.0**-7  # of bf16 at 1
    even, odd = 1.0, 1.0 + step
    half = real_ratios([even], [odd], [even], "bf16")
    assert half is not None
    assert Fraction(1, 2) in half
    picked = real_ratios([odd], [odd], [even], "bf16")
    assert picked is not None
    assert Fraction(1, 2) not in picked
    assert real_ratios([even, 1.0 + 2 * step], [odd, odd], [even, 1.0 + 2 * step], "bf16") is not None
    assert real_ratios([odd, even], [odd, odd], [even, even], "bf16") is None
