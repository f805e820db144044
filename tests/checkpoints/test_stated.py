"""What a quantised model says of itself is shown as what it says; whatever is no such saying is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.stated import Stated, stated
from tests.factories import Tensor, write_checkpoint

PACKED: dict[str, Tensor] = {"model.layers.0.mlp.up_proj.qweight": np.zeros((16, 16), np.int32)}


def said(folder: Path, config: dict[str, Any], card: str | None = None) -> Stated:
    where = write_checkpoint(folder / "model", PACKED, config=config)
    if card is not None:
        (where / "README.md").write_text(card, encoding="utf-8")
    return stated(open_checkpoint(str(where)))


def test_the_config_says_how_and_the_card_by_whom_and_from_what(tmp_path: Path) -> None:
    section = {
        "quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True,
        "meta": {"quantizer": ["gptqmodel:5.0"]},
    }  # fmt: skip
    card = "---\nbase_model:\n- org/model\nquantized_by: someone\n---\n# Text"
    found = said(tmp_path, {"quantization_config": section}, card)
    assert found.how == ("4 bits", "groups of 128", "symmetric: True", "by gptqmodel:5.0")
    assert found.by == "someone"
    assert found.made_from == ("org/model",)


def test_groups_of_compressed_tensors_and_the_recipe_beside_them_say_it_too(tmp_path: Path) -> None:
    weights = {"num_bits": 4, "group_size": 128, "strategy": "group", "symmetric": True}
    groups = {"group_0": {"weights": weights}, "group_1": {"weights": weights}, "group_2": 3}
    where = write_checkpoint(
        tmp_path / "m", PACKED, config={"quantization_config": {"format": "pack-quantized", "config_groups": groups}}
    )
    (where / "recipe.yaml").write_text("default_stage:\n  default_modifiers:\n    GPTQModifier: {scheme: W4A16}\n")
    found = stated(open_checkpoint(str(where)))
    assert found.how == ("format pack-quantized", "4 bits", "groups of 128", "by group", "by GPTQModifier")


def test_mlx_calls_its_section_otherwise(tmp_path: Path) -> None:
    assert said(tmp_path, {"quantization": {"group_size": 64, "bits": 4}}).how == ("4 bits", "groups of 64")


@pytest.mark.parametrize(
    "card",
    ["no front matter", "---\nbase_model: [1, {a: b}]\nquantized_by: 3\n---\n", "---\n: : :\n---\n", "---\n- a\n---\n"],
)
def test_what_says_nothing_is_nothing(tmp_path: Path, card: str) -> None:
    assert said(tmp_path, {"quantization_config": {"bits": None, "group_size": {}}}, card) == Stated()
    assert said(tmp_path, {"quantization_config": "none"}) == Stated()


def test_long_texts_are_cut(tmp_path: Path) -> None:
    assert len(said(tmp_path, {}, f"---\nquantized_by: {'x' * 5000}\n---\n").by or "") == 200


def test_the_keys_of_a_gguf_file_say_it_too(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    from tests.gguf_files import write_gguf

    keys = {
        "general.quantized_by": "someone", "general.base_model.0.organization": "Qwen",
        "general.base_model.0.name": "Qwen3 8B", "quantize.imatrix.file": "calibration.dat",
    }  # fmt: skip
    weights = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    path = write_gguf(tmp_path / "m.gguf", {"token_embd.weight": weights}, "Q8_0", keys=keys)
    found = inspect_checkpoint(open_checkpoint(str(path)))
    assert (found.quantised_by, found.made_from) == ("someone", ("Qwen/Qwen3 8B",))
    assert found.quantised_how == ("importance matrix calibration.dat",)
    assert found.bits_per_weight == 8.5
