"""Cuts aligned tensors into blocks: which bytes of which shards belong together. Plans only; reads nothing.

A block is the unit of reading, of work and of retry. It holds segments (parts of tensors) in the file order of the
first checkpoint and stays inside one shard of every checkpoint where that costs nothing, so that files are read from
front to back, once. Segments start at multiples of `QUANTUM` elements of their tensor: sums then do not depend on how
a tensor was cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import CODES, SIZES
from modelprov.checkpoints.types import Alignment

QUANTUM = 4096
SMALLEST_BLOCK = 1 << 20  # bytes of the first checkpoint; below this a block may span shards
GAP = 64 << 10  # bytes that are read rather than asked around
GAP_HELD = 8 << 10  # of a file that the system holds: copying so many takes as long as another call

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """All segments of a pass, as columns, and the blocks they form.

    For segment s: `tensor[s]` its row in the alignment, `first[s]` its first element, `count[s]` its elements; for
    checkpoint i: `shard[i, s]`, `start[i, s]` the absolute byte offset, `dtype[i, s]` its format's code, `sizes[i, s]`
    its bytes. Block b holds segments `bounds[b]` to `bounds[b + 1]`.
    """

    tensor: Int64
    first: Int64
    count: Int64
    shard: Int64
    start: Int64
    dtype: Int64
    bounds: Int64
    sizes: Int64 = field(init=False)

    def __post_init__(self) -> None:
        # Once: whoever loads a block asks for some of them, and a pass has as many blocks as the models have megabytes.
        object.__setattr__(self, "sizes", np.asarray(self.count * SIZES[self.dtype], np.int64))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.bounds) - 1

    @property
    def bytes(self) -> int:
        """Bytes that a pass over the plan reads, all checkpoints together."""
        return int(self.sizes.sum())

    def block(self, number: int) -> slice:
        """The segments of a block."""
        return slice(int(self.bounds[number]), int(self.bounds[number + 1]))


def plan_pass(
    alignment: Alignment, block_bytes: int = 8 << 20, piece_bytes: int | None = None, only: Int64 | None = None
) -> Plan:
    """Plan to read every aligned element once; a block takes at most about `block_bytes` of each checkpoint.

    `piece_bytes`, if smaller, is what a segment takes at most: the same cuts then for any size of blocks. `only` int64:
    the tensors to read, ascending; all without it.
    """
    rows = np.arange(len(alignment.tensors)) if only is None else only
    counts = _counts(alignment)[rows]
    widest = SIZES[_formats(alignment)].max(axis=0, initial=0)[rows]
    most = block_bytes if piece_bytes is None else min(block_bytes, piece_bytes)
    per_piece = np.maximum(most // np.maximum(widest, 1) // QUANTUM, 1) * QUANTUM
    pieces = -(-counts // per_piece) if len(counts) else counts
    row = np.repeat(np.arange(len(counts)), pieces)
    number = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = number * per_piece[row]
    return plan_segments(alignment, rows[row], first, np.minimum(per_piece[row], counts[row] - first), block_bytes)


def tensor_bytes(alignment: Alignment) -> Int64:
    """Bytes of every aligned tensor, all checkpoints together, int64 [t]."""
    return np.asarray(SIZES[_formats(alignment)].sum(axis=0) * _counts(alignment), np.int64)


def _counts(alignment: Alignment) -> Int64:
    """Elements of every aligned tensor, int64 [t]."""
    return np.array([tensor.views[0].count for tensor in alignment.tensors], np.int64)


def _formats(alignment: Alignment) -> Int64:
    """The codes of the formats of every tensor in each checkpoint, int64 [n, t]."""
    tensors = alignment.tensors
    codes = [[CODES[tensor.views[i].ref.dtype] for tensor in tensors] for i in range(len(alignment.checkpoints))]
    return np.array(codes, np.int64).reshape(len(codes), len(tensors))


def plan_segments(alignment: Alignment, tensor: Int64, first: Int64, count: Int64, block_bytes: int) -> Plan:
    """Plan to read the given segments, int64 [s] each, in the given order."""
    views = [[one.views[i] for one in alignment.tensors] for i in range(len(alignment.checkpoints))]
    shape = (len(views), -1)
    shard = np.array([[view.ref.shard for view in row] for row in views], np.int64).reshape(shape)[:, tensor]
    start = np.array([[view.start for view in row] for row in views], np.int64).reshape(shape)[:, tensor]
    dtype = _formats(alignment)[:, tensor]
    size = SIZES[dtype]
    sizes = (size * count).max(axis=0) if len(tensor) else count
    moves = (np.diff(shard, axis=1) != 0).any(axis=0) if len(tensor) else np.zeros(0, bool)
    bounds = np.array([0, *_cuts(sizes, moves, block_bytes), len(tensor)] if len(tensor) else [0], np.int64)
    return Plan(tensor, first, count, shard, start + first * size, dtype, bounds)


def _cuts(sizes: Int64, moves: npt.NDArray[np.bool_], block_bytes: int) -> Iterator[int]:
    """Where a block ends: when full, or at a change of shard once it is worth a read of its own."""
    held = 0
    for s, size in enumerate(sizes.tolist()):
        if s and (held + size > block_bytes or (moves[s - 1] and held >= SMALLEST_BLOCK)):
            yield s
            held = 0
        held += size


def byte_ranges(plan: Plan, block: slice, checkpoint: int, gap: int = GAP) -> list[tuple[int, int, int]]:
    """The (shard, start, stop) runs of bytes that hold a block in one checkpoint, gaps up to `gap` bytes included."""
    shard, start = plan.shard[checkpoint, block], plan.start[checkpoint, block]
    if not len(shard):
        return []
    order = np.lexsort((start, shard))
    shard, start, stop = shard[order], start[order], (start + plan.sizes[checkpoint, block])[order]
    behind = shard * int(stop.max())  # so that the furthest end so far is one of the same shard
    furthest = np.maximum.accumulate(stop + behind) - behind
    apart = np.ones(len(shard) + 1, bool)
    apart[1:-1] = (shard[1:] != shard[:-1]) | (start[1:] - furthest[:-1] > gap)
    first, last = apart[:-1], apart[1:]
    return list(zip(shard[first].tolist(), start[first].tolist(), furthest[last].tolist(), strict=True))
