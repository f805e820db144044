"""A first look at wide models: whether units could be a parent's at all. Rules out what is far from it, claims nothing.

The test proper finds an orthogonal frame from all tokens, turns whole matrices into it and assigns a thousand units a
layer. Here the frame is a regression on some tokens, and a few of the suspect's units are turned instead. What noise of
thrice the weights' own size leaves of a relative is still far above what is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32
from modelprov.forensics.search.coordinates.frame import Frame, same, told_by, turning
from modelprov.forensics.search.coordinates.layers import proposed
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.search.coordinates.pairing import (
    LEAST_BESIDE,
    agreements,
    assigned,
    clear,
    unit_rows,
    units_apart,
)
from modelprov.forensics.search.coordinates.units import Part, alike_in_rows, parts, sides
from modelprov.forensics.thresholds import HALF, UNITS_OPEN

WORTH = 1 << 34
"""Tokens times dimensions of both, from which the test proper costs so much that looking first is worth it."""
TOKENS, PER_DIMENSION = 8_192, 4
"""Tokens that the regression takes: so many, and more of more dimensions."""
UNITS = 256
"""Of an MLP of the suspect, that are looked at."""
TINY = np.float32(1e-30)
Count = tuple[int, int, float]
"""Agreeing units, units, and how many agree by chance."""
Counts = dict[tuple[int, int], Count]
"""By pair of layers."""


@dataclass(frozen=True, eq=False)
class Glimpse:
    """The parent's and the suspect's `embeddings` of the same tokens, and the frame that a regression on them gives."""

    embeddings: tuple[Float32, Float32]

    @cached_property
    def frame(self) -> Frame:
        """The frame alone."""
        return regressed(*self.embeddings)

    @cached_property
    def told(self) -> Frame:
        """The frame with what the embeddings say in it."""
        return told_by(self.frame, *self.embeddings)


@dataclass(frozen=True, eq=False)
class RuledOut:
    """What agrees by pair of layers, and how many pairs and frames were tried."""

    counts: Counts
    tried: int


def tokens_wanted(known: int, *dimensions: int) -> int | None:
    """How many tokens the regression takes of those that both know; None where no first look is taken."""
    wanted = max(TOKENS, PER_DIMENSION * max(dimensions))
    return wanted if known >= wanted and known * dimensions[0] * dimensions[1] >= WORTH else None


def ruled_out(
    own: Matrices, theirs: Matrices, glimpse: Glimpse, chosen: Sequence[int], seed: int, experts: int
) -> RuledOut | None:
    """What was seen, if none of the layers may be the parent's; else None.

    Layers are held against those of their number, in the frame and left as they are, and against those of like content.
    """
    frame = glimpse.frame
    numbered = {layer: layer for layer in chosen if layer in theirs.decoder.layers}
    content = proposed(theirs, own, frame, seed)
    moved = {layer: content[layer] for layer in chosen if layer in content and content[layer] != layer}
    tries = [(frame, numbered), (frame, moved)]
    if own.decoder.hidden == theirs.decoder.hidden:
        tries.append((same(own.decoder.hidden), numbered))
    best: dict[int, tuple[int, Count]] = {}
    for turned, layers in tries:
        for layer, there in layers.items():
            count = _layer(own, theirs, turned, layer, there, seed, experts)
            agreeing, units, _ = count
            if agreeing > UNITS_OPEN * units:
                return None
            if units and (layer not in best or agreeing > best[layer][1][0]):
                best[layer] = there, count
    counts = {(layer, there): count for layer, (there, count) in best.items()}
    tried = len(numbered) * (len(tries) - 1) + len(moved) * len(theirs.decoder.layers)
    return RuledOut(counts, tried) if counts else None


def regressed(parent: Float32, suspect: Float32) -> Frame:
    """The frame from embeddings [tokens, d] and [tokens, d'] by ridge regression: orthogonal if one model is the other.

    Its ridge is for noise of the weights' own size; it shrinks directions in which embeddings are small.
    """
    first, second = (values - values.mean(axis=0) for values in (parent, suspect))
    gram = (first.T @ first).astype(np.float64)
    gram[np.diag_indices_from(gram)] += max(float(np.trace(gram)), 1e-30) / len(first)
    return turning(np.linalg.solve(gram, (first.T @ second).astype(np.float64)).astype(np.float32))


def _layer(own: Matrices, theirs: Matrices, frame: Frame, layer: int, there: int, seed: int, experts: int) -> Count:
    """What agrees in all MLPs of a pair of layers that are looked at."""
    counts = [
        _units(own, theirs, frame, (layer, mine), (there, other), seed)
        for mine, other in parts(own, theirs, frame, layer, there)[:experts]
    ]
    return sum(count[0] for count in counts), sum(count[1] for count in counts), sum(count[2] for count in counts)


def _units(
    own: Matrices, theirs: Matrices, frame: Frame, mine: tuple[int, Part], other: tuple[int, Part], seed: int
) -> Count:
    """How many of a few units of two MLPs two kinds of their weights pair alike, of how many, and by chance."""
    seen = sides(own, theirs, None, mine, other)
    if len(seen) < 2 or not alike_in_rows(seen):
        return 0, 0, 0.0
    (first, reads, signed), (second, others, _) = seen
    count, of = first.shape[0], reads.shape[0]
    rows = np.arange(count)
    if count > UNITS:
        rows = np.sort(np.random.default_rng(seed).choice(count, UNITS, replace=False))
    few = units_apart(first[rows], second[rows])
    cosines, beside = _scores(turned_back(frame, few[0]), turned_back(frame, few[1]), reads, others)
    scores = cosines if signed else np.abs(cosines), np.abs(beside)
    agreeing, units = agreements(*(clear(found, assigned(found)) for found in scores))
    if units < HALF * rows.size:  # doubles, which only the test proper tells apart: open
        return rows.size, rows.size, 0.0
    return agreeing, units, units / max(rows.size, of, 1)


def turned_back(frame: Frame, rows: Float32) -> Float32:
    """The suspect's rows [n, d'] with the parent's dimensions, of length 1: [n, d]. As they are without a basis."""
    return rows if frame.basis is None else unit_rows(rows @ frame.basis.T)


def _scores(first: Float32, beside: Float32, reads: Float32, others: Float32) -> tuple[Float32, Float32]:
    """Cosines [n, N] of the suspect's `first` [n, d] with the parent's `reads` [N, d], and of what both have beside.

    The suspect's is given; the parent's, of its `others`, is worked out as `units_apart` has it, without making it.
    """
    sizes = [np.maximum(np.sqrt(np.einsum("ij,ij->i", values, values)), TINY) for values in (reads, others)]
    along = np.einsum("ij,ij->i", reads, others) / (sizes[0] * sizes[1])
    whole = np.concatenate([first, beside]) @ reads.T / sizes[0]
    left = np.sqrt(np.maximum(1 - np.square(along), 0))
    across = beside @ others.T / sizes[1] - along * whole[len(first) :]
    return whole[: len(first)], np.where(left < LEAST_BESIDE, 0, across / np.maximum(left, LEAST_BESIDE))
