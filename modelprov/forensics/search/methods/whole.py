"""Whole tensors of the suspect and its parents, read one at a time within bounded memory. Reads; fits nothing.

Methods with norms, thresholds or votes over a tensor show only in whole tensors, not in a sample of elements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, Float64, decode, round_to, rounding_cell
from modelprov.checkpoints.types import AlignedTensor, Alignment, TensorView
from modelprov.forensics.search.methods.units import shape_of
from modelprov.forensics.thresholds import ON_LATTICE

Float32 = npt.NDArray[np.float32]
ELEMENTS = 1 << 26  # of each checkpoint that are recomputed
HOLDING = 8  # float32 copies of a tensor that a method may make beside the models
PIECE = 1 << 20


@dataclass(frozen=True, eq=False)
class Whole:
    """One tensor, float32: `suspect` [n], `parents` [k, n], all finite; formats are those that the values show.

    `position` is its place among the layers, 0 to 1, as gradients count it.
    """

    row: int
    name: str
    layer: int | None
    position: float
    shape: tuple[int, ...]
    decisive: bool
    suspect: Float32
    parents: Float32
    stored: DType
    formats: tuple[DType, ...]

    @property
    def elements(self) -> int:
        """n, the number of elements."""
        return len(self.suspect)

    @cached_property
    def middle(self) -> int:
        """The parent, 0 to k - 1, that lies nearest to all others: of finetunes and their base the base."""
        return int(np.argmin([((self.parents - own) ** 2).sum() for own in self.parents]))

    @cached_property
    def differ(self) -> npt.NDArray[np.bool_]:
        """Bool [n]: where the parents do not all hold the same number."""
        found: npt.NDArray[np.bool_] = (self.parents != self.parents[-1]).any(axis=0)
        return found

    @cached_property
    def cell(self) -> tuple[Float64, Float64]:
        """The suspect's rounding cells, lower and upper ends, float64 [n]."""
        return rounding_cell(self.suspect.astype(np.float64), self.stored)

    @cached_property
    def half(self) -> Float64:
        """Half the width of the suspect's rounding cells, float64 [n]."""
        lower, upper = self.cell
        return np.asarray((upper - lower) / 2, np.float64)

    @cached_property
    def wider(self) -> Float64:
        """The wider side of the suspect's rounding cells, float64 [n]: a power of two has another below than above."""
        lower, upper = self.cell
        return np.asarray(np.maximum(upper - self.suspect, self.suspect - lower), np.float64)

    def thinned(self, elements: int) -> Whole:
        """Some whole rows, about `elements` in all, drawn by the tensor's number; itself where it has no more.

        Ranks within rows are what they were, thresholds and shares nearly so; norms of the whole are not.
        """
        if self.elements <= elements:
            return self
        width = self.shape[-1]
        rows = self.elements // width
        count = max(1, min(rows, elements // width))
        chosen = np.sort(np.random.default_rng(self.row).choice(rows, count, replace=False))
        parents = self.parents.reshape(len(self.parents), rows, width)[:, chosen]
        return replace(
            self,
            shape=(count, width),
            suspect=self.suspect.reshape(rows, width)[chosen].ravel(),
            parents=parents.reshape(len(parents), -1),
        )

    def differing(self, elements: int, least: int = 1) -> Whole | None:
        """At most so many elements in which the parents differ, as a tensor; None where there are fewer than `least`.

        They are drawn by the tensor's number. Only what a method computes element by element is the same in them.
        """
        places = np.flatnonzero(self.differ)
        if len(places) < least:
            return None
        if len(places) > elements:
            places = np.sort(np.random.default_rng(self.row).choice(places, elements, replace=False))
        parents = np.ascontiguousarray(self.parents[:, places])
        return replace(self, shape=(len(places),), suspect=self.suspect[places], parents=parents)

    def vectors(self, base: int, models: Sequence[int]) -> tuple[Float64, Float64]:
        """The suspect's and the models' differences from a base, float64 [n] and [m, n]."""
        origin = self.parents[base].astype(np.float64)
        return self.suspect - origin, np.stack([self.parents[model] - origin for model in models])


class Wholes:
    """The tensors that are read whole: chosen by size and seed, loaded when asked for; the smaller ones are kept.

    Of rows that are `units` together (`units.py`) the lowest stands for all.
    """

    def __init__(
        self,
        alignment: Alignment,
        seed: int,
        memory: int,
        elements: int = ELEMENTS,
        on_bytes: Callable[[int], None] = lambda _: None,
        units: Mapping[int, tuple[int, ...]] = MappingProxyType({}),
    ) -> None:
        self._alignment, self._on_bytes, self._units = alignment, on_bytes, units
        self.parents = len(alignment.checkpoints) - 1
        self._layers = max((tensor.layer + 1 for tensor in alignment.tensors if tensor.layer is not None), default=1)
        held = {row for unit in units.values() for row in unit}
        rows = [row for row in range(len(alignment.tensors)) if row in units or row not in held]
        counts = {row: self.count(row) for row in rows}
        decisive = {row for row in rows if alignment.tensors[row].decisive}
        largest = min(elements, memory // (4 * (1 + self.parents + HOLDING)))
        self.rows = _chosen(counts, decisive, seed, largest, elements)
        self.fits = all(counts[row] <= largest for row in units)
        """Whether no stack is too large to be read whole: what is left without them may be the smaller part."""
        self._kept: dict[int, Whole | None] = {}

    @property
    def decisive(self) -> list[int]:
        """Those of `rows` that may carry a verdict."""
        return [row for row in self.rows if self._alignment.tensors[row].decisive]

    def members(self, row: int) -> tuple[int, ...]:
        """The rows of the alignment that a row stands for, itself among them."""
        return self._units.get(row, (row,))

    def count(self, row: int) -> int:
        """Elements of a tensor."""
        return sum(self._alignment.tensors[member].count for member in self.members(row))

    def load(self, row: int) -> Whole | None:
        """A tensor, or None where a value is not finite, or stored as F64."""
        if row in self._kept:
            return self._kept[row]
        found = self._read(row)
        if len(self._kept) < KEPT and self.count(row) <= PIECE:
            self._kept[row] = found
        return found

    def _read(self, row: int) -> Whole | None:
        tensors = [self._alignment.tensors[member] for member in self.members(row)]
        if any(view.ref.dtype is DType.F64 for tensor in tensors for view in tensor.views):
            return None
        values = np.empty((1 + self.parents, self.count(row)), np.float32)
        at = 0
        for tensor in tensors:
            for number, view in enumerate(tensor.views):
                _fill(self._alignment, number, view, values[number, at : at + tensor.count])
                self._on_bytes(view.count * view.ref.dtype.size)
            at += tensor.count
        if not np.isfinite(values).all():
            return None
        tensor = tensors[0]
        formats = [_shown(own, view.ref.dtype) for own, view in zip(values, tensor.views, strict=True)]
        shape = tensor.shape if len(tensors) == 1 else shape_of(tensors)
        return Whole(
            row, tensor.name, tensor.layer, self._position(tensor), shape, tensor.decisive,
            values[0], values[1:], formats[0], tuple(formats[1:]),
        )  # fmt: skip

    def _position(self, tensor: AlignedTensor) -> float:
        if tensor.layer is None:
            return 0.0
        return tensor.layer / (self._layers - 1) if self._layers > 1 else 1.0


KEPT = 256
THIN = 1 << 18  # elements of a tensor that are enough where its norms are not needed


def _chosen(counts: Mapping[int, int], decisive: Collection[int], seed: int, largest: int, budget: int) -> list[int]:
    """Rows of at most `largest` elements up to a `budget`, in a seeded order, the decisive ones first."""
    rows = list(counts)
    order = [rows[place] for place in np.random.default_rng(seed).permutation(len(rows)).tolist()]
    order.sort(key=lambda row: row not in decisive)
    chosen, left = [], budget
    for row in order:
        if 0 < counts[row] <= min(largest, left):
            chosen.append(row)
            left -= counts[row]
    return chosen


def _fill(alignment: Alignment, number: int, view: TensorView, out: Float32) -> None:
    dtype, source = view.ref.dtype, alignment.checkpoints[number].source
    for at in range(0, view.count, PIECE):
        m = min(PIECE, view.count - at)
        raw = np.empty(m * dtype.size, np.uint8)
        source.read_into(view.ref.shard, view.start + at * dtype.size, raw.data)
        out[at : at + m] = decode(raw, dtype)


def _shown(values: Float32, declared: DType) -> DType:
    """The coarsest format whose numbers the values are; the declared one where none coarser is."""
    if declared is not DType.F32:
        return declared
    told = values[values != 0].astype(np.float64)
    for coarse in (DType.BF16, DType.F16):
        if len(told) and (round_to(told, coarse) == told).mean() >= ON_LATTICE:
            return coarse
    return declared
