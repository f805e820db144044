"""Quantised models as inputs of merges: the numbers they store, said aloud; what is not decoded is refused by name."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import pytest

import modelprov
from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import UnsupportedFormatError
from modelprov.merge.virtual import plan_recipe
from modelprov.recipes.recipe import linear
from tests import factories
from tests.fp8_files import as_fp8
from tests.gguf_files import as_gguf
from tests.merge.conftest import model, stored_bytes

NAME = "model.layers.0.mlp.up_proj.weight"


def _values(folder: Path) -> np.ndarray:
    checkpoint = open_checkpoint(str(folder))
    ref = checkpoint.tensors[NAME]
    return decode(np.frombuffer(stored_bytes(checkpoint, ref), np.uint8), ref.dtype).astype(np.float32)


@pytest.mark.parametrize("kind", ["fp8", "gguf"])
def test_a_quantised_model_is_merged_as_the_numbers_that_it_stores(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("torch" if kind == "fp8" else "gguf")
    plain = model(tmp_path / "plain", hidden=32)
    other = model(tmp_path / "other", hidden=32)
    packed = as_fp8(other, tmp_path / "fp8", "block") if kind == "fp8" else as_gguf(other, tmp_path / "m.gguf", "Q8_0")
    weights: dict[str | PathLike[str], float] = {str(plain): 0.5, str(packed): 0.5}
    tried = modelprov.merge(weights, tmp_path / "out", dry_run=True)
    assert any("dequantised" in note for note in tried.plan.notes)
    made = modelprov.merge(weights, tmp_path / "out")
    assert made.written is not None
    expected = _values(plain) * np.float32(0.5) + _values(packed) * np.float32(0.5)
    np.testing.assert_allclose(_values(tmp_path / "out"), expected, rtol=2**-8)
    assert open_checkpoint(str(tmp_path / "out")).tensors.keys() == open_checkpoint(str(plain)).tensors.keys()
    assert modelprov.verify(tmp_path / "out", tmp_path / "out" / "recipe.yml").reproduced


def test_the_config_of_a_merge_laid_out_as_a_quantised_model_does_not_call_it_quantised(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    other = model(tmp_path / "other", hidden=32)
    packed = as_fp8(other, tmp_path / "fp8", "row")
    made = modelprov.merge({str(packed): 0.5, str(other): 0.5}, tmp_path / "out", out_dtype="bfloat16")
    assert made.written is not None
    written = open_checkpoint(str(tmp_path / "out"))
    assert written.config is not None
    assert "quantization_config" not in written.config
    assert {str(ref.dtype) for ref in written.tensors.values()} == {"BF16"}


def test_what_is_not_decoded_is_refused_by_its_name(tmp_path: Path) -> None:
    a, b = model(tmp_path / "a"), model(tmp_path / "b")
    codes = np.zeros((16, 2), np.int32)
    packed = factories.write_checkpoint(tmp_path / "packed", {"model.layers.0.mlp.up_proj.qweight": codes})
    with pytest.raises(UnsupportedFormatError, match=r"GPTQ or AWQ.*cannot be merged"):
        plan_recipe(linear({str(a): 0.5, str(packed): 0.25, str(b): 0.25}))
