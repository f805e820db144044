"""Standard errors that hold where elements of one tensor moved together: the sandwich estimator, by cluster.

Training leaves changes of low rank and of a size of their own in every tensor, so elements are not independent draws
and the curvature of a likelihood promises too much. Source: G. Huber (1967) and K.-Y. Liang and S. Zeger (1986), with
the correction and the degrees of freedom of C. Cameron and D. Miller (2015) for few clusters. Fits nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.normal import student_95

NORMAL_95 = 1.959964
FEWEST = 4
"""Clusters below which runs of elements stand for tensors."""
RUN = 256


def clustered_errors(scores: Float64, inverse: Float64, group: npt.NDArray[np.int32]) -> Float64 | None:
    """Standard errors float64 [p] such that 1.96 of them hold 95 %, or None without at least two clusters.

    `scores` float64 [p, n] are each element's gradient of the log-likelihood at the maximum, `inverse` float64 [p, p]
    the inverse of the curvature, `group` int32 [n] the tensor that an element came from. Few clusters give Student's
    quantile instead of the normal one, as a larger error.
    """
    names, cluster = np.unique(group, return_inverse=True)
    clusters = names.size
    if clusters < FEWEST:
        cluster = np.arange(group.size) // RUN
        clusters = int(cluster[-1]) + 1 if cluster.size else 0
    if clusters < 2:
        return None
    sums = np.stack([np.bincount(cluster, row, clusters) for row in scores])
    covariance = inverse @ (sums @ sums.T) @ inverse.T * (clusters / (clusters - 1))
    widened = student_95(clusters - 1) / NORMAL_95
    return np.asarray(np.sqrt(np.maximum(np.diagonal(covariance), 0.0)) * widened, np.float64)
