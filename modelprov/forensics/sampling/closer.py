"""A closer sample, for a suspect that looks like a copy: where training of a small part hides. Judges nothing.

Rows of single tokens, old ones or the added ones at the end of a vocabulary, are a few of many thousand, and norms,
biases and routers a few thousand weights of billions: an even sample passes them by.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.plan import Int64, Plan, plan_segments
from modelprov.checkpoints.types import BY_TOKEN, Alignment
from modelprov.forensics.sampling.scout import BLOCK_BYTES, Strata

SHORT = 64  # elements read in one piece: a part of one token's row
PLACES, PLACES_AT_END = 512, 256  # over a whole vocabulary, and over its last rows
END = 64  # the last such part of a vocabulary, where added tokens stand
CONFIDENCE = 0.95

Segment = tuple[int, int, int]


def closer(alignment: Alignment, plan: Plan, elements: int, seed: int) -> Plan:
    """The plan with short runs all over each vocabulary, closer together at its end, and small tensors as a whole.

    Adds at most about `elements` elements of each checkpoint: half for small tensors, the smallest first.
    """
    chosen = set(_small(alignment, elements // 2))
    added = [(row, 0, alignment.tensors[row].count) for row in chosen]
    kept = [part for part in _segments(plan) if part[0] not in chosen]
    vocabularies = [row for row, tensor in enumerate(alignment.tensors) if tensor.component in BY_TOKEN]
    vocabularies = [row for row in vocabularies if row not in chosen]
    most = elements // 2 // SHORT // max(1, len(vocabularies))
    for row in vocabularies:
        rng = np.random.default_rng([seed, row])
        own = [part for part in kept if part[0] == row]
        added += _without(_spread(row, alignment.tensors[row].count, most, rng), own)
    columns = np.array(sorted(kept + added), np.int64).reshape(-1, 3)
    return plan_segments(alignment, columns[:, 0], columns[:, 1], columns[:, 2], BLOCK_BYTES)


def _small(alignment: Alignment, elements: int) -> Iterator[int]:
    """The smallest tensors, as many as have no more than `elements` together."""
    counts = np.array([tensor.count for tensor in alignment.tensors], np.int64)
    order = np.argsort(counts, kind="stable")
    yield from order[np.cumsum(counts[order]) <= elements].tolist()


def _segments(plan: Plan) -> list[Segment]:
    return list(zip(plan.tensor.tolist(), plan.first.tolist(), plan.count.tolist(), strict=True))


def _spread(row: int, count: int, most: int, rng: np.random.Generator) -> Iterator[Segment]:
    """Short runs at even distances, each at a random place of its stretch; without overlaps."""
    stop = 0
    tail = count - count // END
    for begin, end, places in ((0, tail, min(PLACES, most * 2 // 3)), (tail, count, min(PLACES_AT_END, most // 3))):
        edges = np.linspace(begin, end, places + 1).astype(np.int64)
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            at = max(stop, int(rng.integers(first, max(first + 1, last - SHORT + 1))))
            stop = min(at + SHORT, count)
            if at < stop:
                yield row, at, stop - at


def _without(runs: Iterator[Segment], own: list[Segment]) -> list[Segment]:
    """Those that overlap none of the tensor's `own`."""
    firsts = np.array([first for _, first, _ in own], np.int64)
    stops = np.array([first + count for _, first, count in own], np.int64)
    return [run for run in runs if not ((firsts < run[1] + run[2]) & (stops > run[1])).any()]


def may_differ(alignment: Alignment, strata: Strata, plan: Plan) -> float:
    """The share of the weights that may differ where nothing in the plan's runs does: upper limit at 95 %, 0 to 1.

    Clopper and Pearson (1934) give 1 - 0.05^(1/n) of n runs without a difference, about 3 / n. Strata are not read in
    proportion to their sizes, so this is the largest sum of w(s) f(s) over all shares f(s) that the runs n(s) of the
    strata would miss with 5 %: 1 - f(s) is in proportion to n(s) / w(s), or 1. What is read as a whole differs nowhere.
    """
    counts = np.array([tensor.count for tensor in alignment.tensors], np.int64)
    number = len(strata.names)
    size = np.bincount(strata.of_tensor, counts, number)
    of_run = strata.of_tensor[plan.tensor]
    read = np.bincount(of_run, plan.count, number)
    runs = np.bincount(of_run, minlength=number)
    left = read < size
    weights, runs = size[left] / size.sum(), runs[left]
    unread = float(weights[runs == 0].sum())
    weights, runs = weights[runs > 0], runs[runs > 0]
    return unread + (largest(weights, runs) if len(runs) else 0.0)


def largest(weights: npt.NDArray[np.float64], runs: Int64) -> float:
    """The largest sum of w(s) f(s) that `runs`, int64 [s], would miss with 5 %; `weights` float64 [s].

    By bisection of the logarithm of what scales n(s) / w(s).
    """
    ratio = np.log(runs) - np.log(weights)
    low, high = -float(ratio.max()) + math.log(1 - CONFIDENCE), -float(ratio.min())
    for _ in range(60):
        middle = (low + high) / 2
        if runs @ np.minimum(0.0, middle + ratio) < math.log(1 - CONFIDENCE):
            low = middle
        else:
            high = middle
    return float(weights @ -np.expm1(np.minimum(0.0, high + ratio)))
