"""Interval-censored maximum likelihood: the mixing coefficients and what was added after the merge, free of rounding.

S = round(P0 + sum alpha_i u_i + eps), eps ~ N(0, sigma^2): an element's likelihood is
Phi((upper - P0 - alpha.u)/sigma) - Phi((lower - P0 - alpha.u)/sigma) with its exact rounding cell. In
(alpha/sigma, 1/sigma) the log-likelihood is concave (Burridge 1981, J. R. Statist. Soc. B 43:41), so a damped Newton
iteration finds the one maximum from any start. A pure merge has its supremum at sigma = 0, which is said, not hidden.
Elements with u = 0 say nothing of alpha but much of sigma, and are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.cell_probability import CellTerms, cell_terms
from modelprov.forensics.estimators.clustered import clustered_errors
from modelprov.forensics.estimators.root import root
from modelprov.forensics.sampling.sample import Sample, arithmetic_error
from modelprov.forensics.thresholds import LIKELIHOOD_LEAST, SINGULAR

ONE_SIDED_95 = 1.3528
"""Fall of the log-likelihood at a one-sided 95 % bound: half the 0.9 quantile of chi squared with one degree."""


@dataclass(frozen=True)
class Likelihood:
    """The maximum of the likelihood; alphas in the order of the deltas, sigma in units of the weights.

    `sigma_at_boundary`: sigma cannot be told from 0 beyond the merging program's own error; then `sigma` is 0, its
    error None, the alphas' errors None (the interval of `interval.py` or box of `polytope.py` bounds them), and
    `sigma_upper` is the one-sided 95 % bound. `collinearity`: |alpha.u| / sqrt(|alpha.u|^2 + n sigma^2), what the
    cosine would be without rounding. `sigma_relative`: sigma / rms(u), rms over all deltas. `standard_errors` assume
    independent elements; `clustered_errors`, of the alphas, let the elements of a tensor move together
    (`clustered.py`), and are never the smaller ones.
    """

    alphas: tuple[float, ...] | None = None
    standard_errors: tuple[float, ...] | None = None
    clustered_errors: tuple[float, ...] | None = None
    sigma: float | None = None
    sigma_standard_error: float | None = None
    sigma_upper: float | None = None
    sigma_at_boundary: bool = False
    sigma_relative: float | None = None
    collinearity: float | None = None
    log_likelihood: float | None = None
    converged: bool = False
    elements: int = 0
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class _Problem:
    """Middles and widths of the cells relative to the reference, float64[n], and deltas, float64[k-1, n]."""

    middle: Float64
    width: Float64
    deltas: Float64

    def terms(self, point: Float64) -> CellTerms:
        return cell_terms(point[-1] * self.middle - point[:-1] @ self.deltas, point[-1] * self.width)


def fit(sample: Sample, iterations: int = 60) -> Likelihood:
    """Maximise the likelihood over sigma and the alphas of all deltas.

    Elements that are exactly 0 everywhere (padding rows, parts that were never used) say nothing and are left out.
    """
    used = (sample.parents != 0).any(axis=0) | (sample.suspect != 0)
    sample = sample if used.all() else sample.take(used)
    n = sample.elements
    if n < LIKELIHOOD_LEAST:
        return Likelihood(elements=n, reason=f"only {n} elements; {LIKELIHOOD_LEAST} are needed")
    unit = float(np.abs(sample.deltas).max())
    if unit == 0:
        return Likelihood(elements=n, reason="the parents equal the reference in every element")
    u = sample.deltas / unit
    gram = u @ u.T
    root = np.sqrt(np.diagonal(gram))
    if not root.all() or np.linalg.cond(gram / root / root[:, None]) > SINGULAR:
        return Likelihood(elements=n, reason="the parents' deltas are linearly dependent: they cannot be told apart")
    lower, upper = (sample.lower - sample.parents[-1]) / unit, (sample.upper - sample.parents[-1]) / unit
    error = arithmetic_error(sample) / unit
    floor = max(float(np.sqrt(np.mean(error**2))), 1e-12)
    # A cell far narrower than the smallest sigma adds only its density: widening it there changes no estimate.
    problem = _Problem((lower + upper) / 2, np.maximum(upper - lower, floor * 1e-3), u)
    alphas = np.linalg.solve(gram, u @ problem.middle)
    spread = math.sqrt(float(np.mean((problem.middle - alphas @ u) ** 2) + np.mean(problem.width**2)))
    point, terms, converged = _newton(problem, np.append(alphas, 1.0) / max(spread, floor), iterations, 1 / floor)
    if point[-1] * floor > 0.9999:
        return _at_boundary(_Problem(problem.middle, problem.width + 2 * error, u), point, unit, iterations)
    sigma = 1 / float(point[-1])
    alphas = point[:-1] * sigma
    curvature = _derivatives(problem, terms)[1]
    errors = _standard_errors(curvature, point)
    return Likelihood(
        tuple(map(float, alphas)),
        errors[:-1] if errors else None,
        _clustered(problem, terms, curvature, point, sample) if errors else None,
        sigma * unit,
        sigma_standard_error=errors[-1] * unit if errors else None,
        sigma_relative=sigma / math.sqrt(float(np.mean(u**2))),
        collinearity=_collinearity(alphas @ u, sigma),
        log_likelihood=float(terms.log_probability.sum()),
        converged=converged,
        elements=n,
    )


def _at_boundary(problem: _Problem, point: Float64, unit: float, iterations: int) -> Likelihood:
    """Fit the alphas at the smallest sigma that the merging program's arithmetic allows, and bound sigma from above."""
    point, terms, converged = _newton(problem, point, iterations)
    best = float(terms.log_probability.sum())
    alphas = point[:-1] / point[-1]

    def fall(log_sigma: float) -> float:
        scale = math.exp(-log_sigma)
        _, profile, _ = _newton(problem, np.append(alphas, 1.0) * scale, iterations)
        return best - float(profile.log_probability.sum()) - ONE_SIDED_95

    high = -math.log(float(point[-1]))  # nothing has fallen there
    below, above = (high, fall(high)), (high + 1.0, fall(high + 1.0))
    while above[1] < 0:
        below, above = above, (above[0] + 1.0, fall(above[0] + 1.0))
    log_sigma = root(fall, below, above, 0.01)
    return Likelihood(
        tuple(map(float, alphas)),
        sigma=0.0,
        sigma_upper=math.exp(log_sigma) * unit,
        sigma_at_boundary=True,
        sigma_relative=0.0,
        collinearity=_collinearity(alphas @ problem.deltas, 0.0),
        log_likelihood=best,
        converged=converged,
        elements=problem.width.size,
    )


def _newton(
    problem: _Problem, start: Float64, iterations: int, ceiling: float | None = None
) -> tuple[Float64, CellTerms, bool]:
    """Climb in (alpha/sigma, 1/sigma) with 1/sigma <= `ceiling`, or held at its start: (point, terms, converged)."""
    point, terms = start, problem.terms(start)
    held = ceiling is None
    free = point.size - held
    ceiling = float(start[-1]) if ceiling is None else ceiling
    for _ in range(iterations):
        value = float(terms.log_probability.sum())
        gradient, curvature = _derivatives(problem, terms)
        scale = np.sqrt(np.maximum(np.diagonal(curvature), 1e-300))[:free]
        scaled = curvature[:free, :free] / scale / scale[:, None]
        step = np.zeros_like(point)
        step[:free] = np.linalg.lstsq(scaled + 1e-12 * np.eye(free), gradient[:free] / scale)[0] / scale
        gain = float(gradient @ step)
        if gain < 1e-8:
            return point, terms, True
        length = 1.0 if step[-1] >= 0 else min(1.0, -0.9 * float(point[-1] / step[-1]))
        best = None
        while length > 1e-10:
            trial = point + length * step
            trial = trial * min(1.0, ceiling / trial[-1])
            trial_terms = problem.terms(trial)
            trial_value = float(trial_terms.log_probability.sum())
            if best is not None and not trial_value > best:
                break
            if best is not None or trial_value > value:
                best, accepted, accepted_terms = trial_value, trial, trial_terms
                # Towards sigma = 0 the surface flattens and Newton steps fall short: go on while it pays.
                if step[-1] * length < point[-1] / 2 or trial[-1] >= ceiling:
                    break
                length *= 3
            else:
                length /= 4
        if best is None:
            return point, terms, gain < 1e-3
        stopped = not held and min(point[-1], accepted[-1]) >= ceiling * (1 - 1e-9)
        point, terms = accepted, accepted_terms
        if stopped:
            return point, terms, True
    return point, terms, False


def _derivatives(problem: _Problem, terms: CellTerms) -> tuple[Float64, Float64]:
    """Gradient and negated Hessian of the log-likelihood in (alpha/sigma, 1/sigma)."""
    u, middle, width = problem.deltas, problem.middle, problem.width
    by_scale = terms.by_mm * middle + terms.by_mw * width
    corner = by_scale * middle + (terms.by_mw * middle + terms.by_ww * width) * width
    curvature = np.empty((len(u) + 1, len(u) + 1))
    curvature[:-1, :-1] = (u * -terms.by_mm) @ u.T
    curvature[:-1, -1] = curvature[-1, :-1] = u @ by_scale
    curvature[-1, -1] = -corner.sum()
    return np.append(-(u @ terms.by_m), terms.by_m @ middle + terms.by_w @ width), curvature


def _standard_errors(curvature: Float64, point: Float64) -> tuple[float, ...] | None:
    """Give the standard errors of (alphas, sigma) from the observed information in (alpha/sigma, 1/sigma)."""
    change = _to_alphas(point)
    scale = np.sqrt(np.maximum(np.diagonal(curvature), 0.0))
    scaled = curvature / scale / scale[:, None] if scale.all() else np.zeros_like(curvature)
    if np.linalg.cond(scaled) > SINGULAR:
        return None
    change = change / scale
    variances = np.diagonal(change @ np.linalg.inv(scaled) @ change.T)
    return tuple(map(float, np.sqrt(variances))) if (variances > 0).all() else None


def _to_alphas(point: Float64) -> Float64:
    """Derivatives of (alphas, sigma) in (alpha/sigma, 1/sigma)."""
    sigma = 1 / point[-1]
    change = np.eye(point.size) * sigma
    change[:, -1] = -np.append(point[:-1], 1.0) * sigma**2
    return np.asarray(change, np.float64)


def _clustered(
    problem: _Problem, terms: CellTerms, curvature: Float64, point: Float64, sample: Sample
) -> tuple[float, ...] | None:
    """Give the errors of the alphas with the elements of a tensor as one draw; at least those of independent ones."""
    along = terms.by_m * problem.middle + terms.by_w * problem.width
    scores = np.concatenate([-problem.deltas * terms.by_m, along[None]])
    inverse = _to_alphas(point) @ np.linalg.inv(curvature)
    found, independent = clustered_errors(scores, inverse, sample.group), _standard_errors(curvature, point)
    if found is None or independent is None:
        return independent[:-1] if independent else None
    return tuple(float(max(pair)) for pair in zip(found[:-1], independent[:-1], strict=True))


def _collinearity(merged: Float64, sigma: float) -> float | None:
    signal = float(np.mean(merged**2))
    return math.sqrt(signal / (signal + sigma**2)) if signal > 0 else None
