"""Files of torch.save: read where their bytes lie, by a process that runs none of their code."""

from __future__ import annotations

import json
import os
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from modelprov.checkpoints import torch_files, torch_files_child
from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import InvalidCheckpointError, MissingShardError, UnsupportedFormatError

GENERATOR = torch.Generator().manual_seed(0)
NAMES = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(4)]


def weights(names: list[str] = NAMES) -> dict[str, torch.Tensor]:
    return {name: torch.randn(6, 5, generator=GENERATOR).to(torch.bfloat16) for name in names}


def stored_bytes(checkpoint: Checkpoint, name: str) -> bytes:
    ref = checkpoint.tensors[name]
    raw = bytearray(ref.stop - ref.start)
    checkpoint.source.read_into(ref.shard, ref.start, memoryview(raw))
    return bytes(raw)


def bytes_of(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().view(torch.uint8).numpy())


@pytest.fixture(name="child")
def _child(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the process does, in this one."""
    monkeypatch.setattr(torch.UntypedStorage, "from_file", torch.UntypedStorage.from_file)
    torch_files_child.note_where_files_begin()
    return lambda path: torch_files_child.answered(str(path))


def test_sharded_files_of_torch_open_like_safetensors_and_every_byte_is_where_it_is_said_to_be(tmp_path: Path) -> None:
    own = weights()
    for number in range(2):
        part = OrderedDict(list(own.items())[2 * number : 2 * number + 2])
        torch.save(part, tmp_path / f"pytorch_model-0000{number + 1}-of-00002.bin")
    where = {name: f"pytorch_model-0000{at // 2 + 1}-of-00002.bin" for at, name in enumerate(own)}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    (tmp_path / "optimizer.pt").write_bytes(b"")
    checkpoint = open_checkpoint(str(tmp_path))
    assert list(checkpoint.tensors) == NAMES
    assert all(stored_bytes(checkpoint, name) == bytes_of(tensor) for name, tensor in own.items())
    assert checkpoint.notes == ("the state of a training run, not read: 'optimizer.pt'",)
    assert not [warning for warning in inspect_checkpoint(checkpoint).warnings if "pytorch_model" in warning]
    where[NAMES[0]] = where[NAMES[3]]
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    with pytest.raises(MissingShardError, match="does not hold it"):
        open_checkpoint(str(tmp_path))


class Malicious:
    """Pickled as a call that makes a file."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.made),)


def test_code_in_a_file_of_torch_never_runs_and_is_named(tmp_path: Path) -> None:
    made = tmp_path / "made"
    torch.save({**weights(), "x": Malicious(made)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UnsupportedFormatError, match=r"asks for \w+\.mkdir, which is never given") as caught:
        open_checkpoint(str(tmp_path))
    assert "safetensors" in caught.value.advice
    assert not made.exists()


def test_a_name_in_a_pickle_may_be_long_and_the_message_is_not(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "whole.bin")
    with zipfile.ZipFile(tmp_path / "whole.bin") as whole, zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as to:
        for name in whole.namelist():
            long = b"\x80\x02c" + b"m." * 2000 + b"m\nn\n."
            to.writestr(name, long if name.endswith("data.pkl") else whole.read(name))
    with pytest.raises(UnsupportedFormatError, match=r"asks for m\.m\.") as caught:
        open_checkpoint(str(tmp_path))
    assert len(str(caught.value)) < 500


def test_without_torch_the_advice_is_to_install_it_or_to_convert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(weights(), tmp_path / "pytorch_model.bin")
    monkeypatch.setattr(torch_files, "find_spec", lambda _: None)
    with pytest.raises(UnsupportedFormatError, match="not installed here") as caught:
        open_checkpoint(str(tmp_path))
    assert "pip install torch" in caught.value.advice


def test_a_file_of_torch_before_archives_is_refused_with_the_way_to_save_it_again(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    with pytest.raises(UnsupportedFormatError, match=r"before 1\.6") as caught:
        open_checkpoint(str(tmp_path))
    assert "torch.save" in caught.value.advice


def test_a_process_that_takes_too_long_is_ended_and_the_file_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(weights(), tmp_path / "pytorch_model.bin")
    script = tmp_path / "slow.py"
    script.write_text("import time\nprint('{}', flush=True)\ntime.sleep(60)\n")
    monkeypatch.setattr(torch_files, "CHILD", script)
    monkeypatch.setattr(torch_files, "SECONDS", 0.1)
    with pytest.raises(InvalidCheckpointError, match="took longer"):
        open_checkpoint(str(tmp_path))


def says(folder: Path, monkeypatch: pytest.MonkeyPatch, *tensors: list[Any]) -> None:
    """Put a process in the place of ours that says this of every file."""
    script = folder / "says.py"
    said = json.dumps({"tensors": tensors, "digest": "", "where": "", "left": []})
    script.write_text(f"print('{{}}', flush=True)\nprint({said!r}, flush=True)\ninput()\ninput()\n")
    monkeypatch.setattr(torch_files, "CHILD", script)


@pytest.mark.parametrize(
    "answer",
    [
        ["w", "F32", [2], 0, 9], ["w", "F32", [2], -8, 0], ["w", "F32", [2], 10**9, 10**9 + 8],
        ["w\n", "F32", [2], 0, 8], ["w", "F32", [1 << 62], 0, 8],
    ],
)  # fmt: skip
def test_what_the_process_says_is_checked_as_a_header_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: list[Any]
) -> None:
    torch.save(weights(), tmp_path / "pytorch_model.bin")
    says(tmp_path, monkeypatch, answer)
    with pytest.raises(InvalidCheckpointError, match="tensor"):
        open_checkpoint(str(tmp_path))


def test_weights_beside_the_rest_of_a_run_are_found_and_what_else_holds_tensors_is_named(
    tmp_path: Path, child: Any
) -> None:
    file = tmp_path / "last.ckpt"
    torch.save({"epoch": 3, "optimizer": {"m": torch.zeros(2)}, "state_dict": weights()}, file)
    answer = child(file)
    assert [entry[0] for entry in answer["tensors"]] == NAMES
    assert answer["where"] == "state_dict"
    assert answer["left"] == ["optimizer"]


def test_views_into_one_storage_lie_where_their_elements_are(tmp_path: Path, child: Any) -> None:
    file, whole = tmp_path / "model.pt", torch.arange(40.0).reshape(8, 5)
    torch.save({"rows": whole[2:4], "whole": whole, "again": whole, "none": torch.zeros(0, 3)}, file)
    found = {name: rest for name, *rest in child(file)["tensors"]}
    form, shape, start, stop = found["rows"]
    assert (form, shape) == ("F32", [2, 5])
    assert file.read_bytes()[start:stop] == bytes_of(whole[2:4])
    assert found["again"] == found["whole"]
    assert found["none"][1:] == [[0, 3], 0, 0]


def test_what_cannot_be_read_in_place_is_refused_by_name(tmp_path: Path, child: Any) -> None:
    file = tmp_path / "model.pt"
    for tensor, why in (
        (torch.zeros(3, 4).t(), "strides"),
        (torch.eye(3).to_sparse(), "sparse"),
        (torch.zeros(2, dtype=torch.complex128), "complex128"),
    ):
        torch.save({"w": tensor}, file)
        assert why in child(file)["refused"]
    torch.save([torch.zeros(2)], file)
    assert "a list, not tensors by name" in child(file)["refused"]


def test_broken_archives_are_refused(tmp_path: Path, child: Any) -> None:
    file = tmp_path / "model.pt"
    torch.save(weights(), file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "refused" in child(file)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}.")
        archive.writestr("x/data/0", bytes(100))
    assert "compressed" in child(file)["refused"]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x/other", b"")
    assert "without data.pkl" in child(file)["refused"]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x/byteorder", b"big")
    assert "big-endian" in child(file)["refused"]


def test_a_storage_that_claims_more_than_its_record_is_refused(tmp_path: Path, child: Any) -> None:
    file = tmp_path / "model.pt"
    torch.save({"w": torch.zeros(2)}, file)
    with zipfile.ZipFile(file) as archive:
        held = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content[:4] if "/data/" in name else content)
    answer = child(file)
    assert "refused" in answer, answer


def test_tensors_under_two_names_are_said_and_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(weights(), tmp_path / "pytorch_model.bin")
    says(tmp_path, monkeypatch, ["embed.weight", "F32", [6, 5], 0, 120], ["lm_head.weight", "F32", [6, 5], 0, 120])
    checkpoint = open_checkpoint(str(tmp_path))
    assert checkpoint.parameters == 30
    assert checkpoint.notes == ("tensors stored once under two names: 'lm_head.weight' is 'embed.weight'",)
