"""Whether attention, head by head, is a parent's, whatever its coordinates: by singular values alone. Pairs nothing.

What a head's queries and keys make together, and its values and outputs, no rotation of the residual stream, no order,
factor or basis inside the head changes but for one factor, and the norm before is folded in. So the singular values of
the two products need no frame, no tokens and no pairs. How near those of strangers come tells each model itself: its
other heads were trained apart from one another as strangers' heads are. A head is alike where the parent has one at
less than half the distance to any other head of either model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.checkpoints.layouts.decoder import Decoder, decoder_of
from modelprov.checkpoints.types import Checkpoint
from modelprov.forensics.search.coordinates.attention import WIDTHS
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.thresholds import HEADS_ALIKE, HEADS_CLOSER, HEADS_LEAST

LAYERS = 4
ELEMENTS = 1 << 27
"""Weights of attention up to which all layers are read, wherever they stand; of more `LAYERS` over the depth."""
SMALLEST = 1e-3
"""Of the largest singular value: smaller ones are rounding."""
SAME = 1e-3
"""Distance of two heads of one model from which they are two: those of a design (orthogonal, constant) are one."""
Spectra = dict[str, Float64]
"""By product the logarithms of the singular values [heads, width] of all heads read, less their mean."""


@dataclass(frozen=True)
class HeadsAlike:
    """Of `heads` of the suspect that tell anything, so many are `alike` to one of this parent's."""

    alike: int = 0
    heads: int = 0

    @property
    def related(self) -> bool:
        """Whether more of them are than strangers have."""
        return self.alike >= HEADS_LEAST and self.alike >= HEADS_ALIKE * self.heads


def heads_alike(
    checkpoints: Sequence[Checkpoint], on_bytes: Callable[[int], None] = lambda _: None
) -> tuple[HeadsAlike, ...]:
    """The heads of the first checkpoint held against each other one's; nothing is alike where heads are not known.

    Raises what reading raises.
    """
    decoders = [decoder_of(checkpoint) for checkpoint in checkpoints]
    models = [None if found is None else Matrices(found, on_bytes) for found in decoders]
    own = models[0]
    known: dict[tuple[int, int], Spectra] = {}

    def spectra(number: int, width: int) -> Spectra:
        model = models[number]
        if (number, width) not in known:
            known[number, width] = {} if model is None else _spectra(model, width)
        return known[number, width]

    found = []
    for number, parent in enumerate(models[1:], 1):
        best = HeadsAlike()
        for width in () if own is None or parent is None else _widths(own.decoder, parent.decoder):
            made = compared(spectra(0, width), spectra(number, width))
            best = max(best, made, key=lambda held: (held.related, held.alike, held.heads))
        found.append(best)
    return tuple(found)


def compared(own: Spectra, theirs: Spectra) -> HeadsAlike:
    """How many heads are nearer to a head of the other model than, by half, heads of either are to one another."""
    alike, heads = 0, 0
    for kind in own.keys() & theirs.keys():
        first, second = own[kind], theirs[kind]
        if first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
            continue
        apart = _distances(first, second)
        nearest = apart.argmin(axis=1)
        usual = np.minimum(_others(first), _others(second)[nearest])
        tells = usual > SAME
        heads += int(tells.sum())
        alike += int((tells & (apart.min(axis=1) < HEADS_CLOSER * usual)).sum())
    return HeadsAlike(alike, heads)


def _distances(first: Float64, second: Float64) -> Float64:
    """Root mean square difference of every two rows."""
    squares = np.square(first).sum(axis=1)[:, None] - 2 * first @ second.T + np.square(second).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares, 0) / first.shape[1]), np.float64)


def _others(spectra: Float64) -> Float64:
    """How far each head is from the nearest other one of its model."""
    apart = _distances(spectra, spectra)
    np.fill_diagonal(apart, np.inf)
    return np.asarray(apart.min(axis=1), np.float64)


def _widths(own: Decoder, theirs: Decoder) -> Sequence[int]:
    """The width of heads that either config says, else all usual ones."""
    said = {width for width in (own.head_width, theirs.head_width) if width}
    return sorted(said) if said else WIDTHS


def _spectra(model: Matrices, width: int) -> Spectra:
    """Those of both products, of layers over the depth."""
    found: dict[str, list[Float64]] = {}
    for layer in _layers(model.decoder):
        for kind, first, second in _products(model, layer, width):
            values = _singular(first, second)
            largest = values.max(axis=1)
            logs = np.log(np.maximum(values[largest > 0], SMALLEST * largest[largest > 0, None]))
            found.setdefault(kind, []).append(logs - logs.mean(axis=1, keepdims=True))
    return {kind: np.concatenate(parts) for kind, parts in found.items() if len({p.shape[1] for p in parts}) == 1}


def _layers(decoder: Decoder) -> Sequence[int]:
    places = [decoder.of(layer, kind) for layer in decoder.layers for kind in "qkvo"]
    if sum(place.view.count for place in places if place is not None) <= ELEMENTS:
        return decoder.layers
    chosen = np.linspace(0, len(decoder.layers) - 1, min(LAYERS, len(decoder.layers))).round().astype(int)
    return [decoder.layers[place] for place in chosen]


def _products(model: Matrices, layer: int, width: int) -> Iterator[tuple[str, Float32, Float32]]:
    """(which, heads [h, width, hidden], groups [g, width, hidden]) of queries and keys, outputs and values."""
    q, k, v, o = (model.decoder.of(layer, kind) for kind in "qkvo")
    if q is None or k is None or q.shape[0] % width or k.shape[0] % width:
        return
    heads, groups = q.shape[0] // width, k.shape[0] // width
    if heads % groups or q.shape[1] != k.shape[1]:
        return
    yield "queries and keys", model.folded(q).reshape(heads, width, -1), model.folded(k).reshape(groups, width, -1)
    if v is None or o is None or v.shape[0] % groups or o.shape[1] != v.shape[0] // groups * heads:
        return
    outputs, values = np.ascontiguousarray(model.read(o).T), model.folded(v)
    yield (
        "values and outputs",
        outputs.reshape(heads, o.shape[1] // heads, -1),
        values.reshape(groups, v.shape[0] // groups, -1),
    )


def _singular(first: Float32, second: Float32) -> Float64:
    """Singular values [heads, width] of each head's first' second; heads share the second of their group.

    By how the rows stand to one another alone: what they make together is never made.
    """
    roots = np.repeat(_roots(second), len(first) // len(second), axis=0)
    return np.asarray(np.linalg.svd(_roots(first) @ roots.transpose(0, 2, 1), compute_uv=False), np.float64)


def _roots(rows: Float32) -> Float64:
    """Of rows [heads, width, hidden] R [heads, width, width] with R' R = rows rows', whatever their rank."""
    grams = np.stack([head @ head.T for head in (head.astype(np.float64) for head in rows)])
    sizes, directions = np.linalg.eigh(grams)
    return np.asarray(np.sqrt(np.maximum(sizes, 0))[:, :, None] * directions.transpose(0, 2, 1), np.float64)
