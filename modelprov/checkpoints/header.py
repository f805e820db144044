"""Reads one safetensors header as hostile input: every rule of the format is checked here. No tensor data is read.

The rules are those of the format's own library (safetensors, `tensor.rs`): a header of at most 100 MB, unique names,
dtype x shape = bytes, and data that covers the rest of the file without a gap or an overlap. Two rules are ours:
names must be printable (they end up in terminals and HTML), and counts are Python integers, so nothing overflows.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from modelprov.checkpoints.formats.dtypes import OTHER_SIZES, DType
from modelprov.checkpoints.mistaken import HEAD_BYTES, what_it_is
from modelprov.checkpoints.types import RefusedTensor, Shard, TensorRef
from modelprov.errors import InvalidHeaderError, TruncatedShardError, UnreadableFileError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted

MAX_HEADER_BYTES = 100_000_000
LENGTH_BYTES = 8
METADATA = "__metadata__"
MOST = 1 << 64
"""Beyond any size, side or offset of a file."""
MOST_SIDES = 64  # numpy's
LONGEST_NAME = 10_000
DOWNLOAD_AGAIN = "Download this file again and compare its size and SHA-256 with the publisher's."
NOT_WRITTEN_BY_A_LIBRARY = "No safetensors library writes such a file: do not trust it; download it again."

BITS = {str(dtype): 8 * dtype.size for dtype in DType}
BITS |= {name: 8 * size for name, size in OTHER_SIZES.items()} | {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
COMPARABLE = {str(dtype): dtype for dtype in DType}


@dataclass(frozen=True, slots=True)
class Header:
    """What one file's header says: comparable tensors and refused ones, each in the order of their bytes."""

    shard: Shard
    tensors: tuple[TensorRef, ...]
    refused: tuple[RefusedTensor, ...]
    metadata: dict[str, str]


def read_header(path: Path, shard: int = 0) -> Header:
    """The header of the safetensors file at `path`, which becomes shard number `shard`; reads nothing but the header.

    Raises `UnreadableFileError`, `TruncatedShardError` (fewer bytes than promised) or `InvalidHeaderError`.
    """
    text, size = _read_text(path)
    data_start = LENGTH_BYTES + len(text)
    entries = _parse(text, path)
    metadata = _metadata(entries.pop(METADATA, {}), path)
    found = sorted(
        (_entry(name, entry, path) for name, entry in entries.items()),
        key=lambda item: (item[3], item[4]),
    )
    tensors: list[TensorRef] = []
    refused: list[RefusedTensor] = []
    at = 0
    for name, dtype, shape, begin, end in found:
        if begin != at:
            what = "overlap" if begin < at else "leave a gap"
            _refuse(
                path,
                f"the bytes of tensor {quoted(name)} and of the tensor before it {what} at offset {min(begin, at)}",
            )
        at = end
        start, stop = data_start + begin, data_start + end
        if dtype in COMPARABLE:
            tensors.append(TensorRef(name, COMPARABLE[dtype], shape, shard, start, stop))
        else:
            refused.append(RefusedTensor(name, dtype, shape, shard, start, stop))
    if data_start + at > size:
        missing = data_start + at - size
        raise TruncatedShardError(
            f"{path}: {missing:,} bytes are missing (the file has {size:,}, its header promises {data_start + at:,})",
            DOWNLOAD_AGAIN,
        )
    if data_start + at < size:
        _refuse(path, f"{size - data_start - at:,} bytes follow the last tensor; the format allows none")
    digest = hashlib.sha256(text).hexdigest()
    return Header(Shard(path, size, digest), tuple(tensors), tuple(refused), metadata)


def read_small_file(path: Path, limit: int) -> bytes:
    """The whole of a regular file of at most `limit` bytes; raises `UnreadableFileError`."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFileError(f"{path} is not a regular file", "Give a file or a folder of weights.")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(content) > limit:
        raise UnreadableFileError(f"{path} is larger than {limit:,} bytes", "Such a file does not belong to a model.")
    return content


def unreadable(path: Path, error: OSError) -> UnreadableFileError:
    """The operating system's refusal in words."""
    advice = "Check the permissions of the file." if isinstance(error, PermissionError) else "Check the disk and path."
    return UnreadableFileError(f"cannot read {path}: {error.strerror or error}", advice)


def _read_text(path: Path) -> tuple[bytes, int]:
    """The header's bytes and the file's size; the length is checked before anything is read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFileError(f"{path} is not a regular file", "Give a file or a folder of weights.")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(HEAD_BYTES)
            length = int.from_bytes(head[:LENGTH_BYTES], "little")
            other = None
            if length > MAX_HEADER_BYTES or head[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{":
                other = what_it_is(head)
            if other is not None:
                raise InvalidHeaderError(f"{path} is not a safetensors file: it is {other.what}", other.advice)
            if len(head) < LENGTH_BYTES:
                raise TruncatedShardError(
                    f"{path}: the file has {size} bytes, too few for a safetensors file", DOWNLOAD_AGAIN
                )
            if length > MAX_HEADER_BYTES:
                _refuse(path, f"it claims a header of {length:,} bytes; the format allows {MAX_HEADER_BYTES:,}")
            if length > size - LENGTH_BYTES:
                raise TruncatedShardError(
                    f"{path}: {length - size + LENGTH_BYTES:,} bytes of the header are missing", DOWNLOAD_AGAIN
                )
            file.seek(LENGTH_BYTES)
            return file.read(length), size
    except OSError as error:
        raise unreadable(path, error) from error


def _parse(text: bytes, path: Path) -> dict[str, Any]:
    """The header as a dictionary, names unique."""
    try:
        decoded = text.decode("utf-8")
        if not decoded.startswith("{"):
            _refuse(path, "the header does not start with '{'")
        entries = parse_json(decoded, unique=True, finite=True)
    except UnicodeDecodeError as error:
        _refuse(path, f"the header is not UTF-8 ({error.reason} at byte {error.start})")
    except JsonError as error:
        _refuse(path, f"the header is not JSON that can be read ({error})")
    return dict(entries)


def _metadata(value: Any, path: Path) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        _refuse(path, "__metadata__ is not a table of texts")
    return dict(value)


def _entry(name: str, entry: Any, path: Path) -> tuple[str, str, tuple[int, ...], int, int]:
    """Name, dtype, shape, first and last byte of one tensor, each checked."""
    if len(name) > LONGEST_NAME:
        _refuse(path, f"the tensor name {quoted(name)} has {len(name):,} characters")
    if not name.isprintable():
        _refuse(path, f"the tensor name {quoted(name)} has unprintable characters")
    if not isinstance(entry, dict):
        _refuse(path, f"tensor {quoted(name)} is not described by a table")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BITS:
        _refuse(path, f"tensor {quoted(name)} has the unknown dtype {quoted(dtype)}")
    if isinstance(shape, list) and len(shape) > MOST_SIDES:
        _refuse(path, f"tensor {quoted(name)} has {len(shape):,} sides; {MOST_SIDES} is the most that is read")
    # `type(...) is int`: True is an int to Python, not to the format.
    if not isinstance(shape, list) or any(type(side) is not int or not 0 <= side < MOST for side in shape):
        _refuse(path, f"tensor {quoted(name)} has the impossible shape {quoted(shape)}")
    offsets = offsets if isinstance(offsets, list) else [offsets]
    if len(offsets) != 2 or any(type(at) is not int or abs(at) >= MOST for at in offsets):
        _refuse(path, f"tensor {quoted(name)} has the impossible offsets {quoted(offsets)}")
    begin, end = offsets
    if not 0 <= begin <= end:
        _refuse(path, f"tensor {quoted(name)} lies at the impossible offsets {begin} to {end}")
    if _product(shape) * BITS[dtype] != 8 * (end - begin):
        _refuse(path, f"tensor {quoted(name)}: {dtype} {quoted(shape)} does not fill its {end - begin:,} bytes")
    return name, dtype, tuple(shape), begin, end


def _product(shape: list[int]) -> int:
    """The number of elements; `MOST` stands for more than any file holds, so that the numbers stay small."""
    product = 0 if 0 in shape else 1
    for side in shape:
        product = min(product * side, MOST)
    return product


def _refuse(path: Path, what: str) -> NoReturn:
    raise InvalidHeaderError(f"{path} is not a valid safetensors file: {what}", NOT_WRITTEN_BY_A_LIBRARY)
