"""Which few entries, mixed, come nearest to a suspect: singles, pairs, triples, more only where it pays. Proposes only.

Mixtures have weights that add up to 1, so that no base has to be known: all that enters is the Gram matrix of the
entries' differences from the suspect, [e, e], and each sum of squares follows in closed form. Three always fit better
than two; how much better they fit when nothing is mixed is seen on the entries themselves, each held against the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.plan import Int64
from modelprov.forensics.identify.places import Shared
from modelprov.forensics.thresholds import (
    FEWEST_PLACES,
    LARGEST_WEIGHT,
    MINIMUM_ELEMENTS,
    NEARLY_ALL,
    NOTHING_LEFT,
    PROPOSED,
    TO_ROUNDING,
    USUAL_SPREADS,
)

CHUNK = 1 << 14  # places at a time
TRIED = 48  # entries of which all triples are tried: those in the best pairs


@dataclass(frozen=True)
class Mixture:
    """Some entries and their weights, which add up to 1; `left` is the sum of squares beside it, over rounding's own.

    `gain`: the share of what one entry fewer leaves that it explains, 0 to 1; `usual` is what the entries themselves
    gain so. A single has none. One that gains no more than that, or too little for its size, is `doubtful`: such a
    mixture is in the suspect only if bits say so.
    """

    members: tuple[int, ...]
    weights: tuple[float, ...]
    left: float
    gain: float = 0.0
    usual: float = 0.0
    doubtful: bool = False


@dataclass(frozen=True, eq=False)
class Gram:
    """Products of differences from the suspect, float64 [e, e], of the entries `members`; `rounding` sum of squares."""

    members: Int64
    products: Float64
    rounding: float
    elements: int
    runs: int

    @property
    def central(self) -> int:
        """The entry that is nearest to all others: of a family usually the base."""
        square = np.diag(self.products)
        apart = square[:, None] + square[None] - 2 * self.products
        return int(self.members[np.argmin(np.sqrt(np.maximum(apart, 0)).sum(axis=1))])


def gram(of: Shared, members: Int64) -> Gram:
    """The products of these entries at the places that all of them hold; those with few places are left out."""
    share = of.there[members].mean(axis=1)
    members = members[share >= FEWEST_PLACES * share.max()] if len(members) else members
    places = np.flatnonzero(of.there[members].all(axis=0))
    products = np.zeros((len(members), len(members)))
    for first in range(0, len(places), CHUNK):
        chosen = places[first : first + CHUNK]
        apart = of.entries[np.ix_(members, chosen)].astype(np.float64) - of.suspect[chosen]
        products += apart @ apart.T
    rounding = float((of.widths[places].astype(np.float64) ** 2).sum() / 12)
    return Gram(members, products, max(rounding, np.finfo(float).tiny), len(places), len(np.unique(of.run[places])))


def mixtures(of: Gram) -> list[Mixture]:
    """The best single and pair, and the best triple where it pays or gains more than the entries among themselves."""
    if not len(of.members) or of.elements < MINIMUM_ELEMENTS:
        return []
    single = int(np.argmin(np.diag(of.products)))
    before = max(float(of.products[single, single]), 0.0)
    found = [Mixture((int(of.members[single]),), (1.0,), before / of.rounding)]
    if before <= NOTHING_LEFT * of.rounding:
        return found  # the same numbers
    for size in (2, 3):
        best = _best(of.products, size, of.rounding)
        if best is None:
            break
        chosen, weights, after = best
        gain = 1 - after / before
        usual = _usual(of, size)
        price = size * np.log(max(of.runs, 2)) + 2 * np.log(max(len(of.members), 2))
        enough = gain >= max(PROPOSED, usual) or after <= TO_ROUNDING * of.rounding < before
        pays = of.runs * np.log(max(after, 1e-12 * before) / before) + price <= 0
        if size > 2 and not (pays or enough):
            continue
        members = tuple(int(of.members[each]) for each in chosen)
        found.append(
            Mixture(members, tuple(map(float, weights)), after / of.rounding, gain, usual, not (pays and enough))
        )
        before = after
        if before <= NOTHING_LEFT * of.rounding:
            break
    return found


def _best(products: Float64, size: int, noise: float) -> tuple[tuple[int, ...], Float64, float] | None:
    """The mixture of so many entries with the least sum of squares, its weights, and that; None where there is none."""
    sets = _sets(products, size, noise)
    if not len(sets):
        return None
    weights, left = _fit(products, sets, noise)
    left = np.where((np.abs(weights) <= LARGEST_WEIGHT).all(axis=1), left, np.inf)
    best = int(np.argmin(left))
    return None if not np.isfinite(left[best]) else (tuple(sets[best].tolist()), weights[best], float(left[best]))


def _fit(products: Float64, sets: Int64, noise: float) -> tuple[Float64, Float64]:
    """Weights [s, k] that add up to 1 with the least sum of squares, and that sum [s]."""
    blocks = products[sets[:, :, None], sets[:, None, :]] + 1e-9 * noise * np.eye(sets.shape[1])
    solved = np.linalg.solve(blocks, np.ones((len(sets), sets.shape[1], 1)))[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = solved / solved.sum(axis=1, keepdims=True)
    weights = np.nan_to_num(weights, nan=np.inf)
    bounded = np.where(np.isfinite(weights), weights, 0.0)
    return weights, np.maximum(np.einsum("si,sij,sj->s", bounded, blocks, bounded), 0.0)


def _sets(products: Float64, size: int, noise: float) -> Int64:
    """Sets of entries to try: all pairs of different ones; of those in the best pairs all triples."""
    square = np.diag(products)
    differ = square[:, None] + square[None] - 2 * products > NOTHING_LEFT * noise  # the same model twice mixes nothing
    first, second = np.nonzero(np.triu(differ, 1))
    pairs = np.stack([first, second], axis=1)
    if size == 2 or not len(pairs):
        return pairs
    order = np.argsort(_fit(products, pairs, noise)[1])
    tried: list[int] = list(dict.fromkeys(pairs[order].ravel().tolist()))[:TRIED]
    triples = [each for each in combinations(sorted(tried), 3) if all(differ[a, b] for a, b in combinations(each, 2))]
    return np.array(triples, np.int64).reshape(-1, 3)


def _usual(of: Gram, size: int) -> float:
    """What the entries themselves gain by so many others, each held against the rest: median and a few spreads."""
    gains = list(_gains(of.products, size, of.rounding))
    if len(gains) < 3:
        return 0.0
    middle = float(np.median(gains))
    spread = 1.4826 * float(np.median(np.abs(np.array(gains) - middle)))
    return min(middle + USUAL_SPREADS * spread, NEARLY_ALL)  # entries may be mixtures of each other


def _gains(products: Float64, size: int, noise: float) -> Iterator[float]:
    """For each entry the gain of the best mixture of so many others over that of one fewer."""
    entries = len(products)
    some = np.linspace(0, entries - 1, min(entries, TRIED if size == 2 else 12)).astype(int)
    for own in np.unique(some).tolist():
        others = np.delete(np.arange(entries), own)
        seen = (
            products[np.ix_(others, others)]
            - products[others, own][:, None]
            - products[others, own]
            + products[own, own]
        )
        fewer = float(np.diag(seen).min()) if size == 2 else (_best(seen, 2, noise) or ((), np.empty(0), 0.0))[2]
        best = _best(seen, size, noise)
        if best is not None and fewer > noise:
            yield 1 - best[2] / fewer
