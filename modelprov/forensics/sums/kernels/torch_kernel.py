"""The kernel for accelerators in plain torch operations: any number of checkpoints, no Triton.

Sums are float64 throughout, so no run is ever untrusted. Slower than Triton by far (every step is a pass over memory),
but the same counts, and nothing waits for the device. torch is imported when a batch is computed, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelprov.checkpoints.formats.dtypes import FORMATS, SIZES
from modelprov.forensics.sums.kernels.gpu_batches import SCALARS, Batch
from modelprov.forensics.sums.kernels.interface import RecipePlan
from modelprov.forensics.sums.moments import BLOCK, FIRST_PAIR, layout
from modelprov.recipes.arithmetics import Arithmetic

RUNS = 256  # computed at once: with three checkpoints some 100 MB of intermediate results


def torch_rows(slab: Any, batch: Batch, recipes: RecipePlan) -> Any:
    """One row a run, float64 [runs, sums + counts] in the order of `layout(n)`, of a staged batch.

    `slab` is uint8 on the device. Enqueued on the current stream; nothing waits.
    """
    import torch

    n, pieces = batch.dtype.shape
    columns = layout(n)
    out = torch.zeros((len(batch.run_piece), columns.sums + columns.counts), dtype=torch.float64, device=slab.device)
    scalars = slab[batch.tables[1]].view(torch.float64).view(pieces, len(recipes.arithmetic), max(SCALARS, n))
    formats = [getattr(torch, dtype.torch_name) for dtype in FORMATS]
    for p in range(pieces):
        count, run = int(batch.count[p]), int(batch.first_run[p])
        for first in range(0, count, RUNS * BLOCK):
            m = min(RUNS * BLOCK, count - first)
            runs = -(-m // BLOCK)
            values = torch.zeros((n, runs * BLOCK), dtype=torch.float64, device=slab.device)
            for i in range(n):
                size = int(SIZES[batch.dtype[i, p]])
                at = int(batch.at[i, p]) + first * size
                values[i, :m] = slab[at : at + m * size].view(formats[batch.dtype[i, p]])
            rows = out[run + first // BLOCK : run + first // BLOCK + runs]
            _piece(values.view(n, runs, BLOCK), m, formats[batch.dtype[0, p]], scalars[p], recipes, rows)
    return out


def _piece(values: Any, present: int, suspect_format: Any, scalars: Any, recipes: RecipePlan, rows: Any) -> None:
    """Fill `rows` float64 [runs, columns] from `values` float64 [n, runs, 4096], the first `present` of them real."""
    import torch

    n, runs, size = values.shape
    columns = layout(n)
    counts = rows[:, columns.sums :]
    here = (torch.arange(runs * size, device=values.device) < present).view(runs, size)
    valid = here & torch.isfinite(values).all(0)
    values = torch.where(valid, values, 0.0)
    counts[:, 0] = valid.sum(1)
    counts[:, 1] = here.sum(1) - valid.sum(1)
    counts[:, 2] = valid.any(1)

    bits = [_to(row, suspect_format).view(torch.int64) for row in values]
    keys = torch.stack([b ^ ((b >> 63) & 0x7FFFFFFFFFFFFFFF) for b in bits])
    low, high = keys[1:].amin(0), keys[1:].amax(0)
    counts[:, 3] = (valid & (low == high) & (keys[0] == low)).sum(1)
    counts[:, 4] = (valid & (low == high)).sum(1)
    counts[:, 5] = (valid & (low <= keys[0]) & (keys[0] <= high)).sum(1)
    for c, (i, j) in enumerate(columns.pairs):
        counts[:, FIRST_PAIR + c] = (valid & (bits[i] == bits[j])).sum(1)

    z = [*(values[i] - values[-1] for i in range(n - 1)), values[-1]]
    column = 0
    for i in range(n):
        for j in range(i, n):
            rows[:, column] = (z[i] * z[j]).sum(1)
            column += 1
        rows[:, column] = z[i].sum(1)
        column += 1
    for parent in range(1, n - 1):
        a, c = (z[parent] * z[parent]).sum(1), (z[parent] * z[0]).sum(1)
        at = columns.gram + 3 * (parent - 1)
        rows[:, at], rows[:, at + 1], rows[:, at + 2] = a * a, a * c, c * c

    if len(recipes.arithmetic):
        single = values.to(torch.float32)
        suspect = single[0].view(torch.int32)
        for k in range(len(recipes.arithmetic)):
            order = [int(j) for j in recipes.order[k]]
            merged = _evaluate(int(recipes.arithmetic[k]), single[1:], scalars[k], order, suspect_format)
            counts[:, columns.recipe + k] = (valid & (merged.view(torch.int32) == suspect)).sum(1)


def _to(values: Any, dtype: Any) -> Any:
    """float32 or float64 rounded to `dtype`, kept as it was; what float64 holds here is a float32 number."""
    import torch

    return values.to(torch.float32).to(dtype).to(values.dtype)


def _odd(values: Any, exact: Any, outward: Any) -> Any:
    """`values`, rounded to nearest, rounded to odd instead; `outward` where the exact number is further from zero."""
    import torch

    whole = torch.int64 if values.dtype is torch.float64 else torch.int32
    bits = values.view(whole)
    moved = torch.where(outward, bits + 1, bits - 1)
    return torch.where(exact | ((bits & 1) == 1), bits, moved).view(values.dtype)


def _fma(a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c in float32 with one rounding: the float64 sum rounded to odd first."""
    import torch

    product, addend = a.to(torch.float64) * b.to(torch.float64), c.to(torch.float64)
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    return _odd(total, error == 0, (error > 0) == (total > 0)).to(torch.float32)


def _evaluate(  # noqa: PLR0912
    arithmetic: int, parents: Any, scalars: Any, order: Sequence[int], dtype: Any
) -> Any:
    """See `arithmetics.evaluate`; `parents` float32 [k, runs, 4096], `scalars` float64 weights, then sum.

    Weights stay tensors: torch divides by a Python number by way of its reciprocal, which is not the same.
    """
    import torch

    single, last = scalars.to(torch.float32), len(parents) - 1
    reference = parents[last]
    zero = torch.zeros_like(reference)
    if arithmetic in (Arithmetic.FLOAT32, Arithmetic.FLOAT32_FUSED):
        value = parents[order[0]] * single[order[0]]
        for j in order[1:]:
            fused = arithmetic == Arithmetic.FLOAT32_FUSED
            value = _fma(parents[j], single[j], value) if fused else parents[j] * single[j] + value
        value = value / single[-1]
    elif arithmetic == Arithmetic.FLOAT32_DELTA:
        value = zero
        for j in (j for j in order if j != last):
            value = value + (parents[j] - reference) * single[j]
        value = reference + value
    elif arithmetic == Arithmetic.FLOAT32_DELTA_FUSED:
        value = reference if last == 1 else zero
        for j in (j for j in order if j != last):
            value = _fma(parents[j] - reference, single[j], value)
        value = value if last == 1 else reference + value
    elif arithmetic == Arithmetic.FLOAT64:
        double = zero.to(torch.float64)
        for j in order:
            double = double + parents[j].to(torch.float64) * scalars[j]
        value = double.to(torch.float32)
        if dtype is not torch.float32:
            back = value.to(torch.float64)
            value = _odd(value, back == double, back.abs() < double.abs())
    elif arithmetic in (Arithmetic.STEPWISE, Arithmetic.STEPWISE_UNNORMALISED):
        value = zero
        for j in order:
            value = value + _to(parents[j] * single[j], dtype)
        value = _to(value, dtype)
        value = value / single[-1] if arithmetic == Arithmetic.STEPWISE else value
    elif arithmetic == Arithmetic.STEPWISE_DELTA:
        value = zero
        for j in (j for j in order if j != last):
            value = value + _to(_to(parents[j] - reference, dtype) * single[j], dtype)
        value = reference + _to(value, dtype)
    else:
        delta = parents[0] - parents[min(1, last)]
        near = parents[min(1, last)] + single[0] * delta
        value = torch.where(single[0] < 0.5, near, parents[0] - delta * (1 - single[0]))
    return _to(value, dtype)
