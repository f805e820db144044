"""A sample of aligned elements: what the estimators that look at single elements work on. Data and roles only.

The suspect S and its k parents at the same n positions, decoded exactly to float64, with the rounding cell of every
suspect value. The reference P0 is the last parent; deltas are u_i = P_i - P0 and v = S - P0, differences of stored
values, never of sums. Nothing here fits anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import FORMATS, DType, Float64, present, rounding_cells

Index = npt.NDArray[np.bool_] | npt.NDArray[np.integer] | slice

FLOAT32_ERROR = 2.0**-23
"""Error of a merge computed in float32, as a share of the sum of its parents' magnitudes (`docs/method.md`)."""


@dataclass(frozen=True, eq=False)
class Sample:
    """n aligned elements of a suspect and its k parents, all finite, in units of the weights.

    `suspect`, `lower`, `upper`: float64[n], S and the bounds of its rounding cell. `parents`: float64[k, n], the
    reference last. `group`: int32[n], the index of the canonical tensor an element came from. `formats`:
    uint8[1 + k, n], for each argument (suspect first) the code of each element's storage format (`DType.code`),
    which is per element because one checkpoint may mix formats. `given`: bool[n], where the cell is not that of a
    storage format but that of the packed form that the suspect was decoded from; None where it is so nowhere.
    """

    suspect: Float64
    lower: Float64
    upper: Float64
    parents: Float64
    group: npt.NDArray[np.int32]
    formats: npt.NDArray[np.uint8]
    given: npt.NDArray[np.bool_] | None = None

    @property
    def elements(self) -> int:
        """n, the number of elements."""
        return self.suspect.size

    @cached_property
    def deltas(self) -> Float64:
        """u, float64[k - 1, n]: every parent but the reference, minus the reference."""
        deltas: Float64 = self.parents[:-1] - self.parents[-1]
        return deltas

    @cached_property
    def delta(self) -> Float64:
        """v, float64[n]: the suspect minus the reference."""
        delta: Float64 = self.suspect - self.parents[-1]
        return delta

    @property
    def dtypes(self) -> tuple[frozenset[DType], ...]:
        """The storage formats found in each argument, suspect first."""
        return tuple(frozenset(FORMATS[code] for code in present(row)) for row in self.formats)

    def take(self, index: Index) -> Sample:
        """Keep the elements chosen by a mask, an index array or a slice."""
        if isinstance(index, np.ndarray) and index.dtype == np.bool_:
            if index.all():
                return self
            index = np.flatnonzero(index)  # looked for once, not once an array
        return Sample(
            self.suspect[index],
            self.lower[index],
            self.upper[index],
            _columns(self.parents, index),
            self.group[index],
            _columns(self.formats, index),
            None if self.given is None else self.given[index],
        )

    def with_roles(self, child: int) -> Sample:
        """Give the same elements with another argument as the suspect.

        `child` counts the arguments: 0 is the suspect, 1 ... k its parents. The old suspect takes the child's place
        among the parents, so child = k makes the suspect the reference.
        """
        if child == 0:
            return self
        parents, formats = self.parents.copy(), self.formats.copy()
        suspect, parents[child - 1] = self.parents[child - 1], self.suspect
        formats[[0, child]] = formats[[child, 0]]
        lower, upper = rounding_cells(suspect, formats[0])
        return Sample(suspect, lower, upper, parents, self.group, formats)

    def of_parents(self, chosen: Sequence[int]) -> Sample:
        """The same elements beside some of the parents, 0 ... k - 1, in this order."""
        rows = list(chosen)
        formats = self.formats[[0, *(1 + row for row in rows)]]
        return replace(self, parents=self.parents[rows], formats=formats)


@lru_cache(maxsize=4)
def drawn(size: int, elements: int, seed: int) -> npt.NDArray[np.int64]:
    """Places of some of `size` elements, in order, drawn without replacement by `seed`; several ask for the same."""
    places = np.sort(np.random.default_rng(seed).choice(size, elements, replace=False))
    places.flags.writeable = False
    return places


def _columns(table: npt.NDArray[Any], index: Index) -> npt.NDArray[Any]:
    """`table[:, index]`, in the same order in memory, in less time: element after element, or row after row."""
    if isinstance(index, slice):
        return table[:, index]
    if table.T.flags.c_contiguous:
        return table.T.take(index, axis=0).T
    found = np.empty((index.size, len(table)), table.dtype)
    for place, row in enumerate(table):
        found[:, place] = row[index]
    return found.T


def from_values(
    suspect: npt.ArrayLike,
    parents: Sequence[npt.ArrayLike] | Float64,
    dtype: DType | Sequence[DType],
    group: int | npt.ArrayLike = 0,
) -> Sample:
    """Make a sample from decoded values; `dtype` is one format for all, or one per argument with the suspect's first.

    Elements where any argument is infinite or NaN are left out (compare `elements` with what was given).
    `group` is one tensor index for all elements, or one per element.
    """
    values = np.stack([np.asarray(row, np.float64).ravel() for row in (suspect, *parents)])
    if values.shape[0] < 2:
        raise ValueError("a sample needs the suspect and at least one parent, the reference")
    dtypes = (dtype,) * len(values) if isinstance(dtype, DType) else tuple(dtype)
    if len(dtypes) != len(values):
        raise ValueError(f"{len(dtypes)} formats for {len(values)} arguments")
    groups = np.broadcast_to(np.asarray(group, np.int32), values.shape[1:])
    codes = np.array([dtype.code for dtype in dtypes], np.uint8)
    return from_formats(values, np.broadcast_to(codes[:, None], values.shape), groups)


def from_formats(
    values: Float64, formats: npt.NDArray[np.uint8], group: npt.NDArray[np.integer],
    cells: tuple[Float64, Float64, npt.NDArray[np.bool_]] | None = None,
) -> Sample:  # fmt: skip
    """The same of float64 [1 + k, n], the suspect first, with a format and a tensor of every element.

    `cells` are bounds float64 [n] that hold where the mask is true; an element of which they are not known is left out.
    """
    kept = np.isfinite(values).all(axis=0)
    if cells is not None:
        kept &= ~cells[2] | (np.isfinite(cells[0]) & np.isfinite(cells[1]))
    if not kept.all():
        values, formats, group = values[:, kept], formats[:, kept], group[kept]
    lower, upper = rounding_cells(values[0], formats[0])
    given = None
    if cells is not None:
        given = cells[2][kept]
        lower, upper = np.where(given, cells[0][kept], lower), np.where(given, cells[1][kept], upper)
    return Sample(values[0], lower, upper, values[1:], np.asarray(group, np.int32), formats, given)


def concatenate(samples: Sequence[Sample]) -> Sample:
    """Join all elements of several samples with equally many parents, in order; group indices are kept as they are."""
    if not samples:
        raise ValueError("no samples to concatenate")
    if len({one.parents.shape[0] for one in samples}) > 1:
        raise ValueError("samples with different numbers of parents cannot be joined")
    return Sample(
        np.concatenate([one.suspect for one in samples]),
        np.concatenate([one.lower for one in samples]),
        np.concatenate([one.upper for one in samples]),
        np.concatenate([one.parents for one in samples], axis=1),
        np.concatenate([one.group for one in samples]),
        np.concatenate([one.formats for one in samples], axis=1),
        None
        if all(one.given is None for one in samples)
        else np.concatenate([np.zeros(one.elements, bool) if one.given is None else one.given for one in samples]),
    )


def arithmetic_error(sample: Sample, margin: float = FLOAT32_ERROR) -> Float64:
    """Bound the merging program's own error per element, float64[n]: `margin` times the sum of |P|."""
    error: Float64 = np.abs(sample.parents[0])
    for parent in sample.parents[1:]:  # a sum over so few rows takes numpy ten times as long
        error += np.abs(parent)
    error *= margin
    return error


def widened_cell(sample: Sample, margin: float = FLOAT32_ERROR) -> tuple[Float64, Float64]:
    """Give the rounding cell [lower, upper] widened on both sides by `arithmetic_error`."""
    error = arithmetic_error(sample, margin)
    return sample.lower - error, sample.upper + error
