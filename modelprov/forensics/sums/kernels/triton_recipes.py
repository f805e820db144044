# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""The arithmetics of `modelprov.recipes.arithmetics` in Triton, bit for bit. Importing this needs triton.

Launch with `enable_fp_fusion=False`: the compiler may then fuse nothing but what is written as `fma`.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def store(value, FORMAT: tl.constexpr):
    """float32 rounded to the storage format with this `DType.code`, nearest, ties to even, as float32."""
    result = value
    if FORMAT == 0:
        bits = value.to(tl.uint32, bitcast=True)
        bits = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16
        result = bits.to(tl.float32, bitcast=True)
    if FORMAT == 1:
        result = value.to(tl.float16).to(tl.float32)
    return result


@triton.jit
def _store_double(value, FORMAT: tl.constexpr):
    """float64 rounded once to the storage format, by way of float32 rounded to odd."""
    single = value.to(tl.float32)
    if FORMAT != 2:
        back = single.to(tl.float64)
        bits = single.to(tl.int32, bitcast=True)
        odd = tl.where(tl.abs(back) < tl.abs(value), bits + 1, bits - 1)
        bits = tl.where((back != value) & ((bits & 1) == 0), odd, bits)
        single = store(bits.to(tl.float32, bitcast=True), FORMAT)
    return single


@triton.jit
def _fma(a, b, c, EMULATE: tl.constexpr):
    """Return a * b + c with one rounding; emulated, by float64 rounded to odd, where there is no such instruction."""
    if EMULATE:
        product = a.to(tl.float64) * b.to(tl.float64)
        addend = c.to(tl.float64)
        total = product + addend
        part = total - product
        error = (product - (total - part)) + (addend - part)
        bits = total.to(tl.int64, bitcast=True)
        odd = tl.where((error > 0) == (total > 0), bits + 1, bits - 1)
        bits = tl.where((error != 0) & ((bits & 1) == 0), odd, bits)
        result = bits.to(tl.float64, bitcast=True).to(tl.float32)
    else:
        result = tl.fma(a, b, c)
    return result


@triton.jit
def _divide(values, total):
    """Correctly rounded float32 quotients, subnormal ones too, by way of float64; total a float32 scalar.

    `tl.div_rn` flushes subnormal numbers to zero in some versions (3.2). Rounding twice is harmless here: a quotient
    of float32 numbers is never that close to the middle between two of them (Figueroa 1995).
    """
    return (values.to(tl.float64) / (tl.zeros_like(values) + total).to(tl.float64)).to(tl.float32)


@triton.jit
def _parent(first, second, reference, J: tl.constexpr, N: tl.constexpr):
    """Parent number J of N - 1, the reference last."""
    value = reference
    if N > 2 and J == 0:
        value = first
    if N > 3 and J == 1:
        value = second
    return value


@triton.jit
def _weighted_sum(first, second, reference, scalars, FUSED: tl.constexpr, ORDER: tl.constexpr, N: tl.constexpr,
                  EMULATE: tl.constexpr):  # fmt: skip
    value = _parent(first, second, reference, ORDER & 3, N) * tl.load(scalars + (ORDER & 3)).to(tl.float32)
    for step in tl.static_range(1, N - 1):
        row = _parent(first, second, reference, (ORDER >> (2 * step)) & 3, N)
        weight = tl.load(scalars + ((ORDER >> (2 * step)) & 3)).to(tl.float32)
        if FUSED:  # noqa: SIM108
            value = _fma(row, tl.zeros_like(row) + weight, value, EMULATE)
        else:
            value = row * weight + value
    total = tl.load(scalars + 3).to(tl.float32)
    if total != 1.0:
        value = _divide(value, total)
    return value


@triton.jit
def _reference_plus_deltas(first, second, reference, scalars, FUSED: tl.constexpr, ORDER: tl.constexpr,
                           N: tl.constexpr, EMULATE: tl.constexpr):  # fmt: skip
    base = _parent(first, second, reference, (ORDER >> (2 * N - 4)) & 3, N)
    total = tl.zeros_like(base)
    for step in tl.static_range(0, N - 2):
        delta = _parent(first, second, reference, (ORDER >> (2 * step)) & 3, N) - base
        weight = tl.load(scalars + ((ORDER >> (2 * step)) & 3)).to(tl.float32)
        if FUSED:
            if N == 3:
                total = base
            total = _fma(delta, tl.zeros_like(delta) + weight, total, EMULATE)
        else:
            total = total + delta * weight
    if FUSED:
        if N != 3:
            total = base + total
    else:
        total = base + total
    return total


@triton.jit
def _double(first, second, reference, scalars, ORDER: tl.constexpr, N: tl.constexpr):
    total = tl.zeros_like(reference).to(tl.float64)
    for step in tl.static_range(0, N - 1):
        row = _parent(first, second, reference, (ORDER >> (2 * step)) & 3, N)
        total = total + row.to(tl.float64) * tl.load(scalars + ((ORDER >> (2 * step)) & 3))
    return total


@triton.jit
def _stepwise(first, second, reference, scalars, NORMALISE: tl.constexpr, ORDER: tl.constexpr, N: tl.constexpr,
              FORMAT: tl.constexpr):  # fmt: skip
    value = tl.zeros_like(reference)
    for step in tl.static_range(0, N - 1):
        row = _parent(first, second, reference, (ORDER >> (2 * step)) & 3, N)
        weight = tl.load(scalars + ((ORDER >> (2 * step)) & 3)).to(tl.float32)
        value = value + store(row * weight, FORMAT)
    value = store(value, FORMAT)
    if NORMALISE:
        total = tl.load(scalars + 3).to(tl.float32)
        value = _divide(value, total)
    return value


@triton.jit
def _rounded_deltas(first, second, reference, scalars, TORCH: tl.constexpr, ORDER: tl.constexpr, N: tl.constexpr,
                    FORMAT: tl.constexpr):  # fmt: skip
    base = _parent(first, second, reference, (ORDER >> (2 * N - 4)) & 3, N)
    total = tl.zeros_like(base)
    for step in tl.static_range(0, N - 2):
        delta = store(_parent(first, second, reference, (ORDER >> (2 * step)) & 3, N) - base, FORMAT)
        weight = tl.load(scalars + ((ORDER >> (2 * step)) & 3)).to(tl.float32)
        total = total + store(delta * weight, FORMAT)
        if TORCH:
            total = store(total, FORMAT)
    return base + store(total, FORMAT)


@triton.jit
def _lerp(first, second, reference, scalars, ORDER: tl.constexpr, N: tl.constexpr):
    start = _parent(first, second, reference, ORDER & 3, N)
    end = _parent(first, second, reference, (ORDER >> 2) & 3, N)
    weight = tl.load(scalars + (ORDER & 3)).to(tl.float32)
    delta = start - end
    return tl.where(weight < 0.5, end + weight * delta, start - delta * (1.0 - weight))


@triton.jit
def _torch_sum(first, second, reference, scalars, ALPHA: tl.constexpr, ORDER: tl.constexpr, N: tl.constexpr,
               FORMAT: tl.constexpr, EMULATE: tl.constexpr):  # fmt: skip
    value = _parent(first, second, reference, ORDER & 3, N) * tl.load(scalars + (ORDER & 3)).to(tl.float32)
    for step in tl.static_range(1, N - 1):
        value = store(value, FORMAT)
        row = _parent(first, second, reference, (ORDER >> (2 * step)) & 3, N)
        weight = tl.load(scalars + ((ORDER >> (2 * step)) & 3)).to(tl.float32)
        if ALPHA:  # noqa: SIM108
            value = _fma(row, tl.zeros_like(row) + weight, value, EMULATE)
        else:
            value = value + store(row * weight, FORMAT)
    return value


@triton.jit
def _torch_delta(first, second, reference, scalars, ALPHA: tl.constexpr, ORDER: tl.constexpr, N: tl.constexpr,
                 FORMAT: tl.constexpr, EMULATE: tl.constexpr):  # fmt: skip
    base = _parent(first, second, reference, (ORDER >> (2 * N - 4)) & 3, N)
    value = base
    for step in tl.static_range(0, N - 2):
        delta = store(_parent(first, second, reference, (ORDER >> (2 * step)) & 3, N) - base, FORMAT)
        weight = tl.load(scalars + ((ORDER >> (2 * step)) & 3)).to(tl.float32)
        if ALPHA:
            value = store(_fma(delta, tl.zeros_like(delta) + weight, value, EMULATE), FORMAT)
        else:
            value = store(value + store(delta * weight, FORMAT), FORMAT)
    return value


@triton.jit
def _mean(first, second, reference, scalars, ORDER: tl.constexpr, N: tl.constexpr, STEPS: tl.constexpr):
    value = tl.zeros_like(reference)
    for step in tl.static_range(0, N - 1):
        row = _parent(first, second, reference, (ORDER >> (2 * step)) & 3, N)
        weight = tl.load(scalars + ((ORDER >> (2 * step)) & 3)).to(tl.float32)
        value = store(value + store(row * weight, STEPS), STEPS)
    return _divide(value, tl.load(scalars + 3).to(tl.float32))


@triton.jit
def _torch_lerp(first, second, reference, scalars, ORDER: tl.constexpr, N: tl.constexpr, EMULATE: tl.constexpr):
    start = _parent(first, second, reference, ORDER & 3, N)
    end = _parent(first, second, reference, (ORDER >> 2) & 3, N)
    weight = tl.load(scalars + ((ORDER >> 2) & 3)).to(tl.float32)
    near_start = tl.abs(weight) < 0.5
    weight = tl.where(near_start, weight, weight - 1.0)
    return _fma(tl.zeros_like(start) + weight, end - start, tl.where(near_start, start, end), EMULATE)


@triton.jit
def evaluate(first, second, reference, scalars, ARITHMETIC: tl.constexpr, ORDER: tl.constexpr, N: tl.constexpr,
             FORMAT: tl.constexpr, EMULATE: tl.constexpr):  # fmt: skip
    """The merge of N - 1 parents float32 [m] as `ARITHMETIC` computes and stores it, float32 [m].

    `scalars` points at float64 weights by parent and, fourth, their sum (`gpu_batches.recipe_scalars`); ORDER has
    2 bits a step. Of three parents it may take two: the third step is then 3, and the weights are theirs.
    """
    if N > 3 and ((ORDER >> 4) & 3) == 3:
        start = _parent(first, second, reference, ORDER & 3, N)
        end = _parent(first, second, reference, (ORDER >> 2) & 3, N)
        if (ORDER & 3) < ((ORDER >> 2) & 3):
            value = _of_all(start, end, end, scalars, ARITHMETIC, 4, 3, FORMAT, EMULATE)
        else:
            value = _of_all(end, start, start, scalars, ARITHMETIC, 1, 3, FORMAT, EMULATE)
    else:
        value = _of_all(first, second, reference, scalars, ARITHMETIC, ORDER, N, FORMAT, EMULATE)
    return value


@triton.jit
def _of_all(first, second, reference, scalars, ARITHMETIC: tl.constexpr, ORDER: tl.constexpr, N: tl.constexpr,
            FORMAT: tl.constexpr, EMULATE: tl.constexpr):  # fmt: skip
    if ARITHMETIC < 2:
        value = _weighted_sum(first, second, reference, scalars, ARITHMETIC == 1, ORDER, N, EMULATE)
    elif ARITHMETIC < 4:
        value = _reference_plus_deltas(first, second, reference, scalars, ARITHMETIC == 3, ORDER, N, EMULATE)
    elif ARITHMETIC == 4:
        value = _store_double(_double(first, second, reference, scalars, ORDER, N), FORMAT)
    elif ARITHMETIC < 7:
        value = _stepwise(first, second, reference, scalars, ARITHMETIC == 5, ORDER, N, FORMAT)
    elif ARITHMETIC == 7 or ARITHMETIC == 15:
        value = _rounded_deltas(first, second, reference, scalars, ARITHMETIC == 15, ORDER, N, FORMAT)
    elif ARITHMETIC == 8:
        value = _lerp(first, second, reference, scalars, ORDER, N)
    elif ARITHMETIC == 10 or ARITHMETIC == 14:
        value = _torch_delta(first, second, reference, scalars, ARITHMETIC == 14, ORDER, N, FORMAT, EMULATE)
    elif ARITHMETIC == 12:
        value = _torch_lerp(first, second, reference, scalars, ORDER, N, EMULATE)
    elif ARITHMETIC > 15:
        value = _mean(first, second, reference, scalars, ORDER, N, FORMAT if ARITHMETIC == 17 else 2)
    else:
        value = _torch_sum(first, second, reference, scalars, ARITHMETIC != 9, ORDER, N, FORMAT, EMULATE)
        if ARITHMETIC == 13:  # begun as 0: no negative zero
            value = value + 0.0
    return store(value, FORMAT)
