"""Turns rows of moments into rows of measures: tensors, experts, layers, components. Arithmetic only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from modelprov.checkpoints.formats.dtypes import FORMATS, DType
from modelprov.checkpoints.types import AlignedTensor, Component, decisive_of
from modelprov.collector import paused
from modelprov.forensics.estimators.least_squares import BlockSums, OneParent, fit_many, fit_one
from modelprov.forensics.estimators.least_squares_each import EachFit, fit_many_each, fit_one_each
from modelprov.forensics.mixing import LeastSquares
from modelprov.forensics.results import Measures
from modelprov.forensics.sums.moments import (
    ALL_EQUAL,
    BETWEEN,
    BLOCKS,
    ELEMENTS,
    FIRST_PAIR,
    NONFINITE,
    PARENTS_AGREE,
    Float64,
    Int64,
    Moments,
    layout,
)

COMPONENTS = tuple(Component)
NO_FINITE = "no finite element"


@dataclass(frozen=True, eq=False)
class Table:
    """Moments of every aligned tensor, [t], with what is needed to name and group them.

    `labels` are those of the checkpoints, suspect first; `slot` is the recipe column whose bits are counted, or None.
    `shows` int64 [t] are the codes of the formats whose numbers the suspect holds; None where they are as declared.
    """

    tensors: tuple[AlignedTensor, ...]
    moments: Moments
    labels: tuple[str, ...]
    slot: int | None = None
    shows: Int64 | None = None
    _known: dict[tuple[int, int], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = field(
        default_factory=dict, init=False, repr=False
    )

    @cached_property
    def decisive(self) -> npt.NDArray[np.bool_]:
        """Which tensors may carry a verdict, bool [t]."""
        return np.array(decisive_of(self.tensors), np.bool_)

    @cached_property
    def formats(self) -> tuple[DType, ...]:
        """The formats whose numbers the suspect holds, tensor by tensor."""
        if self.shows is None:
            return tuple(tensor.views[0].ref.dtype for tensor in self.tensors)
        return tuple(FORMATS[code] for code in self.shows.tolist())

    @cached_property
    def guessed(self) -> npt.NDArray[np.bool_]:
        """Which tensors were matched by shape alone, bool [t]."""
        return np.array([tensor.guessed for tensor in self.tensors], np.bool_)

    @cached_property
    def sizes(self) -> Int64:
        """The elements of each tensor, sampled or not, int64 [t]."""
        return np.array([tensor.views[0].count for tensor in self.tensors], np.int64)

    def correlations(self, i: int, j: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Those of every tensor, as its moments give them; kept, since every group of tensors asks."""
        if (i, j) not in self._known:
            self._known[i, j] = self.moments.correlations(i, j)
        return self._known[i, j]

    def rows(self, members: npt.ArrayLike) -> Moments:
        """Moments of some tensors, added up."""
        return self.moments[np.asarray(members, np.int64)].total()

    @cached_property
    def component(self) -> Int64:
        """The place of each tensor's component in `COMPONENTS`, int64 [t]."""
        place = {component: number for number, component in enumerate(COMPONENTS)}
        return np.array([place[tensor.component] for tensor in self.tensors], np.int64)

    @cached_property
    def layer(self) -> Int64:
        """The layer of each tensor, -1 without one, int64 [t]."""
        return np.array([-1 if tensor.layer is None else tensor.layer for tensor in self.tensors], np.int64)


def grouped(keys: Int64) -> dict[int, Int64]:
    """Rows by their key, int64 [t], in order of first appearance; a key of -1 leaves a row out."""
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order], prepend=-1, append=-1)).tolist()
    groups = [order[start:stop] for start, stop in pairwise(edges)]
    return {int(keys[rows[0]]): rows for rows in sorted(groups, key=lambda rows: int(rows[0]))}


def least_squares(moments: Moments, parent: int = 1) -> OneParent:
    """Least-squares alpha of one parent (1 <= parent <= n - 2) against the reference, from sums.

    With more parents all coefficients are solved for together; `collinearity` is then the root of R squared.
    """
    gram, deltas = moments.gram(), moments.n - 1
    if moments.n > 3:
        joint = fit_many(gram[1:deltas, 1:deltas], gram[1:deltas, 0], gram[0, 0], simplex=False)
        alpha = joint.alphas[parent - 1] if joint.alphas else None
        return OneParent(alpha, joint.collinearity, reason=joint.reason)
    blocks = BlockSums(moments.count(BLOCKS), *moments.jackknife(parent))
    return fit_one(gram[parent, parent], gram[0, parent], gram[0, 0], moments.elements, blocks)


def agreement(moments: Moments) -> tuple[float | None, int]:
    """Share of S equal to the parents where those hold the same bits, and how many such elements there are."""
    agree = moments.count(PARENTS_AGREE)
    if moments.n < 3 or not agree:
        return None, 0
    return moments.count(ALL_EQUAL) / agree, agree


def betweenness(moments: Moments) -> tuple[float | None, int]:
    """Share of S inside the parents' range where those differ, and how many such elements there are."""
    differ = moments.elements - moments.count(PARENTS_AGREE)
    if moments.n < 3 or not differ:
        return None, 0
    return (moments.count(BETWEEN) - moments.count(ALL_EQUAL)) / differ, differ


def measure(table: Table, name: str, members: npt.ArrayLike, *, mixed: bool = True, **fixed: object) -> Measures:
    """The measures of some tensors together; `fixed` sets further fields of the row (layer, component, alpha ...).

    Without `mixed` those that only mean something for a mixture are left out.
    """
    members = np.asarray(members, np.int64)
    moments = table.rows(members)
    elements = moments.elements
    values: dict[str, object] = {
        "name": name,
        "elements": elements,
        "decisive": bool(table.decisive[members].any()),
        "nonfinite": moments.count(NONFINITE),
        "guessed": bool(table.guessed[members].any()),
    }
    if elements:
        values["equal"] = {
            label: moments.equal(0, parent) / elements for parent, label in enumerate(table.labels) if parent
        }
        if mixed:
            values["agreement"], values["betweenness"] = agreement(moments)[0], betweenness(moments)[0]
        if mixed and table.slot is not None:
            values["bit_equal"] = moments.recipe(table.slot) / elements
        if len(members) == 1:
            values["raw_correlation"] = {
                label: moments.correlation(0, parent) for parent, label in enumerate(table.labels) if parent
            }
        else:
            values["raw_correlation"] = {
                label: mean_correlation(table, members, 0, parent)
                for parent, label in enumerate(table.labels) if parent
            }  # fmt: skip
    if mixed and moments.n > 2:
        fit = least_squares(moments)
        values["least_squares"] = _shown(fit)
        if fit.reason:
            values["note"] = fit.reason
    if not elements:
        values["note"] = NO_FINITE
    return Measures.model_validate(values | fixed)


def measure_each(table: Table, *, mixed: bool = True) -> tuple[Measures, ...]:
    """The measures of every tensor, row by row what `measure` gives for it alone; correlations within rounding.

    Columns are taken once for all rows, and rows are made without collections between: a large model has 95,000.
    """
    moments, n = table.moments, table.moments.n
    parents = list(enumerate(table.labels))[1:]
    elements, agree = moments.counts[:, ELEMENTS], moments.counts[:, PARENTS_AGREE]
    some, tensors = elements > 0, table.tensors
    pairs = [moments.counts[:, FIRST_PAIR + layout(n).pairs.index((0, parent))] for parent, _ in parents]
    correlated = [table.correlations(0, parent)[0] for parent, _ in parents]
    columns: dict[str, Iterable[object]] = {
        "name": [tensor.name for tensor in tensors],
        "layer": [tensor.layer for tensor in tensors],
        "component": [str(tensor.component) for tensor in tensors],
        "expert": [tensor.expert for tensor in tensors],
        "elements": elements.tolist(),
        "decisive": table.decisive.tolist(),
        "nonfinite": moments.counts[:, NONFINITE].tolist(),
        "guessed": [tensor.guessed for tensor in tensors],
        "note": [None if each else NO_FINITE for each in some.tolist()],
        "equal": _by_label(table.labels, some, [_quotient(equal, elements) for equal in pairs]),
        "raw_correlation": _by_label(
            table.labels, some, [np.where((elements > 1) & np.isfinite(each), each, np.nan) for each in correlated]
        ),
    }
    if mixed and n > 2:
        inside = moments.counts[:, BETWEEN] - moments.counts[:, ALL_EQUAL]
        columns["agreement"] = _known(_quotient(moments.counts[:, ALL_EQUAL], np.where(some, agree, 0)))
        columns["betweenness"] = _known(_quotient(inside, np.where(some, elements - agree, 0)))
        fits = _each_fit(moments)
        columns["least_squares"] = _shown_each(fits)
        columns["note"] = [note or why for note, why in zip(columns["note"], fits.reason, strict=True)]
    if mixed and table.slot is not None:
        columns["bit_equal"] = _known(_quotient(moments.counts[:, layout(n).recipe + table.slot], elements))
    with paused():
        return _validated()([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


@lru_cache
def _validated() -> Callable[[object], tuple[Measures, ...]]:
    """Makes all rows in one call, which takes a third of the time that as many calls do."""
    return TypeAdapter(tuple[Measures, ...]).validate_python


def _quotient(part: Int64, whole: Int64) -> Float64:
    """The share of each row, NaN where there is nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole > 0, part / whole, np.nan), np.float64)


def _known(values: Float64) -> list[float | None]:
    """The values, None for NaN."""
    found: list[float | None] = values.tolist()
    for row in np.flatnonzero(np.isnan(values)).tolist():
        found[row] = None
    return found


def _by_label(labels: Sequence[str], some: npt.NDArray[np.bool_], values: Sequence[Float64]) -> list[dict[str, object]]:
    """Of each row the values of all parents by label, of rows without elements none."""
    parents = labels[1:]
    rows = zip(*map(_known, values), strict=True)
    return [dict(zip(parents, row, strict=True)) if each else {} for each, row in zip(some.tolist(), rows, strict=True)]


def _each_fit(moments: Moments) -> EachFit:
    """`least_squares` of every row."""
    n, columns = moments.n, moments.sums.T
    if n > 3:
        upper = {pair: column for column, pair in enumerate((a, b) for a in range(n + 1) for b in range(a, n + 1))}
        deltas = range(1, n - 1)
        gram = np.stack([np.stack([columns[upper[min(a, b), max(a, b)]] for b in deltas], 1) for a in deltas], 1)
        return fit_many_each(gram, np.stack([columns[upper[0, a]] for a in deltas], 1), columns[0])
    sums = columns[[n + 1, 1, 0, *range(layout(n).gram, layout(n).gram + 3)]]
    return fit_one_each(sums, moments.counts[:, ELEMENTS], moments.counts[:, BLOCKS])


def _shown_each(fits: EachFit) -> list[dict[str, float | None]]:
    """The values of `LeastSquares` of each row."""
    names = ("alpha", "collinearity", "z", "standard_error")
    columns = (_known(values) for values in (fits.alpha, fits.collinearity, fits.z, fits.standard_error))
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _shown(fit: OneParent) -> LeastSquares:
    return LeastSquares(alpha=fit.alpha, collinearity=fit.collinearity, z=fit.z, standard_error=fit.standard_error)


def mean_correlation(table: Table, members: npt.ArrayLike, i: int, j: int) -> float | None:
    """Mean-centred correlation of raw weights within each decisive tensor, averaged over elements.

    Centred and taken tensor by tensor: scales and means that all models share then cannot look like kinship.
    """
    chosen = np.asarray(members, np.int64)
    chosen = chosen[table.decisive[chosen]]
    if not chosen.size:
        return None
    values, weights = (column[chosen] for column in table.correlations(i, j))
    known = np.isfinite(values)
    return float(np.average(values[known], weights=weights[known])) if known.any() else None
