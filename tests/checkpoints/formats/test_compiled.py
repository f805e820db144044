"""Formats in compiled loops: the bits of numpy's versions, for every number of 16 bits and for many of 32."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats import compiled
from modelprov.checkpoints.formats.dtypes import (
    FORMATS,
    SIZES,
    WITHIN_FLOAT32,
    Bytes,
    DType,
    decode,
    encode,
    pack,
    store,
)

EVERY = np.arange(1 << 16, dtype=np.uint16)
WORDS = np.random.default_rng(0).integers(0, 1 << 32, 1 << 16, dtype=np.uint32)


def stored(dtype: DType) -> Bytes:
    """Every number of a 16-bit format, of F32 numbers of every kind: subnormal, huge, infinite, NaN."""
    special = np.array([0, 1, 1 << 31, 0x7F800000, 0xFF800000, 0x7FC00001, 0x007FFFFF, 0x00800000], np.uint32)
    return np.array(np.concatenate([special, WORDS]) if dtype is DType.F32 else EVERY).view(np.uint8)


@pytest.mark.parametrize("dtype", WITHIN_FLOAT32)
def test_decoding_gives_numpys_values_and_signs(dtype: DType) -> None:
    raw = stored(dtype)
    out = np.full(len(raw) // dtype.size + 3, 7, np.float32)
    compiled.decode_into(raw, dtype.code, out)
    assert (out[-3:] == 7).all()
    expected = decode(raw, dtype)
    np.testing.assert_array_equal(out[:-3], expected)
    assert np.array_equal(np.signbit(out[:-3]), np.signbit(expected))


@pytest.mark.parametrize("dtype", WITHIN_FLOAT32)
def test_encoding_what_was_decoded_gives_the_same_bytes(dtype: DType) -> None:
    raw = stored(dtype)
    with np.errstate(invalid="ignore"):
        values = decode(raw, dtype).astype(np.float32)
    out = np.zeros_like(raw)
    compiled.encode_into(values, dtype.code, out)
    number = ~np.isnan(values)
    words = np.dtype(f"u{dtype.size}")
    for made in (out, pack(values, dtype), encode(values.astype(np.float64), dtype)):
        assert np.array_equal(made.view(words)[number], raw.view(words)[number])
        assert np.isnan(decode(made, dtype)[~number]).all()


@pytest.mark.parametrize("dtype", WITHIN_FLOAT32)
def test_rounding_to_a_format_is_numpys(dtype: DType) -> None:
    values = WORDS.view(np.float32)
    values = np.concatenate(
        [values[np.isfinite(values)], np.float32(2.0**-24) * np.arange(-40, 40, dtype=np.float32) / 4]
    )
    with np.errstate(over="ignore"):
        expected = store(values, dtype)
    rounded = values.copy()
    compiled.round_all(rounded, dtype.code)
    assert np.array_equal(rounded.view(np.uint32), expected.view(np.uint32))


def test_a_code_is_the_place_among_the_formats_and_sizes_follow_it() -> None:
    assert [FORMATS[dtype.code] for dtype in DType] == list(DType)
    assert [int(SIZES[dtype.code]) for dtype in DType] == [dtype.size for dtype in DType]
    assert [compiled.size_of(dtype.code) for dtype in WITHIN_FLOAT32] == [dtype.size for dtype in WITHIN_FLOAT32]
    assert set(DType) - set(WITHIN_FLOAT32) == {DType.F64}


def test_triton_kernels_know_the_formats_by_the_same_codes() -> None:
    """Their numbers stand in the source, since a compiled kernel cannot ask."""
    assert (DType.BF16.code, DType.F16.code, DType.F32.code, DType.F64.code) == (0, 1, 2, 3)


def test_torch_knows_every_format_by_its_name() -> None:
    torch = pytest.importorskip("torch")
    for dtype in DType:
        assert getattr(torch, dtype.torch_name).itemsize == dtype.size


def test_a_nan_of_any_bits_is_rounded_to_no_number() -> None:
    bits = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0xFF800001, 0x7FC00000, 0x7FFF8000], np.uint32)
    values = bits.view(np.float32).copy()
    compiled.round_all(values, DType.BF16.code)
    assert np.isnan(values).all()
    assert np.array_equal(np.signbit(values), bits >> 31 == 1)
