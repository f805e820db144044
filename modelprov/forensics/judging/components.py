"""What single components are: whose bits they hold as a whole, and which parent they follow. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modelprov.forensics.estimators.likelihood import Likelihood
from modelprov.forensics.judging.part_alphas import PartAlpha
from modelprov.forensics.judging.rows import COMPONENTS, Table, grouped
from modelprov.forensics.sums.moments import ELEMENTS, FIRST_PAIR, layout
from modelprov.forensics.thresholds import HALF, KNOWN, MINIMUM_ELEMENTS


def held_whole(table: Table) -> tuple[tuple[str, ...], ...]:
    """By parent: the components whose decisive tensors all hold its bits, where not every parent has those."""
    n = table.moments.n
    own = [FIRST_PAIR + layout(n).pairs.index((0, parent)) for parent in range(1, n)]
    held: list[list[str]] = [[] for _ in own]
    components = grouped(np.where(table.decisive, table.component, -1))
    for component, rows in components.items():
        counts = table.moments.counts[rows].sum(axis=0)
        same = counts[own] == counts[ELEMENTS]
        if counts[ELEMENTS] >= MINIMUM_ELEMENTS and (n == 2 or not same.all()):
            for parent in np.flatnonzero(same):
                held[parent].append(str(COMPONENTS[component]))
    return tuple(tuple(names) if len(names) < len(components) else () for names in held)


def follows_another(
    fitted: Mapping[object, Likelihood | PartAlpha], weights: Sequence[float] | None
) -> tuple[int, str] | None:
    """A parent (argument number), not the reference and not the heaviest, that has most of a component's weight."""
    if weights is None:
        return None
    heaviest = max(range(len(weights)), key=lambda parent: weights[parent])
    for component, fit in fitted.items():
        shares, errors = _measured(fit)
        if not shares or max(errors) > KNOWN:
            continue
        most = max(range(len(shares)), key=lambda parent: shares[parent])
        if most != heaviest and most < len(shares) - 1 and shares[most] > HALF:
            return most + 1, str(component)
    return None


def _measured(fit: Likelihood | PartAlpha) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The weights of all parents, the reference's last, and the errors of all but its."""
    if isinstance(fit, PartAlpha):
        return (fit.alpha, 1 - fit.alpha), (fit.error or 0.0,)
    if fit.alphas is None or fit.standard_errors is None:
        return (), ()
    errors = (fit.standard_errors, fit.clustered_errors or fit.standard_errors)
    return (*fit.alphas, 1 - sum(fit.alphas)), tuple(map(max, *errors))
