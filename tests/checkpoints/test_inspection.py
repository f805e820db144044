"""What an inspection says of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from modelprov.checkpoints.inspection import Inspection, inspect_checkpoint
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Component
from tests.factories import Tensor, layout_397b, write_checkpoint, write_sparse

SMALL: dict[str, Tensor] = {
    "model.embed_tokens.weight": (np.zeros((100, 16)), "BF16"),
    "model.layers.0.self_attn.q_proj.weight": (np.zeros((16, 16)), "BF16"),
    "model.layers.1.self_attn.q_proj.weight": (np.zeros((16, 16)), "F32"),
    "model.position_ids": np.arange(7),
}


def inspected(folder: Path, config: dict[str, Any] | None = None) -> Inspection:
    return inspect_checkpoint(open_checkpoint(str(write_checkpoint(folder, SMALL, config=config))))


def test_the_true_397b_layout_is_counted_right(tmp_path: Path) -> None:
    config = {
        "architectures": ["Qwen3_5MoeForConditionalGeneration"],
        "model_type": "qwen3_5_moe",
        "text_config": {"vocab_size": 248320, "hidden_size": 4096},
    }
    folder = write_sparse(tmp_path / "model", layout_397b(), 94, config)
    found = inspect_checkpoint(open_checkpoint(str(folder)))
    # The byte sum that the published index states, which leaves out the headers.
    headers = sum(8 + int.from_bytes(path.open("rb").read(8), "little") for path in folder.glob("*.safetensors"))
    assert found.bytes - headers == 806_795_875_168
    assert (found.layers, found.experts_per_layer) == (60, 512)
    assert (found.has_vision, found.has_mtp, found.tied) == (True, True, False)
    assert found.architecture == "Qwen3_5MoeForConditionalGeneration"
    assert found.vocabulary == 248320
    assert len(found.shards) == 94
    assert {entry.dtype: entry.tensors for entry in found.dtypes} == {"BF16": 2834, "F32": 90}
    components = {entry.component: entry for entry in found.components}
    assert components[Component.EXPERTS].tensors == 60 * 512 * 3
    assert components[Component.EXPERTS].elements == 60 * 512 * 3 * 1024 * 4096
    assert abs(sum(entry.share for entry in found.components) - 1) < 1e-12
    assert sum(entry.elements for entry in found.components) == found.parameters
    assert Component.OTHER not in components
    assert found.quantisation is None
    assert found.warnings == ()


def test_formats_that_cannot_be_compared_are_listed_as_such(tmp_path: Path) -> None:
    found = inspected(tmp_path)
    assert {entry.dtype: (entry.elements, entry.comparable) for entry in found.dtypes} == {
        "BF16": (1600 + 256, True),
        "F32": (256, True),
        "I64": (7, False),
    }
    assert found.parameters == 2119


def test_what_nobody_says_is_none(tmp_path: Path) -> None:
    found = inspected(tmp_path)
    assert (found.architecture, found.model_type, found.revision, found.tied) == (None, None, None, None)
    assert found.vocabulary == 100
    assert (found.has_vision, found.has_mtp, found.experts_per_layer) == (False, False, 0)


def test_nonsense_in_the_config_is_not_repeated(tmp_path: Path) -> None:
    found = inspected(tmp_path, {"architectures": [3], "model_type": ["x"], "vocab_size": "many"})
    assert (found.architecture, found.model_type, found.vocabulary) == (None, None, 100)


def test_tied_and_quantised_come_from_the_config(tmp_path: Path) -> None:
    found = inspected(tmp_path, {"tie_word_embeddings": True, "quantization_config": {"quant_method": "awq"}})
    assert found.tied is True
    assert found.quantisation == "AWQ"


def test_code_and_pickles_and_what_opening_noticed_are_warned_of(tmp_path: Path) -> None:
    for name in ("modeling_x.py", "pytorch_model.bin", "adapter_model.safetensors"):
        (tmp_path / name).touch()
    (tmp_path / "custom_generate").mkdir()
    words = "\n".join(inspected(tmp_path, {"auto_map": {"AutoModel": "modeling_x.X"}}).warnings)
    for expected in ("modeling_x.py", "pytorch_model.bin", "adapter_model", "auto_map", "custom_generate"):
        assert expected in words


def test_an_inspection_survives_json(tmp_path: Path) -> None:
    found = inspected(tmp_path)
    assert Inspection.model_validate_json(found.model_dump_json()) == found
