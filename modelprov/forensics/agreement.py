"""Two distribution-free questions to a suspected merge, from counts of elements. They need no mixing coefficient.

Agreement: where all parents hold the same bits a pure merge holds them too. Betweenness: where the parents differ a
merge lies between, min P <= S <= max P. Source: estimators.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from modelprov.forensics.sampling.sample import Sample
from modelprov.shares import Share, wilson


@dataclass(frozen=True)
class Counts:
    """Elements where all parents are equal, of these S equal too; where parents differ, of these S between them."""

    parents_equal: int
    suspect_equal: int
    parents_differ: int
    suspect_between: int

    def __add__(self, other: Counts) -> Counts:
        """Add the counts of disjoint sets of elements."""
        return Counts(
            self.parents_equal + other.parents_equal,
            self.suspect_equal + other.suspect_equal,
            self.parents_differ + other.parents_differ,
            self.suspect_between + other.suspect_between,
        )


@dataclass(frozen=True)
class Agreement:
    """Both shares, with Wilson intervals; None with a reason where no element could answer."""

    agreement: Share
    betweenness: Share


def measure(counts: Counts, confidence: float = 0.95) -> Agreement:
    """Turn counts into shares."""
    agreement = wilson(counts.suspect_equal, counts.parents_equal, confidence)
    betweenness = wilson(counts.suspect_between, counts.parents_differ, confidence)
    if agreement.share is None:
        agreement = replace(agreement, reason="no element where all parents are equal")
    if betweenness.share is None:
        betweenness = replace(betweenness, reason="no element where the parents differ")
    return Agreement(agreement, betweenness)


def count(sample: Sample) -> Counts:
    """Count in a sample of elements, by value (0 and -0 are equal)."""
    lowest, highest = sample.parents.min(axis=0), sample.parents.max(axis=0)
    equal = lowest == highest
    between = (lowest <= sample.suspect) & (sample.suspect <= highest)
    same = int(equal.sum())
    return Counts(same, int((between & equal).sum()), equal.size - same, int(np.sum(between & ~equal)))
