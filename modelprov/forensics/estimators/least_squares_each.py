"""Least squares of many tensors at once: row by row what `least_squares.py` gives for each alone, in columns.

A large model has 95,000 tensors: solved for one at a time they take longer than everything else that is judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators import least_squares as alone
from modelprov.forensics.estimators.least_squares import NO_ELEMENTS
from modelprov.forensics.thresholds import JACKKNIFE_LEAST, SINGULAR

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EachFit:
    """What `OneParent` has, of t tensors: float64 [t] each, NaN for what could not be solved; t reasons or None."""

    alpha: Float64
    collinearity: Float64
    z: Float64
    standard_error: Float64
    reason: list[str | None]


def fit_one_each(sums: Float64, elements: Int64, blocks: Int64) -> EachFit:
    """`fit_one` of t tensors: `sums` float64 [6, t] are <u,u>, <u,v>, <v,v> and of blocks uu_b^2, uu_b uv_b, uv_b^2.

    `elements`, `blocks` int64 [t] count those.
    """
    uu, uv, vv, aa, ac, cc = sums
    solved = (elements > 0) & np.isfinite(sums[:3]).all(axis=0) & (uu > 0)
    told, enough = solved & (vv > 0), solved & (blocks >= JACKKNIFE_LEAST)
    with np.errstate(all="ignore"):  # rows without a solution are left out below
        alpha = uv / uu
        squares = np.maximum(cc - 2 * alpha * ac + alpha * alpha * aa, 0.0)
        error = np.sqrt(blocks / (blocks - 1) * squares) / uu
        collinearity = np.clip(uv / (np.sqrt(uu) * np.sqrt(vv)), -1.0, 1.0)
    alpha, error = np.where(solved, alpha, np.nan), np.where(enough, error, np.nan)
    collinearity = np.where(told, collinearity, np.nan)
    reason: list[str | None] = [None if count else NO_ELEMENTS for count in elements.tolist()]
    for row in np.flatnonzero(~told & (elements > 0)).tolist():
        reason[row] = alone.fit_one(float(uu[row]), float(uv[row]), float(vv[row]), int(elements[row])).reason
    return EachFit(alpha, collinearity, collinearity * np.sqrt(elements), error, reason)


def fit_many_each(gram: Float64, cross: Float64, vv: Float64) -> EachFit:
    """`fit_many` of t tensors, of the first parent: `gram` float64 [t, k - 1, k - 1], `cross` [t, k - 1], `vv` [t]."""
    alpha, collinearity = np.full((2, len(vv)), np.nan)
    scale = np.sqrt(np.maximum(np.diagonal(gram, axis1=1, axis2=2), 0.0))
    usable = np.isfinite(gram).all(axis=(1, 2)) & np.isfinite(cross).all(axis=1) & (scale > 0).all(axis=1)
    usable &= np.isfinite(vv) & (vv > 0)
    rows = np.flatnonzero(usable)
    own = scale[rows]
    correlations = gram[rows] / own[:, None, :] / own[:, :, None]
    eigenvalues = np.linalg.eigvalsh(correlations)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = (eigenvalues[:, 0] > 0) & (eigenvalues[:, -1] / eigenvalues[:, 0] <= SINGULAR)
    rows, own, correlations = rows[apart], own[apart], correlations[apart]
    solution = np.linalg.solve(correlations, (cross[rows] / own)[:, :, None])[:, :, 0] / own
    r_squared = np.minimum((cross[rows][:, None] @ solution[:, :, None])[:, 0, 0] / vv[rows], 1.0)
    alpha[rows], collinearity[rows] = solution[:, 0], np.sqrt(np.maximum(r_squared, 0.0))
    nothing = (gram == 0).all(axis=(1, 2)) & (cross == 0).all(axis=1)  # thousands, where only a sample was read
    empty = alone.fit_many(np.zeros(gram.shape[1:]), np.zeros(gram.shape[1]), 0.0, simplex=False).reason
    reason = [empty if each else None for each in nothing.tolist()]
    unsolved = ~nothing
    unsolved[rows] = False
    for row in np.flatnonzero(unsolved).tolist():
        reason[row] = alone.fit_many(gram[row], cross[row], float(vv[row]), simplex=False).reason
    none = np.full(len(vv), np.nan)
    return EachFit(alpha, collinearity, none, none, reason)
