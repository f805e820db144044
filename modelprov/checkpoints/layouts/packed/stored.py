"""What packed forms share: where tensors lie, what a finder is given, reading by units. No form's names."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import OTHER_SIZES, Bytes, DType, Float32, Float64
from modelprov.checkpoints.formats.grouped import CodeBook, Groups, Slack, bounds, values
from modelprov.checkpoints.formats.scaled_codes import QUOTIENT, scales_of
from modelprov.checkpoints.layouts.decoded import PackedTensor
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.types import Packing, RefusedTensor, TensorRef
from modelprov.foreign.json_text import JsonError, parse_json

LARGEST = 1 << 40
"""Elements of a matrix."""
LONGEST = 1 << 24
"""Elements of a unit; whole units are decoded."""
SMALL = 4096
"""Bytes of a tensor that is read when a checkpoint is opened, as it says how others are stored."""
NARROW = 8
"""Of a row's bytes, the part from which on all rows are read and cut: below it, each range by itself."""
FLOATS = frozenset(map(str, DType))


@dataclass(frozen=True, slots=True)
class Stored:
    """Where an array of a checkpoint lies: its shard, first byte, sides, and format by its safetensors name."""

    shard: int
    start: int
    shape: tuple[int, ...]
    form: str

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def width(self) -> int:
        """Bytes of an element."""
        return DType(self.form).size if self.form in FLOATS else OTHER_SIZES[self.form]

    @property
    def across(self) -> int:
        """Bytes of a row: of all sides but the first."""
        return math.prod(self.shape[1:]) * self.width

    @property
    def flat(self) -> Stored:
        """A stack as one matrix of all its rows."""
        return replace(self, shape=(math.prod(self.shape[:-1]), self.shape[-1]))

    def bytes(self, source: Source, begin: int, end: int) -> Bytes:
        """Bytes `begin` to `end` of the array."""
        raw = np.empty(max(end - begin, 0), np.uint8)
        source.read_into(self.shard, self.start + begin, raw.data)
        return raw

    def rows(self, source: Source, begin: int, end: int) -> Bytes:
        """Rows `begin` to `end` as bytes [rows, bytes]."""
        return self.bytes(source, begin * self.across, end * self.across).reshape(end - begin, self.across)

    def columns(self, source: Source, begin: int, end: int, rows: tuple[int, int] | None = None) -> Bytes:
        """Bytes `begin` to `end` of each of some rows (of all), [rows, bytes]."""
        first, last = rows or (0, self.shape[0])
        if (end - begin) * NARROW >= self.across:
            return self.rows(source, first, last)[:, begin:end]
        made = np.empty((last - first, end - begin), np.uint8)
        places = [self.start + row * self.across for row in range(first, last)]
        for row, piece in source.read_ranges([(self.shard, at + begin, at + end) for at in places]):
            made[row] = np.frombuffer(piece, np.uint8)
        return made

    def numbers(self, raw: Bytes) -> Float32:
        """Bytes of this array [n, bytes] as float32 [n, numbers]."""
        return scales_of(np.ascontiguousarray(raw).reshape(-1), self.form).astype(np.float32).reshape(len(raw), -1)


@dataclass(frozen=True)
class Found:
    """All tensors of a checkpoint by name, its config, what small ones say, and files' metadata."""

    stored: Mapping[str, Stored]
    config: Mapping[str, Any]
    small: Mapping[str, Bytes] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str, *forms: str, sides: int | None = None) -> Stored | None:
        """The tensor of this name, where it is stored in one of these formats with so many sides."""
        found = self.stored.get(name)
        fits = found is not None and found.form in forms and sides in (None, len(found.shape))
        return found if fits else None

    def ending(self, ending: str) -> list[str]:
        """The beginnings of all names that end so."""
        return [name.removesuffix(ending) for name in self.stored if name.endswith(ending)]

    def whole(self, name: str) -> tuple[int, ...] | None:
        """The integers of a small tensor; None where it is none."""
        raw, found = self.small.get(name), self.stored.get(name)
        kinds = {"I64": "<i8", "I32": "<i4", "U8": "u1", "I16": "<i2", "I8": "i1"}
        if raw is None or found is None or found.form not in kinds:
            return None
        return tuple(map(int, raw.view(kinds[found.form])))

    def said(self, name: str) -> Mapping[str, Any]:
        """The JSON object in the bytes of a small tensor; empty where it is none."""
        try:
            told = parse_json(self.small[name].tobytes())
        except (KeyError, JsonError):
            return {}
        return told if isinstance(told, dict) else {}


@dataclass(frozen=True)
class Packed:
    """A matrix that a finder found, and the names of all tensors that are no weights beside it."""

    tensor: PackedTensor
    used: tuple[str, ...]


def stored_of(tensors: Iterable[TensorRef | RefusedTensor]) -> dict[str, Stored]:
    """Where each of these lies, by name."""
    return {
        each.name: Stored(
            each.shard, each.start, each.shape, each.format if isinstance(each, RefusedTensor) else str(each.dtype)
        )
        for each in tensors
    }


def window(begin: int, end: int, bits: int, words: int) -> tuple[int, int, int]:
    """Which words of 32 bits hold codes `begin` to `end`, from the first whole 32 on, and the first code's number.

    `words` is how many there are.
    """
    first, last = begin // 32, -(-end // 32)
    return first * bits, min(last * bits, words), first * 32


def sides(told: Sequence[Any] | None) -> tuple[int, int] | None:
    """Rows and columns, where these are two that a matrix can have."""
    if told is None or len(told) != 2 or not all(type(side) is int and 0 < side < LARGEST for side in told):
        return None
    rows, columns = told
    return (rows, columns) if rows * columns < LARGEST else None


@dataclass(frozen=True)
class InUnits(ABC):
    """A tensor whose units (rows, or blocks of a row) are decoded whole, of codes in groups. See `PackedTensor`."""

    name: str
    shape: tuple[int, ...]

    nearest = True
    """Whether each number is known to be the nearest to what it was rounded from."""
    supposed = False
    """Whether that is supposed only, as the file does not say whether a calibration moved numbers."""

    @property
    @abstractmethod
    def format(self) -> str:
        """Its usual name."""

    @property
    @abstractmethod
    def bits(self) -> float:
        """Bits a weight, scales included."""

    @property
    @abstractmethod
    def book(self) -> CodeBook:
        """What codes stand for."""

    @property
    def slack(self) -> Slack:
        """How much wider a cell is than the book says."""
        return Slack(QUOTIENT)

    @property
    def unit(self) -> int:
        """Elements of a unit."""
        return self.shape[-1]

    @abstractmethod
    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """Units `begin` to `end`."""

    @property
    def dtype(self) -> DType:
        """What it is read as."""
        return DType.F32

    @property
    def packing(self) -> Packing:
        """See `PackedTensor`."""
        return Packing(self.format, self.bits, self.nearest, self.supposed)

    def read(self, source: Source, first: int, count: int) -> Bytes:
        """See `PackedTensor`."""
        begin, end = first // self.unit, -(-(first + count) // self.unit)
        made = values(self.groups(source, begin, end), self.book).reshape(-1)
        return np.ascontiguousarray(made[first - begin * self.unit :][:count], "<f4").view(np.uint8)

    def cells(self, source: Source, first: int, count: int) -> tuple[Float64, Float64] | None:
        """See `PackedTensor`."""
        if not self.nearest:
            return None
        begin, end = first // self.unit, -(-(first + count) // self.unit)
        lower, upper = bounds(self.groups(source, begin, end), self.book, self.slack)
        at = slice(first - begin * self.unit, first - begin * self.unit + count)
        return lower.reshape(-1)[at], upper.reshape(-1)[at]
