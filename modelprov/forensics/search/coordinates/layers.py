"""Pairs layers by content: by what their readers make of the residual stream, whatever the order of their rows.

The Gram matrix of a reader's rows knows no order of them. Seen through a few random directions, those of the same layer
agree and those of two layers do not. Proposes pairs; the units decide.
"""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.forensics.search.coordinates.frame import Frame
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.search.coordinates.pairing import unit_rows

DIRECTIONS = 64
KINDS = (("router", False), ("gate", True), ("k", False), ("v", False), ("gate", False), ("up", False))
LEAST_ROWS = 16
LEAST_ALIKE = 0.1
"""Of what two layers' readers have in common, below which trying them is not worth the reading: noise of twice the
weights' own size leaves 0.2."""


def shared_kind(parent: Matrices, suspect: Matrices) -> tuple[str, bool] | None:
    """The smallest reader that every layer of both has: its kind, and whether it belongs to what experts share."""
    sizes = {}
    for kind, shared in KINDS:
        places = [
            model.decoder.of(layer, kind, None, shared) for model in (parent, suspect) for layer in model.decoder.layers
        ]
        known = [place for place in places if place is not None]
        if len(known) == len(places) and min(place.shape[0] for place in known) >= LEAST_ROWS:
            sizes[kind, shared] = max(place.shape[0] for place in known)
    return min(sizes, key=lambda key: sizes[key]) if sizes else None


def proposed(parent: Matrices, suspect: Matrices, frame: Frame, seed: int) -> dict[int, int]:
    """For each layer of the suspect the parent's layer that reads most alike, if any does.

    Of equals the one at the same place counts, else the first.
    """
    chosen = shared_kind(parent, suspect)
    if chosen is None:
        return {}
    directions = _directions(suspect.decoder.hidden, seed)
    seen = {
        (number, layer): _seen(model, layer, chosen, None if number else frame, directions)
        for number, model in enumerate((parent, suspect))
        for layer in model.decoder.layers
    }
    theirs = parent.decoder.layers
    table = np.stack([seen[0, layer] for layer in theirs])
    found = {}
    for layer in suspect.decoder.layers:
        alike = table @ seen[1, layer]
        if alike.max() < LEAST_ALIKE:
            continue
        best = np.flatnonzero(alike >= alike.max() - 1e-6)
        found[layer] = layer if layer in [theirs[place] for place in best] else theirs[int(best[0])]
    return found


def _directions(dimensions: int, seed: int) -> Float32:
    drawn = np.random.default_rng(seed).standard_normal((dimensions, min(dimensions, DIRECTIONS)))
    return np.asarray(np.linalg.qr(drawn)[0], np.float32)


def _seen(model: Matrices, layer: int, chosen: tuple[str, bool], frame: Frame | None, directions: Float32) -> Float64:
    """The off-diagonal part of a reader's Gram matrix in the directions, of length 1."""
    place = model.decoder.of(layer, chosen[0], None, chosen[1])
    assert place is not None
    values = model.folded(place)
    turned = unit_rows(values if frame is None else frame.turned(values)) @ directions
    gram = (turned.T @ turned).astype(np.float64)
    flat = gram[np.triu_indices_from(gram, 1)]
    flat = flat - flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-30), np.float64)
