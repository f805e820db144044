"""Every file with weights in a folder is read, or named with its share; what cannot be read is refused by its name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import DuplicateTensorError, UnsupportedFormatError
from tests.factories import write_checkpoint, write_safetensors

MATRIX = np.ones((64, 64), np.float32)


def pickled(path: Path, name: str = "a.weight") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: torch.ones(64, 64)}, path)
    return path


def test_each_file_that_was_not_read_has_its_share_wherever_it_lies(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"a.weight": MATRIX})
    write_safetensors(tmp_path / "consolidated.safetensors", {"a.weight": MATRIX})
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_bytes(bytes(32768))
    pickled(tmp_path / "pytorch_model.bin")
    pickled(tmp_path / "optimizer.pt")
    note = open_checkpoint(str(tmp_path)).notes[-1]
    assert note.startswith("20 % of the bytes of all weights files here were read")
    assert all(f"{name!r} (" in note for name in ("onnx/model.onnx", "consolidated.safetensors", "pytorch_model.bin"))
    assert "optimizer" not in note


def test_a_folder_that_is_read_whole_says_nothing(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"a.weight": MATRIX, "b.weight": MATRIX}, shards=2)
    (tmp_path / "training_args.bin").write_bytes(b"PK")
    assert open_checkpoint(str(tmp_path)).notes == ()


def test_parts_of_a_pipeline_in_files_of_torch_save_are_parts_of_it(tmp_path: Path) -> None:
    index = {"_class_name": "P", "unet": ["diffusers", "U"], "vae": ["diffusers", "V"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "unet").mkdir()
    write_safetensors(tmp_path / "unet" / "diffusion_pytorch_model.safetensors", {"a.weight": MATRIX})
    pickled(tmp_path / "vae" / "diffusion_pytorch_model.bin")
    pickled(tmp_path / "other" / "pytorch_model.bin")
    opened = open_checkpoint(str(tmp_path))
    assert set(opened.tensors) == {"unet.a.weight", "vae.a.weight"}
    assert any("does not name, not read: 'other'" in note for note in opened.notes)
    assert "'other/pytorch_model.bin' (" in opened.notes[-1]


@pytest.mark.parametrize(
    ("name", "word"),
    [("onnx/model.onnx", "ONNX"), ("fsdp_0/__0_0.distcp", "dcp_to_torch"), ("tf/tf_model.h5", "Keras")],
)
def test_what_lies_in_a_sub_folder_alone_is_refused_by_its_name(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnsupportedFormatError) as caught:
        open_checkpoint(str(tmp_path))
    assert word in f"{caught.value.message} {caught.value.advice}"
    assert str((tmp_path / name).parent) in caught.value.message


def test_slices_for_several_gpus_are_called_what_they_are(tmp_path: Path) -> None:
    for number in range(2):
        pickled(tmp_path / f"consolidated.0{number}.pth", "layers.0.attention.wq.weight")
    with pytest.raises(DuplicateTensorError) as caught:
        open_checkpoint(str(tmp_path))
    assert "a slice of every tensor" in (caught.value.advice or "")
