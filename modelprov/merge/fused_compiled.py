"""The loop of weighted sums in numba, where there are no C kernels: stored bytes in, stored bytes out, in one pass.

The arithmetic itself is `recipes.arithmetics_compiled.evaluate`; here it is given what `formats.compiled` decodes.
"""

from __future__ import annotations

from numba import njit

from modelprov.checkpoints.formats.compiled import decode_into, encode_into, size_of
from modelprov.recipes.arithmetics_compiled import evaluate


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def weighted(arithmetic, raw, codes, weights, order, out_code, count, parents, row, out):
    """Merge `count` elements: `raw` uint8 [k, bytes] of formats `codes` [k] into `out` uint8 [bytes].

    `weights` float64 [k], `order` int64 [k]; `parents` float32 [k, chunk] and `row` float32 [chunk] are scratch.
    """
    chunk = len(row)
    for first in range(0, count, chunk):
        m = min(chunk, count - first)
        for j in range(len(codes)):
            size = size_of(codes[j])
            decode_into(raw[j, size * first : size * (first + m)], codes[j], parents[j])
            parents[j, m:] = 0
        evaluate(arithmetic, parents, weights, order, out_code, row)
        size = size_of(out_code)
        encode_into(row[:m], out_code, out[size * first : size * (first + m)])
