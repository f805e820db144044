"""Every rule of a header at its edge: what is just allowed is read, what lies a step beyond is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from modelprov.checkpoints import header as rules
from modelprov.checkpoints import header_entries as limits
from modelprov.checkpoints.files import read_small_file, unreadable
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.header import Header, read_headers
from modelprov.checkpoints.mistaken import what_it_is
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.errors import InvalidHeaderError, TruncatedShardError, UnreadableFileError
from tests.factories import write_raw


def entry(begin: Any = 0, end: Any = 8, shape: Any = (2,), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def read_header(path: Path) -> Header:
    return read_headers(LocalFiles(path.parent, [path.name]))[0]


def read(tmp_path: Path, header: Any, data: bytes = bytes(8)) -> Header:
    return read_header(write_raw(tmp_path / "model.safetensors", header, data))


def refused(tmp_path: Path, header: Any, data: bytes = bytes(8)) -> str:
    with pytest.raises(InvalidHeaderError) as caught:
        read(tmp_path, header, data)
    assert caught.value.advice == limits.NOT_WRITTEN_BY_A_LIBRARY
    start = f"{tmp_path / 'model.safetensors'} is not a valid safetensors file: "
    assert caught.value.message.startswith(start)
    return caught.value.message.removeprefix(start)


def test_everything_that_the_header_says_is_handed_on(tmp_path: Path) -> None:
    header = {"__metadata__": {"format": "pt"}, "a": entry(0, 8), "ids": entry(8, 24, (1, 2), "I64")}
    found = read(tmp_path, header, bytes(24))
    text = (tmp_path / "model.safetensors").read_bytes()
    length = int.from_bytes(text[:8], "little")
    start = 8 + length
    assert found.metadata == {"format": "pt"}
    assert (found.shard.name, found.shard.size) == ("model.safetensors", len(text))
    assert found.shard.header_digest == hashlib.sha256(text[8:start]).hexdigest()
    (tensor,) = found.tensors
    assert (tensor.name, tensor.dtype, tensor.shape, tensor.shard) == ("a", DType.F32, (2,), 0)
    assert (tensor.start, tensor.stop) == (start, start + 8)
    (other,) = found.refused
    assert (other.name, other.format, other.shape, other.shard) == ("ids", "I64", (1, 2), 0)
    assert (other.start, other.stop) == (start + 8, start + 24)


def test_the_shard_is_the_first_where_nothing_else_is_said_and_metadata_may_be_missing(tmp_path: Path) -> None:
    found = read_header(write_raw(tmp_path / "model.safetensors", {"a": entry()}, bytes(8)))
    assert (found.tensors[0].shard, found.metadata) == (0, {})


def test_empty_tensors_stand_before_the_tensor_that_begins_where_they_end(tmp_path: Path) -> None:
    header = {"a": entry(8, 8, (3, 0)), "b": entry(0, 8), "c": entry(0, 0, (0,))}
    assert [ref.name for ref in read(tmp_path, header).tensors] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("second", "data", "words"),
    [((4, 12), 12, "overlap at offset 4"), ((12, 20), 20, "leave a gap at offset 8")],
)
def test_a_gap_and_an_overlap_are_said_where_they_begin(
    tmp_path: Path, second: tuple[int, int], data: int, words: str
) -> None:
    said = refused(tmp_path, {"a": entry(0, 8), "b": entry(*second)}, bytes(data))
    assert said == f"the bytes of tensor 'b' and of the tensor before it {words}"


def test_one_byte_too_few_and_one_too_many_are_said_exactly(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "model.safetensors", {"a": entry()}, bytes(7))
    size = path.stat().st_size
    with pytest.raises(TruncatedShardError) as caught:
        read_header(path)
    assert caught.value.message == (
        f"{path}: 1 bytes are missing (the file has {size:,}, its header promises {size + 1:,})"
    )
    assert caught.value.advice == rules.DOWNLOAD_AGAIN
    assert refused(tmp_path, {"a": entry()}, bytes(9)).startswith("1 bytes follow the last tensor")
    assert read(tmp_path, {"a": entry()}, bytes(8)).tensors


@pytest.mark.parametrize("size", [0, 7])
def test_a_file_without_room_for_a_length_is_truncated(tmp_path: Path, size: int) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\2" * size)
    with pytest.raises(TruncatedShardError) as caught:
        read_header(path)
    assert caught.value.message == f"{path}: the file has {size} bytes, too few for a safetensors file"
    assert caught.value.advice == rules.DOWNLOAD_AGAIN


def test_a_file_of_eight_bytes_has_a_length_and_no_header(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(8))
    with pytest.raises(InvalidHeaderError, match=r"does not start with '\{'"):
        read_header(path)
    path.write_bytes((3).to_bytes(8, "little") + b"{}")
    with pytest.raises(TruncatedShardError) as caught:
        read_header(path)
    assert (caught.value.message, caught.value.advice) == (
        f"{path}: 1 bytes of the header are missing", rules.DOWNLOAD_AGAIN,
    )  # fmt: skip
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    assert read_header(path).tensors == ()


def test_the_length_of_a_header_ends_at_the_formats_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rules.MAX_HEADER_BYTES == 100_000_000
    path = write_raw(tmp_path / "model.safetensors", {"a": entry()}, bytes(8))
    length = int.from_bytes(path.read_bytes()[:8], "little")
    monkeypatch.setattr(rules, "MAX_HEADER_BYTES", length)
    assert read_header(path).tensors
    monkeypatch.setattr(rules, "MAX_HEADER_BYTES", length - 1)
    with pytest.raises(InvalidHeaderError, match=f"claims a header of {length} bytes; the format allows {length - 1}"):
        read_header(path)


def test_names_end_at_their_longest(tmp_path: Path) -> None:
    assert read(tmp_path, {"n" * limits.LONGEST_NAME: entry()}).tensors
    said = refused(tmp_path, {"n" * (limits.LONGEST_NAME + 1): entry()})
    assert f"has {limits.LONGEST_NAME + 1:,} characters" in said


def test_shapes_end_at_their_most_sides(tmp_path: Path) -> None:
    assert read(tmp_path, {"a": entry(shape=[2] + [1] * (limits.MOST_SIDES - 1))}).tensors
    said = refused(tmp_path, {"a": entry(shape=[2] + [1] * limits.MOST_SIDES)})
    assert f"has {limits.MOST_SIDES + 1} sides; {limits.MOST_SIDES} is the most" in said


@pytest.mark.parametrize("side", [limits.MOST, -1, True, 2.0, None, "2"])
def test_a_side_is_a_whole_number_from_zero_to_the_largest(tmp_path: Path, side: Any) -> None:
    assert "impossible shape" in refused(tmp_path, {"a": entry(shape=[side])})
    assert "impossible shape" in refused(tmp_path, {"a": entry(shape=[2, side])})


def test_the_largest_side_is_a_number_and_fills_nothing(tmp_path: Path) -> None:
    said = refused(tmp_path, {"a": entry(shape=[limits.MOST - 1])})
    assert said == f"tensor 'a': F32 [{limits.MOST - 1}] does not fill its 8 bytes"
    assert read(tmp_path, {"a": entry(0, 0, [limits.MOST - 1, 0])}, b"").tensors
    assert "does not fill" in refused(tmp_path, {"a": entry(shape=[limits.MOST - 1] * 3)})


@pytest.mark.parametrize("shape", [None, 2, "2", {"2": 2}])
def test_a_shape_is_a_list(tmp_path: Path, shape: Any) -> None:
    assert "impossible shape" in refused(tmp_path, {"a": entry() | {"shape": shape}})


@pytest.mark.parametrize("offsets", [None, 8, "08", [0], [0, 8, 8], [], [0, True], [0, 8.0], [None, 8]])
def test_offsets_are_two_whole_numbers(tmp_path: Path, offsets: Any) -> None:
    assert "impossible offsets" in refused(tmp_path, {"a": entry() | {"data_offsets": offsets}})


def test_offsets_end_at_the_largest_and_begin_at_zero(tmp_path: Path) -> None:
    most = limits.MOST
    assert "impossible offsets [" in refused(tmp_path, {"a": entry(0, most)})
    assert "impossible offsets [" in refused(tmp_path, {"a": entry(-most, 0)})
    assert "does not fill" in refused(tmp_path, {"a": entry(0, most - 1)})
    assert refused(tmp_path, {"a": entry(1 - most, 0)}).endswith(f"impossible offsets {1 - most} to 0")
    assert refused(tmp_path, {"a": entry(-8, 0)}).endswith("impossible offsets -8 to 0")
    assert refused(tmp_path, {"a": entry(8, 0)}).endswith("impossible offsets 8 to 0")
    assert refused(tmp_path, {"a": entry(9, 8, (0,))}).endswith("impossible offsets 9 to 8")
    assert refused(tmp_path, {"a": entry(-1, -1, (0,))}).endswith("impossible offsets -1 to -1")


@pytest.mark.parametrize("dtype", [None, 5, ["F32"], "F33", "f32", ""])
def test_a_dtype_is_one_of_the_formats_names(tmp_path: Path, dtype: Any) -> None:
    assert "has the unknown dtype" in refused(tmp_path, {"a": entry(dtype=dtype)})


@pytest.mark.parametrize("dtype", list(limits.BITS))
def test_every_format_fills_its_bits_and_no_others(tmp_path: Path, dtype: str) -> None:
    stored = limits.BITS[dtype]  # eight elements take as many bytes as one has bits
    found = read(tmp_path, {"a": entry(0, stored, (8,), dtype)}, bytes(stored))
    assert len(found.tensors) + len(found.refused) == 1
    assert "does not fill" in refused(tmp_path, {"a": entry(0, stored, (9,), dtype)}, bytes(stored))
    assert "does not fill" in refused(tmp_path, {"a": entry(0, stored, (7,), dtype)}, bytes(stored))


@pytest.mark.parametrize("metadata", [1, ["a"], None, {"format": None}, {"a": "b", "c": 1}])
def test_metadata_is_a_table_of_texts(tmp_path: Path, metadata: Any) -> None:
    assert "__metadata__ is not" in refused(tmp_path, {"__metadata__": metadata, "a": entry()})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b' {"a": 1}', "the header does not start with '{'"),
        (b"", "the header does not start with '{'"),
        (b"{oops}", "the header is not JSON that can be read"),
        (b'{"a\xff": 1}', "the header is not UTF-8 (invalid start byte at byte 3)"),
        (b'{"a": 1, "a": 1}', "'a' appears twice"),
        (b'{"a": 1e999}', "the header is not JSON that can be read"),
        (b'{"a": 1}', "tensor 'a' is not described by a table"),
        (json.dumps({"a\u202eb": {}}).encode(), "unprintable characters"),
        (b'{"a": {}}', "tensor 'a' has the unknown dtype None"),
    ],
)
def test_each_fault_of_the_text_is_named(tmp_path: Path, text: bytes, words: str) -> None:
    assert words in refused(tmp_path, text, b"")


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    for read_it in (read_header, lambda path: read_small_file(path, 10)):
        with pytest.raises(UnreadableFileError) as caught:
            read_it(tmp_path)
        assert caught.value.message == f"{tmp_path} is a folder, not a regular file"
        assert caught.value.advice
        with pytest.raises(UnreadableFileError) as caught:
            read_it(tmp_path / "gone")
        assert caught.value.message == f"cannot read {tmp_path / 'gone'}: No such file or directory"


def test_a_small_file_ends_at_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_bytes(b"12345")
    assert read_small_file(path, 5) == b"12345"
    with pytest.raises(UnreadableFileError) as caught:
        read_small_file(path, 4)
    assert caught.value.message == f"{path} is larger than 4 bytes"
    assert caught.value.advice


def test_the_operating_systems_refusal_is_said_with_advice_that_fits() -> None:
    denied = unreadable(Path("f"), PermissionError(13, "Permission denied"))
    assert denied.message == "cannot read f: Permission denied"
    assert "permissions" in denied.advice
    failed = unreadable(Path("f"), OSError("the disk is gone"))
    assert failed.message == "cannot read f: the disk is gone"
    assert "disk" in failed.advice


def test_a_git_lfs_pointer_is_told_from_a_header_of_that_length(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InvalidHeaderError) as caught:
        read_header(path)
    assert caught.value.message == f"{path} is not a safetensors file: it is a Git LFS pointer, not the weights"
    path.write_bytes(b"versions and more")
    with pytest.raises(InvalidHeaderError, match="it is a text, which begins 'versions and more'"):
        read_header(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'{"err": {"message": "Access denied"}}', "a JSON text, which begins "),  # a brace where headers begin
        (bytes(64), "nothing but zeros, as a broken download leaves"),  # no brace, and a length that is allowed
    ],
)
def test_another_kind_of_file_is_told_by_either_sign_and_its_own_advice(
    tmp_path: Path, content: bytes, what: str
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidHeaderError) as caught:
        read_header(path)
    assert caught.value.message.startswith(f"{path} is not a safetensors file: it is {what}")
    assert caught.value.advice == getattr(what_it_is(content), "advice", None)


def test_a_header_is_no_other_kind_of_file_even_if_its_length_spells_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    length = int.from_bytes(b"MZ", "little")  # as a program of another system begins
    path = write_raw(tmp_path / "model.safetensors", json.dumps({"a": entry()}).encode().ljust(length), bytes(8))
    assert what_it_is(path.read_bytes()[:100]) is not None
    for most in (rules.MAX_HEADER_BYTES, length):
        monkeypatch.setattr(rules, "MAX_HEADER_BYTES", most)
        assert read_header(path).tensors
