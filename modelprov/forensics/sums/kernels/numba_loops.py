"""The loops of the processor's kernel in numba, float32 lanes inside chunks of 1,024 elements, float64 across.

Where there is the C kernel they are its oracle, elsewhere they compute. Three bf16 checkpoints, the usual case, take
the path in `bf16.py` that reads two elements a word; everything else is decoded to float32 first. Runs with non-finite
elements, or whose squares leave float32's range, are added in float64. What decides speed: loops over plain ranges of
whole slices, every uint32 cast, int16 counters (a run fits), no fast-math where bits are compared.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from modelprov.checkpoints.formats.compiled import BF16, bf16_bits, decode_into, size_of, store
from modelprov.forensics.sums.kernels.bf16 import CHUNK, counts_bf16, recipe_bf16, sums_bf16
from modelprov.forensics.sums.kernels.numba_sums import gram, gram_double, in_range, jackknife, subtract
from modelprov.forensics.sums.moments import BLOCK, layout
from modelprov.recipes.arithmetics_compiled import evaluate


def add_moments(
    address, size, tensor, count, start, dtype, rounded_to, arithmetic, order, weights, counts, sums,
):  # fmt: skip
    """Add the moments of segments to their rows of `counts` and `sums`; arrays as `Native.moments` takes them."""
    n, columns = len(address), layout(len(address))
    given = (tensor, count, start, dtype, rounded_to, arithmetic, order, weights)
    # Addresses, and arrays of one layout: the loops are compiled once, whatever they are given.
    segments(
        address, size, *map(np.ascontiguousarray, given), columns.recipe, columns.gram,
        np.empty((n, BLOCK), np.float32), np.empty((n, BLOCK), np.float32), np.empty((n - 1, BLOCK), np.float32),
        np.empty(BLOCK, np.float32), np.empty(columns.sums), np.empty(columns.counts, np.int64),
        np.empty(len(arithmetic), np.bool_), counts, sums,
    )  # fmt: skip


@intrinsic
def _bytes_at(_context, _address, _size):
    """The array uint8 [size] at an address."""

    def generate(context, builder, signature, arguments):
        address, size = arguments
        array = make_array(signature.return_type)(context, builder)
        single = context.get_constant(types.intp, 1)
        data = builder.inttoptr(address, array.data.type)
        populate_array(array, data=data, shape=[size], strides=[single], itemsize=single, meminfo=None)
        return array._getvalue()

    return types.Array(types.uint8, 1, "C")(types.int64, types.int64), generate


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def segments(  # noqa: PLR0912, PLR0915
    address, size, tensor, count, start, dtype, rounded_to, arithmetic, order, weights, first_recipe, first_jackknife,
    values, stored, deltas, out, part, run, word_recipe, counts, sums,
):  # fmt: skip
    """The loop over segments; the last two are filled, what stands before them from `values` on is scratch."""
    n = len(address)
    for s in range(len(count)):
        suspect = rounded_to[s]
        one_format = True
        for i in range(n):
            one_format = one_format and dtype[i, s] == suspect
        plain = one_format and suspect == BF16
        for k in range(len(arithmetic)):
            word_recipe[k] = arithmetic[k] <= 1 and not _normalised(weights[k, tensor[s]], order[k])
        for first in range(0, count[s], BLOCK):
            m = min(BLOCK, count[s] - first)
            part[:] = 0
            run[:] = 0
            if n == 3 and plain and m % 2 == 0:
                of_suspect = _bytes_at(address[0], size[0])
                of_parent = _bytes_at(address[1], size[1])
                of_reference = _bytes_at(address[2], size[2])
                for chunk in range(first, first + m, CHUNK):
                    taken = 2 * min(CHUNK, first + m - chunk)
                    at_a, at_p, at_r = start[0, s] + 2 * chunk, start[1, s] + 2 * chunk, start[2, s] + 2 * chunk
                    a = of_suspect[at_a : at_a + taken]
                    p = of_parent[at_p : at_p + taken]
                    r = of_reference[at_r : at_r + taken]
                    sums_bf16(a.view(np.uint32), p.view(np.uint32), r.view(np.uint32), part)
                    counts_bf16(a.view(np.uint16), p.view(np.uint16), r.view(np.uint16), run)
                    for k in range(len(arithmetic)):
                        if word_recipe[k]:
                            run[first_recipe + k] += recipe_bf16(
                                a.view(np.uint32), p.view(np.uint32), r.view(np.uint32),
                                np.float32(weights[k, tensor[s], order[k, 0]]),
                                np.float32(weights[k, tensor[s], order[k, 1]]),
                                order[k, 0] == 0, arithmetic[k] == 1,
                            )  # fmt: skip
                finite = in_range(part, n, m, first_jackknife, run, one_format)
                if finite:
                    decoded = False
                    for k in range(len(arithmetic)):
                        if not word_recipe[k]:
                            if not decoded:
                                _decode_all(address, size, start, dtype, s, first, m, values)
                                decoded = True
                            evaluate(arithmetic[k], values[1:], weights[k, tensor[s]], order[k], suspect, out[:m])
                            run[first_recipe + k] += _same(values[0, :m], out[:m])
            else:
                _decode_all(address, size, start, dtype, s, first, m, values)
                subtract(values, m, deltas)
                gram(deltas, values[n - 1], m, part)
                _counts(values, stored, dtype, s, suspect, m, run)
                finite = in_range(part, n, m, first_jackknife, run, one_format)
                if finite:
                    for k in range(len(arithmetic)):
                        evaluate(arithmetic[k], values[1:], weights[k, tensor[s]], order[k], suspect, out[:m])
                        run[first_recipe + k] += _same(values[0, :m], out[:m])
            if not finite:
                _decode_all(address, size, start, dtype, s, first, m, values)
                kept = _drop_nonfinite(values, m)
                part[:] = 0
                run[:] = 0
                counts[s, 1] += m - kept
                if kept == 0:
                    continue
                gram_double(values, kept, part)
                _counts(values, stored, dtype, s, suspect, kept, run)
                for k in range(len(arithmetic)):
                    evaluate(arithmetic[k], values[1:], weights[k, tensor[s]], order[k], suspect, out[:kept])
                    run[first_recipe + k] += _same(values[0, :kept], out[:kept])
            run[2] += 1
            jackknife(part, n, first_jackknife)
            for c in range(len(part)):
                sums[s, c] += part[c]
            for c in range(len(run)):
                counts[s, c] += run[c]


@njit(nogil=True, _nrt=False)
def _normalised(weights, order):
    """Whether the program would divide by a sum of weights other than 1."""
    total = np.float32(0)
    for j in order:
        if j >= 0:
            total = np.float32(total + np.float32(weights[j]))
    return total != np.float32(1)


@njit(nogil=True, _nrt=False)
def _decode_all(address, size, start, dtype, s, first, m, values):
    for i in range(len(address)):
        code = dtype[i, s]
        begin = start[i, s] + size_of(code) * first
        raw = _bytes_at(address[i], size[i])[begin : begin + size_of(code) * m]
        decode_into(raw, code, values[i])


@njit(nogil=True, _nrt=False)
def _drop_nonfinite(values, m):
    """Move the elements that are finite in every checkpoint to the front; return how many there are."""
    kept = 0
    for t in range(m):
        finite = True
        for i in range(len(values)):
            finite = finite and np.isfinite(values[i, t])
        if finite:
            for i in range(len(values)):
                values[i, kept] = values[i, t]
            kept += 1
    return kept


@njit(nogil=True, _nrt=False)
def _same(a, b):
    left, right = a.view(np.uint32), b.view(np.uint32)
    total = np.int32(0)
    for i in range(len(left)):
        total += np.int32(left[i] == right[i])
    return total


@njit(nogil=True, _nrt=False)
def _key(bits):
    """An integer in the order of the float with these bits; -0 comes just below +0."""
    bits = np.int32(bits)
    return np.int32(bits ^ np.int32(np.uint32(np.int32(bits >> np.int32(31))) >> np.uint32(1)))


@njit(nogil=True, _nrt=False)
def _counts(values, stored, dtype, s, suspect_format, m, counts):
    """Equality and betweenness, parents rounded to the suspect's format first where they do not hold its very bits."""
    n = len(values)
    for i in range(n):
        row, kept = values[i, :m], stored[i, :m]
        if i == 0 or dtype[i, s] == suspect_format:
            for t in range(m):
                kept[t] = row[t]
        elif suspect_format == BF16:
            for t in range(m):
                same = np.float32(row[t]).view(np.uint32) == np.float32(values[0, t]).view(np.uint32)
                kept[t] = row[t] if same else np.uint32(bf16_bits(row[t])).view(np.float32)
        else:
            for t in range(m):
                same = np.float32(row[t]).view(np.uint32) == np.float32(values[0, t]).view(np.uint32)
                kept[t] = row[t] if same else store(row[t], suspect_format)
    counts[0] += m
    column = 6
    for i in range(n):
        for j in range(i + 1, n):
            counts[column] += _same(stored[i, :m], stored[j, :m])
            column += 1
    bits = stored.view(np.uint32)
    everywhere, parents, between = np.int32(0), np.int32(0), np.int32(0)
    for t in range(m):
        reference = bits[n - 1, t]
        low = high = _key(reference)
        agree = True
        for i in range(1, n - 1):
            key = _key(bits[i, t])
            low, high = min(low, key), max(high, key)
            agree &= bits[i, t] == reference
        suspect = _key(bits[0, t])
        parents += np.int32(agree)
        everywhere += np.int32(agree & (bits[0, t] == reference))
        between += np.int32((low <= suspect) & (suspect <= high))
    counts[3] += everywhere
    counts[4] += parents
    counts[5] += between
