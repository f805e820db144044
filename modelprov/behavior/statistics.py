"""Statistics of answers: paired tests and intervals that know which answers belong to one question. Pure numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, binomtest, norm
from scipy.stats import t as student

from modelprov.shares import wilson

RESAMPLES = 10_000
TELLING = 10
"""Questions that answer otherwise than the rest, below which their spread says nothing (simulated; see the tests)."""

BLOCK = 1 << 20  # draws held at a time


@dataclass(frozen=True)
class Interval:
    """An estimate with a confidence interval [low, high] over `clusters` questions; None where there are none."""

    value: float | None
    low: float | None
    high: float | None
    clusters: int


@dataclass(frozen=True)
class PairedTest:
    """Two methods (or models) on the same questions, greedily answered: McNemar's exact test.

    `only_first` and `only_second` count the questions that just one of them answers rightly; `p` is two-sided,
    1 where they never differ.
    """

    only_first: int
    only_second: int
    both: int
    neither: int
    p: float


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> PairedTest:
    """McNemar's exact (binomial) test (McNemar 1947); both sequences are in the order of the same questions."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} answers are no pairs")
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    one, two = int((a & ~b).sum()), int((~a & b).sum())
    p = float(binomtest(one, one + two).pvalue) if one + two else 1.0
    return PairedTest(one, two, int((a & b).sum()), int((~a & ~b).sum()), p)


def paired_interval(first: Sequence[bool], second: Sequence[bool], confidence: float = 0.95) -> Interval:
    """Share of `first` minus share of `second`, with Newcombe's score interval for paired shares (1998, method 10).

    Unlike a bootstrap it stays honest where few pairs differ, or none.
    """
    test = mcnemar(first, second)
    both, one, two, neither = test.both, test.only_first, test.only_second, test.neither
    total = both + one + two + neither
    if not total:
        return Interval(None, None, None, 0)
    left, right = wilson(both + one, total, confidence), wilson(both + two, total, confidence)
    p, q = (both + one) / total, (both + two) / total
    margins = (both + one) * (two + neither) * (both + two) * (one + neither)
    cross = both * neither - one * two
    phi = (max(cross - total / 2, 0.0) if cross > 0 else cross) / math.sqrt(margins) if margins else 0.0
    down = (p - left.low) ** 2 - 2 * phi * (p - left.low) * (right.high - q) + (right.high - q) ** 2
    up = (left.high - p) ** 2 - 2 * phi * (left.high - p) * (q - right.low) + (q - right.low) ** 2
    return Interval(p - q, p - q - math.sqrt(max(down, 0.0)), p - q + math.sqrt(max(up, 0.0)), total)


def clustered_share(hits: Sequence[bool], clusters: Sequence[str], confidence: float = 0.95) -> Interval:
    """The share of hits, with an interval that holds for few questions and small shares (Korn and Graubard 1998).

    Clopper and Pearson's exact interval for as many answers as would tell as much if they were independent: fewer the
    more the answers to one question agree, by Student's t rather than the normal law, and never more than there are.
    Where fewer than `TELLING` questions differ from the rest their spread cannot be estimated, and each question counts
    as one answer. One answer a question: the exact binomial interval.
    """
    sums, counts = _by_cluster([float(hit) for hit in hits], clusters)
    if not len(sums):
        return Interval(None, None, None, 0)
    low, high = clustered_bounds(sums[None], counts, confidence)
    return Interval(float(sums.sum() / counts.sum()), float(low[0]), float(high[0]), len(sums))


def clustered_bounds(
    sums: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], confidence: float = 0.95
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Bounds as of `clustered_share` for `sums` [sets, questions] of hits among `counts` [questions] answers."""
    questions, total = len(counts), counts.sum()
    share = sums.sum(axis=1) / total
    plain = share * (1 - share) / total
    apart = np.minimum((sums > 0).sum(axis=1), (sums < counts).sum(axis=1))
    effective = np.full(len(share), float(questions))
    if questions > 1 and total > questions:
        spread = ((sums - share[:, None] * counts) ** 2).sum(axis=1) * questions / (questions - 1) / total**2
        tails = (norm.ppf((1 + confidence) / 2) / student.ppf((1 + confidence) / 2, questions - 1)) ** 2
        known = (apart >= TELLING) & (spread > 0)
        found = np.divide(plain, spread, out=np.ones_like(plain), where=known) * total * tails
        effective = np.where(known, np.clip(found, 1.0, total), effective)
    hits, tail = effective * share, (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(share > 0, beta.ppf(tail, hits, effective - hits + 1), 0.0)
        high = np.where(share < 1, beta.ppf(1 - tail, hits + 1, effective - hits), 1.0)
    return low, high


def cluster_bootstrap(
    values: Sequence[float], clusters: Sequence[str], seed: int, confidence: float = 0.95, resamples: int = RESAMPLES
) -> Interval:
    """The mean of the answers, with a percentile interval that resamples whole questions (`clusters`).

    Several answers to one question are no independent draws: taking them so makes intervals too short. With one
    cluster there is no interval.
    """
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values and {len(clusters)} clusters")
    sums, counts = _by_cluster(values, clusters)
    if not len(sums):
        return Interval(None, None, None, 0)
    value = float(sums.sum() / counts.sum())
    if len(sums) == 1:
        return Interval(value, None, None, 1)
    sum_drawn, count_drawn = _resampled((sums, counts), seed, resamples)
    drawn = sum_drawn / count_drawn
    low, high = np.quantile(drawn, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Interval(value, float(low), float(high), len(sums))


def ratio_bootstrap(
    numerators: Sequence[float], denominators: Sequence[float], clusters: Sequence[str], seed: int,
    confidence: float = 0.95, resamples: int = RESAMPLES,
) -> Interval:  # fmt: skip
    """Sum of `numerators` over sum of `denominators`, e.g. tokens per correct answer, resampling whole questions.

    The value is None where the denominators sum to 0; a bound is None where it is not finite (a resample without a
    correct answer has no ratio, and counts as infinite).
    """
    if not len(numerators) == len(denominators) == len(clusters):
        raise ValueError(f"{len(numerators)}, {len(denominators)} and {len(clusters)} entries do not belong together")
    over, _ = _by_cluster(numerators, clusters)
    under, _ = _by_cluster(denominators, clusters)
    if not under.sum():
        return Interval(None, None, None, len(under))
    value = float(over.sum() / under.sum())
    if len(under) == 1:
        return Interval(value, None, None, 1)
    above, below = _resampled((over, under), seed, resamples)
    drawn = np.divide(above, below, out=np.full(len(below), np.inf), where=below > 0)
    # An order statistic each, not a mix of two neighbours: infinity has no mix.
    low, high = np.quantile(drawn, ((1 - confidence) / 2, (1 + confidence) / 2), method="nearest")
    return Interval(value, _finite(low), _finite(high), len(under))


def paired_bootstrap(
    first: Sequence[float], second: Sequence[float], clusters: Sequence[str], seed: int, confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:  # fmt: skip
    """Mean of `first` minus mean of `second` over the same answers' questions, resampling questions.

    Entry i of both belongs to question `clusters[i]`; a method with several samples a question gives their mean once.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} answers are no pairs")
    differences = (np.asarray(first, float) - np.asarray(second, float)).tolist()
    return cluster_bootstrap(differences, clusters, seed, confidence, resamples)


def randomisation_test(
    first: Sequence[float], second: Sequence[float], seed: int, resamples: int = RESAMPLES
) -> float:  # fmt: skip
    """Two-sided p of Fisher's paired randomisation test on the sum of differences, one entry a question.

    Under the null the two values of a question could have come in either order. Up to 12 differing questions every
    order is counted; beyond, `resamples` random ones, the observed one among them (so p is never 0).
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs")
    differences = np.asarray(first, float) - np.asarray(second, float)
    differences = differences[differences != 0]
    count = len(differences)
    if not count:
        return 1.0
    least = abs(differences.sum()) - 1e-9 * np.abs(differences).sum()
    if count <= 12:
        signs = 1 - 2 * ((np.arange(1 << count)[:, None] >> np.arange(count)) & 1)
        return float((np.abs(signs @ differences) >= least).mean())
    rng = np.random.default_rng(seed)
    signs = 1 - 2 * rng.integers(0, 2, (resamples, count))
    return float((1 + (np.abs(signs @ differences) >= least).sum()) / (1 + resamples))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Each p adjusted for how many were looked at (Holm 1979), in the same order; valid whatever their dependence."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[place] = largest
    return tuple(adjusted)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _by_cluster(
    values: Sequence[float], clusters: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum and number of the values of each cluster, in order of appearance."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    places = np.array([numbers[name] for name in clusters], np.int64)
    sums = np.bincount(places, np.asarray(values, float), len(numbers)).astype(np.float64)
    return sums, np.bincount(places, minlength=len(numbers)).astype(np.float64)


def _resampled(
    columns: Sequence[npt.NDArray[np.float64]], seed: int, resamples: int
) -> list[npt.NDArray[np.float64]]:  # fmt: skip
    """The sum of each column over `resamples` draws of as many clusters with replacement; memory stays bounded."""
    rng, clusters = np.random.default_rng(seed), len(columns[0])
    chances, table = np.full(clusters, 1 / clusters), np.stack(columns, axis=1)
    block = max(1, BLOCK // clusters)
    parts = [
        rng.multinomial(clusters, chances, min(block, resamples - start)).astype(np.float64) @ table
        for start in range(0, resamples, block)
    ]
    return list(np.concatenate(parts).T)
