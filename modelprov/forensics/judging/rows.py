"""Turns rows of moments into rows of measures: tensors, experts, layers, components. Arithmetic only."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.types import AlignedTensor
from modelprov.forensics.estimators.least_squares import BlockSums, OneParent, fit_many, fit_one
from modelprov.forensics.results import LeastSquares, Measures
from modelprov.forensics.sums.moments import (
    ALL_EQUAL,
    BETWEEN,
    BLOCKS,
    ELEMENTS,
    FIRST_PAIR,
    NONFINITE,
    PARENTS_AGREE,
    Moments,
    layout,
)


@dataclass(frozen=True, eq=False)
class Table:
    """Moments of every aligned tensor, [t], with what is needed to name and group them.

    `labels` are those of the checkpoints, suspect first; `slot` is the recipe column whose bits are counted, or None.
    """

    tensors: tuple[AlignedTensor, ...]
    moments: Moments
    labels: tuple[str, ...]
    slot: int | None = None
    _known: dict[tuple[int, int], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = field(
        default_factory=dict, init=False, repr=False
    )

    @cached_property
    def decisive(self) -> npt.NDArray[np.bool_]:
        """Which tensors may carry a verdict, bool [t]."""
        return np.array([tensor.decisive for tensor in self.tensors], np.bool_)

    def correlations(self, i: int, j: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Those of every tensor, as `correlations` gives them; kept, since every group of tensors asks."""
        if (i, j) not in self._known:
            self._known[i, j] = correlations(self.moments, i, j)
        return self._known[i, j]

    def rows(self, members: npt.ArrayLike) -> Moments:
        """Moments of some tensors, added up."""
        return self.moments[np.asarray(members, np.int64)].total()

    def groups(self, key: Callable[[AlignedTensor], Hashable]) -> dict[Hashable, list[int]]:
        """Tensor rows by key, in order of first appearance; a key of None leaves a tensor out."""
        found: dict[Hashable, list[int]] = {}
        for row, tensor in enumerate(self.tensors):
            value = key(tensor)
            if value is not None:
                found.setdefault(value, []).append(row)
        return found


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


def measure(table: Table, name: str, members: Sequence[int], *, mixed: bool = True, **fixed: object) -> Measures:
    """The measures of some tensors together; `fixed` sets further fields of the row (layer, component, alpha ...).

    Without `mixed` those that only mean something for a mixture are left out.
    """
    moments = table.rows(members)
    elements = moments.elements
    tensors = [table.tensors[row] for row in members]
    values: dict[str, object] = {
        "name": name,
        "elements": elements,
        "decisive": any(tensor.decisive for tensor in tensors),
        "nonfinite": moments.count(NONFINITE),
        "guessed": any(tensor.guessed for tensor in tensors),
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
        values["note"] = "no finite element"
    return Measures.model_validate(values | fixed)


def measure_each(table: Table, *, mixed: bool = True) -> tuple[Measures, ...]:
    """The measures of every tensor, row by row what `measure` gives for it alone; correlations within rounding.

    Columns are taken once for all rows: a large model has 95,000.
    """
    moments, n = table.moments, table.moments.n
    parents = list(enumerate(table.labels))[1:]
    equal = [moments.counts[:, FIRST_PAIR + layout(n).pairs.index((0, parent))].tolist() for parent, _ in parents]
    known = [table.correlations(0, parent)[0] for parent, _ in parents]
    correlated = [np.where(np.isfinite(values), values, np.nan).tolist() for values in known]
    bits = None if table.slot is None else moments.counts[:, layout(n).recipe + table.slot].tolist()
    fits = _each_fit(moments) if mixed and n > 2 else [None] * len(table.tensors)
    counts, found = moments.counts[:, :FIRST_PAIR].tolist(), []
    for row, (tensor, fit) in enumerate(zip(table.tensors, fits, strict=True)):
        elements = counts[row][ELEMENTS]
        values: dict[str, object] = {
            "name": tensor.name, "layer": tensor.layer, "component": str(tensor.component), "expert": tensor.expert,
            "elements": elements, "decisive": tensor.decisive, "nonfinite": counts[row][NONFINITE],
            "guessed": tensor.guessed,
        }  # fmt: skip
        if elements:
            values["equal"] = {label: same[row] / elements for (_, label), same in zip(parents, equal, strict=True)}
            values["raw_correlation"] = {
                label: None if elements < 2 or math.isnan(column[row]) else column[row]
                for (_, label), column in zip(parents, correlated, strict=True)
            }
            agree = counts[row][PARENTS_AGREE]
            differ = elements - agree
            if mixed and n > 2 and agree:
                values["agreement"] = counts[row][ALL_EQUAL] / agree
            if mixed and n > 2 and differ:
                values["betweenness"] = (counts[row][BETWEEN] - counts[row][ALL_EQUAL]) / differ
            if mixed and bits is not None:
                values["bit_equal"] = bits[row] / elements
        if fit is not None:
            values["least_squares"] = _shown(fit)
            if fit.reason:
                values["note"] = fit.reason
        if not elements:
            values["note"] = "no finite element"
        found.append(Measures.model_validate(values))
    return tuple(found)


def _each_fit(moments: Moments) -> list[OneParent]:
    """`least_squares` of every row."""
    n = moments.n
    if n > 3:
        return [least_squares(moments[row]) for row in range(len(moments.counts))]
    sums = moments.sums[:, [n + 1, 1, 0, *range(layout(n).gram, layout(n).gram + 3)]].tolist()
    counts = moments.counts[:, [ELEMENTS, BLOCKS]].tolist()
    return [
        fit_one(uu, uv, vv, elements, BlockSums(blocks, *squares))
        for (uu, uv, vv, *squares), (elements, blocks) in zip(sums, counts, strict=True)
    ]


def _shown(fit: OneParent) -> LeastSquares:
    return LeastSquares(alpha=fit.alpha, collinearity=fit.collinearity, z=fit.z, standard_error=fit.standard_error)


def mean_correlation(table: Table, members: Sequence[int], i: int, j: int) -> float | None:
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


def correlations(moments: Moments, i: int, j: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean-centred correlation of checkpoints i and j, and elements, for every row at once; NaN without variance."""
    n, last = moments.n, moments.n - 1
    elements = moments.counts[:, 0].astype(np.float64)
    upper = [(a, b) for a in range(n + 1) for b in range(a, n + 1)]

    def column(a: int, b: int) -> npt.NDArray[np.float64]:
        return np.asarray(moments.sums[:, upper.index((min(a, b), max(a, b)))], np.float64)

    def parts(which: int) -> list[int]:
        return [last] if which == last else [which, last]

    with np.errstate(invalid="ignore", divide="ignore"):

        def product(a: int, b: int) -> npt.NDArray[np.float64]:
            raw = sum(column(p, q) for p in parts(a) for q in parts(b))
            mean_a, mean_b = sum(column(p, n) for p in parts(a)), sum(column(q, n) for q in parts(b))
            return np.asarray(raw - mean_a * mean_b / elements, np.float64)

        scale = np.sqrt(product(i, i) * product(j, j))
        return np.clip(np.where(scale > 0, product(i, j) / scale, np.nan), -1, 1), elements
