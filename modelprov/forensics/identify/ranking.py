"""How near every entry of a library is to a suspect: kinship, equal bits, and which of these chance explains.

Kinship is the correlation of raw weights, mean-centred by tensor. Its chance comes from the runs: of independent models
a run's sum of products is as often above zero as below, and as far, however the weights inside one run hang together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.plan import Int64
from modelprov.forensics.identify.places import Shared
from modelprov.forensics.thresholds import FALSE_DISCOVERIES

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ranking:
    """By entry [e]: shared `elements`, `correlation` (-1 to 1), `equal` share of them with the suspect's value.

    `chance`: probability of such a correlation, or a larger, between independent models; `found`: whether it is among
    those of which the expected share of chance finds is below `FALSE_DISCOVERIES` (Benjamini and Hochberg 1995).
    """

    elements: Int64
    correlation: Float64
    equal: Float64
    chance: Float64
    found: Mask


def ranking(of: Shared) -> Ranking:
    """Measure every entry at the places that it shares with the suspect; nothing where it shares none."""
    from scipy.special import ndtr

    tensors, runs = _begins(of.tensor), _begins(of.run)
    sizes = np.diff(np.r_[tensors, len(of.tensor)])
    rows = [_one(of, number, tensors, runs, sizes) for number in range(len(of.entries))]
    elements, correlation, equal, z = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.empty(0),) * 4
    )
    chance = np.asarray(ndtr(-z))
    return Ranking(elements.astype(np.int64), correlation, equal, chance, discoveries(chance, FALSE_DISCOVERIES))


def discoveries(chance: Float64, rate: float) -> Mask:
    """Which of these probabilities are finds, so that at most the share `rate` of all finds is expected to be chance.

    The step-up rule of Benjamini and Hochberg (1995), which holds for tests that hang together positively too.
    """
    order = np.argsort(chance)
    below = chance[order] <= rate * np.arange(1, len(chance) + 1) / max(1, len(chance))
    found = np.zeros(len(chance), bool)
    if below.any():
        found[order[: int(np.flatnonzero(below)[-1]) + 1]] = True
    return found


def _one(of: Shared, number: int, tensors: Int64, runs: Int64, sizes: Int64) -> tuple[float, float, float, float]:
    """Elements, correlation, equal share and standard score of one entry."""
    there = of.there[number]
    elements = int(there.sum())
    if elements < 2:
        return 0.0, 0.0, 0.0, 0.0
    own, theirs = (_centred(values, there, tensors, sizes) for values in (of.suspect, of.entries[number]))
    product = own * theirs
    scale = float(np.sqrt((own**2).sum() * (theirs**2).sum()))
    by_run = np.add.reduceat(product, runs)
    spread = float(np.sqrt((by_run**2).sum()))
    equal = float((of.suspect == of.entries[number])[there].mean())
    if scale <= 0 or spread <= 0:
        return elements, 0.0, equal, 0.0
    return elements, float(product.sum()) / scale, equal, float(by_run.sum()) / spread


def _centred(values: npt.NDArray[np.float32], there: Mask, tensors: Int64, sizes: Int64) -> Float64:
    """Values less their mean in each tensor; 0 where the entry has none."""
    kept = np.where(there, values, 0).astype(np.float64)
    count = np.maximum(np.add.reduceat(there.astype(np.float64), tensors), 1)
    return (kept - np.repeat(np.add.reduceat(kept, tensors) / count, sizes)) * there


def _begins(number: Int64) -> Int64:
    """Where each stretch of one number begins."""
    return np.flatnonzero(np.r_[True, number[1:] != number[:-1]]) if len(number) else np.empty(0, np.int64)
