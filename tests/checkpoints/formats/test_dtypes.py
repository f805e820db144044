"""Formats against independent oracles: torch's casts, and exact fractions for the rounding cell."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType, decode, encode, round_bf16, round_to, rounding_cell
from modelprov.native import native, why_not

# Mantissa bits, smallest and largest exponent of a normal number: the formats' definitions, restated.
DEFINITIONS = {DType.BF16: (7, -126, 127), DType.F16: (10, -14, 15), DType.F32: (23, -126, 127)}
NARROW = list(DEFINITIONS)


def exactly_rounded(value: float, dtype: DType) -> float:
    """Nearest representable number, ties to even, by arithmetic on fractions alone."""
    mantissa, lowest, highest = DEFINITIONS[dtype]
    magnitude = abs(Fraction(value))
    if magnitude == 0:
        return value
    exponent = lowest
    while Fraction(2) ** (exponent + 1) <= magnitude:
        exponent += 1
    step = Fraction(2) ** (exponent - mantissa)
    rounded = round(magnitude / step) * step  # `round` on a Fraction goes to even
    largest = (2 - Fraction(2) ** -mantissa) * Fraction(2) ** highest
    result = float(rounded) if rounded <= largest else np.inf
    return -result if value < 0 else result


def landmarks(dtype: DType) -> list[float]:
    """Zero, subnormals, powers of two, the largest finite number, and what lies half-way or barely beside it."""
    mantissa, lowest, highest = DEFINITIONS[dtype]
    tiny = 2.0 ** (lowest - mantissa)
    largest = (2 - 2.0**-mantissa) * 2.0**highest
    points = [0.0, tiny, 3 * tiny, 2.0**lowest - tiny, 2.0**lowest, 2.0 ** (lowest + 1), 0.5, 1.0, 2.0, largest, 1 / 3]
    halfway = [tiny / 2, 1.5 * tiny, 2.5 * tiny, 1 + 2.0 ** -(mantissa + 1), 1 + 3 * 2.0 ** -(mantissa + 1)]
    halfway += [1 - 2.0 ** -(mantissa + 2), largest + 2.0 ** (highest - mantissa - 1)]
    beside = [float(np.nextafter(x, side)) for x in halfway for side in (0.0, np.inf)]
    return [sign * x for x in points + halfway + beside for sign in (1, -1)]


def any_number(dtype: DType) -> st.SearchStrategy[float]:
    """Numbers of every size that `dtype` can round to something finite, with many near its ties."""
    mantissa, lowest, highest = DEFINITIONS[dtype]
    near = st.builds(
        lambda whole, exponent, nudge, sign: sign * (whole / 2 + nudge) * 2.0 ** (exponent - mantissa),
        st.integers(0, 2 ** (mantissa + 2)),
        st.integers(lowest, highest - 2),
        st.sampled_from([0.0, 2.0**-26, -(2.0**-26), 2.0**-20]),
        st.sampled_from([1, -1]),
    )
    return near | st.floats(-(2.0**highest), 2.0**highest)


@pytest.mark.parametrize("dtype", NARROW)
def test_landmarks_round_exactly(dtype: DType) -> None:
    values = np.array(landmarks(dtype))
    expected = np.array([exactly_rounded(float(value), dtype) for value in values])
    assert np.array_equal(round_to(values, dtype), expected)
    assert np.array_equal(np.signbit(round_to(values, dtype)), np.signbit(values))


@pytest.mark.parametrize("dtype", NARROW)
@given(data=st.data())
def test_every_number_rounds_once_to_nearest_even(dtype: DType, data: st.DataObject) -> None:
    value = data.draw(any_number(dtype))
    assert round_to(np.array([value]), dtype)[0] == exactly_rounded(value, dtype)


def test_rounding_to_bf16_is_torchs_on_every_upper_half_and_ties() -> None:
    torch = pytest.importorskip("torch")
    # Every bf16 pattern, followed by zero, just below a tie, a tie, just above it, and the last bit.
    upper = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
    bits = np.concatenate([upper | np.uint32(low) for low in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)])
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    expected = torch.from_numpy(values).to(torch.bfloat16).float().numpy()
    assert np.array_equal(round_bf16(values), expected)
    assert np.array_equal(round_to(values.astype(np.float64), DType.BF16), expected.astype(np.float64))


def test_infinities_and_nan_stay_what_they_are() -> None:
    odd = np.array([np.inf, -np.inf, np.nan])
    for dtype in DType:
        assert np.array_equal(round_to(odd, dtype), odd, equal_nan=True)
        assert np.array_equal(decode(encode(odd, dtype), dtype), odd, equal_nan=True)


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16])
def test_every_stored_pattern_decodes_as_torch_and_survives_the_way_back(dtype: DType) -> None:
    torch = pytest.importorskip("torch")
    patterns = np.arange(1 << 16, dtype=np.uint16)
    theirs = torch.from_numpy(patterns.view(np.int16)).view(torch.bfloat16 if dtype is DType.BF16 else torch.float16)
    decoded = decode(patterns.view(np.uint8), dtype)
    assert np.array_equal(decoded, theirs.double().numpy(), equal_nan=True)
    finite = np.isfinite(decoded)
    assert np.array_equal(encode(decoded[finite], dtype), patterns[finite].view(np.uint8))


@pytest.mark.parametrize("dtype", [DType.F32, DType.F64])
def test_wide_formats_survive_the_way_there_and_back(dtype: DType) -> None:
    values = np.random.default_rng(0).normal(size=100).astype(np.float32).astype(np.float64)
    assert np.array_equal(decode(encode(values, dtype), dtype), values)
    assert len(encode(values, dtype)) == 100 * dtype.size


@pytest.mark.parametrize("dtype", NARROW)
def test_cells_of_landmarks_end_half_way_to_their_neighbours(dtype: DType) -> None:
    mantissa, lowest, highest = DEFINITIONS[dtype]
    tiny, largest = 2.0 ** (lowest - mantissa), (2 - 2.0**-mantissa) * 2.0**highest
    cells = {
        0.0: (-tiny / 2, tiny / 2),
        tiny: (tiny / 2, 1.5 * tiny),
        2.0**lowest: (2.0**lowest - tiny / 2, 2.0**lowest + tiny / 2),
        2.0 ** (lowest + 1): (2.0 ** (lowest + 1) - tiny / 2, 2.0 ** (lowest + 1) + tiny),
        1.0: (1 - 2.0 ** -(mantissa + 2), 1 + 2.0 ** -(mantissa + 1)),
        -1.0: (-1 - 2.0 ** -(mantissa + 1), -1 + 2.0 ** -(mantissa + 2)),
        1.5: (1.5 - 2.0 ** -(mantissa + 1), 1.5 + 2.0 ** -(mantissa + 1)),
        largest: (largest - 2.0 ** (highest - mantissa - 1), largest + 2.0 ** (highest - mantissa - 1)),
    }
    low, high = rounding_cell(np.array(list(cells)), dtype)
    assert list(zip(low, high, strict=True)) == list(cells.values())


@pytest.mark.parametrize("dtype", NARROW)
@given(data=st.data())
def test_the_cell_is_the_set_of_numbers_that_round_to_the_value(dtype: DType, data: st.DataObject) -> None:
    value = exactly_rounded(data.draw(any_number(dtype)), dtype)
    low, high = (float(bound[0]) for bound in rounding_cell(np.array([value]), dtype))
    assert low < value < high
    for bound in (low, high):
        inside, outside = np.nextafter(bound, value), np.nextafter(bound, bound + (bound - value))
        assert exactly_rounded(float(inside), dtype) == value
        assert exactly_rounded(float(outside), dtype) != value


def test_float64_cells_hold_their_value() -> None:
    values = np.array([0.0, 1.0, -3.5, 1e300, 5e-324])
    low, high = rounding_cell(values, DType.F64)
    assert np.all(low <= values)
    assert np.all(values <= high)


@pytest.mark.parametrize("dtype", list(DType))
def test_nothing_encodes_to_nothing(dtype: DType) -> None:
    assert len(encode(np.zeros(0), dtype)) == 0
    assert len(decode(np.zeros(0, np.uint8), dtype)) == 0


@pytest.mark.parametrize("alone", [False, True])
def test_decoding_into_a_given_row_gives_the_same_and_fills_no_row_of_another_length(
    alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if alone:
        numpy_alone(monkeypatch)
    raw, rows = encode(np.linspace(-3, 3, 50), DType.BF16), np.zeros((2, 50))
    decode(raw, DType.BF16, rows[1])
    assert np.array_equal(rows, [np.zeros(50), decode(raw, DType.BF16)])
    with pytest.raises(ValueError, match=r"elements|broadcast"):
        decode(raw, DType.BF16, rows[1, :-1])


def numpy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelprov.checkpoints.formats.dtypes.native", lambda: None)


@pytest.mark.skipif(native() is None, reason=f"no C kernels: {why_not()}")
@pytest.mark.parametrize("dtype", list(DType))
def test_c_decodes_and_finds_cells_to_the_bits_of_numpy(dtype: DType, monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.random.default_rng(5).integers(0, 1 << 64, 9001, np.uint64).view(np.uint8)
    every = np.arange(1 << 16, dtype="<u2").view(np.uint8)
    powers = encode(np.ldexp(1.0, np.arange(-1074, 1024))[:, None] * [1.0, -1.0, 1.5], DType.F64).view(np.float64)
    with np.errstate(all="ignore"):
        held = np.concatenate([words, every, encode(powers, dtype), encode([0.0, -0.0], dtype)])
    found = decode(held, dtype)
    finite = found[np.isfinite(found)]
    cells = rounding_cell(finite.reshape(-1, 1), dtype)
    numpy_alone(monkeypatch)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found, decode(held, dtype))
        np.testing.assert_array_equal(np.signbit(found), np.signbit(decode(held, dtype)))
        for ours, expected in zip(cells, rounding_cell(finite.reshape(-1, 1), dtype), strict=True):
            np.testing.assert_array_equal(ours.view(np.uint64), expected.view(np.uint64))


def test_what_is_no_whole_number_of_elements_is_not_decoded() -> None:
    with pytest.raises(ValueError, match="multiple"):
        decode(np.zeros(3, np.uint8), DType.BF16)
