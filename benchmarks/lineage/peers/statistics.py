"""Published statistics, written from papers: least squares, sionic's correlation, AWM's CKA, model-tracing's MATCH.

Facts taken: mean-centred (Pearson) correlation of norm weights, 1.0 for the derived pair and 0.01 for independent ones
(sionic, January 2026); dimensions of the embeddings paired by an assignment with signs, then unbiased CKA of query and
key matrices (AWM, arXiv 2510.06738); units of a layer paired by gate and by up activations independently, Spearman's p
between the two pairings, Fisher's method over layers (MATCH, arXiv 2502.12292). Cuts between yes and no are ours where
the authors give none, and lie far from both sides of what they report.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import combine_pvalues, spearmanr

from benchmarks.lineage.labels import Answer
from benchmarks.lineage.peers.activations import gates_and_ups
from benchmarks.lineage.peers.interface import REFUSED, Cost, Files, Float64, arrays, bytes_of, in_layers, table_of
from modelprov.demo.writing import Weights

HALF = 0.5
"""Between sionic's and AWM's two groups, which both report near 0 and near 1."""
P_VALUE = 1e-6
"""Authors report p far below 1e-300 for derived pairs; independent ones are uniform."""
KIN, EXPLAINED, WHOLE = 0.1, 0.9, 0.98
"""Least squares: a correlation of weights, a share of the change explained, a share of own parent."""


@dataclass(frozen=True)
class LeastSquares:
    """What a careful person does with numpy: correlations, then shares by least squares on the changes."""

    name: str = "least squares"
    absent: str = ""

    def ask(self, files: Files) -> tuple[Answer, Cost]:
        """Shares where they explain nine tenths of the change."""
        if files.weights is None:
            return REFUSED, Cost()
        suspect, *parents = map(arrays, files.weights)
        names = [n for n in suspect if suspect[n].ndim > 1 and all(_fits(p, n, suspect[n]) for p in parents)]
        cost = Cost(bytes_of(files.all))
        if not names:
            return Answer(words="no tensor has the same name and shape"), cost
        flat = [np.concatenate([np.nan_to_num(m[n]).ravel() for n in names]) for m in (suspect, *parents)]
        correlations = [correlation(flat[0], each) for each in flat[1:]]
        words = f"correlations {', '.join(f'{value:.4f}' for value in correlations)}"
        if max(correlations) < KIN:
            return Answer(False, "stranger", words=words), cost
        reference, changes = flat[-1], [each - flat[-1] for each in flat[1:-1]]
        if not changes or not np.any(changes[0]):
            return Answer(True, "copy" if max(correlations) > 1 - 1e-9 else "same-origin", words=words), cost
        own = flat[0] - reference
        told, *_ = np.linalg.lstsq(np.stack(changes, 1), own, rcond=None)
        left = own - np.stack(changes, 1) @ told
        explained = 1 - float(left @ left) / max(float(own @ own), 1e-30)
        shares = {place: float(share) for place, share in enumerate((*told, 1 - told.sum()), 1)}
        words = f"{words}; shares {', '.join(f'{s:.3f}' for s in shares.values())} explain {explained:.3f}"
        if not np.any(own) or (explained > EXPLAINED and max(shares.values()) > WHOLE):
            return Answer(True, "copy" if max(correlations) > 1 - 1e-9 else "same-origin", words=words), cost
        if explained > EXPLAINED:
            return Answer(True, "merge", shares, direction="suspect", words=words), cost
        return Answer(True, "same-origin", words=words), cost


@dataclass(frozen=True)
class Sionic:
    """The mean over norms of the mean-centred correlation of their weights."""

    name: str = "mean-centred correlation of norms (sionic)"
    absent: str = ""

    def ask(self, files: Files) -> tuple[Answer, Cost]:
        """Related where any parent's is above a half."""
        if files.weights is None:
            return REFUSED, Cost()
        found = [_norms(files.weights[0], parent) for parent in files.weights[1:]]
        told = [value for value in found if value is not None]
        if not told:
            return Answer(words="no norms that vary"), Cost(bytes_of(files.all))
        width = sum(v.nbytes // 2 for model in files.weights for v, _ in model.values() if v.ndim == 1)
        return Answer(max(told) > HALF, words=f"r = {max(told):.3f}"), Cost(width)


@dataclass(frozen=True)
class Awm:
    """Unbiased CKA of queries and keys in dimensions that embeddings were paired by."""

    name: str = "AWM's statistic"
    absent: str = ""

    def ask(self, files: Files) -> tuple[Answer, Cost]:
        """Related where any parent's is above a half; their own z of a fixed null would call strangers here derived."""
        if files.weights is None:
            return REFUSED, Cost()
        told = [value for parent in files.weights[1:] if (value := awm(files.weights[0], parent)) is not None]
        if not told:
            return Answer(words="no embeddings, queries and keys to compare"), Cost(bytes_of(files.all))
        return Answer(max(told) > HALF, words=f"CKA {max(told):.3f}"), Cost(bytes_of(files.all))


@dataclass(frozen=True)
class ModelTracing:
    """MATCH: two pairings of units, by activations on the same random tokens, agree."""

    name: str = "model-tracing's MATCH"
    absent: str = ""

    def ask(self, files: Files) -> tuple[Answer, Cost]:
        """Related where any parent's p is below 1e-6."""
        if files.weights is None:
            return REFUSED, Cost()
        told = [value for parent in files.weights[1:] if (value := match(files.weights[0], parent)) is not None]
        if not told:
            return Answer(words="no gated MLPs to compare"), Cost(bytes_of(files.all))
        return Answer(min(told) < P_VALUE, words=f"p = {min(told):.1e}"), Cost(bytes_of(files.all))


def _fits(model: dict[str, Float64], name: str, values: Float64) -> bool:
    return name in model and model[name].shape == values.shape


def correlation(own: Float64, other: Float64) -> float:
    """Pearson's, 0 where either does not vary."""
    a, b = own - own.mean(), other - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


def _norms(suspect: Weights, parent: Weights) -> float | None:
    found = []
    for name, (values, _) in suspect.items():
        if values.ndim == 1 and "norm" in name and name in parent and parent[name][0].shape == values.shape:
            own, other = values.astype(np.float64), parent[name][0].astype(np.float64)
            if np.ptp(own) > 0 and np.ptp(other) > 0 and np.isfinite(own).all() and np.isfinite(other).all():
                found.append(correlation(own, other))
    return float(np.mean(found)) if found else None


def unbiased_cka(own: Float64, other: Float64) -> float:
    """Of two matrices [features, samples] over the same samples; near 0 for independent ones, 1 for turned ones."""

    def hsic(k: Float64, m: Float64) -> float:
        n = len(k)
        total = float(k.sum() * m.sum()) / ((n - 1) * (n - 2)) - 2 / (n - 2) * float(k.sum(0) @ m.sum(0))
        return (float((k * m).sum()) + total) / (n * (n - 3))

    grams = []
    for values in (own, other):
        gram = values.T @ values
        np.fill_diagonal(gram, 0)
        grams.append(gram)
    size = hsic(grams[0], grams[0]) * hsic(grams[1], grams[1])
    return hsic(grams[0], grams[1]) / float(np.sqrt(size)) if size > 0 else 0.0


def awm(suspect: Weights, parent: Weights) -> float | None:
    """The mean over layers, queries and keys of the CKA's size; None where a side lacks them."""
    tables = [table_of(model) for model in (suspect, parent)]
    if tables[0] is None or tables[1] is None:
        return None
    tokens = min(len(tables[0]), len(tables[1]))
    small, large = sorted((suspect, parent), key=lambda model: table_of(model).shape[1])  # type: ignore[union-attr]
    units = [_unit_columns(np.nan_to_num(table_of(model)[:tokens])) for model in (small, large)]  # type: ignore[index]
    cosines = units[0].T @ units[1]
    rows, order = linear_sum_assignment(-np.abs(cosines))
    signs = np.where(cosines[rows, order] < 0, -1.0, 1.0)
    found = []
    for kind in ("self_attn.q_proj.weight", "self_attn.k_proj.weight"):
        ours, theirs = in_layers(small, kind), in_layers(large, kind)
        fitting = [layer for layer in sorted(ours.keys() & theirs.keys()) if ours[layer].shape[1] == len(order)]
        found += [abs(unbiased_cka(ours[layer], theirs[layer][:, order] * signs)) for layer in fitting]
    return float(np.mean(found)) if found else None


def _unit_columns(table: Float64) -> Float64:
    return table / np.maximum(np.linalg.norm(table, axis=0), 1e-30)


def match(suspect: Weights, parent: Weights) -> float | None:
    """Fisher's p over layers of the same number, or, where depths differ, the best layer of all by Bonferroni."""
    ours, theirs = gates_and_ups(suspect, parent)
    if not ours or not theirs:
        return None
    if ours.keys() == theirs.keys():
        told = [_agreement(*ours[layer], *theirs[layer]) for layer in ours]
        return float(combine_pvalues(np.maximum(told, 1e-300))[1])
    told = [_agreement(*own, *other) for own in ours.values() for other in theirs.values()]
    return min(1.0, min(told) * len(told))


def _agreement(gate: Float64, up: Float64, other_gate: Float64, other_up: Float64) -> float:
    pairings = []
    for own, other in ((gate, other_gate), (up, other_up)):
        cosines = _unit_columns(own).T @ _unit_columns(other)
        rows, order = linear_sum_assignment(-cosines)
        place = np.full(max(cosines.shape), -1)
        place[rows] = order
        pairings.append(place[: min(cosines.shape)])
    return float(spearmanr(*pairings, alternative="greater")[1])
