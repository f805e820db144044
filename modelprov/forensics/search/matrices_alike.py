"""Which matrices of a suspect are like a parent's matrix of the same sides, wherever that stands. No verdict.

At their places two models may share nothing, and matrices of the one be the other's all the same: layers or experts
under other numbers, queries among keys. A run in the middle of each matrix is held against that of every matrix of the
same sides. Units, heads or dimensions in another order are not seen so (`profiles.py`, `sizes_by_layer.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32, Float64, finite_or_zero
from modelprov.checkpoints.plan import Int64
from modelprov.checkpoints.remote.source import is_far
from modelprov.checkpoints.types import Alignment
from modelprov.forensics.sampling.runs import Segments, values_of
from modelprov.forensics.thresholds import GIANT, KIN

RUN = 1_024
"""Elements of each matrix that are looked at: of independent ones the correlation is 0.03, give or take."""
NEAR, FAR = 1 << 13, 1 << 8
"""Matrices of a model that are looked at, the same number of both: where it is on this machine, and where it is not."""
BLOCK = 1 << 10
Sides = tuple[int, ...]


@dataclass(frozen=True)
class Displaced:
    """So many matrices of the suspect, of those `looked` at, are like a matrix of this parent; the one that is most so.

    `correlation` is the lower of that of the numbers and that of their signs.
    """

    count: int = 0
    looked: int = 0
    own: str = ""
    theirs: str = ""
    correlation: float = 0.0


@dataclass(frozen=True, eq=False)
class _Runs:
    """The runs of one model's matrices of the same sides: float32 [m, RUN] of mean 0 and length 1, and their signs."""

    names: tuple[str, ...]
    values: Float32
    signs: Float32


def displaced(models: Sequence[Alignment], seed: int) -> tuple[Displaced, ...]:
    """The matrices of the first model held against those of each other one, each aligned by itself.

    Raises what reading raises.
    """
    own, *parents = (_runs_of(alignment, seed) for alignment in models)
    return tuple(_held_against(own, theirs) for theirs in parents)


def _held_against(own: dict[Sides, _Runs], theirs: dict[Sides, _Runs]) -> Displaced:
    found = [pair for sides in own.keys() & theirs.keys() for pair in _pairs(own[sides], theirs[sides])]
    looked = sum(len(own[sides].names) for sides in own.keys() & theirs.keys())
    if not found:
        return Displaced(looked=looked)
    correlation, first, second = max(found)
    return Displaced(len(found), looked, first, second, correlation)


def _pairs(own: _Runs, theirs: _Runs) -> Iterator[tuple[float, str, str]]:
    """For each matrix that is like one of the other model's, the one that it is most like."""
    for start in range(0, len(own.names), BLOCK):
        some = slice(start, start + BLOCK)
        alike = np.minimum(own.values[some] @ theirs.values.T, own.signs[some] @ theirs.signs.T)
        best = alike.argmax(axis=1)
        for row in np.flatnonzero(alike.max(axis=1) >= KIN).tolist():
            yield float(alike[row, best[row]]), own.names[start + row], theirs.names[best[row]]


def _runs_of(alignment: Alignment, seed: int) -> dict[Sides, _Runs]:
    """A model's matrices by their sides, some of many."""
    (checkpoint,) = alignment.checkpoints
    rows = [row for row, tensor in enumerate(alignment.tensors) if tensor.decisive and tensor.count >= RUN]
    most = FAR if is_far(checkpoint.source) else NEAR
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False)).tolist()
    row: Int64 = np.array(rows, np.int64)
    counts = np.array([alignment.tensors[number].count for number in rows], np.int64)
    runs = Segments(alignment, row, row, (counts - RUN) // 2, np.full(len(rows), RUN, np.int64))
    values = finite_or_zero(values_of(checkpoint, runs)[0]).reshape(-1, RUN)
    by_sides: dict[Sides, list[int]] = {}
    for place, number in enumerate(rows):
        sides = tuple(side for side in alignment.tensors[number].shape if side != 1)
        by_sides.setdefault(sides, []).append(place)
    return {
        sides: _Runs(
            tuple(alignment.tensors[rows[place]].name for place in places),
            _standard(np.clip(values[places], *_limits(values[places]))),
            _standard(np.sign(values[places] - np.median(values[places], axis=1, keepdims=True))),
        )
        for sides, places in by_sides.items()
    }


def _limits(values: Float64) -> tuple[Float64, Float64]:
    """Beyond which numbers are giants, by run: a few of them would outweigh everything."""
    limit = GIANT * np.median(np.abs(values), axis=1, keepdims=True)
    return -limit, limit


def _standard(values: Float64) -> Float32:
    """Rows of mean 0 and length 1; 0 where a row does not vary."""
    made = values - values.mean(axis=1, keepdims=True)
    length = np.linalg.norm(made, axis=1, keepdims=True)
    return np.asarray(np.divide(made, length, out=np.zeros_like(made), where=length > 0), np.float32)
