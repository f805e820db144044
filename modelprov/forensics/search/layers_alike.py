"""Which layers of a parent those of a suspect are like, whatever their numbers, by fingerprints' blocks. No verdict.

Fingerprints hold the same places of every layer, so that any layer can be held against any other. Weights are brought
to mean 0 and variance 1 by layer and kind of matrix, which takes a factor out; the chance of a correlation comes from
the runs, as in `identify/ranking.py`: of independent layers a run's sum of products is as often above zero as below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32, Float64, finite_or_zero
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.roles import unnumbered
from modelprov.checkpoints.plan import Int64
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.forensics.sampling.blocks import RUN, own_segments
from modelprov.forensics.sampling.runs import KEY, Mask, Segments, spread, take, values_of
from modelprov.forensics.search.methods.stacks import Stack
from modelprov.forensics.thresholds import BEYOND_CHANCE, GIANT, KIN, MINIMUM_ELEMENTS, RESCALED, UNRELATED
from modelprov.recipes.tensor_groups import kind_of

Kind = tuple[str, tuple[int, ...]]


class Kinds:
    """A number for each kind of matrix: its canonical name without the layer's number, and its sides."""

    def __init__(self) -> None:
        self._known: dict[Kind, int] = {}

    def name(self, number: int) -> str:
        """The name of a kind, with # for the layer's number."""
        return next(name for (name, _), known in self._known.items() if known == number)

    def of(self, alignment: Alignment) -> Int64:
        """Those of all tensors of a model; -1 for what is in no layer or carries no verdict."""
        return np.array(
            [
                self._known.setdefault(
                    (unnumbered(tensor.name), tuple(side for side in tensor.shape if side != 1)), len(self._known)
                )
                if tensor.decisive and tensor.layer is not None
                else -1
                for tensor in alignment.tensors
            ],
            np.int64,
        )


@dataclass(frozen=True, eq=False)
class Layered:
    """One model's whole runs, layer by layer: `values` float32 [l, s, RUN] of `layers` [l] at the places `key` [s].

    `there` bool [l, s] says which layer has which; a place is numbered alike in every layer and model.
    """

    layers: Int64
    key: Int64
    values: Float32
    there: Mask


@dataclass(frozen=True)
class Relocated:
    """Layers of a suspect that are like a parent's under other numbers, and not like that of their own.

    `parent` 1 ... k; `layers` as (the suspect's, the parent's, correlation); `looked` layers of the suspect were held
    against all of the parent's.
    """

    parent: int
    layers: tuple[tuple[int, int, float], ...]
    looked: int


@dataclass(frozen=True, eq=False)
class Alike:
    """Of every layer of a suspect with every layer of a parent [a, b]: `correlation`, its `chance`, `elements`."""

    own: Int64
    theirs: Int64
    correlation: Float64
    chance: Float64
    elements: Int64

    def at_home(self) -> Float64:
        """The correlation of each layer with the parent's of the same number, 0 where that has none [a]."""
        same = self.own[:, None] == self.theirs[None]
        home: Float64 = np.where(same, self.correlation, 0.0).sum(axis=1)
        return home

    def best(self) -> Int64:
        """Which layer of the parent each is most like: its place in `theirs` [a]."""
        best: Int64 = np.argmax(np.where(self.elements >= MINIMUM_ELEMENTS, self.correlation, -np.inf), axis=1)
        return best

    def relocated(self, parent: int) -> Relocated | None:
        """The layers that stand elsewhere: kin there and not at home, or more than unrelated there, beyond chance."""
        if not self.elements.size:
            return None
        home, best, rows = self.at_home(), self.best(), np.arange(len(self.own))
        there = self.correlation[rows, best]
        enough = (self.elements[rows, best] >= MINIMUM_ELEMENTS) & (self.theirs[best] != self.own)
        weak = (there >= UNRELATED) & (home < UNRELATED) & (self.chance[rows, best] * self.chance.size < BEYOND_CHANCE)
        moved = np.flatnonzero(enough & (((there >= KIN) & (home < KIN)) | weak))
        layers = tuple((int(self.own[row]), int(self.theirs[best[row]]), float(there[row])) for row in moved)
        return Relocated(parent, layers, len(self.own)) if layers else None


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """What of a suspect's blocks is a parent's, but not as it stands: layers of other numbers, and `rescaled` kinds.

    `stack` are the parents with their layers where the suspect has them.
    """

    relocated: tuple[Relocated, ...]
    stack: Stack
    rescaled: frozenset[str]


def elsewhere(checkpoints: Sequence[Checkpoint]) -> Elsewhere:
    """What of the first checkpoint stands otherwise in the others; kinds are rescaled if they are so in all of them.

    Nothing of two whole models, which are looked into whole. Raises what reading raises.
    """
    found, seen, kinds = [], [], []
    for number, parent in enumerate(checkpoints[1:], 1):
        pair = _of_pair(checkpoints[0], parent)
        near = None if pair is None else alike(*pair[:2])
        moved = None if near is None else near.relocated(number)
        found += [] if moved is None else [moved]
        seen.append({} if near is None else _seen_as(near, moved))
        kinds.append(frozenset[str]() if pair is None else rescaled(*pair))
    return Elsewhere(tuple(found), Stack(tuple(seen)), frozenset.intersection(*kinds))


def _of_pair(own: Checkpoint, theirs: Checkpoint) -> tuple[Layered, Layered, Kinds] | None:
    if own.fingerprint is None and theirs.fingerprint is None:
        return None
    kinds = Kinds()
    first, second = (None if each.fingerprint is None else _held(each, kinds) for each in (own, theirs))
    if first is None and second is not None:
        first = _wanted(own, kinds, second.key)
    if second is None and first is not None:
        second = _wanted(theirs, kinds, first.key)
    assert first is not None
    assert second is not None
    return layered(own, first), layered(theirs, second), kinds


def relocated(suspect: Checkpoint, entries: Sequence[Checkpoint]) -> list[Relocated | None]:
    """What of the suspect stands elsewhere in each of many fingerprints, of which one at a time is unpacked.

    Entries are numbered from 1. Raises what reading raises.
    """
    kinds = Kinds()
    theirs = [_held(entry, kinds) for entry in entries]
    wanted = np.unique(np.concatenate([each.key for each in theirs])) if theirs else np.empty(0, np.int64)
    own = layered(suspect, _held(suspect, kinds) if suspect.fingerprint else _wanted(suspect, kinds, wanted))
    return [
        alike(own, layered(entry, segments)).relocated(number)
        for number, (entry, segments) in enumerate(zip(entries, theirs, strict=True), 1)
    ]


def rescaled(own: Layered, theirs: Layered, kinds: Kinds) -> frozenset[str]:
    """Kinds of matrices that are larger or smaller in some layer of the one than in that layer of the other."""
    common, first, second = np.intersect1d(own.key, theirs.key, return_indices=True)
    _, rows, others = np.intersect1d(own.layers, theirs.layers, return_indices=True)
    there = own.there[rows][:, first] & theirs.there[others][:, second]
    sizes = [
        np.where(there, np.median(np.abs(model.values[at][:, index]), axis=2), 0.0)
        for model, at, index in ((own, rows, first), (theirs, others, second))
    ]
    found = set()
    for number in np.unique(common // KEY).tolist():
        ours, other = (size[:, common // KEY == number].sum(axis=1) for size in sizes)
        both = (ours > 0) & (other > 0)
        if (np.abs(np.log(ours[both] / other[both])) > np.log(RESCALED)).any():
            found.add(kind_of(kinds.name(number).replace("#", "0")))
    return frozenset(found)


def _seen_as(near: Alike, moved: Relocated | None) -> dict[int, int]:
    """For every layer of the suspect the parent's that stands for it: where it was found, else of its own number."""
    found = {} if moved is None else {own: theirs for own, theirs, _ in moved.layers}
    last = int(near.theirs.max(initial=0))
    return {layer: found.get(layer, min(layer, last)) for layer in near.own.tolist()}


def _held(checkpoint: Checkpoint, kinds: Kinds) -> Segments:
    """A fingerprint's whole runs of matrices in layers."""
    alignment = align((checkpoint,))
    kind = kinds.of(alignment)
    row, first, count = own_segments(alignment)
    of = Segments(alignment, kind[row] * KEY + first // RUN, row, first, count)
    return take(of, (kind[row] >= 0) & (first % RUN == 0) & (count == RUN))


def _wanted(checkpoint: Checkpoint, kinds: Kinds, wanted: Int64) -> Segments:
    """The wanted places of a whole model, in whichever layer has a matrix of that kind."""
    alignment = align((checkpoint,))
    kind, places = kinds.of(alignment), np.unique(wanted)
    rows = np.flatnonzero(np.isin(kind, places // KEY))
    low = np.searchsorted(places // KEY, kind[rows], "left")
    counts = np.searchsorted(places // KEY, kind[rows], "right") - low
    key, row = places[spread(low, counts)], np.repeat(rows, counts)
    return Segments(alignment, key, row, key % KEY * RUN, np.full(len(key), RUN, np.int64))


def layered(checkpoint: Checkpoint, of: Segments) -> Layered:
    """The values of these runs, layer beside layer. Raises what reading raises."""
    layer = np.array([of.alignment.tensors[row].layer for row in of.row.tolist()], np.int64)
    layers, at = np.unique(layer, return_inverse=True)
    key, slot = np.unique(of.key, return_inverse=True)
    values = np.zeros((len(layers), len(key), RUN), np.float32)
    there = np.zeros(values.shape[:2], bool)
    values[at, slot] = finite_or_zero(values_of(checkpoint, of)[0]).astype(np.float32).reshape(-1, RUN)
    there[at, slot] = True
    return Layered(layers, key, values, there)


def alike(own: Layered, theirs: Layered) -> Alike:
    """Every layer of the one held against every layer of the other, at the places that both have."""
    from scipy.stats import norm

    common, first, second = np.intersect1d(own.key, theirs.key, return_indices=True)
    there = own.there[:, first], theirs.there[:, second]
    values = [
        _standard(model.values[:, index], mask, common // KEY)
        for model, index, mask in ((own, first, there[0]), (theirs, second, there[1]))
    ]
    shape = len(own.layers), len(theirs.layers)
    total, squares = np.zeros(shape), np.zeros(shape)
    for slot in range(len(common)):
        product = values[0][:, slot].astype(np.float64) @ values[1][:, slot].T.astype(np.float64)
        total += product
        squares += product**2
    elements = RUN * (there[0].astype(np.int64) @ there[1].T.astype(np.int64))
    correlation = np.clip(total / np.maximum(elements, 1), -1, 1)
    z = np.divide(total, np.sqrt(squares), out=np.zeros(shape), where=squares > 0)
    return Alike(own.layers, theirs.layers, correlation, np.asarray(norm.sf(z)), elements)


def _standard(values: Float32, there: Mask, kind: Int64) -> Float32:
    """The values [l, s, RUN] with mean 0 and variance 1 in each layer and kind; 0 where nothing is there or varies.

    Numbers beyond `GIANT` medians are cut, so that a few giant ones outweigh nothing.
    """
    made = np.zeros(values.shape, np.float32)
    for each in np.unique(kind):
        slots = np.flatnonzero(kind == each)
        masks, which = np.unique(there[:, slots], axis=0, return_inverse=True)
        for number, mask in enumerate(masks):  # of a model's layers hardly ever more than one
            layers, chosen = np.flatnonzero(which.ravel() == number), slots[mask]
            if not chosen.size:
                continue
            part = values[np.ix_(layers, chosen)].astype(np.float64).reshape(len(layers), -1)
            limit = GIANT * np.median(np.abs(part), axis=1, keepdims=True)
            limit = np.where(limit > 0, limit, np.abs(part).max(axis=1, keepdims=True))
            part = np.clip(part, -limit, limit)
            part -= part.mean(axis=1, keepdims=True)
            size = np.sqrt(np.square(part).mean(axis=1, keepdims=True))
            part = np.divide(part, size, out=np.zeros_like(part), where=(size > 0) & np.isfinite(size))
            made[np.ix_(layers, chosen)] = part.reshape(len(layers), len(chosen), RUN)
    return made
