"""Reads GGUF headers as hostile input: keys, tensors, and every rule that a number of them must keep. No tensor data.

Version 2 and 3, little-endian (`docs/gguf.md` of the ggml project). Sizes are checked against the file before anything
is read or allocated; of lists only the length is kept where they are long (vocabularies).
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from modelprov.checkpoints.formats.gguf_blocks import KINDS, Kind
from modelprov.checkpoints.mistaken import what_it_is
from modelprov.checkpoints.sources.interface import DOWNLOAD_AGAIN, Source
from modelprov.checkpoints.types import Shard
from modelprov.errors import InvalidHeaderError, TruncatedShardError, UnsupportedFormatError
from modelprov.foreign.shown import quoted

MAGIC = b"GGUF"
FIRST_READ = 1 << 20
MAX_HEADER_BYTES = 256 << 20
MOST_TENSORS = 1_000_000
MOST_KEYS = 100_000
MOST_SIDES = 4  # ggml's
LONGEST_NAME = 10_000
LONGEST_LIST = 64  # whose items are kept
DEEPEST = 3
STRING, LIST = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
ALIGNMENT = "general.alignment"


@dataclass(frozen=True, slots=True)
class Length:
    """A list of which only the length was kept."""

    items: int


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One stored tensor: its sides from the outermost to the rows' length, and its bytes, absolute in its file."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    shard: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What one file says of itself: its keys and its tensors in the order of their bytes."""

    shard: Shard
    keys: Mapping[str, Any]
    tensors: tuple[GgufTensor, ...]


class _Short(Exception):  # noqa: N818 - no error: the next read is longer
    """More bytes are needed."""


def read_gguf_headers(source: Source) -> tuple[GgufHeader, ...]:
    """The headers of all shards, which are GGUF files.

    Raises what reading raises, `TruncatedShardError`, `InvalidHeaderError`, or `UnsupportedFormatError` for another
    version or order of bytes.
    """
    return tuple(_read(source, shard) for shard in range(len(source.names)))


def _read(source: Source, shard: int) -> GgufHeader:
    size, wanted = source.size(shard), FIRST_READ
    while True:
        text = bytearray(min(wanted, size))
        source.read_into(shard, 0, memoryview(text))
        try:
            return _Parser(bytes(text), source.place(shard), size, shard).header(source.names[shard])
        except _Short:
            if wanted >= size:
                raise TruncatedShardError(
                    f"{source.place(shard)}: the file ends inside its header, at {size:,} bytes", DOWNLOAD_AGAIN
                ) from None
            if wanted >= MAX_HEADER_BYTES:
                _refuse(source.place(shard), f"its header is longer than {MAX_HEADER_BYTES:,} bytes")
            wanted *= 4


class _Parser:
    """Walks over the bytes of a header."""

    def __init__(self, text: bytes, place: str, size: int, shard: int) -> None:
        self._text, self._at, self._place, self._size, self._shard = text, 0, place, size, shard

    def header(self, name: str) -> GgufHeader:
        """All of it, checked."""
        if self._take(4) != MAGIC:
            other = what_it_is(self._text[:4096])
            _refuse(self._place, f"it is {other.what}" if other else "it does not begin with GGUF")
        version = self._number("I")
        if version not in (2, 3):
            swapped = version in (2 << 24, 3 << 24)
            what = "big-endian" if swapped else f"of version {version}"
            raise UnsupportedFormatError(f"{self._place} is a {what} GGUF file", "Convert the model anew (version 3).")
        tensors, keys = self._number("Q"), self._number("Q")
        if tensors > MOST_TENSORS or keys > MOST_KEYS:
            _refuse(self._place, f"it claims {tensors:,} tensors and {keys:,} keys")
        known = self._keys(keys)
        alignment = known.get(ALIGNMENT, 32)
        if type(alignment) is not int or not 0 < alignment <= 1 << 20 or alignment & (alignment - 1):
            _refuse(self._place, f"it is aligned to {quoted(alignment)}, which is no power of two")
        entries = [self._entry() for _ in range(tensors)]
        ends = self._at
        data = -(-ends // alignment) * alignment
        found = self._placed(entries, data, alignment)
        digest = hashlib.sha256(self._text[:ends]).hexdigest()
        return GgufHeader(Shard(name, self._size, digest), known, found)

    def _keys(self, count: int) -> dict[str, Any]:
        known: dict[str, Any] = {}
        for _ in range(count):
            key = self._string(LONGEST_NAME)
            if key in known:
                _refuse(self._place, f"the key {quoted(key)} is there twice")
            known[key] = self._value(self._number("I"), 0)
        return known

    def _value(self, kind: int, depth: int) -> Any:
        if kind == STRING:
            return self._string(MAX_HEADER_BYTES)
        if kind in SCALARS:
            return self._number(SCALARS[kind])
        if kind != LIST or depth >= DEEPEST:
            _refuse(self._place, f"a key has a value of the unknown type {kind}")
        inner, items = self._number("I"), self._number("Q")
        if inner in SCALARS:
            width = struct.calcsize("<" + SCALARS[inner])
            if items * width > self._size:
                _refuse(self._place, f"a list claims {items:,} items")
            packed = self._take(items * width)
            if items > LONGEST_LIST:
                return Length(items)
            return list(struct.unpack(f"<{items}{SCALARS[inner]}", packed))
        if items > self._size:
            _refuse(self._place, f"a list claims {items:,} items")
        if items <= LONGEST_LIST:
            return [self._value(inner, depth + 1) for _ in range(items)]
        for _ in range(items):
            if inner == STRING:
                self._take(self._number("Q"))
            else:
                self._value(inner, depth + 1)
        return Length(items)

    def _entry(self) -> tuple[str, Kind, tuple[int, ...], int]:
        name = self._string(LONGEST_NAME)
        if not name or not name.isprintable():
            _refuse(self._place, f"the tensor name {quoted(name)} has unprintable characters")
        sides = self._number("I")
        if not 0 < sides <= MOST_SIDES:
            _refuse(self._place, f"tensor {quoted(name)} has {sides:,} sides")
        shape = tuple(reversed([self._number("Q") for _ in range(sides)]))
        number, offset = self._number("I"), self._number("Q")
        kind = KINDS.get(number)
        if kind is None:
            raise UnsupportedFormatError(
                f"{self._place}: tensor {quoted(name)} is of the unknown type {number}",
                "Convert the model anew, to a type that llama.cpp knows today (e.g. Q8_0).",
            )
        if shape[-1] % kind.elements:
            _refuse(self._place, f"tensor {quoted(name)} has rows of {shape[-1]:,}, blocks of {kind.elements}")
        if any(side > self._size * 8 for side in shape) or math.prod(shape) > self._size * 8:
            _refuse(self._place, f"tensor {quoted(name)} has the impossible shape {quoted(list(shape))}")
        return name, kind, shape, offset

    def _placed(
        self, entries: list[tuple[str, Kind, tuple[int, ...], int]], data: int, alignment: int
    ) -> tuple[GgufTensor, ...]:
        """The tensors in the order of their bytes, which neither overlap nor leave the file."""
        found = []
        for name, kind, shape, offset in entries:
            if offset % alignment:
                _refuse(self._place, f"tensor {quoted(name)} begins at {offset:,}, no multiple of {alignment}")
            start = data + offset
            stop = start + math.prod(shape) // kind.elements * kind.bytes
            found.append(GgufTensor(name, kind, shape, self._shard, start, stop))
        found.sort(key=lambda tensor: (tensor.start, tensor.stop))
        names, end = set(), data
        for tensor in found:
            if tensor.name in names:
                _refuse(self._place, f"tensor {quoted(tensor.name)} is there twice")
            if tensor.start < end:
                _refuse(self._place, f"the bytes of tensor {quoted(tensor.name)} and of the one before it overlap")
            names.add(tensor.name)
            end = tensor.stop
        if end > self._size:
            raise TruncatedShardError(
                f"{self._place}: {end - self._size:,} bytes are missing (the file has {self._size:,}, its header "
                f"promises {end:,})",
                DOWNLOAD_AGAIN,
            )
        return tuple(found)

    def _string(self, longest: int) -> str:
        length = self._number("Q")
        if length > min(longest, self._size):
            _refuse(self._place, f"a text claims {length:,} bytes")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            _refuse(self._place, f"a text of its header is not UTF-8 (at byte {self._at:,})")

    def _number(self, code: str) -> Any:
        width = struct.calcsize("<" + code)
        return struct.unpack("<" + code, self._take(width))[0]

    def _take(self, count: int) -> bytes:
        if count > max(self._size, 8):
            _refuse(self._place, f"a part of its header claims {count:,} bytes")
        if self._at + count > len(self._text):
            raise _Short
        taken = self._text[self._at : self._at + count]
        self._at += count
        return taken


def _refuse(place: str, what: str) -> NoReturn:
    raise InvalidHeaderError(f"{place} is not a valid GGUF file: {what}", "Do not trust it; download it again.")
