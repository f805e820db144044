"""Gathers, from the sums of the sweep and the fits of the sample, the facts that the rules of the verdict look at.

Only decisive tensors count. Decides nothing: the thresholds of the rules stand in `verdict.py`, those of a measure
beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.least_squares import fit_many
from modelprov.forensics.estimators.precision import short
from modelprov.forensics.judging.part_alphas import PartAlpha, part_weights, spread, spread_of_weights
from modelprov.forensics.judging.reversal import centred, extrapolated
from modelprov.forensics.judging.roles import between
from modelprov.forensics.judging.rows import Table, agreement, betweenness, correlations, mean_correlation
from modelprov.forensics.judging.sides import sides, towards
from modelprov.forensics.judging.verdict import COMPLETE, DISTINCT, HALF, KIN, MISSED, REPRODUCED, Facts, exact_rule
from modelprov.forensics.sampling.scout import Strata
from modelprov.forensics.search.fits import Fits, is_exact, subsample
from modelprov.forensics.search.weighted_sum import WeightedSum
from modelprov.forensics.sums.moments import ALL_EQUAL, ELEMENTS, NONFINITE, PARENTS_AGREE, Moments, layout

ROLES_ELEMENTS = 200_000
LAYERS = 3  # layers that must be measured before their evenness says anything
FEW = 10  # missed bits in a tensor that make no exception of it
Float64 = npt.NDArray[np.float64]
Parts = Mapping[str, Mapping[object, PartAlpha]]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the facts are drawn from: sums, fits, swept recipes, the coefficients of parts, the shares compared.

    Those are the shares of all the suspect's weights, and of those that may carry a verdict.
    """

    table: Table
    strata: Strata
    fits: Fits | None
    recipes: Sequence[WeightedSum]
    parts: Parts
    seed: int
    compared: tuple[float, float] = (1.0, 1.0)


def gather(of: Evidence) -> Facts:
    """The facts about the decisive tensors.

    What is exact is measured where the best recipe reproduces the bits, if that is most of the weights, else where the
    exact fit holds. Tensors that the recipe fails in were changed afterwards; no other tensor hides them.
    """
    decisive = [row for row, tensor in enumerate(of.table.tensors) if tensor.decisive]
    fitted = _facts(of, decisive, explained_rows(of.strata, of.fits, decisive))
    if fitted.explained < 1 or exact_rule(fitted) != "exact-to-rounding":
        remade = _facts(of, decisive, _without_exceptions(of.table, decisive))
        if remade.explained >= HALF and exact_rule(remade) == "reproduced":
            fitted = remade
    return replace(fitted, spread=_spread(of))


def explained_rows(strata: Strata, fits: Fits | None, decisive: Sequence[int]) -> list[int]:
    """The decisive tensors that the exact fit, if any, explains."""
    if fits is None or fits.exact is None:
        return list(decisive)
    return [row for row in decisive if fits.exact.explained[strata.of_tensor[row]]]


def _without_exceptions(table: Table, rows: Sequence[int]) -> list[int]:
    """Leave out the tensors where the recipe misses more than single bits of those in which the parents differ."""
    if table.slot is None or not rows:
        return list(rows)
    members = np.asarray(rows)
    counts = table.moments.counts[members]
    missed = counts[:, ELEMENTS] - counts[:, layout(table.moments.n).recipe + table.slot]
    differ = counts[:, ELEMENTS] - counts[:, PARENTS_AGREE]
    return [int(row) for row in members[(missed <= MISSED * differ) | (missed < FEW)]]


def _facts(of: Evidence, decisive: Sequence[int], explained: Sequence[int]) -> Facts:
    table, fits = of.table, of.fits
    total, everything, part = table.rows(decisive), table.moments.total(), table.rows(explained)
    n, elements, nonfinite = total.n, total.elements, total.count(NONFINITE)
    same = tuple(parent for parent in range(1, n) if elements and total.equal(0, parent) == elements)
    bit_equal = _bit_equal(part, table.slot)
    recipe = None if table.slot is None else of.recipes[table.slot].weights
    exact = None if fits is None or fits.exact is None else fits.exact.weights
    weights = recipe if (bit_equal or 0) >= REPRODUCED or exact is None else exact
    used = weights[np.unique(of.strata.of_tensor[list(explained)])] if weights is not None and explained else None
    shares, errors = _weights(total, fits)
    likely = None if shares is None else np.tile(shares, (len(of.strata.names), 1))
    judged = None if fits is None or not explained else fits.of_tensors(explained)
    side = sides(judged, likely if used is None else weights)
    return Facts(
        elements=elements,
        parents=n - 1,
        finite=elements / (elements + nonfinite) if elements + nonfinite else 0.0,
        compared=of.compared[0],
        compared_decisive=of.compared[1],
        identical=same,
        vectors_differ=bool(same) and everything.equal(0, same[0]) != everything.elements,
        correlations=tuple(mean_correlation(table, decisive, 0, parent) for parent in range(1, n)),
        kin_tensors=_kin_tensors(table, decisive),
        between=between(total),
        other_exact=_other_exact(total, fits),
        extrapolated=extrapolated(judged, weights),
        centred=centred(judged, weights, of.seed),
        short=judged is None or short(judged.sample),
        ties=side.ties,
        ties_even=side.even / side.ties if side.ties else None,
        ties_firm=side.firm,
        roomy=side.roomy,
        strictly=side.strictly / side.expected if side.expected else None,
        towards=towards(fits, shares),
        bit_equal=bit_equal,
        mixes=used is not None and int((np.abs(used) > 0).any(axis=0).sum()) > 1,
        blends=used is not None and int((np.abs(used) > 0).sum(axis=1).max()) > 1,
        pieces=1 if used is None else len(np.unique(used, axis=0)),
        missed=0 if table.slot is None else part.elements - part.recipe(table.slot),
        distinct=min(part.elements - part.equal(0, parent) for parent in range(1, n)),
        interior=used is None or bool(used.min() >= 0),
        exact=exact is not None,
        explained=part.elements / elements if elements else 0.0,
        agreement=agreement(part)[0],
        betweenness=betweenness(part)[0],
        weights=shares,
        weight_error=errors,
        collinearity=_collinearity(total, fits),
        straightness=_straightness(total, fits, shares),
        boundary=fits is not None and fits.likelihood.sigma_at_boundary,
    )


def _bit_equal(moments: Moments, slot: int | None) -> float | None:
    """Share of the elements where parents differ whose bits the recipe reproduces, at worst.

    All misses are charged to those elements, since where parents agree any recipe gives their value.
    """
    differ = moments.elements - moments.count(PARENTS_AGREE)
    if slot is None or differ <= 0:
        return None
    return max(0.0, 1 - (moments.elements - moments.recipe(slot)) / differ)


def _kin_tensors(table: Table, decisive: Sequence[int]) -> float:
    """Share of the elements that are in tensors whose raw weights correlate above `KIN` with some parent's."""
    if not decisive:
        return 0.0
    moments = table.moments[np.asarray(decisive)]
    found = [correlations(moments, 0, parent) for parent in range(1, moments.n)]
    with np.errstate(invalid="ignore"):
        kin = np.any([values > KIN for values, _ in found], axis=0)
    elements = found[0][1]
    return float(elements[kin].sum() / elements.sum()) if elements.sum() else 0.0


def _free(total: Moments) -> tuple[Float64, Float64, float]:
    """Gram of the deltas, their products with the suspect's delta, and its square, from all decisive elements."""
    gram, deltas = total.gram(), total.n - 1
    return gram[1:deltas, 1:deltas], gram[1:deltas, 0], float(gram[0, 0])


def _weights(total: Moments, fits: Fits | None) -> tuple[tuple[float, ...] | None, float | None]:
    """Weight of every parent, the reference last, by likelihood or else by least squares; the largest error."""
    if fits is not None and fits.likelihood.alphas is not None and fits.likelihood.converged:
        likely, errors = fits.likelihood.alphas, fits.likelihood.standard_errors
        return (*likely, 1.0 - sum(likely)), float(np.linalg.norm(errors)) if errors else None
    if total.n < 3:
        return None, None
    gram, products, square = _free(total)
    free = fit_many(gram, products, square).alphas
    if free is None:
        return None, None
    residual = max(square - float(products @ np.array(free)), 0.0) / max(total.elements, 1)
    return (*free, 1.0 - sum(free)), float(np.sqrt(residual * np.trace(np.linalg.inv(gram))))


def _collinearity(total: Moments, fits: Fits | None) -> float | None:
    """Collinearity freed of rounding where the likelihood gives it, else the plain one."""
    if fits is not None and fits.likelihood.collinearity is not None:
        return fits.likelihood.collinearity
    if total.n < 3:
        return None
    return fit_many(*_free(total)).collinearity


def _straightness(total: Moments, fits: Fits | None, weights: tuple[float, ...] | None) -> float | None:
    """Minus the cosine, at the suspect, between a parent and the mixture of the others; of the parent that gives most.

    With M the fitted mixture, D and E the distances from M to the parent and to that mixture of the others, and s what
    the suspect has beyond M in every element: (D E - s^2) / sqrt((D^2 + s^2)(E^2 + s^2)). 1 on the line between the
    two, 0 where training turned at a right angle (a random walk seen half-way does), unlike the collinearity, which
    nears 1 whenever the suspect is near the parent. The likelihood gives s free of rounding. None where no parent has
    a weight between 0 and 1: the suspect is outside.
    """
    if weights is None or total.n < 3:
        return None
    free = np.array(weights[:-1])
    if fits is not None and fits.likelihood.alphas is not None and fits.likelihood.converged:
        deltas = fits.sample.deltas
        gram = np.asarray(deltas @ deltas.T) / fits.sample.elements
        beyond = (fits.likelihood.sigma or 0.0) ** 2
    else:
        gram, products, square = _free(total)
        beyond = max(float(square - 2 * free @ products + free @ gram @ free), 0.0)
    found = []
    for parent, weight in enumerate(weights):
        if not 0 < weight < 1:
            continue
        way = (np.arange(len(free)) == parent) - free
        near = float(np.sqrt(max(way @ gram @ way, 0.0)))
        far = near * weight / (1 - weight)
        scale = np.sqrt((near**2 + beyond) * (far**2 + beyond))
        if scale > 0:
            found.append(float((near * far - beyond) / scale))
    return max(found, default=None)


def _other_exact(total: Moments, fits: Fits | None) -> int | None:
    """An argument other than the suspect that is an exact mixture of the suspect and the third (three checkpoints).

    Looked for in the rounding cells, whatever the angles: rounding alone can bend the line between near parents.
    """
    if fits is None or len(fits.sample.parents) != 2:
        return None
    some = subsample(fits.sample, ROLES_ELEMENTS, 0)
    for child, third in ((1, 2), (2, 1)):
        same, distinct = total.equal(0, third), total.elements - max(total.equal(0, child), total.equal(1, 2))
        if distinct < DISTINCT or (same and total.count(ALL_EQUAL) < COMPLETE * same):
            continue
        peak = interval.fit(interval.element_intervals(some.with_roles(child)))
        if is_exact(peak) and peak.low is not None and peak.high is not None and peak.low > 0 and peak.high < 1:
            return child
    return None


def _spread(of: Evidence) -> float | None:
    """How much a parent's weight varies between layers or between components, beyond errors.

    None below three measured layers: two that happen to agree are no sign that all do.
    """
    if of.fits is None:
        return None
    layers = {stratum: layer for stratum, layer in enumerate(of.strata.layers) if layer is not None}
    components = {int(stratum): of.table.tensors[row].component for row, stratum in enumerate(of.strata.of_tensor)}
    if len(of.fits.sample.parents) == 2:
        by_layer, by_component = (
            spread(of.parts.get(kind, {}), least) for kind, least in (("layer", LAYERS), ("component", 2))
        )
    else:
        by_layer, by_component = (
            spread_of_weights(part_weights(of.fits, keys, of.seed), least)
            for keys, least in ((layers, LAYERS), (components, 2))
        )
    return None if by_layer is None else max(by_layer, by_component or 0.0)
