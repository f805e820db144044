"""Every merge method once more, in float64 and as plainly as possible: what the compiled and rounded ones must match.

Independent of `modelprov.merge`: elementwise loops and textbook formulas; random methods get their masks from outside.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def linear(tensors: list[Array], weights: list[float], normalize: bool) -> Array:
    total = sum(w * t for w, t in zip(weights, tensors, strict=True))
    return np.asarray(total / sum(weights) if normalize else total)


def angle(x: Array, y: Array) -> float:
    """The angle by Kahan's formula, which does not use arccos."""
    u, v = x / math.sqrt(x @ x), y / math.sqrt(y @ y)
    return 2 * math.atan2(float(np.linalg.norm(u - v)), float(np.linalg.norm(u + v)))


def slerp(base: Array, other: Array, t: float, straight_above: float) -> Array:
    a = angle(base, other)
    if abs(math.cos(a)) > straight_above:
        return (1 - t) * base + t * other
    return (math.sin((1 - t) * a) * base + math.sin(t * a) * other) / math.sin(a)


def lines(values: Array, shape: tuple[int, ...], axis: int) -> list[Array]:
    """Index arrays of the lines of a matrix along `axis`, as positions in the flat tensor."""
    positions = np.arange(values.size).reshape(shape)
    return list(positions if axis == 1 else positions.T)


def multislerp(tensors: list[Array], weights: list[float], base: Array | None) -> Array:
    origin = np.zeros_like(tensors[0]) if base is None else base
    shares = np.array(weights) / sum(weights)
    vectors = np.stack([t - origin for t in tensors])
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    units = vectors / lengths[:, None]
    mean = shares @ units
    mean /= np.linalg.norm(mean)
    tangent = shares @ (units - np.outer(units @ mean, mean))
    size = np.linalg.norm(tangent)
    return origin + (math.cos(size) * mean + np.sinc(size / math.pi) * tangent) * (shares @ lengths)


def karcher(tensors: list[Array]) -> Array:
    """The mean on the sphere by gradient descent to convergence, with the mean length."""
    lengths = [np.linalg.norm(t) for t in tensors]
    units = [t / n for t, n in zip(tensors, lengths, strict=True)]
    mean = np.sum(units, axis=0)
    mean /= np.linalg.norm(mean)
    for _ in range(200):
        way = np.zeros_like(mean)
        for unit in units:
            across = unit - (unit @ mean) * mean
            way += angle(unit, mean) * across / max(np.linalg.norm(across), 1e-300) / len(units)
        mean += 0.5 * way
        mean /= np.linalg.norm(mean)
    return np.asarray(mean * np.mean(lengths))


def combine(base: Array, deltas: list[Array], weights: list[float], scale: float, vote: bool, normalize: bool) -> Array:
    """The task-vector family, one element after the other."""
    merged = base.copy()
    for i in range(len(base)):
        parts = [w * d[i] for w, d in zip(weights, deltas, strict=True)]
        taking = list(range(len(parts)))
        if vote:
            sign = 1.0 if math.fsum(parts) >= 0 else -1.0
            taking = [j for j in taking if parts[j] * sign > 0]
        change = math.fsum(parts[j] for j in taking)
        if normalize and taking:
            change /= math.fsum(weights[j] for j in taking)
        merged[i] += scale * change
    return merged


def keep_largest(delta: Array, first: int, count: int) -> Array:
    """The delta with only the elements of rank `first` to `first + count` by size, the largest first."""
    order = sorted(range(len(delta)), key=lambda i: (-abs(delta[i]), i))[first : first + count]
    kept = np.zeros_like(delta)
    kept[order] = delta[order]
    return kept


def model_stock(base: Array, tensors: list[Array]) -> Array:
    deltas = [t - base for t in tensors]
    n = len(deltas)
    cosine = np.mean([math.cos(angle(a, b)) for a, b in combinations(deltas, 2)])
    t = n * cosine / (1 + (n - 1) * cosine)
    return np.asarray(t * np.mean(tensors, axis=0) + (1 - t) * base)


def sce(base: Array, tensors: list[Array], topk: float) -> Array:
    deltas = np.stack([t - base for t in tensors])
    if topk < 1:
        spread = np.var(deltas, axis=0)
        deltas = deltas * (keep_largest(spread, 0, int(topk * len(spread))) > 0)
    weights = np.mean(deltas**2, axis=1)
    weights /= weights.sum()
    merged = base.copy()
    for i in range(len(base)):
        sign = 1.0 if deltas[:, i].sum() >= 0 else -1.0
        taking = deltas[:, i] * sign > 0
        if taking.any():
            merged[i] += (weights * deltas[:, i])[taking].sum() / weights[taking].sum()
    return merged


def nearswap(base: Array, other: Array, t: float) -> Array:
    pairs: list[Any] = []
    for a, b in zip(base, other, strict=True):
        weight = 1.0 if a == b else min(1.0, t / abs(a - b))
        pairs.append(a + weight * (b - a))
    return np.array(pairs)


def arcee_fusion(base: Array, other: Array, shape: tuple[int, int]) -> Array:
    from scipy.special import rel_entr, softmax

    rows = [one.reshape(shape) for one in (base, other)]
    divergence = rel_entr(softmax(rows[1], axis=1), softmax(rows[0], axis=1)).sum(1)
    importance = (np.abs(rows[1] - rows[0]) * divergence[:, None]).ravel()
    low, middle, high = np.percentile(importance, [25, 50, 75])
    return np.where(importance >= middle + 1.5 * (high - low), other, base)
