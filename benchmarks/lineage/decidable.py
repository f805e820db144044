"""What weights decide about a relation, by the files alone: whether a merge would leave them too. Asks no tool.

Two histories that leave the same files cannot be told apart, from either side. A merge that was trained on is open,
because an earlier stage, a sibling by learning rate and training on like data lie there too; so a sibling, a stage or a
frame-up that lies there is doubted as well. By least squares over all matrices: a mixture lies near if two parents have
at least a tenth of the weight. Parts that are, bit for bit, one parent's or another's are open too, and so is a suspect
of which less than half has a counterpart. A sibling whose changes are its own has none of these: it is no merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.lineage.labels import KIN, Made
from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.demo.writing import Weights

SHARE = 0.1
"""Of the weight, in size, that a second parent has."""
STRAIGHT = 0.1
"""Cosine between the suspect and that mixture, seen from the last parent, below which none lies near."""
COMPARED = 0.5
"""Of the suspect's weights, below which anything may be in the rest."""


def of(made: Made) -> Made:
    """The case, its relation doubted where it is a relative and a merge of the parents would leave such files.

    So it is where nobody can say whether they are related at all.
    """
    label = made.label
    if label.related is None:
        return replace(made, label=replace(label, doubted=True))
    if label.related is not True or not frozenset(label.relation) >= KIN:
        return made
    common = _common(made.models)
    if mixed(made.models, common) or in_parts(made.models, common) or compared(made.models[0], common) < COMPARED:
        return replace(made, label=replace(label, doubted=True))
    return made


def mixed(models: Sequence[Weights], common: Sequence[str]) -> bool:
    """Whether the nearest mixture has a tenth or more of two parents."""
    weights = nearest(models, common)
    return weights is not None and int((np.abs(weights) >= SHARE).sum()) >= 2


def nearest(models: Sequence[Weights], common: Sequence[str]) -> Float64 | None:
    """Weights of the parents, float64 [k], whose sum is one, by least squares; None of one parent, or far from all."""
    names = [name for name in common if models[0][name][0].ndim == 2]
    if len(models) < 3 or not names:
        return None
    flat = np.stack([np.concatenate([each[name][0].ravel().astype(np.float64) for name in names]) for each in models])
    suspect, *others, reference = flat[:, np.isfinite(flat).all(axis=0)]
    deltas = np.stack([other - reference for other in others], axis=1)
    found = np.linalg.lstsq(deltas, suspect - reference, rcond=None)[0]
    if np.linalg.norm(deltas @ found) < STRAIGHT * np.linalg.norm(suspect - reference):
        return None
    return np.append(found, 1 - found.sum())


def in_parts(models: Sequence[Weights], common: Sequence[str]) -> bool:
    """Whether every matrix but one in ten holds the numbers of some parent, and no parent those of all."""
    suspect, *parents = models
    names = [name for name in common if suspect[name][0].ndim == 2]
    same = np.array([[np.array_equal(suspect[name][0], each[name][0]) for name in names] for each in parents])
    return bool(same.size) and same.any(axis=0).mean() >= 0.9 and same.mean(axis=1).max() < 0.9


def compared(suspect: Weights, common: Sequence[str]) -> float:
    """Share of the suspect's weights that all parents have under the same name, in the same shape."""
    return sum(suspect[name][0].size for name in common) / sum(values.size for values, _ in suspect.values())


def _common(models: Sequence[Weights]) -> list[str]:
    suspect, *parents = models
    return [
        name for name, (values, _) in suspect.items()
        if all(name in each and each[name][0].shape == values.shape for each in parents)
    ]  # fmt: skip
