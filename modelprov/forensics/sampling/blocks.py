"""The blocks of fingerprints: which places of a model are kept, and which of them a comparison can look at.

The places hang on the seed, the shapes, and the canonical names without the numbers of layers, and those of a small
fingerprint are among those of a large one: any two models of one layout can be compared at the places of the smaller,
and every layer with every other, wherever it stands. Fits nothing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.layouts.roles import unnumbered
from modelprov.checkpoints.plan import Plan, plan_segments
from modelprov.checkpoints.types import AlignedTensor, Alignment, Checkpoint
from modelprov.errors import CouldNotJudgeError
from modelprov.recipes.tensor_groups import kind_of

RUN = 512  # elements of a block
BLOCK_BYTES = 4 << 20
CHUNK = 64  # numbers drawn together

Int64 = npt.NDArray[np.int64]
Segment = tuple[int, int, int]


def choose_blocks(alignment: Alignment, elements: int, seed: int) -> list[Segment]:
    """About `elements` elements of one model as (tensor, first, count), spread evenly over layers and kinds of tensors.

    Every layer and kind has at least a block, however few elements are asked for; of vectors no more than one.
    """
    strata: dict[tuple[int | None, str], list[int]] = defaultdict(list)
    for number, tensor in enumerate(alignment.tensors):
        strata[tensor.layer, kind_of(tensor.name)].append(number)
    telling = sum(alignment.tensors[tensors[0]].decisive for tensors in strata.values())
    blocks = max(1, elements // RUN // max(1, telling))
    chosen: list[Segment] = []
    for tensors in strata.values():
        chosen += _of_stratum(alignment, tensors, blocks if alignment.tensors[tensors[0]].decisive else 1, seed)
    return sorted(chosen)


def _of_stratum(alignment: Alignment, tensors: list[int], blocks: int, seed: int) -> Iterator[Segment]:
    """Tensors in a seeded order, a place of each in turn, until there are enough or all are taken."""
    drawn = []
    for number in tensors:
        tensor = alignment.tensors[number]
        sides = [side for side in tensor.shape if side != 1]  # sides of length 1 come and go
        digest = hashlib.blake2b(f"{seed}|{unnumbered(tensor.name)}|{sides}".encode(), digest_size=16).digest()
        drawn.append((digest, number, _places(tensor, digest)))
    turns = deque(sorted(drawn, key=lambda each: each[0]))
    while turns and blocks:
        digest, number, places = turns.popleft()
        place = next(places, None)
        if place is None:
            continue
        count = alignment.tensors[number].count
        yield number, place * RUN, min(RUN, count - place * RUN)
        turns.append((digest, number, places))
        blocks -= 1


def _places(tensor: AlignedTensor, digest: bytes) -> Iterator[int]:
    """The blocks of a tensor, each once, in a seeded order of which no part hangs on how many are taken."""
    rng = np.random.default_rng(np.frombuffer(digest, np.uint32))
    places = -(-tensor.count // RUN)
    if places <= CHUNK:
        yield from rng.permutation(places).tolist()
        return
    taken: set[int] = set()
    while len(taken) < places // 2:  # beyond, hardly any draw would be new
        for place in rng.integers(places, size=CHUNK).tolist():
            if place not in taken:
                taken.add(place)
                yield place
    yield from (place for place in rng.permutation(places).tolist() if place not in taken)


def partial(checkpoints: Iterable[Checkpoint]) -> bool:
    """Whether any of these is a fingerprint, so that only its blocks can be compared."""
    return any(checkpoint.fingerprint is not None for checkpoint in checkpoints)


def held_plan(alignment: Alignment) -> Plan:
    """Plan to read, in every checkpoint, the places that all fingerprints among them hold.

    Raises `CouldNotJudgeError` where there are none.
    """
    shared: Int64 | None = None
    ends = np.cumsum([0, *(tensor.count for tensor in alignment.tensors)])
    for number, checkpoint in enumerate(alignment.checkpoints):
        if checkpoint.fingerprint is not None:
            held = _held(alignment, number, ends)
            shared = held if shared is None else _common(shared, held)
    if shared is None or not len(shared):
        raise CouldNotJudgeError(
            "the fingerprints have no place in common",
            "Make them anew with one seed: their places then depend on names and shapes alone.",
        )
    tensor = np.searchsorted(ends, shared[:, 0], "right") - 1
    first, stop = shared[:, 0] - ends[tensor], shared[:, 1] - ends[tensor]
    return plan_segments(alignment, *_cut(tensor, first, stop), BLOCK_BYTES)


def own_segments(alignment: Alignment) -> tuple[Int64, Int64, Int64]:
    """What a fingerprint, aligned alone, holds, in runs: the tensors, first elements and counts, int64 [s] each."""
    ends = np.cumsum([0, *(tensor.count for tensor in alignment.tensors)])
    held = _held(alignment, 0, ends)
    tensor = np.searchsorted(ends, held[:, 0], "right") - 1
    return _cut(tensor, held[:, 0] - ends[tensor], held[:, 1] - ends[tensor])


def _held(alignment: Alignment, number: int, ends: Int64) -> Int64:
    """The elements that fingerprint `number` holds, int64 [n, 2], counted through all tensors one after the other."""
    fingerprint = alignment.checkpoints[number].fingerprint
    assert fingerprint is not None
    views = [tensor.views[number] for tensor in alignment.tensors]
    shard = np.array([view.ref.shard for view in views], np.int64)
    begin = fingerprint.begins[shard] + np.array([view.start for view in views], np.int64)
    size = np.array([view.ref.dtype.size for view in views], np.int64)
    count = np.array([view.count for view in views], np.int64)
    low = np.searchsorted(fingerprint.stops, begin, "right")
    high = np.searchsorted(fingerprint.starts, begin + count * size, "left")
    found = np.maximum(high - low, 0)
    tensor = np.repeat(np.arange(len(views)), found)
    block = np.arange(len(tensor)) - np.repeat(np.cumsum(found) - found, found) + low[tensor]
    first = np.maximum(-(-(fingerprint.starts[block] - begin[tensor]) // size[tensor]), 0)
    stop = np.minimum((fingerprint.stops[block] - begin[tensor]) // size[tensor], count[tensor])
    kept = stop > first
    held: Int64 = np.stack([first + ends[tensor], stop + ends[tensor]], axis=1)[kept]
    return held


def _common(first: Int64, second: Int64) -> Int64:
    """What lies in both of two lists of stretches, each sorted and without overlaps; int64 [n, 2]."""
    if not len(first) or not len(second):
        return np.empty((0, 2), np.int64)
    edges = np.unique(np.concatenate([first.ravel(), second.ravel()]))
    inside = [np.searchsorted(each[:, 0], edges[:-1], "right") - 1 for each in (first, second)]
    both = np.ones(max(0, len(edges) - 1), bool)
    for each, at in zip((first, second), inside, strict=True):
        both &= (at >= 0) & (edges[:-1] < each[at, 1])
    return np.stack([edges[:-1][both], edges[1:][both]], axis=1)


def _cut(tensor: Int64, first: Int64, stop: Int64) -> tuple[Int64, Int64, Int64]:
    """Stretches cut where blocks end, so that sums do not hang on what happened to lie side by side."""
    begin = first // RUN
    pieces = -(-stop // RUN) - begin
    row = np.repeat(np.arange(len(tensor)), pieces)
    number = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + begin[row]
    low = np.maximum(number * RUN, first[row])
    return tensor[row], low, np.minimum((number + 1) * RUN, stop[row]) - low
