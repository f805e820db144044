"""From a kinship to a realignment: every axis of every layer paired by content, scales found, the parent's view told.

What has no counterpart is left out, and counts as not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.checkpoints.layouts.decoder import RESIDUAL, VOCABULARY, Decoder, Place
from modelprov.checkpoints.layouts.realigned import fits
from modelprov.checkpoints.layouts.realignment import Axis, PairedTensor, Realignment, powers_of_two
from modelprov.checkpoints.layouts.tokens import SharedTokens
from modelprov.forensics.search.coordinates import scales
from modelprov.forensics.search.coordinates.attention import Rows, attention_axes
from modelprov.forensics.search.coordinates.axes import along, log_sizes, paired_rows, residual_axis, scaled
from modelprov.forensics.search.coordinates.frame import Frame
from modelprov.forensics.search.coordinates.kinship import Kinship, LayerTest, test_layers
from modelprov.forensics.search.coordinates.layers import proposed
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.search.coordinates.namesakes import namesakes
from modelprov.forensics.search.coordinates.tokens import tokens_alike
from modelprov.forensics.search.coordinates.units import Part, alike_in_rows, parts


@dataclass(frozen=True, eq=False)
class Undone:
    """The realignment, the test of every layer of it, and how tokens were paired."""

    realignment: Realignment
    tests: tuple[LayerTest, ...]
    tokens: SharedTokens


@dataclass
class _Work:
    """What is known so far; filled layer by layer."""

    own: Matrices
    theirs: Matrices
    frame: Frame
    axes: dict[str, Axis] = field(default_factory=dict)
    tensors: list[PairedTensor] = field(default_factory=list)


def undo(
    found: Kinship, suspect: Decoder, parent: Decoder, seed: int, on_bytes: Callable[[int], None] = lambda _: None
) -> Undone:
    """Pair everything that the kinship makes comparable; reads all matrices of both. Raises what reading raises."""
    work = _Work(Matrices(suspect, on_bytes), Matrices(parent, on_bytes), found.frame)
    layers = {layer: layer for layer in suspect.layers if layer in parent.layers}
    content = proposed(work.theirs, work.own, found.frame, seed)
    tests = test_layers(work.own, work.theirs, found.frame, layers, content, seed, found.tried)
    kin = {test.layer: test.parent_layer for test in tests if test.related}
    work.axes[RESIDUAL] = residual_axis(found.frame)
    tokens = tokens_alike(work.own, work.theirs, found.frame, found.tokens)
    work.axes[VOCABULARY] = Axis(tokens.first, tokens.second)
    _outside(work)
    for layer, there in kin.items():
        _layer(work, layer, there)
    fitting = tuple(
        tensor
        for tensor in work.tensors
        if fits(tensor, suspect.held[tensor.name][1], work.axes, theirs=False)
        and fits(tensor, parent.held[tensor.parent][1], work.axes, theirs=True)
    )
    return Undone(Realignment(work.axes, fitting, kin), tests, tokens)


def _outside(work: _Work) -> None:
    """Embeddings, head and last norm."""
    own, theirs = work.own.decoder, work.theirs.decoder
    work.tensors.append(PairedTensor(own.embeddings.name, theirs.embeddings.name, VOCABULARY, RESIDUAL))
    head, other, done = own.head, theirs.head, None
    if head is not None and other is not None and head.name in own.places:
        _with_norm(work, [(head, other, VOCABULARY)])
        done = head.norm
    for place in own.in_layer(None):
        counterpart = theirs.places.get(place.name)
        if counterpart is None or place.kind in ("embeddings", "head") or place.name == done:
            continue
        if place.kind == "norm" or (place.shape == counterpart.shape and place.rows is None):
            _vector(work, place, counterpart)


def _layer(work: _Work, layer: int, there: int) -> None:
    """All tensors of a layer and of its counterpart."""
    by_norm: dict[tuple[str | None, str | None], list[_Reader]] = {}
    paired: set[str] = set()

    def add(own: Place, theirs: Place, rows: str | None) -> None:
        by_norm.setdefault((own.norm, theirs.norm), []).append((own, theirs, rows))
        paired.add(own.name)

    _attention(work, layer, there, add, paired)
    pairs = parts(work.own, work.theirs, work.frame, layer, there)
    for mine, other in pairs:
        _units(work, (layer, mine), (there, other), add, paired)
    _router(work, layer, there, pairs, add)
    for place, counterpart in namesakes(work.own.decoder, work.theirs.decoder, layer, there, paired):
        if len(place.shape) == 2 and place.norm and place.columns and place.shape == counterpart.shape:
            add(place, counterpart, None)
    done = {norm for (norm, _) in by_norm}
    for readers in by_norm.values():
        _with_norm(work, readers)
    _rest(work, layer, there, paired, done)


_Reader = tuple[Place, Place, str | None]
Add = Callable[[Place, Place, str | None], None]


def _attention(work: _Work, layer: int, there: int, add: Add, paired: set[str]) -> None:
    """Queries, keys and values by their rows, outputs by their columns."""
    places = {kind: (work.own.decoder.of(layer, kind), work.theirs.decoder.of(there, kind)) for kind in "qkvo"}
    sides: dict[str, Rows] = {}
    for kind, (own, theirs) in places.items():
        if own is None or theirs is None:
            continue
        if kind == "o":
            sides[kind] = work.own.read(own).T, work.frame.turned(work.theirs.read(theirs).T)
        else:
            sides[kind] = work.own.folded(own), work.frame.turned(work.theirs.folded(theirs))
    axes = attention_axes(sides, work.own.decoder.head_width)
    for kind, axis in axes.items():
        own, theirs = places[kind]
        assert own is not None
        assert theirs is not None
        key = own.columns if kind == "o" else own.rows
        assert key is not None
        work.axes[key] = axis
        if kind == "o":
            work.tensors.append(PairedTensor(own.name, theirs.name, RESIDUAL, key))
            paired.add(own.name)
        else:
            add(own, theirs, key)


def _units(work: _Work, mine: tuple[int, Part], other: tuple[int, Part], add: Add, paired: set[str]) -> None:
    """The units of an MLP or expert by all three of their vectors."""
    places = {
        kind: (work.own.decoder.of(mine[0], kind, *mine[1]), work.theirs.decoder.of(other[0], kind, *other[1]))
        for kind in ("gate", "up", "down")
    }
    sides: dict[str, tuple[Float32, Float32, bool]] = {}
    for kind, (own, theirs) in places.items():
        if own is None or theirs is None or own.flipped is not theirs.flipped:
            continue
        if kind == "down":
            sides[kind] = work.own.read(own).T, work.frame.turned(work.theirs.read(theirs).T), False
        else:
            gated = kind == "gate" or places["gate"][0] is None
            sides[kind] = work.own.folded(own), work.frame.turned(work.theirs.folded(theirs)), gated
    if not sides or not alike_in_rows(list(sides.values())):
        return
    axis = paired_rows(list(sides.values()))
    gates = Axis(axis.own, axis.theirs)
    up = down = gates
    if "up" in sides and "down" in sides:
        logs = [log_sizes([sides[kind][0]], [sides[kind][1]], axis) for kind in ("up", "down")]
        by = scales.factors((logs[0] - logs[1]) / 2) if scales.opposite(logs[0], logs[1]) else None
        up, down = scaled(axis, by), scaled(axis, None if by is None else 1 / by)
    elif "gate" not in sides:
        up = down = axis
    for kind, held in (("gate", gates), ("up", up), ("down", down)):
        own, theirs = places[kind]
        if own is None or theirs is None or kind not in sides:
            continue
        base = own.inner
        key = f"{base}, {kind}" if held.factors is not None else str(base)
        work.axes[key] = held
        if kind == "down":
            keys = (key, RESIDUAL) if own.flipped else (RESIDUAL, key)
            work.tensors.append(PairedTensor(own.name, theirs.name, *keys))
            paired.add(own.name)
        else:
            add(own, theirs, key)


def _router(work: _Work, layer: int, there: int, pairs: list[tuple[Part, Part]], add: Add) -> None:
    """The router's rows in the order of the experts."""
    own, theirs = work.own.decoder.of(layer, "router"), work.theirs.decoder.of(there, "router")
    experts = [(mine[0], other[0]) for mine, other in pairs if mine[0] is not None and other[0] is not None]
    if own is None or theirs is None or own.rows is None or not experts:
        return
    columns = np.array(sorted(experts), np.int64)
    if columns.max(axis=0)[0] < own.shape[0] and columns.max(axis=0)[1] < theirs.shape[0]:
        work.axes[own.rows] = Axis(columns[:, 0], columns[:, 1])
        add(own, theirs, own.rows)


def _with_norm(work: _Work, readers: list[_Reader]) -> None:
    """Readers of one norm, and the norm: as they are, with powers of two between them, or folded into each other."""
    own_norm, their_norm = readers[0][0].norm, readers[0][1].norm
    columns = RESIDUAL
    rows: str | None
    folded: tuple[str, str] | None = None
    gains = None
    if own_norm is not None and their_norm is not None:
        gains = _gains(work, own_norm, their_norm, readers)
        if work.frame.basis is not None or (gains is not None and not powers_of_two(gains)):
            folded, gains = (own_norm, their_norm), None
        if gains is not None:
            columns = f"{RESIDUAL}, read through {own_norm}"
            axis = work.axes[RESIDUAL]
            work.axes[columns] = scaled(axis, gains)
            work.axes[own_norm] = Axis(axis.own, axis.theirs, 1 / gains)
        if folded is None:
            rows = own_norm if gains is not None else _unsigned(work)
            work.tensors.append(PairedTensor(own_norm, their_norm, rows, None))
    elif work.frame.basis is not None and (own_norm or their_norm):
        return
    for own, theirs, rows in readers:
        if not own.flipped:
            work.tensors.append(PairedTensor(own.name, theirs.name, rows, columns, folded))
        elif folded is None:  # gains before rows cannot be folded into a view: not compared
            work.tensors.append(PairedTensor(own.name, theirs.name, columns, rows))


def _gains(work: _Work, own_norm: str, their_norm: str, readers: list[_Reader]) -> Float64 | None:
    """By how much more the suspect's readers weigh each dimension, where the norm weighs it as much less."""
    first, second = work.own.gains(own_norm), work.theirs.gains(their_norm)
    axis = work.axes[RESIDUAL]
    if first is None or second is None or axis.basis is not None:
        return None
    norm = scales.in_doublings(
        np.abs(second[axis.theirs].astype(np.float64)), np.abs(first[axis.own].astype(np.float64))
    )
    by = scales.factors(norm)
    if by is None:
        return None
    seen = []
    for own, theirs, rows in readers[:4]:
        mine, other = work.own.read(own)[:, axis.own], work.theirs.read(theirs)[:, axis.theirs]
        if rows is not None:
            mine, other = mine[work.axes[rows].own], along(work.axes[rows], other)
        seen.append(
            scales.in_doublings(*(np.linalg.norm(values, axis=0).astype(np.float64) for values in (mine, other)))
        )
    return by if scales.opposite(norm, -np.median(seen, axis=0)) else None


def _rest(work: _Work, layer: int, there: int, paired: set[str], norms: set[str | None]) -> None:
    """What is left of a layer: norms that nothing folds, biases, and parts of kinds that are not known."""
    for place, counterpart in namesakes(work.own.decoder, work.theirs.decoder, layer, there, paired):
        if place.name not in norms:
            _vector(work, place, counterpart)


def _vector(work: _Work, place: Place, theirs: Place) -> None:
    """A tensor that goes along: with the residual stream, with the rows whose bias it is, or as it is."""
    rows, columns = place.rows, place.columns
    residual = work.axes[RESIDUAL]
    if rows == RESIDUAL and len(place.shape) == 1:
        if residual.basis is None:
            rows = _unsigned(work) if place.name.endswith("weight") else RESIDUAL
        elif place.shape == theirs.shape and place.name.endswith("weight"):
            return
    if rows is not None and rows not in work.axes:
        return
    if len(place.shape) == 2 and place.norm and residual.basis is not None:
        return
    known = rows is not None or place.shape[0] == theirs.shape[0]
    if known and (len(place.shape) == 1 or columns is not None or place.shape[1:] == theirs.shape[1:]):
        work.tensors.append(PairedTensor(place.name, theirs.name, rows, columns))


def _unsigned(work: _Work) -> str:
    """The key of the residual axis without its signs: gains of norms have none."""
    axis = work.axes[RESIDUAL]
    if axis.factors is None:
        return RESIDUAL
    key = f"{RESIDUAL}, without signs"
    work.axes.setdefault(key, Axis(axis.own, axis.theirs))
    return key
