"""Reads safetensors headers as hostile input: every rule of the format is checked here. No tensor data is looked at.

The rules are those of the format's own library (safetensors, `tensor.rs`): a header of at most 100 MB, unique names,
dtype x shape = bytes, and data that covers the rest of the file without a gap or an overlap. Two rules are ours:
names must be printable (they end up in terminals and HTML), and counts are Python integers, so nothing overflows.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from typing import Any

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.header_entries import METADATA, Entries, as_written, entries_of, refuse
from modelprov.checkpoints.mistaken import HEAD_BYTES, what_it_is
from modelprov.checkpoints.sources.interface import DOWNLOAD_AGAIN, Source
from modelprov.checkpoints.types import RefusedTensor, Shard, TensorRef, many
from modelprov.errors import InvalidHeaderError, TruncatedShardError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted

MAX_HEADER_BYTES = 100_000_000
LENGTH_BYTES = 8
FIRST_READ = 16 << 10  # bytes: small headers end there, the rest of a long one is one more read
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
    found, metadata = _parse(text, place)
    _check_covering(found, place)
    at = found.ends[-1] if found.ends else 0
    if data_start + at > size:
        missing = data_start + at - size
        raise TruncatedShardError(
            f"{place}: {missing:,} bytes are missing (the file has {size:,}, its header promises {data_start + at:,})",
            DOWNLOAD_AGAIN,
        )
    if data_start + at < size:
        refuse(place, f"{size - data_start - at:,} bytes follow the last tensor; the format allows none")
    digest = hashlib.sha256(text).hexdigest()
    tensors, refused = _stored(found, shard, data_start)
    return Header(Shard(source.names[shard], size, digest), tensors, refused, metadata)


def _check_covering(found: Entries, place: str) -> None:
    """Raise `InvalidHeaderError` where the bytes of one tensor do not begin where those before it end."""
    if list(found.begins) == [0, *found.ends[:-1]][: len(found.begins)]:
        return
    at = 0
    for name, begin, end in zip(found.names, found.begins, found.ends, strict=True):
        if begin != at:
            what = "overlap" if begin < at else "leave a gap"
            refuse(
                place,
                f"the bytes of tensor {quoted(name)} and of the tensor before it {what} at offset {min(begin, at)}",
            )
        at = end


def _stored(found: Entries, shard: int, data_start: int) -> tuple[tuple[TensorRef, ...], tuple[RefusedTensor, ...]]:
    """The comparable tensors of a shard and the refused ones, where they lie in its file."""
    known = [dtype in COMPARABLE for dtype in found.dtypes]
    places = ([data_start + at for at in ends] for ends in (found.begins, found.ends))
    columns = (found.names, [COMPARABLE.get(dtype, dtype) for dtype in found.dtypes], found.shapes, *places)

    def of(chosen: list[bool]) -> list[list[Any]]:
        names, dtypes, shapes, starts, stops = (list(compress(column, chosen)) for column in columns)
        return [names, dtypes, shapes, [shard] * len(names), starts, stops]

    refused = map(RefusedTensor, *of([not comparable for comparable in known]))
    return tuple(many(TensorRef, *of(known))), tuple(refused)


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
        refuse(place, f"it claims a header of {length:,} bytes; the format allows {MAX_HEADER_BYTES:,}")
    if length > size - LENGTH_BYTES:
        missing = length - size + LENGTH_BYTES
        raise TruncatedShardError(f"{place}: {missing:,} bytes of the header are missing", DOWNLOAD_AGAIN)
    return length


def _parse(text: bytes, place: str) -> tuple[Entries, dict[str, str]]:
    """The header's tensors and its metadata, names unique."""
    try:
        decoded = text.decode("utf-8")
        if not decoded.startswith("{"):
            refuse(place, "the header does not start with '{'")
        written = as_written(decoded)
        if written is not None:
            with suppress(JsonError):  # then the fault is said of the whole text
                return written[0], _metadata(parse_json(written[1], unique=True, finite=True, stored=True), place)
        entries = dict(parse_json(decoded, unique=True, finite=True, stored=True))
    except UnicodeDecodeError as error:
        refuse(place, f"the header is not UTF-8 ({error.reason} at byte {error.start})")
    except JsonError as error:
        refuse(place, f"the header is not JSON that can be read ({error})")
    metadata = _metadata(entries.pop(METADATA, {}), place)
    return entries_of(entries, place), metadata


def _metadata(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        refuse(place, "__metadata__ is not a table of texts")
    return dict(value)
