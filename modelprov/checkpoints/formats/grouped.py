"""Codes of a few bits in groups that share a scale and an offset: their values and rounding cells. Reads no files.

A number is `book[code] · scale + offset`. Which book, and what was rounded beside the number, says each format.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Bytes, Float32, Float64


class Order(StrEnum):
    """How codes lie in bytes: one in each, or two, that of the first number in the low or in the high half."""

    BYTES = "bytes"
    LOW_FIRST = "low first"
    HIGH_FIRST = "high first"


@dataclass(frozen=True, eq=False)
class CodeBook:
    """What each code stands for, float32 [n], and what was rounded to it, float64 [n]; NaN where that is open."""

    values: Float32
    lower: Float64
    upper: Float64


@dataclass(frozen=True, eq=False)
class Groups:
    """Some units (rows, or blocks) of a matrix: `codes` [n, bytes], `scale` and `offset` [n, groups] of equal length.

    `unit` is the number of elements of a unit; what codes have beyond it fills up the last byte. With `index` [unit]
    the groups are not in order: it says which one each element is in.
    """

    codes: Bytes
    order: Order
    unit: int
    scale: Float32
    offset: Float32 | None = None
    index: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Slack:
    """How much what was rounded may lie beyond its cell: of its own size, and of the code's number times the scale.

    The first is the rounding of scales and of the quotient where an offset is a multiple of the scale (a zero point);
    the second that of a scale to which an offset was added which knows nothing of it.
    """

    own: float
    scaled: float = 0.0


def unpack(codes: Bytes, bits: int) -> Bytes:
    """Codes of `bits` bits [n, m] of bytes [n, bytes], the first in the lowest bits, across borders of bytes."""
    if bits == 8:
        return codes
    if bits in (1, 2, 4):
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        made = (codes[..., None] >> shifts) & np.uint8((1 << bits) - 1)
        return made.reshape(*codes.shape[:-1], -1)
    streamed = np.unpackbits(np.ascontiguousarray(codes), axis=-1, bitorder="little")
    whole = streamed[..., : streamed.shape[-1] // bits * bits].reshape(*codes.shape[:-1], -1, bits)
    return np.asarray(whole @ (1 << np.arange(bits)), np.uint8)


def values(found: Groups, book: CodeBook) -> Float32:
    """The numbers, float32 [n, unit]; not finite where a scale is not."""
    if found.order is Order.BYTES:
        made = np.empty(found.codes.shape, np.float32)
        np.take(book.values, found.codes, out=made, mode="clip")
    else:
        pairs = np.empty(found.codes.shape, np.complex64)
        np.take(_pairs(book, found.order), found.codes, out=pairs, mode="clip")
        made = pairs.view(np.float32)
    made = made[:, : found.unit]
    with np.errstate(all="ignore"):
        grouped, scale = _spread(made, found.scale, found)
        grouped *= scale
        if found.offset is not None:
            grouped, offset = _spread(made, found.offset, found)
            grouped += offset
    return made


def bounds(found: Groups, book: CodeBook, slack: Slack) -> tuple[Float64, Float64]:
    """Lower and upper bounds of what was rounded to the numbers, float64 [n, unit]; NaN where nothing is known."""
    codes = _alone(found)[:, : found.unit]
    known = np.isfinite(book.lower) & np.isfinite(book.upper)
    ends = [np.take(np.where(known, end, np.nan), codes) for end in (book.lower, book.upper)]
    with np.errstate(all="ignore"):
        for end in ends:
            grouped, scale = _spread(end, found.scale.astype(np.float64), found)
            grouped *= scale
        beyond = slack.scaled * np.maximum(np.abs(ends[0]), np.abs(ends[1]))
        if found.offset is not None:
            for end in ends:
                grouped, offset = _spread(end, found.offset.astype(np.float64), found)
                grouped += offset
        beyond += slack.own * np.maximum(np.abs(ends[0]), np.abs(ends[1]))
        lower, upper = np.minimum(*ends) - beyond, np.maximum(*ends) + beyond
        open_ = ~(np.isfinite(lower) & np.isfinite(upper) & (lower < upper))
    lower[open_] = upper[open_] = np.nan
    return lower, upper


def _alone(found: Groups) -> Bytes:
    """Codes one a byte."""
    if found.order is Order.BYTES:
        return found.codes
    low, high = found.codes & np.uint8(15), found.codes >> np.uint8(4)
    first, second = (low, high) if found.order is Order.LOW_FIRST else (high, low)
    return np.stack([first, second], axis=-1).reshape(len(found.codes), -1)


def _spread(
    made: npt.NDArray[Any], shared: npt.NDArray[Any], found: Groups
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """A view of the numbers, and what its groups share in a shape that goes with it."""
    groups = shared.shape[1]
    if found.index is not None:
        return made, shared[:, found.index]
    if found.unit % groups == 0 and made.flags.c_contiguous:
        return made.reshape(len(made), groups, -1), shared[:, :, None]
    return made, np.repeat(shared, -(-found.unit // groups), axis=1)[:, : found.unit]


@lru_cache(maxsize=32)
def _pairs(book: CodeBook, order: Order) -> npt.NDArray[np.complex64]:
    """Both numbers of every byte, side by side."""
    byte = np.arange(256)
    halves = (byte & 15, byte >> 4) if order is Order.LOW_FIRST else (byte >> 4, byte & 15)
    return np.ascontiguousarray(np.stack([book.values[half] for half in halves], 1)).view(np.complex64).reshape(-1)


def book_of(numbers: npt.ArrayLike) -> CodeBook:
    """The book of these numbers, each of which what is nearest was rounded to; the ends of the range say nothing.

    Whatever lies beyond a range is cut off to its ends, by quantisers that search their scale on purpose.
    """
    found = np.asarray(numbers, np.float64)
    known = np.unique(found)
    middles = (known[1:] + known[:-1]) / 2
    lower, upper = np.concatenate([[np.nan], middles]), np.concatenate([middles, [np.nan]])
    place = np.searchsorted(known, found)
    return CodeBook(found.astype(np.float32), lower[place], upper[place])


@lru_cache(maxsize=32)
def integers(bits: int, least: int = 0) -> CodeBook:
    """The integers from `least` up, by codes from 0 up."""
    return book_of(np.arange(1 << bits) + least)
