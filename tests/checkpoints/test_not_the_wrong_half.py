"""What could be read in two ways is read in none: the halves of a pair, decoys, folders that name other weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import UnsupportedFormatError
from tests import factories

SHAPES = {
    "embeddings.word_embeddings.weight": (40, 16),
    "encoder.layer.0.attention.self.query.weight": (16, 16),
    "encoder.layer.0.output.dense.weight": (16, 32),
}


def checkpoint(folder: Path, seed: int, *prefixes: str, **more: tuple[int, ...]) -> Path:
    """A model of these tensors behind each of the prefixes, all of their own values."""
    rng = np.random.default_rng(seed)
    shapes = {prefix + name: shape for prefix in prefixes for name, shape in SHAPES.items()} | more
    return factories.write_checkpoint(folder, {name: (rng.normal(size=shape), "F32") for name, shape in shapes.items()})


@pytest.mark.parametrize(
    "halves",
    [("encoder.", "decoder.bert."), ("question_encoder.", "ctx_encoder."), ("actor.", "reference."), ("a.b.", "bert.")],
)
def test_neither_half_of_a_pair_is_taken_for_a_bare_model(tmp_path: Path, halves: tuple[str, str]) -> None:
    bare = open_checkpoint(str(checkpoint(tmp_path / "bare", 0, "")))
    pair = open_checkpoint(str(checkpoint(tmp_path / "pair", 1, *halves)))
    for both in ((bare, pair), (pair, bare)):
        assert not align(both).tensors


def test_the_only_model_behind_a_prefix_is_still_found(tmp_path: Path) -> None:
    bare = open_checkpoint(str(checkpoint(tmp_path / "bare", 0, "")))
    task = open_checkpoint(str(checkpoint(tmp_path / "task", 1, "bert.", **{"classifier.weight": (2, 16)})))
    assert len(align((task, bare)).tensors) == len(SHAPES)


def test_a_folder_with_weights_whose_modules_lie_elsewhere_is_refused(tmp_path: Path) -> None:
    root = checkpoint(tmp_path / "root", 0, "")
    checkpoint(root / "0_Transformer", 1, "")
    module = {"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}
    (root / "modules.json").write_text(json.dumps([module]))
    with pytest.raises(UnsupportedFormatError, match="holds weights itself"):
        open_checkpoint(str(root))
    for file in root.glob("*.safetensors*"):
        file.unlink()
    assert "0_Transformer" in open_checkpoint(str(root)).notes[0]


def test_a_config_that_names_other_weights_is_refused(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model", 0, "")
    (folder / "config.json").write_text(json.dumps({"transformers_weights": "real.safetensors"}))
    with pytest.raises(UnsupportedFormatError, match=r"real\.safetensors"):
        open_checkpoint(str(folder))
    (file,) = folder.glob("*.safetensors")
    assert open_checkpoint(str(file)).tensors


def test_a_config_that_names_another_index_than_the_usual_one_is_refused(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model", 0, "")
    (file,) = folder.glob("*.safetensors")
    other = folder / "other-00001-of-00001.safetensors"
    other.write_bytes(file.read_bytes())
    names = open_checkpoint(str(file)).tensors
    index = {"model": file.name, "other": other.name}
    for name, shard in index.items():
        (folder / f"{name}.safetensors.index.json").write_text(json.dumps({"weight_map": dict.fromkeys(names, shard)}))
    for name, refused in (("other", True), ("missing", True), ("model", False)):
        (folder / "config.json").write_text(json.dumps({"transformers_weights": f"{name}.safetensors.index.json"}))
        if refused:
            with pytest.raises(UnsupportedFormatError, match=name):
                open_checkpoint(str(folder))
        else:
            assert open_checkpoint(str(folder)).tensors


def test_a_decoy_of_the_embeddings_size_is_no_tied_head(tmp_path: Path) -> None:
    config = {"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": True}
    layer = {"model.layers.0.mlp.up_proj.weight": (32, 16), "model.embed_tokens.weight": (40, 16)}
    opened = []
    for name, more in (("tied", {"shared.weight": (40, 16)}), ("own", {"lm_head.weight": (40, 16)})):
        folder = checkpoint(tmp_path / name, 0, **layer, **more)
        (folder / "config.json").write_text(json.dumps(config))
        opened.append(open_checkpoint(str(folder)))
    assert "lm_head.weight" not in {tensor.name for tensor in align(opened).tensors}
