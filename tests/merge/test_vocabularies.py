"""Vocabularies of different lengths: refused, or cropped or padded by the rule that the recipe states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelprov
from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import MergeError
from tests.merge.conftest import model, stored_bytes

NAME = "model.embed_tokens.weight"


def _rows(folder: Path) -> np.ndarray:
    checkpoint = open_checkpoint(str(folder))
    ref = checkpoint.tensors[NAME]
    raw = np.frombuffer(stored_bytes(checkpoint, ref), np.uint8)
    return decode(raw, ref.dtype).astype(np.float32).reshape(ref.shape)


def _recipe(tmp_path: Path, rule: str, method: str = "linear") -> Path:
    model(tmp_path / "short", vocabulary=32)
    model(tmp_path / "long", vocabulary=40)
    path = tmp_path / "r.yml"
    base = "base_model: short\n" if method != "linear" else ""
    given = "models: [{model: short, parameters: {weight: 0.5}}, {model: long, parameters: {weight: 0.5}}]\n"
    path.write_text(f"merge_method: {method}\n{base}{given}modelprov: {{arithmetic: float32, vocabulary: {rule}}}\n")
    return path


def test_without_a_rule_they_are_refused_and_the_rules_are_named(tmp_path: Path) -> None:
    with pytest.raises(MergeError, match="the vocabularies differ by 8 rows") as caught:
        modelprov.merge(_recipe(tmp_path, "error"), tmp_path / "out", dry_run=True)
    assert "vocabulary: crop" in caught.value.advice
    assert "vocabulary: pad" in caught.value.advice


@pytest.mark.parametrize(("rule", "rows"), [("crop", 32), ("pad", 40)])
def test_they_are_cropped_or_padded_by_the_rule_that_is_stated(rule: str, rows: int, tmp_path: Path) -> None:
    made = modelprov.merge(_recipe(tmp_path, rule), tmp_path / "out")
    assert any("of 32 to 40 rows" in note and "as the recipe says" in note for note in made.plan.notes)
    short, long, out = (_rows(tmp_path / name) for name in ("short", "long", "out"))
    assert out.shape == (rows, short.shape[1])
    np.testing.assert_allclose(out[:32], (short + long[:32]) / 2, rtol=2**-8, atol=1e-6)
    np.testing.assert_array_equal(out[32:], long[32:rows])
    assert modelprov.verify(tmp_path / "out", tmp_path / "r.yml").reproduced


def test_a_method_of_whole_tensors_takes_rows_that_the_base_lacks_from_the_other_model(tmp_path: Path) -> None:
    modelprov.merge(_recipe(tmp_path, "pad", "ties"), tmp_path / "out")
    np.testing.assert_array_equal(_rows(tmp_path / "out")[32:], _rows(tmp_path / "long")[32:])
