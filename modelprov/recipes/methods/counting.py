"""The sizes at which the largest changes end, found by counting in C: from the tensors themselves, in few passes.

The same as `selection.kept` finds for the changes of several models from a base. Sizes are counted by their upper 16
bits, then those at the cut by their lower; what has been counted is remembered some times a pass, so that the last of
equal sizes is looked for in a small part of the tensor alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.native.functions import Native
from modelprov.recipes.methods.interface import Whole
from modelprov.recipes.methods.selection import ALL, NONE, Kept
from modelprov.recipes.methods.steps import Steps, base_of, based

BINS, TABLES = 1 << 16, 4
REMEMBERED = 8
"""Times in a pass that counts are remembered."""
HELD = (TABLES + REMEMBERED) * BINS * 4
"""Bytes that a cut takes while it is looked for."""


@dataclass
class _Search:
    """A cut: of which model, the largest that are wanted, those left at the known bits, and what was counted when."""

    model: int
    left: int
    known: int = -1
    equal: int = 0
    before: list[tuple[int, npt.NDArray[np.uint32]]] = field(default_factory=list)


def kept_of_changes(library: Native, whole: Whole, wanted: Sequence[tuple[int, int]], step: Steps) -> list[Kept]:
    """For each (model, count) the `count` largest changes of that model from the base."""
    found = {n: ALL if count >= whole.count else NONE for n, (_, count) in enumerate(wanted)}
    for n, search in _searched(library, whole, wanted, step).items():
        cut = _size(search, step)
        last = whole.count if search.left == search.equal else _last(whole, search, cut, step)
        found[n] = Kept(cut, last)
    return [found[n] for n in range(len(wanted))]


def _searched(library: Native, whole: Whole, wanted: Sequence[tuple[int, int]], step: Steps) -> dict[int, _Search]:
    """The cuts, by place in `wanted`, of those that keep some and not all."""
    searches = {n: _Search(*pair) for n, pair in enumerate(wanted) if 0 < pair[1] < whole.count}
    for _ in range(1 if step.dtype is DType.BF16 else 2) if searches else ():  # bf16 has no lower bits
        _refine(library, whole, list(searches.values()), step)
    return searches


def _size(search: _Search, step: Steps) -> float:
    bits = search.known << 16 if step.dtype is DType.BF16 else search.known
    return float(np.array(bits, np.uint32).view(np.float32))


def _refine(library: Native, whole: Whole, searches: Sequence[_Search], step: Steps) -> None:
    """Find 16 more bits of every cut."""
    tables = [np.zeros((TABLES, BINS), np.uint32) for _ in searches]
    for search in searches:
        search.before = []
    again = 0
    for first, block in whole.blocks(0):
        if first >= again:
            for search, table in zip(searches, tables, strict=True):
                search.before.append((first, table.sum(0, dtype=np.uint32)))
            again = first + max(1, whole.count // REMEMBERED)
        tensors, base = block.tensors, base_of(block)
        for search, table in zip(searches, tables, strict=True):
            library.count_sizes(tensors[search.model], base, step.dtype.code, search.known, table)
    for search, table in zip(searches, tables, strict=True):
        chosen = _narrow(search, table.sum(0, dtype=np.int64))
        search.before = [(first, counted[chosen]) for first, counted in search.before]


def _narrow(search: _Search, bins: npt.NDArray[np.int64]) -> int:
    """Know 16 more bits of a cut; those 16."""
    above = np.cumsum(bins[::-1])
    place = int(np.searchsorted(above, search.left))
    chosen = BINS - 1 - place
    search.left -= int(above[place] - bins[chosen])
    search.equal = int(bins[chosen])
    search.known = chosen if search.known < 0 else search.known << 16 | chosen
    return chosen


def _last(whole: Whole, search: _Search, cut: float, step: Steps) -> int:
    """Where the last element lies that is kept of those equal to a cut."""
    start, before = max((one for one in search.before if one[1] < search.left), key=lambda one: one[0])
    left = search.left - int(before)
    for first, block in whole.blocks(start):
        tensors, base = based(block, step)
        equal = np.flatnonzero(np.abs(step(tensors[search.model] - base)) == cut)
        if len(equal) >= left:
            return first + int(equal[left - 1])
        left -= len(equal)
    raise ValueError("a tensor changed while it was looked at")
