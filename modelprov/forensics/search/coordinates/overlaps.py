"""How much the matrices of a model overlap one another in its residual stream: what no coordinates change. No verdict.

Of two matrices a and b that read from or write to the residual stream, with rows of length 1, the sum of squares of
a b' is the same in any order, sign or basis of the stream, in any order of units or heads and with any factors at them;
rows of a head of attention are taken together, as the space that they span, which no basis inside the head changes. By
chance it is (rows of a) (rows of b) / d, and how much it differs from that is each model's own. Noise of so many times
the weights' size r leaves a correlation of about 1 / (1 + r^2)^2 of these with what they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32
from modelprov.checkpoints.layouts.decoder import Decoder, Place
from modelprov.checkpoints.types import Overlaps
from modelprov.forensics.search.coordinates.matrices import Matrices

KINDS = ("router", "k", "v", "q", "o", "gate", "up", "down")
EACH, MOST = 16, 64
"""Matrices of a kind, and of all."""
ELEMENTS, WORK = 1 << 26, 1 << 38
"""Of all of them together: weights that are read, and rows times dimensions times dimensions."""
BLOCK = 1 << 24  # numbers at a time
LEAST = 1e-6  # of a row's length that must be left beside the rows before it


def choose(decoder: Decoder, seed: int) -> tuple[str, ...]:
    """The canonical names of the matrices that are compared: small kinds first, of layers in a seeded order."""
    by_kind: dict[tuple[str, bool], list[Place]] = defaultdict(list)
    for place in np.random.default_rng(seed).permutation(len(decoder.layers)).tolist():
        for kind in KINDS:
            for shared in (False, True):
                found = decoder.of(decoder.layers[place], kind, None, shared)
                if found is not None and min(found.shape) > 1:
                    by_kind[kind, shared].append(found)
    chosen: list[str] = []
    read = work = 0
    for places in sorted(by_kind.values(), key=lambda each: max(place.view.count for place in each)):
        for place in places[:EACH]:
            more = place.view.count * decoder.hidden
            if len(chosen) < MOST and read + place.view.count <= ELEMENTS and work + more <= WORK:
                chosen.append(place.name)
                read, work = read + place.view.count, work + more
    return tuple(chosen)


def overlaps(
    decoder: Decoder, names: Sequence[str], head_width: int, on_bytes: Callable[[int], None] = lambda _: None
) -> Overlaps | None:
    """The table of these matrices, as far as the model has them; None of fewer than two. Raises what reading raises."""
    model = Matrices(decoder, on_bytes)
    places = [decoder.places[name] for name in names if name in decoder.places]
    rows, size, free = {}, [], []
    for place in places:
        together = _together(place, head_width)
        values = _rows(model, place, together) if place.kind in KINDS else np.zeros((0, 0), np.float32)
        if values.any() and values.shape[1] == decoder.hidden:
            rows[place.name] = values
            size.append(float(np.square(values, dtype=np.float64).sum()))
            free.append(max(0.0, 1 - together / decoder.hidden))
    if len(rows) < 2 or min(free) <= 0:
        return None
    table = np.zeros((len(rows), len(rows)))
    step = max(1, BLOCK // (len(rows) * decoder.hidden))
    for start in range(0, decoder.hidden, step):
        gram = np.stack([(values[:, start : start + step].T @ values).ravel() for values in rows.values()])
        table += gram @ gram.T
    beyond = table * decoder.hidden / np.outer(size, size) - 1
    error = np.sqrt(2 * np.outer(free, free) / np.outer(size, size))
    return Overlaps(tuple(rows), head_width, (beyond / error).astype(np.float32))


def _together(place: Place, head_width: int) -> int:
    """How many rows of a matrix span a space of their own: those of a head of attention."""
    inner = place.shape[1] if place.kind == "o" else place.shape[0]
    return head_width if place.kind in "qkvo" and inner % head_width == 0 else 1


def _rows(model: Matrices, place: Place, together: int) -> Float32:
    """What a matrix reads or writes [n, hidden]: rows of length 1, those of a head made orthogonal to one another."""
    values = model.read(place).T if place.kind in ("o", "down") else model.folded(place)
    if together == 1 or together >= values.shape[1]:
        lengths = np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
        return np.asarray(np.divide(values, lengths, out=np.zeros(values.shape), where=lengths > 0), np.float32)
    heads = values.reshape(-1, together, values.shape[1]).transpose(0, 2, 1)
    made, upper = np.linalg.qr(heads)
    left = np.abs(np.diagonal(upper, axis1=1, axis2=2))
    made = made * (left > LEAST * left.max(initial=0))[:, None, :]
    return np.ascontiguousarray(made.transpose(0, 2, 1).reshape(-1, values.shape[1]), np.float32)
