"""Which layer of the parents each layer of the suspect is, by samples of bits, and the parents seen so. Judges nothing.

A stack (passthrough, depth upscaling, pruned or reordered layers) holds its parents' numbers under other layer numbers.
A short run of a few matrices of every layer is enough to propose which; the comparison of what is then seen decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, decode, round_to
from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.naming import canonical_views
from modelprov.checkpoints.layouts.roles import LAYER, Shape, unnumbered
from modelprov.checkpoints.types import Alignment, Checkpoint, TensorRef, TensorView, is_decisive
from modelprov.forensics.search.methods.remake import Made, bits
from modelprov.forensics.search.methods.snapping import near
from modelprov.forensics.search.methods.whole import Whole

PROBES = 12  # matrices of a layer that are looked into
RUN = 256  # elements of each
DISTINCT_NUMBERS = 8  # in a run, below which it tells no layer from another
ROOTS = tuple(
    2.0**-half for half in (0.25, 0.5, 0.75, 1.5)
)  # factors of two tensors whose product has 1/2 and its like
NEARLY = 0.01
Place = tuple[int, int]
"""A parent, counted from 0, and one of its layers."""
Bits = tuple[str, bytes]
"""A matrix, by its name in a layer, and the bits of its run."""


@dataclass(frozen=True)
class Stack:
    """For each parent, the layer of it that each layer of the suspect is seen as; `moved` where numbers differ."""

    layers: tuple[Mapping[int, int], ...]
    moved: bool = True


@dataclass(frozen=True, eq=False)
class _Layers:
    """A checkpoint's tensors by canonical name, and those of each layer by the name without the layer's number."""

    checkpoint: Checkpoint
    held: Mapping[str, tuple[TensorView, Shape]]
    by_layer: Mapping[int, Mapping[str, str]]


def find(checkpoints: Sequence[Checkpoint], seed: int) -> Stack | None:
    """The stack that the first checkpoint is of the others, if every layer of it is found in some of them.

    None too where each is found under its own number and all have equally many. Raises what reading raises.
    """
    models = [_layers(checkpoint) for checkpoint in checkpoints]
    own, parents = models[0], models[1:]
    if not all(model.by_layer for model in models):
        return None
    probed = _probed(own, seed)
    where = _runs_of(own, parents, probed)
    looked = [own.by_layer[layer][place] for layer, names in probed.items() for place in names]
    runs = _runs(own, {name: own.held[name][0].ref.dtype for name in looked})
    held = {layer: _best(own.by_layer[layer], names, runs, where) for layer, names in probed.items()}
    if not all(held.values()):
        return None
    chosen = _chosen(held)
    layers = tuple(_seen_as(number, parent, held, chosen) for number, parent in enumerate(parents))
    moved = any(len(parent.by_layer) != len(own.by_layer) for parent in parents) or any(
        layer != theirs for seen in layers for layer, theirs in seen.items()
    )
    return Stack(layers) if moved else None


def views(checkpoints: Sequence[Checkpoint], stack: Stack) -> tuple[Checkpoint, ...]:
    """The suspect as it is, and every parent with its layers where the suspect has them: other names only."""
    models = [_layers(checkpoint) for checkpoint in checkpoints]
    own, made = models[0], [checkpoints[0]]
    outside = {name: name for name, (_, shape) in own.held.items() if _layer(name, shape) is None}
    for parent, seen in zip(models[1:], stack.layers, strict=True):
        names = dict(outside)
        for layer, theirs in seen.items():
            names |= {name: parent.by_layer[theirs].get(place, "") for place, name in own.by_layer[layer].items()}
        tensors = {
            name: _renamed(name, *parent.held[theirs]) for name, theirs in names.items() if theirs in parent.held
        }
        made.append(replace(parent.checkpoint, tensors=tensors))
    return tuple(made)


def _renamed(name: str, view: TensorView, shape: Shape) -> TensorRef:
    ref = view.ref
    return TensorRef(name, ref.dtype, shape, ref.shard, view.start, view.start + view.count * ref.dtype.size)


def of_originals(aligned: Alignment, checkpoints: Sequence[Checkpoint]) -> Alignment:
    """The alignment of views as one of the checkpoints themselves; layers that no part of the suspect is are left."""
    own = tuple(item for item in aligned.unaligned if item.checkpoint == 0)
    return replace(aligned, checkpoints=tuple(checkpoints), unaligned=own)


def _layers(checkpoint: Checkpoint) -> _Layers:
    held: dict[str, tuple[TensorView, Shape]] = {}
    by_layer: dict[int, dict[str, str]] = defaultdict(dict)
    for name, view, shape in canonical_views(checkpoint):
        if name in held:
            continue
        held[name] = view, shape
        layer = _layer(name, shape)
        if layer is not None:
            by_layer[layer][unnumbered(name)] = name
    return _Layers(checkpoint, held, dict(sorted(by_layer.items())))


def _layer(name: str, shape: Shape) -> int | None:
    layer = component_of(name, shape)[0]
    return layer if LAYER.search(name) else None


def _probed(own: _Layers, seed: int) -> dict[int, list[str]]:
    """The names, without their layer's number, of the matrices of each layer that are looked into.

    The same ones of layers that have the same, since each is looked for in every layer of the parents.
    """
    found = {}
    for layer, names in own.by_layer.items():
        matrices = [place for place, name in names.items() if _matrix(name, own.held[name][1])]
        found[layer] = sorted(matrices, key=lambda place: blake2b(f"{seed} {place}".encode()).digest())[:PROBES]
    return found


def _matrix(name: str, shape: Shape) -> bool:
    return is_decisive(component_of(name, shape)[1], shape)


def _runs_of(own: _Layers, parents: Sequence[_Layers], probed: Mapping[int, list[str]]) -> dict[Bits, set[Place]]:
    """By matrix, shape and the bits of its run, in the suspect's format: which layers of which parents hold it."""
    wanted = {place: own.held[own.by_layer[layer][place]] for layer, names in probed.items() for place in names}
    found: dict[Bits, set[Place]] = defaultdict(set)
    for number, parent in enumerate(parents):
        places = {
            name: (place, layer)
            for layer, names in parent.by_layer.items()
            for place, (_, shape) in wanted.items()
            if (name := names.get(place)) is not None and parent.held[name][1] == shape
        }
        formats = {name: wanted[place][0].ref.dtype for name, (place, _) in places.items()}
        for name, run in _runs(parent, formats).items():
            place, layer = places[name]
            found[place, run].add((number, layer))
    return found


def _best(
    layer: Mapping[str, str], names: list[str], runs: Mapping[str, bytes], where: Mapping[Bits, set[Place]]
) -> list[Place]:
    """The places that hold most of a layer's runs; others may be scaled, or belong to what all have in common."""
    counts: Counter[Place] = Counter()
    for place in names:
        bits = runs.get(layer[place])
        if bits is not None:
            counts.update(where.get((place, bits), ()))
    most = max(counts.values(), default=0)
    return [place for place, count in counts.items() if count == most]


def _runs(model: _Layers, formats: Mapping[str, DType]) -> dict[str, bytes]:
    """By name, the bits of a run in the middle of a tensor, rounded to a format; not where it holds hardly any number.

    All are asked for together.
    """
    names, ranges = list(formats), []
    for name in names:
        view, _ = model.held[name]
        count, size = min(RUN, view.count), view.ref.dtype.size
        start = view.start + (view.count - count) // 2 * size
        ranges.append((view.ref.shard, start, start + count * size))
    found: dict[str, bytes] = {}
    for number, piece in model.checkpoint.source.read_ranges(ranges):
        name = names[number]
        values = round_to(decode(np.frombuffer(piece, np.uint8), model.held[name][0].ref.dtype), formats[name])
        if len(np.unique(values)) >= DISTINCT_NUMBERS:
            found[name] = values.tobytes()
    return found


def _chosen(held: Mapping[int, list[Place]]) -> dict[int, Place]:
    """One place for each layer, so that long runs of a parent's layers stay together."""
    order = list(held)
    length: dict[tuple[int, Place], int] = {}
    for at in reversed(range(len(order))):
        for place in held[order[at]]:
            length[at, place] = 1 + length.get((at + 1, (place[0], place[1] + 1)), 0)
    chosen: dict[int, Place] = {}
    before: Place | None = None
    for at, layer in enumerate(order):
        following = None if before is None else (before[0], before[1] + 1)
        if following not in held[layer]:
            following = max(held[layer], key=lambda place: (length[at, place], place[1] == layer, place[0]))
        chosen[layer] = before = following
    return chosen


def _seen_as(
    number: int, parent: _Layers, held: Mapping[int, list[Place]], chosen: Mapping[int, Place]
) -> dict[int, int]:
    """The layer of one parent that stands for each of the suspect's: one that holds its bits, else of its place."""
    found = {}
    for layer, places in held.items():
        own = [theirs for which, theirs in places if which == number]
        wanted = chosen[layer][1]
        if own:
            found[layer] = wanted if wanted in own else min(own, key=lambda theirs: abs(theirs - wanted))
        else:
            found[layer] = wanted if wanted in parent.by_layer else max(parent.by_layer)
    return found


def scale(whole: Whole | None, parent: int) -> float | None:
    """The factor that gives every bit of a tensor from that parent's, as `scale` of a passthrough does; or None."""
    if whole is None:
        return None
    theirs = whole.parents[parent].astype(np.float64)
    size = float(theirs @ theirs)
    if not size:
        return None
    estimate = float(whole.suspect @ theirs) / size
    tried: list[float] = [*near(estimate), *(value for value in ROOTS if abs(value - estimate) <= NEARLY)]
    for value in tried:
        found = bits(Made("passthrough", (parent,), each=({"scale": value},)), whole)
        if found.equal == found.elements:
            return value
    return None
