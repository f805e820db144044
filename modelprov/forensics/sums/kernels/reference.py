"""The kernel in plain numpy and float64: slow, obvious, and the oracle of the fast ones. Also serves F64 weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import FORMATS, DType, decode, round_to
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.moments import (
    ALL_EQUAL,
    BETWEEN,
    BLOCK,
    BLOCKS,
    ELEMENTS,
    FIRST_PAIR,
    NONFINITE,
    PARENTS_AGREE,
    Moments,
    layout,
)
from modelprov.recipes.arithmetics import evaluate


def reference_kernel(buffers: Sequence[npt.NDArray[np.uint8]], segments: Segments, recipes: RecipePlan) -> Moments:
    """See `Kernel`. Candidate recipes are counted unless a format is F64, where none of them applies."""
    n = len(buffers)
    rows = Moments.empty(n, len(segments.count))
    for s in range(len(segments.count)):
        dtypes = [FORMATS[code] for code in segments.dtype[:, s]]
        count = int(segments.count[s])
        values = np.stack(
            [
                decode(buffers[i][segments.start[i, s] : segments.start[i, s] + count * dtypes[i].size], dtypes[i])
                for i in range(n)
            ]
        )
        weights, rounded_to = recipes.weights[:, segments.tensor[s]], FORMATS[segments.rounded_to[s]]
        for first in range(0, count, BLOCK):
            part = _block(values[:, first : first + BLOCK], dtypes, rounded_to, recipes, weights)
            rows.counts[s] += part.counts
            rows.sums[s] += part.sums
    return rows


def _block(
    values: npt.NDArray[np.float64], dtypes: Sequence[DType], rounded_to: DType, recipes: RecipePlan,
    weights: npt.NDArray[np.float64],
) -> Moments:  # fmt: skip
    """Moments of one run of at most 4,096 elements, float64 [n, m]."""
    n = len(values)
    moments, columns = Moments.empty(n), layout(n)
    finite = np.isfinite(values).all(axis=0)
    values = values[:, finite]
    elements = values.shape[1]
    counts, sums = moments.counts, moments.sums
    counts[ELEMENTS], counts[NONFINITE], counts[BLOCKS] = elements, int((~finite).sum()), int(elements > 0)

    same = values.view(np.int64) == values[0].view(np.int64)
    rounded = [v if d is rounded_to else round_to(v, rounded_to) for v, d in zip(values, dtypes, strict=True)]
    stored = np.where(same, values, np.stack(rounded))  # the suspect's very bits are equal, whatever it is rounded to
    bits = stored.view(np.int64)
    agree = (bits[1:] == bits[-1]).all(axis=0)
    counts[PARENTS_AGREE], counts[ALL_EQUAL] = int(agree.sum()), int((agree & (bits[0] == bits[-1])).sum())
    keys = ordered(stored)
    counts[BETWEEN] = int(((keys[0] >= keys[1:].min(axis=0)) & (keys[0] <= keys[1:].max(axis=0))).sum())
    for column, (i, j) in enumerate(columns.pairs):
        counts[FIRST_PAIR + column] = int((bits[i] == bits[j]).sum())

    delta = values[:-1] - values[-1]
    z = np.concatenate([delta, values[-1:], np.ones((1, elements))])
    upper = np.triu_indices(n + 1)
    sums[: columns.gram] = (z @ z.T)[upper][:-1]
    for parent in range(1, n - 1):
        a, c = float(delta[parent] @ delta[parent]), float(delta[parent] @ delta[0])
        sums[columns.gram + 3 * (parent - 1) :][:3] = (a * a, a * c, c * c)

    if DType.F64 not in dtypes:
        single = np.ascontiguousarray(values.astype(np.float32))
        out = np.empty(elements, np.float32)
        for r in range(len(recipes.arithmetic)):
            evaluate(
                recipes.arithmetic[r], single[1:], np.ascontiguousarray(weights[r]),
                recipes.order[r], rounded_to.code, out,
            )  # fmt: skip
            counts[columns.recipe + r] = int((out.view(np.int32) == single[0].view(np.int32)).sum())
    return moments


def ordered(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Integers in the order of the values, with -0 just below +0: a total order on bits."""
    bits = values.view(np.int64)
    return np.where(bits < 0, bits ^ np.int64(0x7FFFFFFFFFFFFFFF), bits)
