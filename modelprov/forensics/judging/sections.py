"""Builds the sections of a result from fits and sums: mixing, reproduction, after the merge. Judges nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.clustered import NORMAL_95
from modelprov.forensics.estimators.least_squares import coefficient_sum, fit_many
from modelprov.forensics.judging.found_recipe import found_recipe
from modelprov.forensics.judging.part_alphas import moved_along
from modelprov.forensics.judging.rows import Table, agreement, betweenness, least_squares
from modelprov.forensics.judging.trace import Trace
from modelprov.forensics.mixing import (
    CandidateRecipe,
    Coefficient,
    CurvePoint,
    LeastSquares,
    Mixing,
    RecipeGroup,
    Reproduction,
)
from modelprov.forensics.results import AfterMerge
from modelprov.forensics.sampling.scout import Strata
from modelprov.forensics.search.fits import Fits
from modelprov.forensics.search.recipes import Scored
from modelprov.forensics.search.weighted_sum import WeightedSum, distinct
from modelprov.forensics.sums.moments import Moments
from modelprov.recipes.arithmetics import programs_of
from modelprov.recipes.tensor_groups import describe, group_of
from modelprov.recipes.weights_in_words import weighting

ONE_PARENT = "mixing needs at least two parents; only one was given"
_Bounds = list[tuple[float | None, float | None, float | None]]
ALONG = "a change along the line between the parents cannot be told from another share"
ASIDE = f"what was added ran at 45 degrees or more to the line between the parents: {ALONG}"
UNMOVED = f"nothing was added afterwards: {ALONG}"
NO_SAMPLE = "no decisive tensor (a matrix of at least 16 x 16) could be sampled"


def mixing(moments: Moments, fits: Fits | None, labels: Sequence[str], remade: Scored | None = None) -> Mixing:
    """How much of each parent: least squares from all decisive sums, bounds from the sample.

    `remade` is the recipe that explains the bits, of all or of most strata, if one does: then the bounds are those of
    the weights that do.
    """
    if moments.n < 3:
        return Mixing(reason=ONE_PARENT)
    gram, deltas = moments.gram(), moments.n - 1
    joint = fit_many(gram[1:deltas, 1:deltas], gram[1:deltas, 0], gram[0, 0])
    one = least_squares(moments)
    raw = coefficient_sum(gram[1 : deltas + 1, 1 : deltas + 1], gram[1 : deltas + 1, 0], gram[0, 0], moments.elements)
    fields: dict[str, object] = {
        "least_squares": LeastSquares(
            alpha=one.alpha, collinearity=one.collinearity, z=one.z, standard_error=one.standard_error
        ),
        "coefficient_sum": raw.total,
        "r_squared": joint.r_squared,
        "condition_number": joint.condition_number,
        "reason": one.reason,
    }
    bounds: _Bounds = [(None, None, None)] * (deltas - 1)
    if fits is None:
        fields["reason"] = NO_SAMPLE
    else:
        bounds, method = _bounds(fits, deltas - 1, remade)
        fields |= {
            "method": method,
            "assumes": ASIDE if method == "likelihood" else UNMOVED if method else None,
            "coverage": fits.covering,
            "null_coverage": fits.null_coverage,
            "informative_elements": fits.exact.informative if fits.exact else fits.peak.informative,
            "coverage_curve": _curve(fits) if deltas == 2 else (),
        }
        if method is None and one.alpha is not None:
            error = one.standard_error
            low, high = (one.alpha - NORMAL_95 * error, one.alpha + NORMAL_95 * error) if error else (None, None)
            bounds[0] = (one.alpha, low, high)
            fields["method"] = "least squares"
    fields |= dict(zip(("alpha", "low", "high"), bounds[0], strict=True))
    fields["coefficients"] = tuple(
        Coefficient(
            parent=labels[parent],
            alpha=bounds[parent - 1][0],
            low=bounds[parent - 1][1],
            high=bounds[parent - 1][2],
            least_squares=joint.alphas[parent - 1] if joint.alphas else None,
            simplex=joint.simplex[parent - 1] if joint.simplex else None,
        )
        for parent in range(1, deltas)
    )
    return Mixing.model_validate(fields)


def _bounds(fits: Fits, deltas: int, remade: Scored | None) -> tuple[_Bounds, str | None]:
    """(alpha, low, high) of every parent beside the reference: of the largest piece, else by likelihood."""
    if remade is not None and remade.low is not None and remade.high is not None:
        return _of_largest(fits, remade.recipe.weights, remade.low, remade.high, remade.explained), "same bits"
    if fits.exact is not None:
        return _of_largest(fits, fits.exact.weights, fits.exact.low, fits.exact.high), "rounding interval"
    ml = fits.likelihood
    if ml.converged and ml.alphas is not None and ml.standard_errors is not None:
        along = moved_along(ml.sigma_relative)
        halves = [NORMAL_95 * error + along for error in ml.clustered_errors or ml.standard_errors]
        return [(a, a - half, a + half) for a, half in zip(ml.alphas, halves, strict=True)], "likelihood"
    return [(None, None, None)] * deltas, None


def _of_largest(
    fits: Fits, weights: Float64, low: Float64, high: Float64, explained: npt.NDArray[np.bool_] | None = None
) -> _Bounds:
    """(weight, low, high) by parent, of the piece that has most sampled elements it explains; arrays by stratum."""
    elements = np.bincount(fits.stratum, minlength=len(weights)) * (1 if explained is None else explained)
    rows, which = distinct(weights)
    largest = int(np.argmax(np.bincount(which, elements, len(rows))))
    at = int(np.flatnonzero(which == largest)[0])
    return [(float(w), float(a), float(b)) for w, a, b in zip(rows[largest], low[at], high[at], strict=False)]


def _curve(fits: Fits) -> tuple[CurvePoint, ...]:
    alphas, shares = interval.coverage_curve(fits.intervals, fits.peak)
    return tuple(CurvePoint(alpha=float(a), share=float(s)) for a, s in zip(alphas, shares, strict=True))


def reproduction(
    table: Table, strata: Strata, recipes: Sequence[WeightedSum], order: Sequence[int], runners_up: Sequence[Scored],
    locations: Sequence[str],
) -> Reproduction:  # fmt: skip
    """What the candidate recipes reproduce: `order` lists the slots of `recipes`, best first, over all elements read.

    `runners_up` were beaten in the sample already; their shares are the sample's.
    """
    total = table.moments.total()
    if not recipes or not total.elements:
        reason = ONE_PARENT if table.moments.n < 3 else "no candidate recipe came out of the sample"
        return Reproduction(reason=reason)
    candidates = [
        _candidate(recipes[slot], strata, table, total.recipe(slot) / total.elements, total.elements) for slot in order
    ]
    candidates += [_candidate(one.recipe, strata, table, one.share, one.elements) for one in runners_up]
    best = candidates[0]
    return Reproduction(
        recipe=best.description,
        arithmetic=best.arithmetic,
        programs=programs(candidates),
        bit_equal=best.bit_equal,
        elements=best.elements,
        groups=best.groups,
        yaml=found_recipe(recipes[order[0]], best, table, locations).as_yaml(),
        candidates=tuple(candidates),
    )


def programs(candidates: Sequence[CandidateRecipe]) -> str | None:
    """Known programs that compute as the best candidate does; None where another arithmetic does as well."""
    best = candidates[0]
    as_good = {programs_of(one.arithmetic) for one in candidates if one.bit_equal == best.bit_equal}
    return (programs_of(best.arithmetic) or None) if len(as_good) == 1 else None


def _candidate(recipe: WeightedSum, strata: Strata, table: Table, bit_equal: float, elements: int) -> CandidateRecipe:
    labels = table.labels[1:]
    groups = _groups(recipe, strata, table, labels)
    pieces = [f"{weighting([group.weights[label] for label in labels], labels)} in {group.tensors}" for group in groups]
    return CandidateRecipe(
        description="; ".join(pieces) if len(groups) > 1 else weighting(recipe.weights[0], labels),
        arithmetic=recipe.arithmetic_name(labels),
        groups=groups,
        bit_equal=bit_equal,
        elements=elements,
    )


def _groups(recipe: WeightedSum, strata: Strata, table: Table, labels: Sequence[str]) -> tuple[RecipeGroup, ...]:
    """The recipe's pieces, largest first."""
    counts = np.bincount(strata.of_tensor, table.sizes, minlength=len(strata.names))
    rows, which = distinct(recipe.weights)
    groups = []
    for row, weights in enumerate(rows):
        members = np.flatnonzero(which == row).tolist()
        groups.append(
            RecipeGroup(
                tensors=describe(group_of(members, strata.layers, strata.kinds)),
                weights=dict(zip(labels, map(float, weights), strict=True)),
                elements=int(counts[members].sum()),
            )
        )
    return tuple(sorted(groups, key=lambda group: -group.elements))


def after_merge(moments: Moments, fits: Fits | None, reproduced: bool, beyond: Trace | None = None) -> AfterMerge:
    """What happened after the merge; `reproduced` when a recipe with rounding of its own explains every bit.

    `beyond`: what was measured from a recipe's own numbers, where the suspect keeps most of their rounding.
    """
    if moments.n < 3:
        return AfterMerge(reason=ONE_PARENT)
    agree, agree_elements = agreement(moments)
    inside, inside_elements = betweenness(moments)
    fields: dict[str, object] = {
        "agreement": agree,
        "agreement_elements": agree_elements,
        "betweenness": inside,
        "betweenness_elements": inside_elements,
    }
    if fits is None:
        return AfterMerge.model_validate(fields | {"reason": NO_SAMPLE})
    ml = fits.likelihood
    if reproduced:
        fields |= {"sigma": 0.0, "sigma_relative": 0.0, "reason": "the recipe reproduces the bits: nothing was added"}
    elif beyond is not None:
        fields |= {
            "sigma": beyond.beside,
            "sigma_relative": beyond.relative,
            "reason": "measured from what the recipe gives, rounding included",
        }
    elif ml.sigma_at_boundary:
        upper = f" (95 % upper bound {ml.sigma_upper:.2g})" if ml.sigma_upper is not None else ""
        fields |= {"sigma": 0.0, "sigma_relative": 0.0, "reason": f"no more than rounding{upper}"}
    elif ml.sigma is not None:
        fields |= {
            "sigma": ml.sigma,
            "sigma_standard_error": ml.sigma_standard_error,
            "sigma_relative": ml.sigma_relative,
        }
    if ml.alphas is not None and not reproduced:
        fields["alpha"] = ml.alphas[0]
        errors = ml.clustered_errors or ml.standard_errors
        fields["alpha_standard_error"] = errors[0] if errors else None
    return AfterMerge.model_validate(fields | ({"reason": ml.reason} if ml.reason and beyond is None else {}))
