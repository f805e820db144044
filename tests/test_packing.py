"""The packers of the tests give the numbers of the programs that they stand for, from files of these programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, decode
from modelprov.checkpoints.types import Checkpoint
from tests.checkpoints.layouts.test_packed_forms import DATA, numbers, opened
from tests.packing import CONFIG, FORMS, mlx, packed_form

NAME = "model.layers.0.mlp.up_proj.weight"
SAME = {
    "w4a16": "W4A16", "w8a16": "W8A16", "w8a8": "int8 W8A8", "fp8-row": "FP8 row", "nvfp4": "NVFP4", "mxfp4": "MXFP4",
    "nf4": "NF4", "fp4": "FP4", "int8-bitsandbytes": "int8 bitsandbytes", "awq-gemv": "AWQ GEMV",
    "torchao-int8": "torchao int8",
}  # fmt: skip


def decoded(checkpoint: Checkpoint) -> np.ndarray:
    ref = checkpoint.tensors[NAME]
    raw = np.empty(ref.stop - ref.start, np.uint8)
    checkpoint.source.read_into(ref.shard, ref.start, raw.data)
    return decode(raw, ref.dtype)


@pytest.mark.parametrize("form", SAME)
def test_a_packer_gives_the_numbers_of_its_program(tmp_path: Path, form: str) -> None:
    original, _ = numbers(DATA / "original.safetensors")
    packed = packed_form("S", {NAME: (original.astype(np.float32), DType.BF16)}, SAME[form])
    assert packed.packings or packed.tensors[NAME].dtype not in tuple(DType)
    mine = decoded(packed)
    theirs = decoded(opened(tmp_path, form))
    same = np.isclose(mine, theirs, rtol=4e-3)
    assert same.mean() > 0.93  # what lies in the middle goes to either side, and so does a power of two


def test_the_packer_of_mlx_gives_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, _ = numbers(DATA / "original.safetensors")
    monkeypatch.setitem(FORMS, "MLX 4", lambda weights: mlx(weights, 4, 64))
    monkeypatch.setitem(CONFIG, "quantization", {"group_size": 64})
    mine = decoded(packed_form("S", {NAME: (original.astype(np.float32), DType.BF16)}, "MLX 4"))
    assert np.isclose(mine, decoded(opened(tmp_path, "mlx-4")), rtol=1e-6).mean() > 0.995
