"""Reads safetensors headers as hostile input: every rule of the format is checked here. No tensor data is looked at.

The rules are those of the format's own library (safetensors, `tensor.rs`): a header of at most 100 MB, unique names,
dtype x shape = bytes, and data that covers the rest of the file without a gap or an overlap. Two rules are ours:
names must be printable (they end up in terminals and HTML), and counts are Python integers, so nothing overflows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NoReturn

from modelprov.checkpoints.formats.dtypes import OTHER_SIZES, DType
from modelprov.checkpoints.mistaken import HEAD_BYTES, what_it_is
from modelprov.checkpoints.sources.interface import DOWNLOAD_AGAIN, Source
from modelprov.checkpoints.types import RefusedTensor, Shard, TensorRef
from modelprov.errors import InvalidHeaderError, TruncatedShardError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted

MAX_HEADER_BYTES = 100_000_000
LENGTH_BYTES = 8
FIRST_READ = 16 << 10  # bytes: small headers end there, the rest of a long one is one more read
METADATA = "__metadata__"
MOST = 1 << 64
"""Beyond any size, side or offset of a file."""
MOST_SIDES = 64  # numpy's
LONGEST_NAME = 10_000
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


def read_headers(source: Source) -> tuple[Header, ...]:
    """The headers of all shards, which are safetensors files; all shards are asked for together, twice at most.

    Raises what reading raises, `TruncatedShardError` (fewer bytes than promised) or `InvalidHeaderError`.
    """
    shards = range(len(source.names))
    first = source.read_ranges([(shard, 0, min(source.size(shard), FIRST_READ)) for shard in shards])
    begun = {shard: bytes(piece) for shard, piece in first}
    ends = [LENGTH_BYTES + _length(source, shard, begun[shard]) for shard in shards]
    missing = [(shard, min(len(begun[shard]), ends[shard]), ends[shard]) for shard in shards]
    headers = {}
    for shard, piece in source.read_ranges(missing):
        headers[shard] = header_of(source, shard, begun[shard][LENGTH_BYTES : ends[shard]] + bytes(piece))
    return tuple(headers[shard] for shard in shards)


def header_of(source: Source, shard: int, text: bytes) -> Header:
    """What the header `text` of a shard says, every rule of the format checked."""
    place, size = source.place(shard), source.size(shard)
    data_start = LENGTH_BYTES + len(text)
    entries = _parse(text, place)
    metadata = _metadata(entries.pop(METADATA, {}), place)
    found = sorted(
        (_entry(name, entry, place) for name, entry in entries.items()),
        key=lambda item: (item[3], item[4]),
    )
    tensors: list[TensorRef] = []
    refused: list[RefusedTensor] = []
    at = 0
    for name, dtype, shape, begin, end in found:
        if begin != at:
            what = "overlap" if begin < at else "leave a gap"
            _refuse(
                place,
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
            f"{place}: {missing:,} bytes are missing (the file has {size:,}, its header promises {data_start + at:,})",
            DOWNLOAD_AGAIN,
        )
    if data_start + at < size:
        _refuse(place, f"{size - data_start - at:,} bytes follow the last tensor; the format allows none")
    digest = hashlib.sha256(text).hexdigest()
    return Header(Shard(source.names[shard], size, digest), tuple(tensors), tuple(refused), metadata)


def _length(source: Source, shard: int, first: bytes) -> int:
    """Bytes of a header, by the first ones of its file: checked before anything more is read."""
    place, size = source.place(shard), source.size(shard)
    length = int.from_bytes(first[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES or first[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{":
        other = what_it_is(first[:HEAD_BYTES])
        if other is not None:
            raise InvalidHeaderError(f"{place} is not a safetensors file: it is {other.what}", other.advice)
    if size < LENGTH_BYTES:
        raise TruncatedShardError(f"{place}: the file has {size} bytes, too few for a safetensors file", DOWNLOAD_AGAIN)
    if length > MAX_HEADER_BYTES:
        _refuse(place, f"it claims a header of {length:,} bytes; the format allows {MAX_HEADER_BYTES:,}")
    if length > size - LENGTH_BYTES:
        missing = length - size + LENGTH_BYTES
        raise TruncatedShardError(f"{place}: {missing:,} bytes of the header are missing", DOWNLOAD_AGAIN)
    return length


def _parse(text: bytes, place: str) -> dict[str, Any]:
    """The header as a dictionary, names unique."""
    try:
        decoded = text.decode("utf-8")
        if not decoded.startswith("{"):
            _refuse(place, "the header does not start with '{'")
        entries = parse_json(decoded, unique=True, finite=True)
    except UnicodeDecodeError as error:
        _refuse(place, f"the header is not UTF-8 ({error.reason} at byte {error.start})")
    except JsonError as error:
        _refuse(place, f"the header is not JSON that can be read ({error})")
    return dict(entries)


def _metadata(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        _refuse(place, "__metadata__ is not a table of texts")
    return dict(value)


def _entry(name: str, entry: Any, place: str) -> tuple[str, str, tuple[int, ...], int, int]:
    """Name, dtype, shape, first and last byte of one tensor, each checked."""
    if len(name) > LONGEST_NAME:
        _refuse(place, f"the tensor name {quoted(name)} has {len(name):,} characters")
    if not name.isprintable():
        _refuse(place, f"the tensor name {quoted(name)} has unprintable characters")
    if not isinstance(entry, dict):
        _refuse(place, f"tensor {quoted(name)} is not described by a table")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BITS:
        _refuse(place, f"tensor {quoted(name)} has the unknown dtype {quoted(dtype)}")
    if isinstance(shape, list) and len(shape) > MOST_SIDES:
        _refuse(place, f"tensor {quoted(name)} has {len(shape):,} sides; {MOST_SIDES} is the most that is read")
    # `type(...) is int`: True is an int to Python, not to the format.
    if not isinstance(shape, list) or any(type(side) is not int or not 0 <= side < MOST for side in shape):
        _refuse(place, f"tensor {quoted(name)} has the impossible shape {quoted(shape)}")
    offsets = offsets if isinstance(offsets, list) else [offsets]
    if len(offsets) != 2 or any(type(at) is not int or abs(at) >= MOST for at in offsets):
        _refuse(place, f"tensor {quoted(name)} has the impossible offsets {quoted(offsets)}")
    begin, end = offsets
    if not 0 <= begin <= end:
        _refuse(place, f"tensor {quoted(name)} lies at the impossible offsets {begin} to {end}")
    if _product(shape) * BITS[dtype] != 8 * (end - begin):
        _refuse(place, f"tensor {quoted(name)}: {dtype} {quoted(shape)} does not fill its {end - begin:,} bytes")
    return name, dtype, tuple(shape), begin, end


def _product(shape: list[int]) -> int:
    """The number of elements; `MOST` stands for more than any file holds, so that the numbers stay small."""
    product = 1
    for side in shape:
        product = min(product * side, MOST)
    return product


def _refuse(place: str, what: str) -> NoReturn:
    raise InvalidHeaderError(f"{place} is not a valid safetensors file: {what}", NOT_WRITTEN_BY_A_LIBRARY)
