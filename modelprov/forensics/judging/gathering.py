"""Gathers, from the sums of the sweep and the fits of the sample, the facts that the rules look at. Decides nothing.

Only decisive tensors count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.types import Packing
from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.at_their_places import change_by_size, equal_beyond_chance, quadrants
from modelprov.forensics.estimators.likelihood import Likelihood
from modelprov.forensics.estimators.precision import Precision, precisions, short
from modelprov.forensics.judging.components import follows_another, held_whole
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.held_bits import beneath, bit_equal, held_parents, kin_tensors, patched
from modelprov.forensics.judging.line import collinearity, straightness, weights_of
from modelprov.forensics.judging.mixtures import exact_rule
from modelprov.forensics.judging.part_alphas import PartAlpha, part_weights, spread, spread_of_weights
from modelprov.forensics.judging.roles import between
from modelprov.forensics.judging.rows import Table, agreement, betweenness, mean_correlation
from modelprov.forensics.judging.sides import sides, towards
from modelprov.forensics.judging.trace import trace
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.sampling.scout import Strata
from modelprov.forensics.search.before_quantising import before_quantising
from modelprov.forensics.search.fewer import of_parents, used
from modelprov.forensics.search.fits import Fits, is_exact, subsample
from modelprov.forensics.search.reversal import beside, centred, extrapolated
from modelprov.forensics.search.weighted_sum import WeightedSum, distinct
from modelprov.forensics.sums.moments import (
    ALL_EQUAL,
    ELEMENTS,
    NONFINITE,
    PARENTS_AGREE,
    Int64,
    Moments,
    layout,
)
from modelprov.forensics.thresholds import (
    BEYOND,
    BLENDED,
    COMPLETE,
    DISTINCT,
    HALF,
    KIN,
    LAYERS_MEASURED,
    MISSED,
    MISSED_FEW,
    NEAR,
    NO_SHARE,
    REPRODUCED,
)

ROLES_ELEMENTS = 200_000
Float64 = npt.NDArray[np.float64]
Parts = Mapping[str, Mapping[object, PartAlpha]]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the facts are drawn from: sums, fits, swept recipes, the coefficients of parts, the shares compared.

    Those are the shares of all the suspect's weights, and of those that may carry a verdict. `sample` is the decisive
    part of the sample, also where a single parent leaves nothing to fit. `packed`: how each argument is packed.
    """

    table: Table
    strata: Strata
    fits: Fits | None
    recipes: Sequence[WeightedSum]
    parts: Parts
    seed: int
    compared: tuple[float, float] = (1.0, 1.0)
    sample: Sample | None = None
    packed: tuple[Packing | None, ...] = ()


def gather(of: Evidence) -> Facts:
    """The facts about the decisive tensors.

    What is exact is measured where the best recipe reproduces the bits, if that is most of the weights, else where the
    exact fit holds. Tensors that the recipe fails in were changed afterwards; no other tensor hides them.
    """
    decisive = np.flatnonzero(of.table.decisive)
    rows = explained_rows(of.strata, of.fits, decisive)
    fitted = _exactness(of, decisive, rows)
    if fitted.explained < 1 or exact_rule(fitted) != "exact-to-rounding":
        others = whole_rows(of.table, decisive)
        remade = _exactness(of, decisive, others)
        if remade.explained >= HALF and exact_rule(remade) == "reproduced":
            rows, fitted = others, remade
    return _guarded(of, _placed(of, decisive, fitted), rows)


def explained_rows(strata: Strata, fits: Fits | None, decisive: Int64) -> Int64:
    """The decisive tensors that the exact fit, if any, explains."""
    if fits is None or fits.exact is None:
        return decisive
    return decisive[fits.exact.explained[strata.of_tensor[decisive]]]


def whole_rows(table: Table, rows: Int64) -> Int64:
    """Leave out the tensors where the recipe misses more than single bits of those in which the parents differ."""
    if table.slot is None or not rows.size:
        return rows
    counts = table.moments.counts[rows]
    missed = counts[:, ELEMENTS] - counts[:, layout(table.moments.n).recipe + table.slot]
    differ = counts[:, ELEMENTS] - counts[:, PARENTS_AGREE]
    return rows[(missed <= MISSED * differ) | (missed < MISSED_FEW)]


def _best_weights(of: Evidence, facts: Facts) -> Float64 | None:
    """Weights float64 [strata, k] of the recipe that reproduces the bits, else of the exact fit, else of the recipe."""
    recipe = None if of.table.slot is None else of.recipes[of.table.slot].weights
    exact = None if of.fits is None or of.fits.exact is None else of.fits.exact.weights
    return recipe if (facts.bit_equal or 0) >= REPRODUCED or exact is None else exact


def _exactness(of: Evidence, decisive: Int64, rows: Int64) -> Facts:
    """What rules 6 and 7 look at, measured in the decisive tensors `rows`."""
    table = of.table
    total, part = table.rows(decisive), table.rows(rows)
    facts = Facts(
        elements=total.elements,
        parents=total.n - 1,
        bit_equal=bit_equal(part, table.slot),
        missed=0 if table.slot is None else part.elements - part.recipe(table.slot),
        distinct=_distinct(part),
        exact=of.fits is not None and of.fits.exact is not None,
        explained=part.elements / total.elements if total.elements else 0.0,
        agreement=agreement(part)[0],
        betweenness=betweenness(part)[0],
        blends=False,
    )
    weights = _best_weights(of, facts)
    if weights is None or not rows.size:
        return facts
    rows_used, _ = distinct(weights[np.flatnonzero(np.bincount(of.strata.of_tensor[rows]))])
    blended = rows[((weights != 0).sum(axis=1) > 1)[of.strata.of_tensor[rows]]]
    return replace(
        facts,
        mixes=int((rows_used != 0).any(axis=0).sum()) > 1,
        blends=_blends(part, table.rows(blended)) if blended.size else False,
        pieces=len(rows_used),
        interior=bool(rows_used.min() >= 0),
    )


def _distinct(part: Moments) -> int:
    """Elements that tell a mixture from each parent alone: those that do not hold its bits, fewest over the parents."""
    return min(part.elements - part.equal(0, parent) for parent in range(1, part.n))


def _blends(part: Moments, blended: Moments) -> bool:
    """Whether the pieces that are mixtures by themselves are enough of what differs for the guards to look at them."""
    apart, all_apart = (one.elements - one.count(PARENTS_AGREE) for one in (blended, part))
    return _distinct(blended) >= DISTINCT and apart >= BLENDED * all_apart


def _placed(of: Evidence, decisive: Int64, facts: Facts) -> Facts:
    """The same facts with what all decisive tensors say: kinship, and the place among the parents."""
    table, fits = of.table, of.fits
    total, everything = table.rows(decisive), table.moments.total()
    n, elements, nonfinite = total.n, total.elements, total.count(NONFINITE)
    same = held_parents(table, decisive)
    weights, error = weights_of(total, fits)
    components = _fitted_components(of)
    correlated = tuple(mean_correlation(table, decisive, 0, parent) for parent in range(1, n))
    return replace(
        facts,
        finite=elements / (elements + nonfinite) if elements + nonfinite else 0.0,
        compared=of.compared[0],
        compared_decisive=of.compared[1],
        identical=tuple(same),
        beneath=beneath(of.sample, same),
        patched=not same and patched(table, decisive),
        alike=everything.equal(0, same[0]) / everything.elements if same else 1.0,
        equal=tuple(total.equal(0, parent) / elements if elements else 0.0 for parent in range(1, n)),
        correlations=correlated,
        **_at_their_places(of, correlated, weights),
        kin_tensors=kin_tensors(table, decisive),
        between=between(total),
        other_exact=_other_exact(total, fits),
        towards=towards(fits, weights),
        weights=weights,
        weight_error=error,
        collinearity=collinearity(total, fits),
        straightness=straightness(total, fits, weights),
        spread=_spread(of, components),
        whole=held_whole(table),
        follows=follows_another({**of.parts.get("component", {}), **components}, weights),
        boundary=fits is not None and fits.likelihood.sigma_at_boundary,
        trace=trace(fits, None if table.slot is None else of.recipes[table.slot]),
    )


def _guarded(of: Evidence, facts: Facts, rows: Int64) -> Facts:
    """The same facts with what single elements of the tensors `rows` say against a mixture."""
    judged = None if of.fits is None or not rows.size else of.fits.of_tensors(rows)
    best = _best_weights(of, facts)
    likely = None if facts.weights is None else np.tile(facts.weights, (len(of.strata.names), 1))
    back = None
    if judged is not None and best is not None and (facts.bit_equal or 0) >= REPRODUCED and len(used(best)) > 1:
        parents = used(best)  # what has no part in a recipe that gives the bits says nothing against it
        back = beside(judged, best)
    else:
        parents = tuple(range(facts.parents))
    asked = None if judged is None else of_parents(judged, parents)
    own = None if best is None else best[:, list(parents)]
    with ThreadPoolExecutor(1) as aside:  # each looks at the whole sample, and none at the others' answers
        middle = aside.submit(centred, asked, own, of.seed)
        side = sides(judged, likely if best is None or not rows.size else best)
        beyond = extrapolated(asked, own)
    return replace(
        facts,
        extrapolated=_named(parents, beyond),
        centred=_named(parents, middle.result()),
        made_from=back,
        short=judged is None or short(judged.sample),
        precision=_precision(of),
        packed=of.packed,
        falls_back=_falls_back(judged, best, facts, of),
        ties=side.ties,
        ties_even=side.even / side.ties if side.ties else None,
        ties_firm=side.firm,
        slight=side.slight,
        roomy=side.roomy,
        strictly=side.strictly / side.expected if side.expected else None,
    )


def _falls_back(fits: Fits | None, best: Float64 | None, facts: Facts, of: Evidence) -> int | None:
    """Of a quantised suspect the parent, 1 ... k, that was made from it, as its mixture with another shows."""
    if fits is None or not of.packed or of.packed[0] is None:
        return None
    if best is None and facts.weights is not None:
        best = np.tile(facts.weights, (len(of.strata.names), 1))
    parents = () if best is None else tuple(np.flatnonzero(np.abs(best).max(axis=0) > NO_SHARE).tolist())
    if best is None or len(parents) < 2:
        return None
    own = best[:, list(parents)]
    asked, own = before_quantising(of_parents(fits, parents), own / own.sum(axis=1, keepdims=True))
    found = extrapolated(asked, own)
    return _named(parents, centred(asked, own, of.seed) if found is None else found)


def _named(parents: Sequence[int], found: int | None) -> int | None:
    """A parent's number among all, 1 ... k, from that among some of them."""
    return None if found is None else parents[found - 1] + 1


class _AtPlaces(TypedDict, total=False):
    signs: tuple[float | None, ...]
    beyond_chance: tuple[float, ...]
    proportional: tuple[float, float] | None


def _at_their_places(of: Evidence, correlated: Sequence[float | None], weights: tuple[float, ...] | None) -> _AtPlaces:
    """What raw correlations hide: signs, of strangers equal bits, of a parent's neighbour how its weights changed.

    Measured where a rule asks for it: each takes a sort of the whole sample.
    """
    known = [value for value in correlated if value is not None]
    if of.sample is None or not known:
        return {}
    parents = range(len(of.sample.parents))
    if max(known) >= KIN:
        shares = (1.0,) if len(parents) == 1 else weights or (0.0,)
        near = NEAR < max(shares) <= BEYOND
        some = subsample(of.sample, ROLES_ELEMENTS, 0)
        measured: _AtPlaces = {"signs": quadrants(some, parents)}
        if near:
            measured["proportional"] = change_by_size(of.sample, shares.index(max(shares)))
        return measured
    return {
        "signs": quadrants(of.sample, parents),
        "beyond_chance": tuple(equal_beyond_chance(of.sample, parent) for parent in parents),
    }


def _precision(of: Evidence) -> tuple[Precision, ...]:
    if of.sample is None:
        return ()
    declared = np.zeros((len(of.table.labels), len(of.table.tensors)), np.int64)
    for row in np.flatnonzero(np.bincount(of.sample.group)).tolist():
        declared[:, row] = [view.ref.dtype.code for view in of.table.tensors[row].views]
    found = precisions(of.sample, declared)
    if not of.packed:
        return found
    forms = (None if packing is None else Precision(packing.format, packing.format) for packing in of.packed)
    return tuple(form or measured for form, measured in zip(forms, found, strict=True))


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


def _fitted_components(of: Evidence) -> dict[object, Likelihood]:
    """What the likelihood says of each component by itself; `of.parts` says it of one parent beside the reference."""
    if of.fits is None or len(of.fits.sample.parents) == 2:
        return {}
    strata, last = np.unique(of.strata.of_tensor[::-1], return_index=True)
    rows = len(of.strata.of_tensor) - 1 - last
    components = {s: of.table.tensors[row].component for s, row in zip(strata.tolist(), rows.tolist(), strict=True)}
    return part_weights(of.fits, components, of.seed)


def _spread(of: Evidence, components: Mapping[object, Likelihood]) -> float | None:
    """How much a parent's weight varies between layers or between components, beyond errors.

    None below three measured layers: two that happen to agree are no sign that all do.
    """
    if of.fits is None:
        return None
    if len(of.fits.sample.parents) == 2:
        over_layers = spread(of.parts.get("layer", {}), LAYERS_MEASURED)
        over_components = spread(of.parts.get("component", {}))
    else:
        layers = {stratum: layer for stratum, layer in enumerate(of.strata.layers) if layer is not None}
        over_layers = spread_of_weights(part_weights(of.fits, layers, of.seed).values(), LAYERS_MEASURED)
        over_components = spread_of_weights(components.values())
    return None if over_layers is None else max(over_layers, over_components or 0.0)
