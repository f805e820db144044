"""FP8 and int8 with scales beside them: decoded by the public formula, whatever the shape of the scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.formats.scaled_codes import values
from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.layouts.decoded import cells_at
from modelprov.checkpoints.layouts.quantised import quantisation, refuse_quantised
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import UnsupportedFormatError
from tests.factories import Tensor, write_checkpoint

RNG = np.random.default_rng(3)
ROWS, COLUMNS = 200, 300
CODES = RNG.choice(np.setdiff1d(np.arange(256), (127, 255)), (ROWS, COLUMNS)).astype(np.uint8)
NAME = "model.layers.0.mlp.up_proj.weight"
SCALES = {
    "block of 128 × 128": ("_scale_inv", (2, 3)), "row": ("_scale", (ROWS, 1)), "tensor": ("_scale", ()),
    "60 values": ("_scale", (ROWS, 5)),
}  # fmt: skip


def opened(folder: Path, scale: Tensor, ending: str, code: str = "F8_E4M3", **more: Any) -> Checkpoint:
    tensors: dict[str, Tensor] = {NAME: (CODES.tobytes(), code, CODES.shape), NAME + ending: scale}
    return open_checkpoint(str(write_checkpoint(folder / "model", tensors, **more)))


def read(checkpoint: Checkpoint, first: int = 0, count: int = ROWS * COLUMNS) -> np.ndarray:
    ref = checkpoint.tensors[NAME]
    raw = np.empty(count * ref.dtype.size, np.uint8)
    checkpoint.source.read_into(ref.shard, ref.start + first * ref.dtype.size, raw.data)
    return decode(raw, ref.dtype)


def spread(scale: np.ndarray) -> np.ndarray:
    """The scale of every element, one by one."""
    grid = scale.reshape((1, 1) if scale.size == 1 else scale.shape)
    high, wide = (128, 128) if grid.shape == (2, 3) else (-(-ROWS // grid.shape[0]), -(-COLUMNS // grid.shape[1]))
    return np.array([[grid[row // high, column // wide] for column in range(COLUMNS)] for row in range(ROWS)])


@pytest.mark.parametrize("by", list(SCALES))
@pytest.mark.parametrize("form", ["F32", "BF16"])
def test_codes_are_multiplied_by_the_scale_of_their_block(tmp_path: Path, by: str, form: str) -> None:
    ending, shape = SCALES[by]
    scale = np.exp2(RNG.integers(-12, -6, shape)).astype(np.float64)  # exact in both formats
    checkpoint = opened(tmp_path, (np.asarray(scale), form), ending)
    expected = (values(CODES, "F8_E4M3").astype(np.float64) * spread(scale)).ravel()
    assert np.array_equal(read(checkpoint), expected)
    for first, count in ((0, 1), (299, 2), (12_345, 30_000), (ROWS * COLUMNS - 1, 1)):
        assert np.array_equal(read(checkpoint, first, count), expected[first : first + count])
        ref = checkpoint.tensors[NAME]
        lower, upper = cells_at(checkpoint.source, ref.shard, ref.start + 4 * first, count) or (None, None)
        assert lower is not None
        assert upper is not None
        assert ((lower <= expected[first : first + count]) & (expected[first : first + count] <= upper)).all()
    assert quantisation(checkpoint) == f"FP8 (E4M3) with a scale for each {by}"
    assert list(checkpoint.tensors) == [NAME]  # the scales are no weights
    assert inspect_checkpoint(checkpoint).parameters == ROWS * COLUMNS
    refuse_quantised(checkpoint)


def test_the_config_says_how_large_blocks_are(tmp_path: Path) -> None:
    config = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [64, 32]}}
    checkpoint = opened(tmp_path, np.ones((4, 10), np.float32), "_scale_inv", config=config)
    assert quantisation(checkpoint) == "FP8 (E4M3) with a scale for each block of 64 × 32"


def test_int8_of_bitsandbytes_is_a_row_by_its_largest_number(tmp_path: Path) -> None:
    weights = RNG.standard_normal((64, 96)).astype(np.float32)
    largest = np.abs(weights).max(axis=1)
    codes = np.round(weights * 127 / largest[:, None]).astype(np.int8)
    tensors: dict[str, Tensor] = {NAME: codes, NAME.removesuffix("weight") + "SCB": largest}
    checkpoint = open_checkpoint(str(write_checkpoint(tmp_path / "model", tensors)))
    own = read(checkpoint, 0, weights.size).reshape(weights.shape)
    assert np.allclose(own, codes * largest[:, None].astype(np.float64) / 127, rtol=1e-6)
    ref = checkpoint.tensors[NAME]
    lower, upper = cells_at(checkpoint.source, ref.shard, ref.start, weights.size, before=False) or (None, None)
    assert lower is not None
    assert upper is not None
    assert ((lower <= weights.ravel()) & (weights.ravel() <= upper)).all()


def test_cells_of_int8_are_only_supposed_as_a_calibration_may_have_moved_numbers(tmp_path: Path) -> None:
    checkpoint = opened(tmp_path, np.ones((ROWS, 1), np.float32), "_scale", "I8")
    (packing,) = checkpoint.packings.values()
    assert (packing.nearest, packing.supposed) == (True, True)


@pytest.mark.parametrize("shape", [(3, 3), (ROWS, 7), (ROWS + 1,), (0,)])
def test_scales_that_do_not_fit_leave_the_weights_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    checkpoint = opened(tmp_path, np.ones(shape, np.float32), "_scale")
    assert NAME in checkpoint.refused
    with pytest.raises(UnsupportedFormatError, match="F8_E4M3"):
        refuse_quantised(checkpoint)


def test_scales_that_are_no_numbers_make_no_numbers_and_no_cells(tmp_path: Path) -> None:
    scale = np.ones((ROWS, 1), np.float32)
    scale[3] = np.nan
    checkpoint = opened(tmp_path, scale, "_scale")
    own = read(checkpoint).reshape(ROWS, COLUMNS)
    assert np.isnan(own[3]).all()
    assert np.isfinite(own[4]).all()
    ref = checkpoint.tensors[NAME]
    lower, _ = cells_at(checkpoint.source, ref.shard, ref.start + 4 * 3 * COLUMNS, COLUMNS) or (np.zeros(1), None)
    assert np.isnan(lower).all()


@pytest.mark.parametrize(
    ("scales", "block"), [((2, 1), "tensor"), ((ROWS // 2, 1), "row"), ((1, 3), "block of 128 × 128")]
)
def test_a_stack_of_experts_is_decoded_matrix_by_matrix(tmp_path: Path, scales: tuple[int, ...], block: str) -> None:
    name, shape = "model.layers.0.mlp.experts.down_proj", (2, ROWS // 2, COLUMNS)
    grid = (2, 1, 1) if block == "tensor" else (2, *scales)
    scale = np.exp2(RNG.integers(-12, -6, grid)).astype(np.float32)
    tensors: dict[str, Tensor] = {name: (CODES.tobytes(), "F8_E4M3", shape), f"{name}_scale_inv": scale}
    checkpoint = open_checkpoint(str(write_checkpoint(tmp_path / "model", tensors)))
    high, wide = {"tensor": (100, 300), "row": (1, 300), "block of 128 × 128": (128, 128)}[block]
    spread = np.repeat(np.repeat(scale, high, axis=1), wide, axis=2)[:, : shape[1], : shape[2]]
    expected = (values(CODES, "F8_E4M3").reshape(shape) * spread).ravel()
    ref = checkpoint.tensors[name]
    assert ref.shape == shape
    for first, count in ((0, expected.size), (29_000, 2_000), (expected.size - 1, 1)):
        raw = np.empty(4 * count, np.uint8)
        checkpoint.source.read_into(ref.shard, ref.start + 4 * first, raw.data)
        assert np.array_equal(decode(raw, ref.dtype), expected[first : first + count])
        cells = cells_at(checkpoint.source, ref.shard, ref.start + 4 * first, count)
        assert cells is not None
        assert (cells[0] <= expected[first : first + count]).all()
