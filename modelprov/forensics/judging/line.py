"""Where the suspect lies among its parents: weights, collinearity, straightness. Measures; judges nothing."""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.least_squares import fit_many
from modelprov.forensics.search.fits import Fits
from modelprov.forensics.sums.moments import Moments


def _free(total: Moments) -> tuple[Float64, Float64, float]:
    """Gram of the deltas, their products with the suspect's delta, and its square, from all decisive elements."""
    gram, deltas = total.gram(), total.n - 1
    return gram[1:deltas, 1:deltas], gram[1:deltas, 0], float(gram[0, 0])


def weights_of(total: Moments, fits: Fits | None) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Weight of every parent, the reference last, by likelihood or else by least squares, and its standard errors.

    The reference's is that of the sum of the others, were they independent: the largest.
    """
    if fits is not None and fits.likelihood.alphas is not None and fits.likelihood.converged:
        likely, errors = fits.likelihood.alphas, fits.likelihood.standard_errors
        return (*likely, 1.0 - sum(likely)), (*errors, float(np.linalg.norm(errors))) if errors else None
    if total.n < 3:
        return None, None
    gram, products, square = _free(total)
    free = fit_many(gram, products, square).alphas
    if free is None:
        return None, None
    residual = max(square - float(products @ np.array(free)), 0.0) / max(total.elements, 1)
    each = np.sqrt(residual * np.diag(np.linalg.inv(gram)))
    return (*free, 1.0 - sum(free)), (*map(float, each), float(np.linalg.norm(each)))


def collinearity(total: Moments, fits: Fits | None) -> float | None:
    """Collinearity freed of rounding where the likelihood gives it, else the plain one."""
    if fits is not None and fits.likelihood.collinearity is not None:
        return fits.likelihood.collinearity
    if total.n < 3:
        return None
    return fit_many(*_free(total)).collinearity


def straightness(total: Moments, fits: Fits | None, weights: tuple[float, ...] | None) -> float | None:
    """Minus the cosine, at the suspect, between a parent and the mixture of the others; of the parent that gives most.

    With M the fitted mixture, D and E the distances from M to the parent and to that mixture of the others, and s what
    the suspect has beyond M in every element: (D E - s^2) / sqrt((D^2 + s^2)(E^2 + s^2)). 1 on the line between the
    two, 0 where training turned at a right angle (a random walk seen half-way does), unlike the collinearity, which
    nears 1 whenever the suspect is near the parent. The likelihood gives s free of rounding. None where no parent has
    a weight between 0 and 1: the suspect is outside.
    """
    if weights is None or total.n < 3:
        return None
    free = np.array(weights[:-1])
    if fits is not None and fits.likelihood.alphas is not None and fits.likelihood.converged:
        deltas = fits.sample.deltas
        gram = np.asarray(deltas @ deltas.T) / fits.sample.elements
        beyond = (fits.likelihood.sigma or 0.0) ** 2
    else:
        gram, products, square = _free(total)
        beyond = max(float(square - 2 * free @ products + free @ gram @ free), 0.0)
    found = []
    for parent, weight in enumerate(weights):
        if not 0 < weight < 1:
            continue
        way = (np.arange(len(free)) == parent) - free
        near = float(np.sqrt(max(way @ gram @ way, 0.0)))
        far = near * weight / (1 - weight)
        scale = np.sqrt((near**2 + beyond) * (far**2 + beyond))
        if scale > 0:
            found.append(float((near * far - beyond) / scale))
    return max(found, default=None)
