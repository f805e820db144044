"""A suspect whose every tensor is, bit for bit, a parent's: which layers of whom, in words and as a recipe.

The facts for the rules `whole-parts` and `method`; which of them holds is decided in `verdict.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from modelprov.checkpoints.layouts.roles import LAYER
from modelprov.checkpoints.types import Component
from modelprov.forensics.judging.facts import Stacked
from modelprov.forensics.judging.found_recipe import formats
from modelprov.forensics.judging.rows import Table, mean_correlation
from modelprov.forensics.mixing import NamedMethod
from modelprov.forensics.results import Verdict
from modelprov.forensics.sums.moments import ELEMENTS, FIRST_PAIR, NONFINITE, layout
from modelprov.forensics.thresholds import KIN
from modelprov.recipes.recipe import Extension, Recipe, Slice, SourceModel

if TYPE_CHECKING:
    from modelprov.forensics.search.methods.stacks import Stack

BEFORE = (Component.EMBEDDINGS, Component.VISION)
ARITHMETIC = "mergekit-0.1.5"
Scales = Mapping[str, float]
ScaleOf = Callable[[int, int], float | None]
"""The factor that gives every bit of a row of the table from a parent's (counted from 0), if any does."""


@dataclass(frozen=True)
class Piece:
    """Consecutive layers `first` to `stop` of a parent (counted from 0), some kinds of tensors times a factor."""

    parent: int
    first: int
    stop: int
    scales: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Pieces:
    """The layers of the suspect in order, and which parents hold what stands before and behind them."""

    slices: tuple[Piece, ...]
    before: int | None
    behind: int | None
    facts: Stacked


def pieces_of(table: Table, stack: Stack | None, scale: ScaleOf | None = None) -> Pieces | None:
    """The fewest parents, and of them the longest runs of layers, that hold every tensor; None where some lack one.

    `stack` says which layer each parent is seen as (None: that of its own number). With a `scale` a tensor may be a
    parent's times a factor, in layers of which that parent holds another matrix as it is.
    """
    parents = range(len(table.labels) - 1)
    layers = sorted({tensor.layer for tensor in table.tensors if tensor.layer is not None})
    if not layers or layers != list(range(len(layers))) or table.moments.counts[:, NONFINITE].any():
        return None
    units = _units(table)
    same = _same(table)
    held: dict[object, dict[int, Scales]] = {
        unit: {parent: found for parent in parents if (found := _held(rows, same[:, parent])) is not None}
        for unit, rows in units.items()
    }
    for unit, rows in units.items():
        if not held[unit] and scale is not None and isinstance(unit, int):
            held[unit] = _scaled(table, rows, same, scale)
    if not all(held.values()):
        return None
    used = next(
        chosen
        for count in range(1, len(parents) + 1)
        for chosen in combinations(reversed(parents), count)
        if all(set(chosen) & own.keys() for own in held.values())
    )
    seen = [stack.layers[parent] if stack is not None else {layer: layer for layer in layers} for parent in parents]
    return _pieces(table, units, held, used, seen, layers, stack is not None)


def _units(table: Table) -> dict[object, list[int]]:
    """The rows of each layer, of what stands before them, and of what stands behind."""
    found: dict[object, list[int]] = {}
    for row, tensor in enumerate(table.tensors):
        place = tensor.layer if tensor.layer is not None else "before" if tensor.component in BEFORE else "behind"
        found.setdefault(place, []).append(row)
    return found


def _same(table: Table) -> np.ndarray:
    """Bool [rows, parents]: whether every element holds that parent's bits."""
    counts, n = table.moments.counts, table.moments.n
    columns = [FIRST_PAIR + layout(n).pairs.index((0, parent)) for parent in range(1, n)]
    return np.asarray(counts[:, columns] == counts[:, [ELEMENTS]])


def _held(rows: Sequence[int], same: np.ndarray) -> Scales | None:
    return {} if same[list(rows)].all() else None


def _scaled(table: Table, rows: Sequence[int], same: np.ndarray, scale: ScaleOf) -> dict[int, Scales]:
    """Who holds a layer if some of its tensors are multiplied by a factor, and those factors by kind."""
    found: dict[int, Scales] = {}
    for parent in range(same.shape[1]):
        if not any(same[row, parent] and table.tensors[row].decisive for row in rows):
            continue
        factors: dict[str, float] = {}
        for row in (row for row in rows if not same[row, parent]):
            factor = scale(row, parent)
            if factor is None:
                break
            factors[_within(table.tensors[row].name)] = factor
        else:
            found[parent] = factors
    return found


def _within(name: str) -> str:
    """The end of a name, behind its layer: what a filter of a recipe says."""
    found = LAYER.search(name)
    return name[0 if found is None else found.end() :].removesuffix(".weight")


def _pieces(
    table: Table, units: Mapping[object, Sequence[int]], held: Mapping[object, Mapping[int, Scales]],
    used: Sequence[int], seen: Sequence[Mapping[int, int]], layers: Sequence[int], moved: bool,
) -> Pieces:  # fmt: skip
    chosen = _runs(held, used, seen, layers)
    slices: list[Piece] = []
    for layer in layers:
        parent, theirs, scales = chosen[layer], seen[chosen[layer]][layer], held[layer][chosen[layer]]
        told = tuple(sorted(scales.items()))
        last = slices[-1] if slices else None
        if last is not None and (last.parent, last.stop, last.scales) == (parent, theirs, told):
            slices[-1] = Piece(parent, last.first, theirs + 1, told)
        else:
            slices.append(Piece(parent, theirs, theirs + 1, told))
    ends = [
        None if place not in held else end if end in held[place] else next(p for p in used if p in held[place])
        for place, end in (("before", chosen[layers[0]]), ("behind", chosen[layers[-1]]))
    ]
    facts = Stacked(
        parents=tuple(sorted(1 + parent for parent in {*chosen.values(), *(end for end in ends if end is not None)})),
        moved=moved,
        scaled=any(piece.scales for piece in slices),
        versions=_versions(table, units, held, chosen, seen),
    )
    return Pieces(tuple(slices), ends[0], ends[1], facts)


def _runs(
    held: Mapping[object, Mapping[int, Scales]], used: Sequence[int], seen: Sequence[Mapping[int, int]],
    layers: Sequence[int],
) -> dict[int, int]:  # fmt: skip
    """The parent of each layer, so that slices are few, and the ends hold what stands beside them."""
    cost: dict[int, float] = {}
    ways: list[dict[int, int | None]] = []
    for layer in layers:
        now: dict[int, float] = {}
        way: dict[int, int | None] = {}
        for parent in (parent for parent in used if parent in held[layer]):
            if not ways:
                now[parent], way[parent] = float(parent not in held.get("before", {parent: {}})), None
                continue
            steps = {
                before: spent + float((before, seen[before][layer - 1] + 1) != (parent, seen[parent][layer]))
                for before, spent in cost.items()
            }
            way[parent] = min(steps, key=lambda before: steps[before])
            now[parent] = steps[way[parent]]  # type: ignore[index]
        cost = now
        ways.append(way)
    last = min(cost, key=lambda parent: cost[parent] + (parent not in held.get("behind", {parent: {}})))
    chosen: dict[int, int] = {}
    for layer in reversed(layers):
        chosen[layer] = last
        last = ways[layer][last] if ways[layer][last] is not None else last  # type: ignore[assignment]
    return chosen


def _versions(
    table: Table, units: Mapping[object, Sequence[int]], held: Mapping[object, Mapping[int, Scales]],
    chosen: Mapping[int, int], seen: Sequence[Mapping[int, int]],
) -> int:  # fmt: skip
    """Elements in which two related parents differ, in a layer that the suspect holds both as the one and as the other.

    A model that was trained has each of its layers once: this alone tells a stack from a common ancestor of the
    parents, of which either training left the other parts as they were. Not so where the suspect holds all layers of
    one of them: copies of blocks may have been put beside frozen ones and trained, and the other be cut out of it.
    """
    most = 0
    whole = {
        parent
        for parent in set(chosen.values())
        if {seen[parent][layer] for layer in chosen if parent in held[layer]} == set(seen[parent].values())
    }
    for layer, parent in chosen.items():
        for other_layer, other in chosen.items():
            if other_layer <= layer or other == parent or seen[other][other_layer] != seen[parent][layer]:
                continue
            if other in held[layer] or parent in held[other_layer] or whole & {parent, other}:
                continue
            rows = [row for row in units[layer] if table.tensors[row].decisive]
            pair = 1 + parent, 1 + other
            if seen[other][layer] == seen[parent][layer] and (mean_correlation(table, rows, *pair) or 0) >= KIN:
                moments = table.rows(rows)
                most = max(most, moments.elements - moments.equal(*pair))
    return most


def named(pieces: Pieces, table: Table, locations: Sequence[str], share: float) -> NamedMethod:
    """The record of it: `share` of the suspect's weights that may carry a verdict could be compared."""
    labels = table.labels[1:]
    decisive = [tensor for tensor in table.tensors if tensor.decisive]
    elements, made = _made(pieces, table)
    return NamedMethod(
        name="passthrough",
        words=in_words(pieces, labels),
        parents=tuple(labels[parent - 1] for parent in pieces.facts.parents),
        arithmetic=ARITHMETIC,
        bit_equal=made / elements if elements else 0.0,
        elements=elements,
        tensors=len(decisive),
        recomputed=len(decisive),
        share=share,
        yaml=_recipe(pieces, table, locations, made / elements if elements else 0.0).as_yaml(),
    )


def _made(pieces: Pieces, table: Table) -> tuple[int, int]:
    """Elements that may carry a verdict, and how many of them the recipe makes: it takes the ends with the slices."""
    ends = {"before": (pieces.before, pieces.slices[0].parent), "behind": (pieces.behind, pieces.slices[-1].parent)}
    elements = made = 0
    for unit, rows in _units(table).items():
        count = sum(table.tensors[row].count for row in rows if table.tensors[row].decisive)
        truth, taken = ends.get(str(unit), (None, None))
        elements += count
        made += count if truth == taken else 0
    return elements, made


def in_words(pieces: Pieces, labels: Sequence[str]) -> str:
    """`passthrough of layers 0-2 of a, 1-3 of b`."""
    said = []
    for piece in pieces.slices:
        run = f"{piece.first}-{piece.stop - 1}" if piece.stop - piece.first > 1 else f"{piece.first}"
        scaled = "".join(f", {kind} × {factor:.7g}" for kind, factor in piece.scales)
        said.append(f"{run} of {labels[piece.parent]}{f' ({scaled[2:]})' if scaled else ''}")
    ends = (
        ("embeddings", pieces.before, pieces.slices[0].parent),
        ("what follows the layers", pieces.behind, pieces.slices[-1].parent),
    )
    beside = [f"{what} of {labels[own]}" for what, own, usual in ends if own is not None and own != usual]
    return "; ".join([f"passthrough of layers {', '.join(said)}", *beside])


def _recipe(pieces: Pieces, table: Table, locations: Sequence[str], bit_equal: float) -> Recipe:
    """Slices as mergekit writes them; it takes the embeddings from the first, norm and head from the last."""
    stored_as, out_dtype = formats(table)
    return Recipe(
        merge_method="passthrough",
        slices=tuple(
            Slice(
                sources=(
                    SourceModel(
                        model=locations[piece.parent],
                        layer_range=(piece.first, piece.stop),
                        parameters={"scale": [*_filters(piece.scales), {"value": 1.0}]} if piece.scales else {},
                    ),
                )
            )
            for piece in pieces.slices
        ),
        out_dtype=out_dtype,
        modelprov=Extension(arithmetic=ARITHMETIC, bit_equal=bit_equal, stored_as=stored_as),
    )


def _filters(scales: Sequence[tuple[str, float]]) -> list[dict[str, object]]:
    return [{"filter": kind, "value": factor} for kind, factor in scales]


def told(verdict: Verdict, method: NamedMethod) -> Verdict:
    """A verdict that something else decided, with the layers that the suspect is put together from."""
    return verdict.model_copy(update={"summary": f"{verdict.summary} Layer by layer it is {method.words}."})
