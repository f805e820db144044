"""GGUF blocks: decoded as the library does, and what was quantised lies in the cells, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.gguf_blocks import KINDS, NUMBERS, UNDECODED, Kind, cells, decode, has_cells
from modelprov.checkpoints.formats.gguf_common import READERS
from tests.gguf_files import BY_LIBRARY, K_QUANTS, quantised

gguf = pytest.importorskip("gguf")


def kind_of(name: str) -> Kind:
    return KINDS[NUMBERS[name]]


def weights(scale: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((16, 512)) * scale * np.exp(rng.standard_normal((16, 1)))).astype(np.float32)


def test_the_table_of_types_is_the_libraries() -> None:
    for number, kind in KINDS.items():
        theirs = gguf.GGMLQuantizationType(number)
        assert (theirs.name, gguf.GGML_QUANT_SIZES[theirs]) == (kind.name, (kind.elements, kind.bytes))


def test_all_types_that_hold_weights_are_decoded() -> None:
    rng = np.random.default_rng(0)
    for kind in KINDS.values():
        if kind.plain is None and kind.name not in UNDECODED:
            raw = rng.integers(0, 255, (5, kind.bytes), np.uint8)
            assert decode(raw, kind).shape == (5, kind.elements)


def test_the_common_types_are_decoded_to_the_bits_of_the_library() -> None:
    rng = np.random.default_rng(1)
    for name in READERS:
        kind = kind_of(name)
        raw = rng.integers(0, 256, (64, kind.bytes), np.uint8)  # scales that are infinite or no numbers among them
        with np.errstate(all="ignore"):
            theirs = gguf.dequantize(raw.reshape(1, -1), gguf.GGMLQuantizationType(NUMBERS[name]))
        assert np.array_equal(decode(raw, kind), theirs.reshape(64, -1), equal_nan=True), name


@pytest.mark.parametrize("scale", [1.0, 0.02, 1e-3, 1e-6])
@pytest.mark.parametrize("name", [*BY_LIBRARY, *K_QUANTS])
def test_what_was_quantised_lies_in_its_cell(name: str, scale: float) -> None:
    kind, values = kind_of(name), weights(scale)
    raw = quantised(values, name)[0].reshape(-1, kind.bytes)
    lower, upper = cells(raw, kind)
    known = np.isfinite(lower)
    own = values.reshape(lower.shape).astype(np.float64)
    assert known.mean() > 0.8 or scale < 1e-5  # below half precision's least number every scale is 0
    assert ((lower <= own) & (own <= upper))[known].all()
    assert ((lower <= decode(raw, kind)) & (decode(raw, kind) <= upper))[known].all()


@pytest.mark.parametrize("name", [*BY_LIBRARY, *K_QUANTS])
def test_a_cell_is_hardly_wider_than_a_step(name: str) -> None:
    kind, values = kind_of(name), weights(0.02)
    raw = quantised(values, name)[0].reshape(-1, kind.bytes)
    lower, upper = cells(raw, kind)
    error = np.abs(decode(raw, kind) - values.reshape(lower.shape))[np.isfinite(lower)]
    assert np.nanmean(upper - lower) < 4.6 * error.mean()  # a step is four times the mean error of rounding to it


def test_where_a_scale_is_no_number_nothing_is_known() -> None:
    for name in ("Q8_0", "Q4_1", "Q4_K"):
        kind = kind_of(name)
        raw = quantised(weights(0.02), name)[0].reshape(-1, kind.bytes).copy()
        raw[0, :2] = (0x00, 0x7E)  # NaN in half precision
        lower, upper = cells(raw, kind)
        assert np.isnan(lower[0]).all()
        assert np.isnan(upper[0]).all()
        assert np.isfinite(lower[1:]).any()


def test_numbers_that_a_matrix_of_importance_moved_have_no_cells() -> None:
    assert has_cells(kind_of("Q4_0"), importance=False)
    assert not has_cells(kind_of("Q4_0"), importance=True)
    assert has_cells(kind_of("Q4_K"), importance=True)  # rounded to the stored scales in the end
    assert not has_cells(kind_of("IQ4_XS"), importance=False)
