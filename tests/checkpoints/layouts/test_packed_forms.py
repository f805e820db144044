"""Matrices that the programs themselves packed are decoded as these decode them; cells hold what was packed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, decode, encode
from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.layouts.decoded import cells_at
from modelprov.checkpoints.layouts.quantised import quantisation, refuse_quantised
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import UnsupportedFormatError

DATA = Path(__file__).parents[2] / "data" / "packed"
FORMS = {
    "w4a16": ("compressed-tensors int4 with a scale for each 32 values", 4.5),
    "w4a16-asymmetric": ("compressed-tensors int4 with a scale for each 32 values, with zero points", 4.625),
    "w8a16": ("compressed-tensors int8 with a scale for each row", 8.125),
    "w8a8": ("int8 with a scale for each row", 8.125),
    "fp8-row": ("FP8 (E4M3) with a scale for each row", 8.125),
    "fp8-block": ("FP8 (E4M3) with a scale for each block of 16 × 64", 8 + 16 / 1024),
    "fp8-tensor": ("FP8 (E4M3) with a scale for each tensor", 8 + 16 / 4096),
    "nvfp4": ("NVFP4", 4.5),
    "mxfp4": ("MXFP4", 4.25),
    "mxfp4-gpt-oss": ("MXFP4", 4.25),
    "nf4": ("bitsandbytes NF4", 4.5),
    "nf4-nested": ("bitsandbytes NF4, nested", 4 + (8 + 32 / 256) / 64),
    "fp4": ("bitsandbytes FP4", 4.5),
    "int8-bitsandbytes": ("int8 with a scale for each row", 8.25),
    "mlx-3": ("MLX int3 with a scale for each 64 values", 3.5),
    "mlx-4": ("MLX int4 with a scale for each 64 values", 4.5),
    "mlx-4-experts": ("MLX int4 with a scale for each 64 values", 4.5),
    "mlx-6": ("MLX int6 with a scale for each 64 values", 6.5),
    "mlx-8": ("MLX int8 with a scale for each 32 values", 9.0),
    "hqq-4": ("HQQ int4 with a scale for each 64 values", 4.5),
    "hqq-8": ("HQQ int8 with a scale for each 64 values", 8.5),
    "hqq-4-by-columns": ("HQQ int4 with a scale for each 64 values", 4.5),
    "gptq-3": ("GPTQ int3 with a scale for each 32 values", 3 + 19 / 32),
    "gptq-4": ("GPTQ int4 with a scale for each 32 values", 4 + 20 / 32),
    "gptq-4-ordered-by-activations": ("GPTQ int4 with a scale for each 32 values", 4 + 20 / 32),
    "gptq-8": ("GPTQ int8 with a scale for each 32 values", 8 + 24 / 32),
    "awq": ("AWQ int4 with a scale for each 64 values", 4 + 20 / 64),
    "awq-gemv": ("AWQ int4 with a scale for each 64 values", 4 + 20 * 16 / 128),  # two groups are stored as sixteen
    "awq-gemv-fast": ("AWQ int4 with a scale for each 64 values", 4 + 32 * 16 / 128),
    "torchao-int8": ("torchao int8 with a scale for each row", 8 + 40 / 128),
    "torchao-int8-groups": ("torchao int8 with a scale for each 32 values", 8 + 40 / 32),
    "torchao-int4": ("torchao int4 with a scale for each 32 values", 8 + 24 / 32),
    "torchao-int4-asymmetric": ("torchao int4 with a scale for each 32 values", 8 + 24 / 32),
    "torchao-float8": ("FP8 (E4M3) with a scale for each row", 8.25),
    "torchao-float8-tensor": ("FP8 (E4M3) with a scale for each tensor", 8 + 32 / 4096),
}
MOVED = [form for form in FORMS if form.startswith(("gptq", "awq"))]
SUPPOSED = [form for form in FORMS if form.startswith(("w4a16", "w8", "hqq", "torchao-int"))]


def opened(folder: Path, form: str) -> Checkpoint:
    """The fixture as a folder, with the config that its program writes."""
    shutil.copy(DATA / f"{form}.safetensors", folder / "model.safetensors")
    raw = (folder / "model.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    (folder / "config.json").write_text(header["__metadata__"]["config"])
    return open_checkpoint(str(folder))


def numbers(path: Path) -> tuple[np.ndarray, DType]:
    """The one tensor of a file, float64, and its format."""
    plain = open_checkpoint(str(path))
    (ref,) = plain.tensors.values()
    raw = np.empty(ref.stop - ref.start, np.uint8)
    plain.source.read_into(ref.shard, ref.start, raw.data)
    plain.source.close()
    return decode(raw, ref.dtype).reshape(ref.shape), ref.dtype


def read(checkpoint: Checkpoint, first: int = 0, count: int | None = None) -> np.ndarray:
    (ref,) = checkpoint.tensors.values()
    raw = np.empty((ref.count if count is None else count) * 4, np.uint8)
    checkpoint.source.read_into(ref.shard, ref.start + 4 * first, raw.data)
    return decode(raw, ref.dtype)


@pytest.mark.parametrize("form", FORMS)
def test_numbers_are_those_of_the_program_that_packed_them(tmp_path: Path, form: str) -> None:
    checkpoint = opened(tmp_path, form)
    (ref,) = checkpoint.tensors.values()
    expected, dtype = numbers(DATA / f"{form}.numbers.safetensors")
    own = read(checkpoint)
    assert ref.shape == expected.shape
    if dtype is DType.F32:
        assert np.allclose(own, expected.ravel(), rtol=1e-6, atol=1e-9)
    else:  # the program rounds products to its format, some of them twice
        steps = np.abs(decode(encode(own, dtype), dtype) - expected.ravel()) / np.maximum(
            np.abs(expected.ravel()), 1e-9
        )
        slack = 2.0 ** -(dtype.mantissa_bits - 1)
        assert steps.max() <= slack if form != "hqq-8" else 1
    for first, count in ((0, 1), (127, 2), (100, 3000), (ref.count - 1, 1)):
        assert np.array_equal(read(checkpoint, first, count), own[first : first + count])
    refuse_quantised(checkpoint)


@pytest.mark.parametrize("form", FORMS)
def test_inspect_says_what_it_is_and_its_bits(tmp_path: Path, form: str) -> None:
    checkpoint = opened(tmp_path, form)
    name, bits = FORMS[form]
    assert quantisation(checkpoint) == name
    found = inspect_checkpoint(checkpoint)
    assert found.parameters == 4096
    assert found.bits_per_weight == pytest.approx(bits)
    assert not checkpoint.refused


@pytest.mark.parametrize("form", [form for form in FORMS if form not in MOVED and form != "mxfp4-gpt-oss"])
def test_cells_hold_what_was_packed(tmp_path: Path, form: str) -> None:
    checkpoint = opened(tmp_path, form)
    original, _ = numbers(DATA / "original.safetensors")
    (ref,) = checkpoint.tensors.values()
    lower, upper = cells_at(checkpoint.source, ref.shard, ref.start, ref.count, before=False) or (None, None)
    assert lower is not None
    assert upper is not None
    known = np.isfinite(lower)
    inside = (lower <= original.ravel()) & (original.ravel() <= upper)
    assert inside[known].all()
    assert known.mean() > (0.5 if "3" in form else 0.7)
    own = read(checkpoint)
    assert ((lower <= own) & (own <= upper))[known].all()
    (packing,) = checkpoint.packings.values()
    assert packing.supposed == (form in SUPPOSED)
    for first, count in ((0, 1), (127, 2), (ref.count - 1, 1)):
        some = cells_at(checkpoint.source, ref.shard, ref.start + 4 * first, count, before=False)
        assert some is not None
        assert np.array_equal(some[0], lower[first : first + count], equal_nan=True)


@pytest.mark.parametrize("form", MOVED)
def test_forms_that_move_numbers_on_purpose_have_no_cells(tmp_path: Path, form: str) -> None:
    checkpoint = opened(tmp_path, form)
    (ref,) = checkpoint.tensors.values()
    assert cells_at(checkpoint.source, ref.shard, ref.start, 10) is None
    assert any("nothing bounds" in note for note in checkpoint.notes)


def changed(folder: Path, form: str, change: Callable[[dict[str, Any]], None], config: str | None = None) -> Checkpoint:
    """The fixture with another header, its bytes as they are."""
    raw = (DATA / f"{form}.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    told = header.pop("__metadata__")["config"]
    change(header)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])
    (folder / "config.json").write_text(config or told)
    return open_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("form", "needed"),
    [
        ("w4a16", "weight_scale"), ("w4a16", "weight_shape"), ("nvfp4", "weight_global_scale"), ("nf4", "absmax"),
        ("nf4-nested", "nested_quant_map"), ("mlx-4", "scales"), ("hqq-4", ".zero"), ("gptq-4", "qzeros"),
        ("awq", "scales"), ("mxfp4", "weight_scale"), ("mxfp4-gpt-oss", "scales"),
    ],
)  # fmt: skip
def test_what_lacks_a_part_stays_refused(tmp_path: Path, form: str, needed: str) -> None:
    def without(header: dict[str, Any]) -> None:
        (name,) = (name for name in header if name.endswith(needed))
        header["another"] = header.pop(name)

    checkpoint = changed(tmp_path, form, without)
    assert checkpoint.refused
    assert not checkpoint.packings


@pytest.mark.parametrize("form", ["w4a16", "nvfp4", "nf4", "mlx-4", "hqq-4", "gptq-4", "awq", "mxfp4"])
def test_sides_that_do_not_fit_together_stay_refused(tmp_path: Path, form: str) -> None:
    def halved(header: dict[str, Any]) -> None:
        (name,) = (name for name in header if name.endswith((".weight_scale", "absmax", ".scale", ".scales")))
        first, *rest = header[name]["shape"]
        header[name]["shape"] = [first // 2, *rest, 2]

    assert not changed(tmp_path, form, halved).packings


def test_zero_points_of_the_first_version_of_gptq_are_stored_less_one(tmp_path: Path) -> None:
    first = changed(tmp_path, "gptq-4", dict, '{"quantization_config": {"quant_method": "gptq"}}')
    (tmp_path / "second").mkdir()
    steps = (read(opened(tmp_path / "second", "gptq-4")) - read(first)).reshape(32, 4, 32)
    assert (steps > 0).all()
    assert np.allclose(steps, steps[:, :, :1])  # one step of each group


@pytest.mark.parametrize("form", ["awq-gemv", "awq-gemv-fast"])
def test_groups_that_are_padded_are_not_guessed(tmp_path: Path, form: str) -> None:
    checkpoint = changed(tmp_path, form, dict, '{"quantization_config": {"quant_method": "awq"}}')
    assert not checkpoint.packings
    with pytest.raises(UnsupportedFormatError, match="AWQ"):
        refuse_quantised(checkpoint)


def torchaos(folder: Path, change: Callable[[dict[str, Any]], None]) -> Checkpoint:
    """A file of torchao whose metadata says something else of its one tensor."""
    raw = (DATA / "torchao-int8.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    (name,) = json.loads(header["__metadata__"]["tensor_names"])
    told = json.loads(header["__metadata__"][name])
    change(told)
    header["__metadata__"][name] = json.dumps(told)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])
    return open_checkpoint(str(folder))


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "Int4Tensor"}, {"_data": {"block_size": [1, 24]}}, {"_data": {"block_size": [2, 64]}}, {"_data": 1},
        {"_data": {"block_size": [1, -1]}}, {"_tensor_data_names": ["qdata", "scale", "zero_point", "act_pre_scale"]},
    ],
)  # fmt: skip
def test_what_torchao_says_otherwise_stays_refused_by_its_name(tmp_path: Path, change: dict[str, Any]) -> None:
    assert torchaos(tmp_path, lambda _: None).packings
    checkpoint = torchaos(tmp_path, lambda told: told.update(change))
    assert not checkpoint.packings
    with pytest.raises(UnsupportedFormatError, match="torchao"):
        refuse_quantised(checkpoint)
