"""Headers as hostile input: one test for each way in which a file can lie."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.header import FIRST_READ, MAX_HEADER_BYTES, Header, read_headers
from modelprov.checkpoints.sources.interface import Piece, Range
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.errors import InvalidHeaderError, ModelprovError, TruncatedShardError, UnreadableFileError
from tests.factories import layout_header, write_raw, write_safetensors
from tests.memory import Memory


def read_header(path: Path) -> Header:
    """The header of one file."""
    return read_headers(LocalFiles(path.parent, [path.name]))[0]


def entry(begin: Any = 0, end: Any = 8, shape: Any = (2,), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def refused(tmp_path: Path, header: Any, data: bytes = bytes(8)) -> str:
    """The words with which a file of this header is refused."""
    with pytest.raises(InvalidHeaderError) as caught:
        read_header(write_raw(tmp_path / "model.safetensors", header, data))
    assert caught.value.advice
    return caught.value.message


def test_a_valid_file_is_read_as_the_library_wrote_it(tmp_path: Path) -> None:
    tensors: dict[str, np.ndarray[Any, Any]] = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a": np.arange(4, dtype=np.float16),
    }
    path = write_safetensors(tmp_path / "x.safetensors", tensors, {"format": "pt"})
    other = write_safetensors(tmp_path / "y.safetensors", {"c": np.zeros(3, np.float32)}, {})
    header = read_headers(LocalFiles(tmp_path, [other.name, path.name]))[1]
    assert header.metadata == {"format": "pt"}
    assert header.shard.size == path.stat().st_size
    for ref in header.tensors:
        assert ref.shard == 1
        assert path.read_bytes()[ref.start : ref.stop] == tensors[ref.name].tobytes()
        assert ref.shape == tensors[ref.name].shape
    assert [ref.dtype for ref in header.tensors] == [DType.F32, DType.F16]


def test_tensors_come_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    header = {"late": entry(8, 16), "early": entry(0, 8)}
    found = read_header(write_raw(tmp_path / "x.safetensors", header, bytes(16)))
    assert [ref.name for ref in found.tensors] == ["early", "late"]


def test_formats_that_cannot_be_compared_still_open(tmp_path: Path) -> None:
    header = {
        "ids": entry(0, 16, (2,), "I64"),
        "eight": entry(16, 20, (2, 2), "F8_E4M3"),
        "four": entry(20, 24, (8,), "F4"),
        "six": entry(24, 27, (4,), "F6_E2M3"),
    }
    found = read_header(write_raw(tmp_path / "x.safetensors", header, bytes(27)))
    assert found.tensors == ()
    assert [(tensor.name, tensor.format, tensor.count) for tensor in found.refused] == [
        ("ids", "I64", 2),
        ("eight", "F8_E4M3", 4),
        ("four", "F4", 8),
        ("six", "F6_E2M3", 4),
    ]


def test_an_empty_tensor_and_a_scalar_are_valid(tmp_path: Path) -> None:
    header = {"none": entry(0, 0, (0, 5)), "one": entry(0, 4, ())}
    found = read_header(write_raw(tmp_path / "x.safetensors", header, bytes(4)))
    assert sorted(ref.count for ref in found.tensors) == [0, 1]


def test_a_header_that_claims_a_gigabyte_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.safetensors", {}, length=1 << 30)
    with pytest.raises(InvalidHeaderError, match="1,073,741,824"):
        read_header(path)


def test_the_largest_allowed_header_length_is_not_refused_for_its_length(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.safetensors", {}, length=MAX_HEADER_BYTES)
    with pytest.raises(TruncatedShardError):
        read_header(path)


def test_an_empty_file_is_truncated(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").touch()
    with pytest.raises(TruncatedShardError):
        read_header(tmp_path / "x.safetensors")


def test_a_header_longer_than_the_file_is_truncated(tmp_path: Path) -> None:
    with pytest.raises(TruncatedShardError, match="98 bytes of the header are missing"):
        read_header(write_raw(tmp_path / "x.safetensors", {}, length=100))


def test_a_truncated_shard_says_how_much_is_missing_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TruncatedShardError, match=r"3 bytes are missing") as caught:
        read_header(write_raw(tmp_path / "x.safetensors", {"a": entry()}, bytes(5)))
    assert "Download" in caught.value.advice


def test_bytes_after_the_last_tensor_are_refused(tmp_path: Path) -> None:
    assert "5 bytes follow" in refused(tmp_path, {"a": entry()}, bytes(13))


def test_a_git_lfs_pointer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(InvalidHeaderError, match="LFS") as caught:
        read_header(path)
    assert "git lfs pull" in caught.value.advice


def test_a_folder_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        read_header(tmp_path)


def test_a_file_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        read_header(tmp_path / "gone.safetensors")


def test_a_refused_permission_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_raw(tmp_path / "x.safetensors", {"a": entry()}, bytes(8))

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Not chmod: tests may run as root, whom no mode stops.
    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(UnreadableFileError, match="Permission denied"):
        read_header(path)


def shard(tensors: int) -> bytes:
    """A file of so many tensors of one element each."""
    text, size = layout_header([(f"layers.{number}.weight", (1,), "F32") for number in range(tensors)])
    return len(text).to_bytes(8, "little") + text + bytes(size)


@dataclass(frozen=True)
class Watched(Memory):
    """Memory that remembers what it was asked for."""

    asked: list[list[Range]] = field(default_factory=list)

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        self.asked.append(list(ranges))
        return super().read_ranges(ranges)


def test_headers_of_any_source_are_read_in_two_requests_for_all_shards() -> None:
    source = Watched((shard(1), shard(2000), shard(3), shard(500)))
    headers = read_headers(source)
    assert [len(header.tensors) for header in headers] == [1, 2000, 3, 500]
    assert [header.shard.name for header in headers] == list(source.names)
    assert [{ref.shard for ref in header.tensors} for header in headers] == [{0}, {1}, {2}, {3}]
    first, rest = source.asked
    assert all(stop <= FIRST_READ for _, _, stop in first)
    ends = [header.tensors[0].start for header in headers]
    assert rest == [(number, min(FIRST_READ, end), end) for number, end in enumerate(ends)]


def test_a_broken_header_is_named_by_the_place_that_its_source_gives() -> None:
    with pytest.raises(InvalidHeaderError, match=r"memory, 1\.safetensors is not a valid safetensors file"):
        read_headers(Memory((shard(1), shard(2)[:-1] + b"more")))


def test_text_that_is_not_json_is_refused(tmp_path: Path) -> None:
    assert "not JSON" in refused(tmp_path, b"{oops}")


def test_json_that_is_not_an_object_is_refused(tmp_path: Path) -> None:
    assert "does not start" in refused(tmp_path, b"[1, 2]")


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    assert "not UTF-8" in refused(tmp_path, b'{"a\xff": 1}')


def test_a_deeply_nested_header_is_refused(tmp_path: Path) -> None:
    assert "nested" in refused(tmp_path, b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


def test_a_number_too_long_to_parse_is_refused(tmp_path: Path) -> None:
    assert "not JSON" in refused(tmp_path, b'{"a": ' + b"9" * 10_000 + b"}")


def test_a_not_a_number_is_refused(tmp_path: Path) -> None:
    assert "NaN" in refused(tmp_path, b'{"a": NaN}')


def test_a_name_that_appears_twice_is_refused(tmp_path: Path) -> None:
    one = json.dumps(entry())
    assert "'a' appears twice" in refused(tmp_path, f'{{"a": {one}, "a": {one}}}'.encode())


def test_a_key_that_appears_twice_in_an_entry_is_refused(tmp_path: Path) -> None:
    text = b'{"a": {"dtype": "F32", "shape": [2], "shape": [2], "data_offsets": [0, 8]}}'
    assert "'shape' appears twice" in refused(tmp_path, text)


def test_a_name_with_escape_codes_is_refused(tmp_path: Path) -> None:
    assert "unprintable" in refused(tmp_path, {"a\x1b[2J": entry()})


def test_an_entry_that_is_not_a_table_is_refused(tmp_path: Path) -> None:
    assert "table" in refused(tmp_path, {"a": [1]})


def test_an_unknown_dtype_is_refused(tmp_path: Path) -> None:
    assert "unknown dtype 'F33'" in refused(tmp_path, {"a": entry(dtype="F33")})


def test_a_dtype_that_is_not_text_is_refused(tmp_path: Path) -> None:
    assert "unknown dtype" in refused(tmp_path, {"a": entry(dtype=["F32"])})


def test_a_negative_side_is_refused(tmp_path: Path) -> None:
    assert "impossible shape" in refused(tmp_path, {"a": entry(shape=(-1, -2))})


def test_a_side_that_is_a_boolean_is_refused(tmp_path: Path) -> None:
    assert "impossible shape" in refused(tmp_path, {"a": entry(shape=(True, 2))})


def test_a_side_with_a_fraction_is_refused(tmp_path: Path) -> None:
    assert "impossible shape" in refused(tmp_path, {"a": entry(shape=(2.0,))})


def test_a_shape_that_overflows_64_bits_is_refused(tmp_path: Path) -> None:
    # The product is 2 modulo 2^64, which would fill the eight bytes.
    assert "does not fill" in refused(tmp_path, {"a": entry(shape=(2**63 + 1, 2))})


def test_a_shape_that_does_not_fill_its_bytes_is_refused(tmp_path: Path) -> None:
    assert "does not fill" in refused(tmp_path, {"a": entry(shape=(3,))})


def test_half_a_byte_is_refused(tmp_path: Path) -> None:
    assert "does not fill" in refused(tmp_path, {"a": entry(0, 2, (3,), "F4")}, bytes(2))


def test_an_offset_that_is_a_boolean_is_refused(tmp_path: Path) -> None:
    assert "impossible offsets" in refused(tmp_path, {"a": entry(begin=False)})


def test_an_offset_with_a_fraction_is_refused(tmp_path: Path) -> None:
    assert "impossible offsets" in refused(tmp_path, {"a": entry(end=8.0)})


def test_a_negative_offset_is_refused(tmp_path: Path) -> None:
    assert "impossible offsets" in refused(tmp_path, {"a": entry(-8, 0)})


def test_offsets_that_run_backwards_are_refused(tmp_path: Path) -> None:
    assert "impossible offsets" in refused(tmp_path, {"a": entry(8, 0)})


def test_missing_offsets_are_refused(tmp_path: Path) -> None:
    assert "impossible offsets" in refused(tmp_path, {"a": {"dtype": "F32", "shape": [2]}})


def test_overlapping_tensors_are_refused(tmp_path: Path) -> None:
    assert "overlap" in refused(tmp_path, {"a": entry(0, 8), "b": entry(4, 12)}, bytes(12))


def test_two_tensors_on_the_same_bytes_are_refused(tmp_path: Path) -> None:
    assert "overlap" in refused(tmp_path, {"a": entry(), "b": entry()})


def test_a_gap_between_tensors_is_refused(tmp_path: Path) -> None:
    assert "gap" in refused(tmp_path, {"a": entry(0, 8), "b": entry(12, 20)}, bytes(20))


def test_a_gap_before_the_first_tensor_is_refused(tmp_path: Path) -> None:
    assert "gap" in refused(tmp_path, {"a": entry(8, 16)}, bytes(16))


def test_metadata_that_is_not_text_is_refused(tmp_path: Path) -> None:
    assert "__metadata__" in refused(tmp_path, {"__metadata__": {"format": 1}, "a": entry()})


@given(st.binary(max_size=200), st.integers(0, 300))
def test_no_bytes_whatsoever_raise_anything_but_our_errors(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, length: int
) -> None:
    path = write_raw(tmp_path_factory.getbasetemp() / "any.safetensors", content, length=length)
    with pytest.raises(ModelprovError):
        read_header(path)


@given(st.integers(0, 180), st.integers(0, 255))
def test_a_flipped_byte_is_read_as_something_valid_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    text, size = layout_header([("a", (2, 3), "BF16"), ("b", (4,), "F32")])
    changed = bytearray(len(text).to_bytes(8, "little") + text + bytes(size))
    changed[position % len(changed)] = value
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(bytes(changed))
    try:
        header = read_header(path)
    except ModelprovError:
        return
    assert all(ref.stop <= len(changed) for ref in header.tensors)
