"""Gathers, from the sums of the sweep and the fits of the sample, the facts that the rules look at. Decides nothing.

Only decisive tensors count.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from modelprov.forensics.estimators.precision import Precision, precisions, short
from modelprov.forensics.estimators.recoded import recoded
from modelprov.forensics.judging.evidence import Evidence
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.held_bits import bit_equal
from modelprov.forensics.judging.mixtures import exact_rule, traced
from modelprov.forensics.judging.placing import placed
from modelprov.forensics.judging.rows import Table, agreement, betweenness
from modelprov.forensics.judging.sides import sides
from modelprov.forensics.sampling.scout import Strata
from modelprov.forensics.search.before_quantising import before_quantising
from modelprov.forensics.search.fewer import of_parents, used
from modelprov.forensics.search.fits import Fits
from modelprov.forensics.search.reversal import beside, centred, extrapolated
from modelprov.forensics.search.weighted_sum import distinct
from modelprov.forensics.sums.moments import ELEMENTS, PARENTS_AGREE, Int64, Moments, layout
from modelprov.forensics.thresholds import BLENDED, DISTINCT, HALF, MISSED, MISSED_FEW, NO_SHARE, REPRODUCED

Float64 = npt.NDArray[np.float64]


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
    return _guarded(of, placed(of, decisive, fitted), rows)


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
        recoded=recoded(judged.sample, of.seed)
        if judged is not None and (exact_rule(facts) or traced(facts))
        else None,
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
