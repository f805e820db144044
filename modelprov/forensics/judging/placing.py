"""What all decisive tensors together say: kinship, and the place among the parents. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.at_their_places import change_by_size, equal_beyond_chance, pruned, quadrants
from modelprov.forensics.estimators.likelihood import Likelihood
from modelprov.forensics.estimators.precision import rounded_twice
from modelprov.forensics.estimators.scaled import Scaled, scaled
from modelprov.forensics.judging.components import follows_another, held_whole
from modelprov.forensics.judging.evidence import Evidence
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.held_bits import beneath, held_parents, kin_tensors, patched, same_matrices
from modelprov.forensics.judging.line import collinearity, straightness, weights_of
from modelprov.forensics.judging.part_alphas import part_weights, spread, spread_of_weights
from modelprov.forensics.judging.roles import between
from modelprov.forensics.judging.rows import mean_correlation
from modelprov.forensics.judging.sides import towards
from modelprov.forensics.judging.trace import trace
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.search.fits import Fits, is_exact, subsample
from modelprov.forensics.sums.moments import ALL_EQUAL, NONFINITE, Int64, Moments
from modelprov.forensics.thresholds import BEYOND, COMPLETE, DISTINCT, KIN, LAYERS_MEASURED, NEAR

ROLES_ELEMENTS = 200_000
Float64 = npt.NDArray[np.float64]


def placed(of: Evidence, decisive: Int64, facts: Facts) -> Facts:
    """The same facts with what all decisive tensors say: kinship, and the place among the parents."""
    table, fits = of.table, of.fits
    total, everything = table.rows(decisive), table.moments.total()
    n, elements, nonfinite = total.n, total.elements, total.count(NONFINITE)
    same = held_parents(table, decisive)
    weights, errors = weights_of(total, fits)
    components = _fitted_components(of)
    correlated = tuple(mean_correlation(table, decisive, 0, parent) for parent in range(1, n))
    return replace(
        facts,
        finite=elements / (elements + nonfinite) if elements + nonfinite else 1.0,
        compared=of.compared[0],
        compared_decisive=of.compared[1],
        identical=tuple(same),
        beneath=beneath(of.sample, same),
        patched=not same and patched(table, decisive),
        alike=everything.equal(0, same[0]) / everything.elements if same else 1.0,
        equal=tuple(total.equal(0, parent) / elements if elements else 0.0 for parent in range(1, n)),
        same_matrices=same_matrices(table, decisive),
        matrices=len(decisive),
        correlations=correlated,
        **_at_their_places(of, correlated, weights),
        kin_tensors=kin_tensors(table, decisive),
        between=between(total),
        other_exact=_other_exact(total, fits),
        towards=towards(fits, weights),
        weights=weights,
        weight_error=None if errors is None else errors[-1],
        weight_errors=errors,
        collinearity=collinearity(total, fits),
        straightness=straightness(total, fits, weights),
        spread=_spread(of, components),
        whole=held_whole(table),
        follows=follows_another({**of.parts.get("component", {}), **components}, weights),
        boundary=fits is not None and fits.likelihood.sigma_at_boundary,
        trace=trace(fits, None if table.slot is None else of.recipes[table.slot]),
    )


class _AtPlaces(TypedDict, total=False):
    signs: tuple[float | None, ...]
    beyond_chance: tuple[float, ...]
    proportional: tuple[float, float] | None
    scaled: Scaled | None
    rounded_twice: bool
    pruned: tuple[int, float] | None
    near_mixture: bool


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
        measured: _AtPlaces = {
            "signs": quadrants(some, parents),
            "scaled": None if any(of.packed) else scaled(some),
            "pruned": _pruned(some, parents),
        }
        if near:
            parent = shares.index(max(shares))
            measured["proportional"] = change_by_size(of.sample, parent)
            measured["rounded_twice"] = rounded_twice(of.sample) == parent + 1
            measured["near_mixture"] = _is_mixture(some, parent)
        return measured
    return {
        "signs": quadrants(of.sample, parents),
        "beyond_chance": tuple(equal_beyond_chance(of.sample, parent) for parent in parents),
    }


def _pruned(sample: Sample, parents: Sequence[int]) -> tuple[int, float] | None:
    """The parent, 1 ... k, whose bits the suspect has but for zeros, and the share of these; of several the nearest."""
    shares = {parent: share for parent in parents if (share := pruned(sample, parent)) is not None}
    if not shares:
        return None
    nearest = max(shares, key=lambda parent: np.count_nonzero(sample.suspect == sample.parents[parent]))
    return nearest + 1, shares[nearest]


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


def _is_mixture(sample: Sample, parent: int) -> bool:
    """Whether a parent, 0 ... k - 1, is an exact mixture of two others: a relative of it may be in nothing new."""
    own = sample.with_roles(parent + 1)
    others = [other for other in range(len(own.parents)) if other != parent]
    return any(_is_between(own, pair) for pair in combinations(others, 2))


def _is_between(sample: Sample, pair: tuple[int, int]) -> bool:
    """Whether the suspect of this sample is an exact mixture of two of its parents, and none of both alone."""
    first, second = (sample.parents[parent] for parent in pair)
    same = first == second
    distinct = np.count_nonzero((sample.suspect != first) & (sample.suspect != second) & ~same)
    astray = np.count_nonzero((sample.suspect != first) & same)
    if distinct < DISTINCT or astray > (1 - COMPLETE) * np.count_nonzero(same):
        return False
    peak = interval.fit(interval.element_intervals(sample.of_parents(pair)))
    return is_exact(peak) and peak.low is not None and peak.high is not None and 0 < peak.low <= peak.high < 1


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
