"""What weights decide, by the files alone: whether another history would leave them too. Asks no tool.

Two histories that leave the same files cannot be told apart, from either side. A merge that was trained on is open,
because an earlier stage, a sibling by learning rate and training on like data lie there too; so a sibling, a stage or a
frame-up that lies there is doubted as well. By least squares over all matrices: a mixture lies near if two parents have
at least a tenth of the weight, or may have it within two standard errors; least squares falls short where changes are
of few rounding steps, so that a mixture whose rounding gives the suspect's numbers lies near as well. Parts that are,
bit for bit, one parent's or another's are open too, and so is a suspect of which less than half has a counterpart. A
sibling whose changes are its own has none of these: it is no merge.

A share is told within a hundredth where some part of the suspect is a mixture to a hundredth of the parents' distance.
Training that leaves more beside the mixture moves the share by as much, and nothing in the files says how much of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from benchmarks.lineage.labels import COPY, KIN, Made
from modelprov.checkpoints.formats.dtypes import Float64, rounding_cells
from modelprov.demo.writing import Weights

SHARE = 0.1
"""Of the weight, in size, that a second parent has."""
STRAIGHT = 0.1
"""Cosine between the suspect and that mixture, seen from the last parent, below which none lies near."""
COMPARED = 0.5
"""Of the suspect's weights, below which anything may be in the rest."""
MIXTURES = np.linspace(SHARE, 1 - SHARE, 81)
IN_CELLS = 0.99
"""Of the numbers that tell, that lie within the rounding of one mixture."""
MOVED = 0.01
"""Of the parents' distance, beside a mixture, that moves a share by as much as a share may be off."""
AT_REST = 0.1
"""Of the weights, that show the shares: merges and their adapters leave 0.7 or more, trainings of all weights none."""


def of(made: Made) -> Made:
    """The case, with the questions doubted that its files leave open."""
    label, common = made.label, _common(made.models)
    doubted = set(label.doubted)
    if _relation_is_open(made, common):
        doubted.add("relation")
    if label.shares is not None and at_rest(made.models, common) < AT_REST:
        doubted.add("shares")
    return replace(made, label=replace(label, doubted=frozenset(doubted)))


def _relation_is_open(made: Made, common: Sequence[str]) -> bool:
    """Whether it is a relative and a merge of the parents would leave such files.

    So it is where nobody can say whether they are related at all.
    """
    label, models = made.label, made.models
    if label.related is None:
        return True
    if label.related is not True or not frozenset(label.relation) >= KIN:
        return False
    return (
        mixed(models, common, by_error=not COPY & label.relation)
        or rounded_mixture(models, common)
        or in_parts(models, common)
        or compared(models[0], common) < COMPARED
    )


def mixed(models: Sequence[Weights], common: Sequence[str], by_error: bool = True) -> bool:
    """Whether the nearest mixture has a tenth or more of two parents; `by_error`, or may have within its error.

    By error of weights at their places alone, and of no copy, whose bits say more than least squares.
    """
    if len(models) < 3 or not _matrices(models, common):
        return False
    suspect, parents, _, _ = _flat(models, common)
    deltas, delta = (parents[:-1] - parents[-1]).T, suspect - parents[-1]
    free = np.linalg.lstsq(deltas, delta, rcond=None)[0]
    left = delta - deltas @ free
    each = np.sqrt(np.diag(np.linalg.pinv(deltas.T @ deltas)) * (left @ left) / len(left))
    weights, errors = np.append(np.abs(free), abs(1 - free.sum())), np.append(each, np.linalg.norm(each))
    holds = weights >= SHARE
    untold = (weights + 2 * errors >= SHARE) & (weights - 2 * errors < SHARE)
    near = np.linalg.norm(deltas @ free) >= STRAIGHT * np.linalg.norm(delta)
    by_error = by_error and np.linalg.norm(delta) < np.linalg.norm(suspect)
    return bool((near and holds.sum() >= 2) or (by_error and untold.any() and (holds | untold).sum() >= 2))


def rounded_mixture(models: Sequence[Weights], common: Sequence[str]) -> bool:
    """Whether some mixture of two parents, of at least a tenth of each, lies in the suspect's rounding cells.

    Of the numbers that are not the same in all three, in nearly all; on a border counts, whatever breaks ties.
    """
    if len(models) < 3 or not _matrices(models, common):
        return False
    suspect, parents, lower, upper = _flat(models, common)
    return any(
        _in_cells(suspect, first, second, lower, upper) >= IN_CELLS for first, second in combinations(parents, 2)
    )


def _in_cells(suspect: Float64, first: Float64, second: Float64, lower: Float64, upper: Float64) -> float:
    """The largest share of the numbers that tell, over all mixtures, whose cell holds the mixture."""
    telling = (suspect != first) | (suspect != second)
    if not telling.any():
        return 0.0
    second, gap = second[telling], (first - second)[telling]
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.sort([(lower[telling] - second) / gap, (upper[telling] - second) / gap], axis=0)
    ends[:, (gap == 0) & (suspect[telling] != second)] = np.inf  # in no mixture
    from_, to = np.searchsorted(MIXTURES, ends[0] - 1e-9), np.searchsorted(MIXTURES, ends[1] + 1e-9, side="right")
    steps = np.bincount(from_, minlength=len(MIXTURES) + 1) - np.bincount(to, minlength=len(MIXTURES) + 1)
    return float(np.cumsum(steps)[:-1].max() / len(gap))


def at_rest(models: Sequence[Weights], common: Sequence[str]) -> float:
    """Share of the matrices' weights in matrices that a mixture of the parents gives to `MOVED` of their distance.

    What two roundings change is left out; the distance is the smallest between a parent and a mixture of the others.
    """
    found, total = 0, 0
    for name in _matrices(models, common):
        suspect, parents, lower, upper = _flat(models, [name])
        deltas, delta = (parents[:-1] - parents[-1]).T, suspect - parents[-1]
        left = np.abs(delta - deltas @ np.linalg.lstsq(deltas, delta, rcond=None)[0]) - 2 * (upper - lower)
        apart = np.linalg.svd(deltas, compute_uv=False)[-1]
        found += suspect.size * bool(np.linalg.norm(np.maximum(left, 0)) <= MOVED * apart)
        total += suspect.size
    return found / total if total else 0.0


def in_parts(models: Sequence[Weights], common: Sequence[str]) -> bool:
    """Whether every matrix but one in ten holds the numbers of some parent, and no parent those of all."""
    suspect, *parents = models
    names = _matrices(models, common)
    same = np.array([[np.array_equal(suspect[name][0], each[name][0]) for name in names] for each in parents])
    return bool(same.size) and same.any(axis=0).mean() >= 0.9 and same.mean(axis=1).max() < 0.9


def compared(suspect: Weights, common: Sequence[str]) -> float:
    """Share of the suspect's weights that all parents have under the same name, in the same shape."""
    return sum(suspect[name][0].size for name in common) / sum(values.size for values, _ in suspect.values())


def _matrices(models: Sequence[Weights], common: Sequence[str]) -> list[str]:
    return [name for name in common if models[0][name][0].ndim == 2]


def _flat(models: Sequence[Weights], names: Sequence[str]) -> tuple[Float64, Float64, Float64, Float64]:
    """All matrices of those names in a row, where finite: the suspect [n], parents [k, n], the suspect's cells [n]."""
    matrices = _matrices(models, names)
    flat = np.stack(
        [np.concatenate([each[name][0].ravel().astype(np.float64) for name in matrices]) for each in models]
    )
    codes = np.concatenate([np.full(models[0][name][0].size, models[0][name][1].code, np.uint8) for name in matrices])
    finite = np.isfinite(flat).all(axis=0)
    suspect, *parents = flat[:, finite]
    return suspect, np.array(parents), *rounding_cells(suspect, codes[finite])


def _common(models: Sequence[Weights]) -> list[str]:
    suspect, *parents = models
    return [
        name for name, (values, _) in suspect.items()
        if all(name in each and each[name][0].shape == values.shape for each in parents)
    ]  # fmt: skip
