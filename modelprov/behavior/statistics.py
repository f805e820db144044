"""Statistics of answers: paired tests and intervals that know which answers belong to one question. Pure numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

RESAMPLES = 10_000


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
    chosen = _resampled(len(sums), seed, resamples)
    drawn = (chosen @ sums) / (chosen @ counts)
    low, high = np.quantile(drawn, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Interval(value, float(low), float(high), len(sums))


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


def _by_cluster(
    values: Sequence[float], clusters: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum and number of the values of each cluster, in order of appearance."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    places = np.array([numbers[name] for name in clusters], np.int64)
    sums = np.bincount(places, np.asarray(values, float), len(numbers)).astype(np.float64)
    return sums, np.bincount(places, minlength=len(numbers)).astype(np.float64)


def _resampled(clusters: int, seed: int, resamples: int) -> npt.NDArray[np.float64]:
    """How often each cluster is drawn, [resamples, clusters]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), resamples).astype(float)
