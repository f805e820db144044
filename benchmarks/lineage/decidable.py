"""What weights decide, by the files alone: whether another history would leave them too. Asks no tool.

Two histories that leave the same files cannot be told apart, from either side. A merge that was trained on is open,
because an earlier stage, a sibling by learning rate and training on like data lie there too; so a sibling, a stage or a
frame-up that lies there is doubted as well. By least squares over all matrices: a mixture lies near if two parents have
at least a tenth of the weight, or may have it within two standard errors; least squares falls short where changes are
of few rounding steps, so that a mixture whose rounding gives the suspect's numbers lies near as well; and where nothing
but rounding is left beside a mixture, or beside a parent times a factor, however little of the second is in it. Parts
that are, bit for bit, one parent's or another's are open too, and so is a part of one in a model that has nothing else
of it, a suspect of which less than half has a counterpart, and one that is a parent to within a step of bf16. A sibling
whose changes are its own has none of these: it is no merge.

A share is told within a hundredth where some part of the suspect is a mixture to a hundredth of the parents' distance.
Training that leaves more beside the mixture moves the share by as much, and nothing in the files says how much of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt

from benchmarks.lineage.labels import COPY, KIN, Made
from modelprov.checkpoints.formats.dtypes import DType, Float64, rounding_cells
from modelprov.demo.writing import Weights

SHARE = 0.1
"""Of the weight, in size, that a second parent has."""
STRAIGHT = 0.1
"""Cosine between the suspect and that mixture, seen from the last parent, below which none lies near."""
LEFT = 2.0
"""Times what rounding the three files leaves, that may lie beside a mixture: programs round on the way."""
EXPLAINED = 0.25
"""Of what differs from the nearer parent, in squares, that a mixture must explain: else rounding is all there is."""
IN_PARTS = 0.9
"""Of the matrices, that are a parent's bit for bit."""
HARDLY_MOVED = 0.99
"""Of the numbers, that are a parent's to within a step of bf16."""
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
        or (not COPY & label.relation and _hardly_anything_else(models, common))
    )


def _hardly_anything_else(models: Sequence[Weights], common: Sequence[str]) -> bool:
    """What is not asked where a copy is right to say as well."""
    return on_a_line(models, common) or part_taken(models, common) or hardly_moved(models, common)


def mixed(models: Sequence[Weights], common: Sequence[str], by_error: bool = True) -> bool:
    """Whether the nearest mixture has a tenth or more of two parents; `by_error`, or may have within its error.

    By error of weights at their places alone, and of no copy, whose bits say more than least squares.
    """
    if len(models) < 3 or not _matrices(models, common):
        return False
    suspect, parents, _, _ = _flat(models, common)
    delta = suspect - parents[-1]
    free, each, left = _fitted(suspect, parents)
    weights, errors = np.append(np.abs(free), abs(1 - free.sum())), np.append(each, np.linalg.norm(each))
    holds = weights >= SHARE
    untold = (weights + 2 * errors >= SHARE) & (weights - 2 * errors < SHARE)
    near = np.linalg.norm(delta - left) >= STRAIGHT * np.linalg.norm(delta)
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


def on_a_line(models: Sequence[Weights], common: Sequence[str]) -> bool:
    """Whether nothing but rounding is left beside a mixture of two parents, or beside one that is scaled.

    However little of the second, or of the factor, there is: it explains most of what differs from the first.
    """
    if len(models) < 2 or not _matrices(models, common):
        return False
    (suspect, *parents), codes = _rows(models, common)
    own, *cells = (_widths(each, of) for each, of in zip((suspect, *parents), codes, strict=True))
    nothing = np.zeros_like(suspect)
    ends = [*zip(parents, cells, strict=True), (nothing, nothing)]
    for (first, of_first), (second, of_second) in permutations(ends, 2):
        apart, change = first - second, suspect - first
        share = (suspect - second) @ apart / (apart @ apart or 1.0)
        left = np.linalg.norm(suspect - second - share * apart)
        steps = np.sqrt(own**2 + (share * of_first) ** 2 + ((1 - share) * of_second) ** 2)
        explained = left**2 <= (1 - EXPLAINED) * (change @ change)
        if SHARE <= share < 1 and explained and left <= LEFT * np.linalg.norm(steps) / np.sqrt(12):
            return True
    return False


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
    """Whether nearly every matrix holds the numbers of some parent, and no parent those of all these."""
    same = _same(models, common)
    held = same.any(axis=0)
    return bool(same.size) and held.mean() >= IN_PARTS and not same[:, held].all(axis=1).any()


def part_taken(models: Sequence[Weights], common: Sequence[str]) -> bool:
    """Whether some matrices are one parent's alone, bit for bit, and the rest has nothing of that parent.

    Nothing: less than a tenth by least squares, error included, and no more of its numbers than of another parent's.
    """
    names, same = _matrices(models, common), _same(models, common)
    for number in range(len(same) if len(models) > 2 else 0):
        own = same[number] & (same.sum(axis=0) == 1)
        if not own.any() or own.all():
            continue
        order = [number, *(other for other in range(len(same)) if other != number)]
        rest = [models[0], *(models[1 + other] for other in order)]
        suspect, parents, _, _ = _flat(rest, [name for name, taken in zip(names, own, strict=True) if not taken])
        free, errors, _ = _fitted(suspect, parents)
        equal = (suspect == parents).mean(axis=1)
        near = np.linalg.norm(suspect - parents[-1]) < np.linalg.norm(suspect)
        if near and abs(free[0]) + 2 * errors[0] < SHARE and equal[0] <= equal[1:].max():
            return True
    return False


def hardly_moved(models: Sequence[Weights], common: Sequence[str]) -> bool:
    """Whether nearly all numbers, and not all bits, are one parent's to within a step of bf16, as of a rounded copy."""
    if not _matrices(models, common):
        return False
    suspect, parents, _, _ = _flat(models, common)
    steps = [_widths(parent, np.full(parent.size, DType.BF16.code, np.uint8)) for parent in parents]
    return any(
        (np.abs(suspect - parent) <= step).mean() >= HARDLY_MOVED and (suspect != parent).any()
        for parent, step in zip(parents, steps, strict=True)
    )


def compared(suspect: Weights, common: Sequence[str]) -> float:
    """Share of the suspect's weights that all parents have under the same name, in the same shape."""
    return sum(suspect[name][0].size for name in common) / sum(values.size for values, _ in suspect.values())


def _fitted(suspect: Float64, parents: Float64) -> tuple[Float64, Float64, Float64]:
    """Weights of all parents but the last by least squares, their standard errors, and what is left of the suspect."""
    deltas, delta = (parents[:-1] - parents[-1]).T, suspect - parents[-1]
    free = np.linalg.lstsq(deltas, delta, rcond=None)[0]
    left = delta - deltas @ free
    return free, np.sqrt(np.diag(np.linalg.pinv(deltas.T @ deltas)) * (left @ left) / len(left)), left


def _same(models: Sequence[Weights], common: Sequence[str]) -> npt.NDArray[np.bool_]:
    """By parent and matrix, whether the suspect holds its numbers, bool [k, m]."""
    suspect, *parents = models
    names = _matrices(models, common)
    return np.array([[np.array_equal(suspect[name][0], each[name][0]) for name in names] for each in parents])


def _matrices(models: Sequence[Weights], common: Sequence[str]) -> list[str]:
    return [name for name in common if models[0][name][0].ndim == 2]


def _flat(models: Sequence[Weights], names: Sequence[str]) -> tuple[Float64, Float64, Float64, Float64]:
    """All matrices of those names in a row, where finite: the suspect [n], parents [k, n], the suspect's cells [n]."""
    flat, codes = _rows(models, names)
    suspect, *parents = flat
    return suspect, np.array(parents), *rounding_cells(suspect, codes[0])


def _rows(models: Sequence[Weights], names: Sequence[str]) -> tuple[Float64, npt.NDArray[np.uint8]]:
    """Numbers and codes of formats of all models, [1 + k, n] each, where all numbers are finite."""
    matrices = _matrices(models, names)
    flat = np.stack(
        [np.concatenate([each[name][0].ravel().astype(np.float64) for name in matrices]) for each in models]
    )
    codes = np.stack(
        [
            np.concatenate([np.full(each[name][0].size, each[name][1].code, np.uint8) for name in matrices])
            for each in models
        ]
    )
    finite = np.isfinite(flat).all(axis=0)
    return flat[:, finite], codes[:, finite]


def _widths(values: Float64, codes: npt.NDArray[np.uint8]) -> Float64:
    """The width of each number's rounding cell, [n]."""
    lower, upper = rounding_cells(values, codes)
    return np.asarray(upper - lower, np.float64)


def _common(models: Sequence[Weights]) -> list[str]:
    suspect, *parents = models
    return [
        name for name, (values, _) in suspect.items()
        if all(name in each and each[name][0].shape == values.shape for each in parents)
    ]  # fmt: skip
