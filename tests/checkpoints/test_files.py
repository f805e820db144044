"""A file is the same as long as nobody replaces it or writes to it; a checkpoint's files lie in its folder."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.digests import sampled_digest, weights_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import ChangedFileError, ForeignLinkError
from tests.factories import write_checkpoint
from tests.memory import checkpoint as in_memory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": np.full((64, 64), n, np.float32) for n in range(3)}
    return write_checkpoint(tmp_path / "model", tensors, 2, config={})


def shard(folder: Path) -> Path:
    return max(folder.glob("*.safetensors"))


def write_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\1")


def write_with_the_old_time(path: Path) -> None:
    times = path.stat()
    write_in_place(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def copy_over(path: Path) -> None:
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


CHANGES: list[Callable[[Path], None]] = [write_in_place, write_with_the_old_time, copy_over, Path.unlink]


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_a_shard_is_noticed(folder: Path, change: Callable[[Path], None]) -> None:
    opened = open_checkpoint(str(folder))
    opened.source.check_unchanged()
    change(shard(folder))
    with pytest.raises(ChangedFileError, match=f"{shard(folder).name}|model-0000") as caught:
        opened.source.check_unchanged()
    assert "run the command again" in caught.value.advice


@pytest.mark.parametrize("change", CHANGES[:-1])
@pytest.mark.parametrize("digest", [sampled_digest, weights_digest])
def test_a_digest_is_that_of_the_checkpoint_that_was_opened(
    folder: Path, change: Callable[[Path], None], digest: Callable[[Checkpoint], str]
) -> None:
    opened = open_checkpoint(str(folder))
    change(shard(folder))
    with pytest.raises(ChangedFileError):
        digest(opened)


def test_another_file_is_noticed_when_it_is_opened_even_if_the_first_comes_back(folder: Path) -> None:
    opened = open_checkpoint(str(folder))
    path = shard(folder)
    path.rename(folder / "away")
    shutil.copy2(folder / "away", path)
    with pytest.raises(ChangedFileError, match=path.name):
        opened.source.read_into(1, 0, memoryview(bytearray(8)))


def test_reading_linking_elsewhere_and_unrelated_files_change_nothing(folder: Path, tmp_path: Path) -> None:
    opened = open_checkpoint(str(folder))
    shard(folder).read_bytes()
    (tmp_path / "link").symlink_to(shard(folder))
    (folder / "README.md").write_text("new")
    opened.source.check_unchanged()
    pickle.loads(pickle.dumps(opened)).source.check_unchanged()
    assert len(opened.source.versions()) == 2


def test_a_checkpoint_without_files_never_changes() -> None:
    in_memory("memory", {}).source.check_unchanged()


@pytest.mark.parametrize("name", ["model-00002-of-00002.safetensors", "model.safetensors.index.json", "config.json"])
def test_a_link_out_of_the_folder_is_refused_on_opening(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(ForeignLinkError, match=f"{name} is a link out of"):
        open_checkpoint(str(folder))


def test_a_folder_without_an_index_follows_no_link_either(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors.index.json").unlink()
    shard(folder).rename(tmp_path / "elsewhere.safetensors")
    (folder / "model-00002-of-00002.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(ForeignLinkError):
        open_checkpoint(str(folder))


def test_a_folder_that_begins_like_the_checkpoints_is_another_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model-secret").mkdir()
    shard(folder).rename(tmp_path / "model-secret" / "x.safetensors")
    (folder / "model-00002-of-00002.safetensors").symlink_to("../model-secret/x.safetensors")
    with pytest.raises(ForeignLinkError):
        open_checkpoint(str(folder))


def test_what_the_user_names_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").symlink_to(folder)
    (tmp_path / "file.safetensors").symlink_to(shard(folder))
    assert open_checkpoint(str(tmp_path / "folder")).parameters == 3 * 64 * 64
    assert open_checkpoint(str(tmp_path / "file.safetensors")).parameters in (64 * 64, 2 * 64 * 64)


def test_a_link_inside_the_folder_is_followed(folder: Path) -> None:
    (folder / "weights").mkdir()
    shard(folder).rename(folder / "weights" / "x.safetensors")
    (folder / "model-00002-of-00002.safetensors").symlink_to("weights/x.safetensors")
    assert open_checkpoint(str(folder)).parameters == 3 * 64 * 64
