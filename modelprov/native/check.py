"""Whether the C kernels return the bits that they must, on numbers made here. Their meaning is held by the tests.

All variants return the same, and so does every compiler that keeps to IEEE 754; where bits are others, something is
wrong that a tolerance might hide. After a change of what the sources compute `python -m modelprov.native.check` says
the new digest, and the tests whether it may be believed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from modelprov.native.functions import Native
    from modelprov.native.merge_loops import Keys

EXPECTED = "2323e53cb8cb89c15ddadf0c68cea759d186eb835cfc02ce0698db0fdc995304"
COUNT = 4203  # a run of 4,096 elements and a part of another, whose length is that of no vector
INFINITE = 4150
BF16, F16, F32 = range(3)
ARITHMETICS = 18
MERGING = "05d0bde64d8417965abece32a1e2b457af9111be7677661d43f5b00bfd71a0a8"
"""Of the loops of merges (`merging.c`, `sizes.c`, `parting.c`, `choosing.c`, `chances.c`, `totals.c`)."""
SHIFTS = {BF16: 16, F16: 13, F32: 0}
"""Lowest bits of a float32 that numbers of a format do not use."""
KEPT = {BF16: 0x80FF0000, F16: 0x80FFE000, F32: 0x80FFFFFF}
"""Bits of a float32 between 0.0078 and 0.0313, of either sign, that a format holds."""
SEGMENTS = (
    *((BF16,) * n for n in (3, 2, 4, 5, 6)), (F16,) * 3, (F32,) * 3, (BF16, F32, F16, BF16), (F16, F32),
)  # fmt: skip
WEIGHTS = {1: (1.0,), 2: (0.565, 0.435), 3: (0.5, 0.25, 0.25), 4: (0.25,) * 4, 5: (0.2,) * 5}


def _words(salt: int) -> npt.NDArray[np.uint32]:
    """Words uint32 [COUNT] that look random, by multiplying and shifting: no generator that may change."""
    words = (np.arange(COUNT, dtype=np.uint32) + np.uint32(salt * COUNT)) * np.uint32(0x9E3779B9)
    for factor in (0x21F0AAAD, 0x735A2D97):
        words = (words ^ (words >> np.uint32(15))) * np.uint32(factor)
    return words ^ (words >> np.uint32(16))


def _values(number: int, code: int) -> npt.NDArray[np.float32]:
    """Of a checkpoint that has every third element in common with the others, float32 [COUNT], exact in a format."""
    words = np.where(np.arange(COUNT) % 3 == 0, _words(0), _words(number + 1))
    return ((words & np.uint32(KEPT[code])) | np.uint32(0x3C000000)).view(np.float32)


def _stored(values: npt.NDArray[np.float32], code: int) -> npt.NDArray[np.uint8]:
    if code == BF16:
        return (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16).view(np.uint8)
    return np.ascontiguousarray(values if code == F32 else values.astype(np.float16)).view(np.uint8)


def digest(of: Native) -> str:
    """Of what the functions return for such numbers, in every format and arithmetic."""
    seen = hashlib.sha256()
    for codes in SEGMENTS:
        for finite in (False, True):
            seen.update(_moments(of, codes, finite=finite))
    for code in (BF16, F16, F32):
        parents = np.stack([_values(1, code), _values(2, code)])
        out = np.empty(COUNT, np.float32)
        for arithmetic in range(ARITHMETICS):
            weights, order = np.array(WEIGHTS[2]) * (1 + arithmetic % 2), np.array([1, 0], np.int64)
            of.evaluate(arithmetic, parents, weights, order, code, out)
            seen.update(out.tobytes())
        seen.update(_profiles(of, parents, code))
    return seen.hexdigest()


def _profiles(of: Native, rows: npt.NDArray[np.float32], code: int) -> bytes:
    """Squares of a row and of a column added up, those of the row weighted, and how far rows are apart."""
    by_row, by_column, weights = np.empty(1), np.zeros(COUNT), rows[1].astype(np.float64)
    raw = _stored(np.where(np.arange(COUNT) == INFINITE, np.float32(np.inf), rows[0]), code)
    of.squares(raw, code, weights, None, by_row, by_column)
    found = by_row.tobytes() + by_column.tobytes()
    by_row, by_column = np.empty(COUNT // 3), np.zeros(3)
    of.squares(raw, code, None, weights[: COUNT // 3].copy(), by_row, by_column)
    first, second = np.sort(weights.reshape(3, -1), axis=1), np.sort(by_row.reshape(1, -1), axis=1)
    apart = of.apart(first, second).tobytes() + of.apart(second, first).tobytes()
    return found + by_row.tobytes() + by_column.tobytes() + apart


def _moments(of: Native, codes: tuple[int, ...], *, finite: bool) -> bytes:
    """Counts and sums of one segment, with two recipes, and unless it is finite an infinity in its second run."""
    n = len(codes)
    values = [_values(number, code) for number, code in enumerate(codes)]
    weights = np.array([[WEIGHTS[n - 1]]] * 2)
    values[0][::4] = values[-1][::4]
    if not finite:
        values[-1][INFINITE] = np.inf
    held = [_stored(row, code) for row, code in zip(values, codes, strict=True)]
    counts = np.zeros((1, 6 + n * (n - 1) // 2 + 8), np.int64)
    sums = np.zeros((1, (n + 1) * (n + 2) // 2 - 1 + 3 * (n - 2)))
    zero, format_codes = np.zeros(1, np.int64), np.array(codes, np.int64)[:, None]
    of.moments(
        np.full(n, -1), np.array([row.ctypes.data for row in held]), np.array([row.size for row in held]),
        zero, zero + COUNT, np.zeros((n, 1), np.int64), format_codes, format_codes[0], np.array([0, 1]),
        np.array([np.arange(n - 1)] * 2), weights, counts, sums,
    )  # fmt: skip
    return counts.tobytes() + sums.tobytes()


def merging_digest(of: Native) -> str:
    """Of what the loops of merges return for such numbers, in every format."""
    seen = hashlib.sha256()
    for code in (BF16, F16, F32):
        tensor, base = (np.empty(COUNT, np.float32) for _ in range(2))
        for number, out in enumerate((tensor, base)):
            of.load(_stored(_values(number, code), code), code, out)
        bins, change = np.zeros((4, 1 << 16), np.uint32), np.empty((3, COUNT), np.float32)
        of.count_sizes(tensor, base, code, -1, bins)
        of.count_sizes(tensor, base, code, int(np.argmax(bins.sum(0)[1:])) + 1, bins)
        of.thin(tensor, base, code, 3, (0.0078125, 0.03), (COUNT // 2, -1), change[0])
        seen.update(bins.sum(0).tobytes() + change[0].tobytes() + _chosen(of, tensor, base, code, change[1:]))
        raw = _stored(np.where(np.arange(COUNT) == INFINITE, np.float32(np.inf), tensor), code)
        seen.update(bytes(of.all_finite(raw, code, count) for count in (INFINITE, INFINITE + 1)))
        seen.update(_by_chance(of, tensor, base, code) + _totals(of, tensor, base, code))
        changes = change[:2]
        out = np.empty(COUNT, np.float32)
        for vote, normalize, scale in ((True, True, 1.0), (False, True, 1.3), (True, False, 0.7)):
            of.moved(base, changes, np.array([0.7, -0.2], np.float32), vote, normalize, scale, code, BF16, out)
            seen.update(out.tobytes())
        for divisor, out_code in ((0.0, BF16), (0.9, code)):
            of.blended(tensor, base, (0.7, 0.4), divisor, code, out_code, out)
            seen.update(out.tobytes())
        raw, made = np.stack([_stored(_values(n, code), code) for n in (1, 2)]), np.zeros(4 * COUNT, np.uint8)
        codes, order = np.array([code, code], np.int64), np.array([1, 0], np.int64)
        if code == BF16:
            of.pack_bf16(tensor, made)
        for arithmetic, out_code in ((0, BF16), (1, BF16), (5, BF16), (1, F32)):
            of.weighted(arithmetic, raw, codes, np.array(WEIGHTS[2]), order, out_code, COUNT, made)
            seen.update(made.tobytes())
    return seen.hexdigest()


def _by_chance(of: Native, tensor: npt.NDArray[np.float32], base: npt.NDArray[np.float32], code: int) -> bytes:
    """Changes kept by numbers from an odd place and an even one, and sums of their sizes."""
    generator, out, sums = _words(9)[:8].view(np.uint64), np.empty(COUNT, np.float32), np.empty((1, 2))
    found = b""
    for place, least, factor in ((3, 1 << 23, 1.0), (1 << 40, 1 << 21, 1.7), (0, 1 << 24, 0.3)):
        of.thin_by_chance(tensor, base, code, (generator, place, least), factor, out)
        of.sizes_by_chance(tensor, base, code, (generator, place, least), sums)
        found += out.tobytes() + sums.tobytes()
    return found


def _totals(of: Native, tensor: npt.NDArray[np.float32], base: npt.NDArray[np.float32], code: int) -> bytes:
    """Squares in lanes and products in levels."""
    lanes, levels, out = np.zeros(8, np.float32), np.zeros((4, 4, 8), np.float32), np.empty(COUNT, np.float32)
    of.unit_products(tensor, base, (0.7, 1.3), code, out)
    of.add_squares(out[: COUNT - COUNT % 8], lanes)
    at = 0
    for wide in (False, True):
        at = of.add_in_levels(out[: COUNT - COUNT % 64], levels, at, 4, wide)
    return out.tobytes() + lanes.tobytes() + levels.tobytes()


def _chosen(
    of: Native, tensor: npt.NDArray[np.float32], base: npt.NDArray[np.float32], code: int,
    change: npt.NDArray[np.float32],
) -> bytes:  # fmt: skip
    """What sorts of two parts put at some places of theirs, and the changes [2, n] thinned by that."""
    shift, wide = SHIFTS[code], code != BF16
    keys: Keys = np.zeros(COUNT + 64, np.uint32) if wide else np.zeros(COUNT + 64, np.uint16)
    words = (COUNT - 1) // 64 + 1
    bits, moves, back = np.zeros(words + 3, np.uint64), np.zeros(words, np.uint64), np.zeros(words, np.uint64)
    of.fill_keys(tensor, base, code, (shift, (1 << 31 - shift) - 1), keys[:COUNT])
    found = keys.tobytes()
    pivot = of.bring_pivot(keys, 3, COUNT)
    for ends in ((0, 40), (40, words)):
        of.mark_stops(keys, (3, COUNT), ends, moves, back)
    pairs, cut = of.meet(moves, back)
    for some in ((pairs // 3, pairs), (0, pairs // 3)):
        of.exchange_keys(keys, 3, moves, some)
    found += keys.tobytes() + moves.tobytes()
    of.choose(keys, (3, cut), 20, (cut // 3, cut // 2), bits)
    of.choose(keys, (cut, COUNT), 0, (cut, COUNT - 700), bits)
    found += bits.tobytes()
    of.undo_moves(bits, 3, pivot, moves, pairs)
    of.thin_by_bits(tensor, base, code, bits, 0, change[0])
    of.thin_by_bits(tensor, base, code, np.roll(bits, 1), 67, change[1])
    return found + bits.tobytes() + change.tobytes() + bytes(f"{pivot} {pairs} {cut}", "ascii")


def same_bits(of: Native) -> bool:
    """Whether the library can be trusted."""
    return digest(of) == EXPECTED


def main() -> None:
    """Say the digests of the library that is here."""
    from modelprov import native

    library = native.opened(native.PLACE)
    print(digest(library), merging_digest(library))


if __name__ == "__main__":
    main()
