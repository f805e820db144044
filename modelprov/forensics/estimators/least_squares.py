"""Least squares of the suspect's delta on the parents' deltas, from sums that add up; raw weights never enter.

alpha = <u,v>/<u,u>, collinearity = <u,v>/(|u||v|), and for k - 1 deltas the normal equations. All inputs are sums of
products over elements (float64), so they may come from any number of shards or machines. Biased where rounding is
coarse (`docs/method.md`, "Least squares and its bias"): `interval.py` and `likelihood.py` are not. What cannot be
solved is None, with a reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.thresholds import JACKKNIFE_LEAST, SINGULAR

NO_ELEMENTS = "no elements"


@dataclass(frozen=True)
class BlockSums:
    """Sums over `count` disjoint blocks b of elements: uu_b^2 (`aa`), uu_b uv_b (`ac`) and uv_b^2 (`cc`)."""

    count: int
    aa: float
    ac: float
    cc: float


@dataclass(frozen=True)
class OneParent:
    """One delta. `z` = collinearity sqrt(n), under independent elements; `standard_error` of alpha, over blocks."""

    alpha: float | None = None
    collinearity: float | None = None
    z: float | None = None
    standard_error: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ManyParents:
    """k - 1 deltas: the unconstrained solution and the one with every weight >= 0 and their sum <= 1.

    `collinearity` = sqrt(R^2) of the unconstrained fit. `condition_number`: of the Gram matrix scaled to correlations.
    """

    alphas: tuple[float, ...] | None = None
    simplex: tuple[float, ...] | None = None
    r_squared: float | None = None
    collinearity: float | None = None
    condition_number: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class CoefficientSum:
    """Weights of the raw parents, reference last, without the constraint that they sum to 1, and their sum."""

    total: float | None = None
    coefficients: tuple[float, ...] | None = None
    standard_error: float | None = None
    reason: str | None = None


def fit_one(uu: float, uv: float, vv: float, n: int, blocks: BlockSums | None = None) -> OneParent:
    """Solve for one parent from <u,u>, <u,v>, <v,v> over n elements.

    The standard error is the linearised delete-one-block jackknife,
    sqrt(B/(B-1) sum_b (uv_b - alpha uu_b)^2) / <u,u>; None below 8 blocks.
    """
    if n == 0:
        return OneParent(reason=NO_ELEMENTS)
    if not all(map(math.isfinite, (uu, uv, vv))):
        return OneParent(reason="the sums are not finite")
    if uu <= 0:
        return OneParent(reason="the parent equals the reference in every element")
    alpha = uv / uu
    error = None
    if blocks is not None and blocks.count >= JACKKNIFE_LEAST:
        squares = max(blocks.cc - 2 * alpha * blocks.ac + alpha * alpha * blocks.aa, 0.0)
        error = math.sqrt(blocks.count / (blocks.count - 1) * squares) / uu
    if vv <= 0:
        return OneParent(alpha, standard_error=error, reason="the suspect equals the reference in every element")
    collinearity = min(max(uv / (math.sqrt(uu) * math.sqrt(vv)), -1.0), 1.0)
    return OneParent(alpha, collinearity, collinearity * math.sqrt(n), error)


def fit_many(gram: Float64, cross: Float64, vv: float, *, simplex: bool = True) -> ManyParents:
    """Solve for k - 1 parents: `gram` float64[k-1, k-1] of the deltas, `cross` float64[k-1] = <u_i, v>.

    Without `simplex` that solution is left out: it takes longer than the other.
    """
    scale, correlations, condition, reason = _scaled(gram, cross)
    if reason is not None:
        return ManyParents(condition_number=condition, reason=reason)
    if not (math.isfinite(vv) and vv > 0):
        why = "the suspect equals the reference in every element" if vv == 0 else "the sums are not finite"
        return ManyParents(condition_number=condition, reason=why)
    solution = np.linalg.solve(correlations, cross / scale) / scale
    r_squared = min(float(cross @ solution) / vv, 1.0)
    return ManyParents(
        tuple(map(float, solution)),
        tuple(map(float, _on_simplex(gram, cross, vv))) if simplex else None,
        r_squared,
        math.sqrt(max(r_squared, 0.0)),
        condition,
    )


def coefficient_sum(gram: Float64, cross: Float64, vv: float | None = None, n: int | None = None) -> CoefficientSum:
    """Solve S = sum a_i P_i with free a_i, from sums over [deltas ..., P0] (well conditioned, unlike the raw parents').

    `gram` float64[k, k] of [u_1 ... u_{k-1}, P0], `cross` float64[k] of the same rows with v. Equal to least squares
    on the raw parents: S = P0 + sum b_i u_i + b_0 P0 has a_i = b_i and sum a = 1 + b_0. With `vv` = <v,v> and `n` the
    standard error of the sum is given, for independent residuals.
    """
    scale, correlations, _, reason = _scaled(gram, cross)
    if reason is not None:
        return CoefficientSum(reason=reason)
    solution = np.linalg.solve(correlations, cross / scale) / scale
    total = 1.0 + float(solution[-1])
    error = None
    if vv is not None and n is not None and n > cross.size:
        variance = max(vv - float(cross @ solution), 0.0) / (n - cross.size)
        error = math.sqrt(variance * float(np.linalg.inv(correlations)[-1, -1])) / float(scale[-1])
    others = solution[:-1]
    return CoefficientSum(total, (*map(float, others), total - float(others.sum())), error)


def _scaled(gram: Float64, cross: Float64) -> tuple[Float64, Float64, float | None, str | None]:
    """Scale a Gram matrix: (root of its diagonal, correlations, condition number, why it is useless)."""
    if cross.size == 0:
        return cross, gram, None, "no parent besides the reference"
    if not (np.isfinite(gram).all() and np.isfinite(cross).all()):
        return cross, gram, None, "the sums are not finite"
    scale = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    if not scale.all():
        zero = ", ".join(str(i + 1) for i in np.flatnonzero(scale == 0))
        return scale, gram, None, f"parent {zero} equals the reference in every element"
    correlations = gram / scale / scale[:, None]
    eigenvalues = np.linalg.eigvalsh(correlations)
    smallest = float(eigenvalues[0])
    condition = float(eigenvalues[-1]) / smallest if smallest > 0 else math.inf
    if condition > SINGULAR:
        return scale, correlations, condition, "the parents' deltas are linearly dependent: they cannot be told apart"
    return scale, correlations, condition, None


def _on_simplex(gram: Float64, cross: Float64, vv: float) -> Float64:
    """Minimise |v - sum x_i u_i| over x >= 0, sum x <= 1, by an active set (exact zeros, no dust).

    With the reference as one more corner (delta 0) this is the point of the simplex of the columns m_i = u_i - v, and
    m_0 = -v, nearest to the origin: the normalised solution of non-negative least squares on [M; 1] y = [0; 1].
    """
    if cross.size == 1:
        return np.asarray(np.clip(cross / gram[0], 0.0, 1.0), np.float64)
    from scipy.optimize import nnls

    corners = np.zeros((cross.size + 1, cross.size + 1))
    corners[1:, 1:] = gram - cross - cross[:, None]
    corners[0, 1:] = corners[1:, 0] = -cross
    corners += vv
    eigenvalues, vectors = np.linalg.eigh(corners / np.abs(corners).max())
    root = np.sqrt(np.maximum(eigenvalues, 0.0))[:, None] * vectors.T
    target = np.zeros(cross.size + 2)
    target[-1] = 1.0
    weights, _ = nnls(np.vstack([root, np.ones(cross.size + 1)]), target)
    result: Float64 = weights[1:] / weights.sum()
    return result
