"""Headers, indexes and configs with numbers, names and nesting beyond measure: the file's fault, soon, in few words."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.json_files import read_json_object
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import InvalidCheckpointError, ModelprovError
from tests import factories

DIGITS = "9" * 4_301


def header(folder: Path, text: str, data: bytes = b"") -> Path:
    folder.mkdir()
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(text.encode())) + text.encode() + data)
    return path


def entry(shape: str = "[1]", offsets: str = "[0, 2]", dtype: str = '"BF16"') -> str:
    return f'{{"dtype": {dtype}, "shape": {shape}, "data_offsets": {offsets}}}'


HEADERS = {
    "offset of 4,301 digits": f'{{"a": {entry(offsets="[0, " + DIGITS + "]")}}}',
    "offset of 4,300 digits": f'{{"a": {entry(offsets="[0, " + DIGITS[1:] + "]")}}}',
    "negative offsets": f'{{"a": {entry(offsets="[-" + DIGITS[1:] + ", 1]")}}}',
    "side of 300 digits": f'{{"a": {entry("[" + "9" * 300 + "]")}}}',
    "many sides": f'{{"a": {entry("[" + "9," * 1_000_000 + "9]")}}}',
    "many sides and none": f'{{"a": {entry("[" + "9," * 1_000_000 + "0]", "[0, 0]")}}}',
    "many long sides": f'{{"a": {entry("[" + ",".join(["9" * 290] * 7_000) + "]")}}}',
    "many sides of one": f'{{"a": {entry("[" + "1," * 1_000_000 + "1]")}}}',
    "many offsets": f'{{"a": {entry(offsets="[" + "1," * 1_000_000 + "1]")}}}',
    "long dtype": f'{{"a": {entry(dtype=json.dumps("x" * 2_000_000))}}}',
    "dtype is a list": f'{{"a": {entry(dtype="[" + "[]," * 500_000 + "[]]")}}}',
    "long name": f'{{"{"x" * 1_200_000}": {entry()}}}',
    "long name twice": f'{{"{"x" * 600_000}": {entry()}, "{"x" * 600_000}": {entry()}}}',
    "long unprintable name": f'{{"{"x" * 600_000}\\u0007": {entry()}}}',
    "deep": '{"a": ' + "[" * 1_000_000,
    "deep but closed": '{"a": ' + "[" * 900 + "]" * 900 + "}",
    "deep shape": f'{{"a": {entry("[" * 500 + "]" * 500)}}}',
    "long float": f'{{"a": {entry("[1." + "0" * 2_000_000 + "]")}}}',
    "float beyond float64": f'{{"a": {entry("[1e400]")}}}',
}


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS)
def test_a_hostile_header_is_refused_soon_and_in_few_words(text: str, tmp_path: Path) -> None:
    header(tmp_path / "model", text, b"\0\0")
    started = time.process_time()
    with pytest.raises(InvalidCheckpointError) as caught:
        open_checkpoint(str(tmp_path / "model"))
    assert time.process_time() - started < 10
    assert len(caught.value.message) < 600
    assert "int_max_str" not in caught.value.message


def test_a_layer_number_of_many_digits_is_no_layer(tmp_path: Path) -> None:
    names = [f"model.layers.{'9' * 900}.mlp.up_proj.weight", f"model.layers.0.experts.{'9' * 900}.up_proj.weight"]
    tensors: dict[str, factories.Tensor] = {name: (np.ones((1, 2)), "BF16") for name in names}
    folder = factories.write_checkpoint(tmp_path / "model", tensors, config={})
    assert inspect_checkpoint(open_checkpoint(str(folder))).layers == 1


@pytest.mark.parametrize(
    "text",
    ['{"a": ' + DIGITS + "}", '{"a": ' + "[" * 900 + "]" * 900 + "}", "[" * 100_000, '{"a": "' + "\\" * 3, "5", "\xff"],
)
def test_a_hostile_json_file_is_the_files_fault(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidCheckpointError) as caught:
        read_json_object(path)
    assert "int_max_str" not in caught.value.message


VALUES: tuple[object, ...] = (
    5, -1, 10**299, 1.5, float("inf"), True, None, "", "x", "x" * 100_000, [], [5], [[]], [None], {},
    {"a": 5}, {"": []},
)  # fmt: skip
KEYS = (
    "architectures", "model_type", "vocab_size", "num_hidden_layers", "hidden_size", "num_experts", "text_config",
    "tie_word_embeddings", "quantization_config", "compression_config", "auto_map", "custom_generate", "torch_dtype",
    "num_nextn_predict_layers", "layer_types",
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_a_config_may_say_anything(key: str, tmp_path: Path) -> None:
    """Whatever a key holds, a checkpoint is inspected or refused in words."""
    for number, value in enumerate(VALUES):
        tensors: dict[str, factories.Tensor] = {"model.embed_tokens.weight": (np.ones((1, 2)), "BF16")}
        config = {"quantization_config": {"quant_method": value}} if key == "compression_config" else {key: value}
        folder = factories.write_checkpoint(tmp_path / str(number), tensors, config=config)
        inspect_checkpoint(open_checkpoint(str(folder)))


@pytest.mark.parametrize("name", ["x" * 5_000, "a\0b", "../x", "", "x/" * 3_000])
def test_an_index_with_an_impossible_file_name_is_the_files_fault(name: str, tmp_path: Path) -> None:
    folder = factories.write_checkpoint(tmp_path / "model", {"a": (np.ones(1), "BF16")}, config={})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ModelprovError) as caught:
        open_checkpoint(str(folder))
    assert len(caught.value.message) < 600
