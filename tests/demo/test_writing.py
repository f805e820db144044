from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.writing import (
    INDEX,
    WITHOUT_OF,
    StoredTensor,
    Weights,
    as_stored,
    staged,
    write_checkpoint,
    write_shard,
)
from modelprov.errors import UnreadableFileError, UsageError


def weights() -> Weights:
    rng = np.random.default_rng(0)
    values = {name: rng.standard_normal((7, 9), dtype=np.float32) for name in "abcdef"}
    dtypes = (DType.BF16, DType.F32, DType.F16, DType.F64, DType.BF16, DType.F32)
    return {name: (array, dtype) for (name, array), dtype in zip(values.items(), dtypes, strict=True)}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The operating system refuses to write more than `size` bytes into one file, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_data_starts_at_a_multiple_of_eight_and_wide_dtypes_come_first(tmp_path: Path):
    write_shard(tmp_path / "model.safetensors", as_stored(weights()))
    opened = open_checkpoint(str(tmp_path))
    assert all(ref.start % ref.dtype.size == 0 for ref in opened.tensors.values())
    assert next(iter(opened.tensors.values())).start % 8 == 0
    assert list(opened.tensors) == ["d", "b", "f", "a", "c", "e"]


def test_shards_hold_about_equal_bytes_and_the_index_names_them_all(tmp_path: Path):
    many = {f"t{n:03d}": (np.full((10, 10), n, np.float32), DType.BF16) for n in range(100)}
    write_checkpoint(tmp_path / "model", as_stored(many), {"a": 1}, 3, WITHOUT_OF)
    files = sorted((tmp_path / "model").glob("*.safetensors"))
    assert [file.name for file in files] == [f"model-0000{n}.safetensors" for n in (1, 2, 3)]
    assert max(file.stat().st_size for file in files) < 1.1 * min(file.stat().st_size for file in files)
    index = json.loads((tmp_path / "model" / INDEX).read_text())
    assert index["metadata"] == {"total_size": 20_000}
    assert index["weight_map"].keys() == many.keys()
    opened = open_checkpoint(str(tmp_path / "model"))
    assert list(opened.tensors) == list(many)
    assert opened.config == {"a": 1}
    assert opened.notes == ()


def test_more_shards_than_tensors_leave_no_empty_file(tmp_path: Path):
    one = {"t": (np.ones((4, 4), np.float32), DType.BF16)}
    write_checkpoint(tmp_path / "model", as_stored(one), {}, 5)
    assert [file.name for file in (tmp_path / "model").glob("*.safetensors")] == ["model-00001-of-00001.safetensors"]


def test_a_full_disk_leaves_nothing_not_even_new_folders(tmp_path: Path):
    big = {"t": (np.ones((1000, 1000), np.float32), DType.F32)}
    with files_of_at_most(100_000), pytest.raises(UnreadableFileError, match="Could not write") as caught:
        write_checkpoint(tmp_path / "new" / "deep" / "model", as_stored(big), {})
    assert "nothing was left" in caught.value.advice
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_of_the_wrong_length_is_an_error_and_leaves_nothing(tmp_path: Path):
    with pytest.raises(ValueError, match="gave 3 bytes"):
        write_checkpoint(tmp_path / "model", [StoredTensor("t", DType.BF16, (2,), [b"abc"])], {})
    assert list(tmp_path.iterdir()) == []


def test_what_is_already_there_is_neither_replaced_nor_touched(tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="already there"):
        write_checkpoint(tmp_path / "model", as_stored(weights()), {})
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "mine.txt"]


def test_a_folder_that_is_a_file_is_said_in_words(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFileError, match="Could not write"):
        write_checkpoint(tmp_path / "file" / "model", as_stored(weights()), {})


def test_when_moving_fails_halfway_what_was_moved_goes_too(tmp_path: Path):
    with pytest.raises(UnreadableFileError), staged(tmp_path, ["one", "two"]) as part:
        (part / "one").mkdir()
    assert list(tmp_path.iterdir()) == []
