# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""The kernel for accelerators in Triton: one program a run of 4,096 elements, up to four checkpoints.

A program reads its run of every checkpoint once, multiplies in float32, adds eights in float32 and those in float64,
counts in integers and writes one row of float64, without atomics; rows are added elsewhere. Contraction is off
(`enable_fp_fusion=False`), since it changes the last bit of a merge.
Importing this needs triton and torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import triton
import triton.language as tl

from modelprov.forensics.sums.kernels.gpu_batches import ALIGNMENT, Batch
from modelprov.forensics.sums.kernels.interface import RecipePlan
from modelprov.forensics.sums.kernels.triton_recipes import evaluate, store_as
from modelprov.forensics.sums.moments import BLOCK, FIRST_PAIR, RECIPES, Int64, layout

CHECKPOINTS = 4
"""More checkpoints than this are the torch kernel's."""

# A row holds the columns of four checkpoints, (suspect, first, second, reference): 14 Gram sums, 6 of the jackknife,
# the counts of `moments.py` (6, 6 pairs, 8 recipes), and whether float32 was not enough. Fewer leave some unwritten.
GRAM, JACKKNIFE, COUNTS, FLAG, COLUMNS = 0, 14, 20, 40, 41


def columns(n: int) -> tuple[Int64, Int64, int]:
    """Which columns of a row are the sums and the counts of `layout(n)`, and which one is the flag."""
    here = [0, *range(1, n - 1), 3]
    fixed = {pair: c for c, pair in enumerate(zip(*np.triu_indices(5), strict=True))}
    z = [*here, 4]
    sums = [fixed[z[i], z[j]] for i in range(n + 1) for j in range(i, n + 1)][:-1]
    sums += range(JACKKNIFE, JACKKNIFE + 3 * (n - 2))
    pairs = layout(4).pairs
    counts = [*range(FIRST_PAIR), *(FIRST_PAIR + pairs.index((here[i], here[j])) for i, j in layout(n).pairs)]
    counts += range(layout(4).recipe, layout(4).recipe + RECIPES)
    return np.array(sums), COUNTS + np.array(counts), FLAG


@triton.jit
def _load(slab16, slab32, start, position, offsets, FORMAT: tl.constexpr):
    """Values float32 of the run at `position` in a piece; `start` counts 16 bytes, which lets loads be that wide."""
    if FORMAT == 2:
        value = tl.load(slab32 + (start * 4 + position + offsets)).to(tl.float32, bitcast=True)
    else:
        raw = tl.load(slab16 + (start * 8 + position + offsets))
        if FORMAT == 1:
            value = raw.to(tl.float16, bitcast=True).to(tl.float32)
        else:
            value = (raw.to(tl.int32) << 16).to(tl.float32, bitcast=True)
    return value


@triton.jit
def _key(bits):
    """An integer in the order of the float with these bits; -0 comes just below +0."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def _two_counts(a, b):
    """How often each of two conditions holds, by one reduction: a run's counts fit 16 bits."""
    both = tl.sum(a.to(tl.int32) + (b.to(tl.int32) << 16))
    return both & 0xFFFF, both >> 16


@triton.jit
def _add(values, SIZE: tl.constexpr):
    """Their sum, float64: eights in float32 (a thread's own), the rest in float64, since a run may stand alone."""
    return tl.sum(tl.sum(tl.reshape(values, (SIZE // 8, 8)), axis=1).to(tl.float64))


@triton.jit
def _put(row, column, value):
    tl.store(row + column, value.to(tl.float64))


@triton.jit
def _untrusted(square, total, differing):
    """Whether a float32 sum of squares overflowed, or is small enough to have lost terms to underflow."""
    small = (square < 1e-27) & ((square != 0.0) | (total != 0.0) | (differing != 0))
    return tl.where(square < float("inf"), small.to(tl.int32), 1)


@triton.jit(do_not_specialize=["first_run"])
def run_rows(  # noqa: PLR0915
    slab16, slab32, run_piece, pieces, scalars, out, first_run,
    N: tl.constexpr, FORMATS: tl.constexpr, RECIPES: tl.constexpr, ARITHMETICS: tl.constexpr, ORDERS: tl.constexpr,
    EMULATE_FMA: tl.constexpr, SIZE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Write one row of `out` float64 [runs, WIDTH] for each of the runs from `first_run` on, a program each.

    `run_piece` int32 [runs], `pieces` int64 [pieces, N + 2] (first run, elements, starts in 16 bytes), `scalars`
    float64 [pieces, RECIPES, 4]; FORMATS, ARITHMETICS and ORDERS pack 2, 4 and 3 x 2 bits an entry, lowest first.
    """
    run = first_run.to(tl.int64) + tl.program_id(0)
    piece = tl.load(run_piece + run).to(tl.int64)
    about = pieces + piece * (N + 2)
    position = (run - tl.load(about)) * SIZE
    present = tl.minimum(tl.load(about + 1) - position, SIZE).to(tl.int32)
    offsets = tl.arange(0, SIZE)
    row = out + run * WIDTH

    FORMAT: tl.constexpr = FORMATS & 3
    LAST: tl.constexpr = (FORMATS >> (2 * (N - 1))) & 3
    infinity = float("inf")
    suspect = _load(slab16, slab32, tl.load(about + 2), position, offsets, FORMAT)
    reference = _load(slab16, slab32, tl.load(about + 1 + N), position, offsets, LAST)
    valid = (offsets < present) & (tl.abs(suspect) < infinity) & (tl.abs(reference) < infinity)
    first, second = reference, reference
    if N > 2:
        first = _load(slab16, slab32, tl.load(about + 3), position, offsets, (FORMATS >> 2) & 3)
        valid = valid & (tl.abs(first) < infinity)
    if N > 3:
        second = _load(slab16, slab32, tl.load(about + 4), position, offsets, (FORMATS >> 4) & 3)
        valid = valid & (tl.abs(second) < infinity)

    # What does not count becomes zero in every checkpoint: it adds nothing to the sums and `absent` to each equality.
    suspect = tl.where(valid, suspect, 0.0)
    reference = tl.where(valid, reference, 0.0)
    first = tl.where(valid, first, 0.0)
    second = tl.where(valid, second, 0.0)

    s = suspect.to(tl.int32, bitcast=True)
    r = store_as(reference, LAST, FORMAT).to(tl.int32, bitcast=True)
    elements, same_sr = _two_counts(valid, s == r)
    absent = SIZE - elements
    _put(row, 20, elements)
    _put(row, 21, present - elements)
    _put(row, 22, (elements > 0).to(tl.int32))
    _put(row, 28, same_sr - absent)

    v = suspect - reference
    vv, sv = _add(v * v, SIZE), _add(v, SIZE)
    rr = _add(reference * reference, SIZE)
    _put(row, 0, vv)
    _put(row, 3, _add(v * reference, SIZE))
    _put(row, 4, sv)
    _put(row, 12, rr)
    _put(row, 13, _add(reference, SIZE))
    flag = _untrusted(vv, sv, SIZE - same_sr) | _untrusted(rr, rr, elements)

    if N == 2:
        _put(row, 23, same_sr - absent)
        _put(row, 24, elements)
        _put(row, 25, same_sr - absent)
    if N > 2:
        f = store_as(first, (FORMATS >> 2) & 3, FORMAT).to(tl.int32, bitcast=True)
        low, high = tl.minimum(_key(f), _key(r)), tl.maximum(_key(f), _key(r))
        same_sf, same_fr = _two_counts(s == f, f == r)
        _put(row, 26, same_sf - absent)
        _put(row, 30, same_fr - absent)
        u = first - reference
        uu, su, uv = _add(u * u, SIZE), _add(u, SIZE), _add(u * v, SIZE)
        _put(row, 1, uv)
        _put(row, 5, uu)
        _put(row, 7, _add(u * reference, SIZE))
        _put(row, 8, su)
        _put(row, 14, uu * uu)
        _put(row, 15, uu * uv)
        _put(row, 16, uv * uv)
        flag = flag | _untrusted(uu, su, SIZE - same_fr)
        agree = f == r
        agreeing = same_fr
        if N > 3:
            g = store_as(second, (FORMATS >> 4) & 3, FORMAT).to(tl.int32, bitcast=True)
            low, high = tl.minimum(low, _key(g)), tl.maximum(high, _key(g))
            same_sg, same_fg = _two_counts(s == g, f == g)
            agree = agree & (g == r)
            same_gr, agreeing = _two_counts(g == r, agree)
            _put(row, 27, same_sg - absent)
            _put(row, 29, same_fg - absent)
            _put(row, 31, same_gr - absent)
            w = second - reference
            ww, sw, wv = _add(w * w, SIZE), _add(w, SIZE), _add(w * v, SIZE)
            _put(row, 2, wv)
            _put(row, 6, _add(u * w, SIZE))
            _put(row, 9, ww)
            _put(row, 10, _add(w * reference, SIZE))
            _put(row, 11, sw)
            _put(row, 17, ww * ww)
            _put(row, 18, ww * wv)
            _put(row, 19, wv * wv)
            flag = flag | _untrusted(ww, sw, SIZE - same_gr)
        everywhere, between = _two_counts(agree & (s == r), (low <= _key(s)) & (_key(s) <= high))
        _put(row, 23, everywhere - absent)
        _put(row, 24, agreeing - absent)
        _put(row, 25, between - absent)
    _put(row, 40, flag)

    for k in tl.static_range(RECIPES):
        merged = evaluate(
            first, second, reference, scalars + (piece * RECIPES + k) * 4, (ARITHMETICS >> (4 * k)) & 15,
            ORDERS >> (6 * k), N, FORMAT, EMULATE_FMA,
        )  # fmt: skip
        _put(row, 32 + k, tl.sum((valid & (merged.to(tl.int32, bitcast=True) == s)).to(tl.int32)))


INTERPRETED = not isinstance(run_rows, triton.JITFunction)
"""Triton's interpreter (TRITON_INTERPRET=1) has no fused multiply-add: it is emulated there, exactly."""


def triton_rows(slab: Any, batch: Batch, recipes: RecipePlan, warps: int = 8) -> Any:
    """One row a run, float64 [runs, 41], of a staged batch; enqueued on the current stream, nothing waits.

    `slab` is uint8 on the device with 16 KiB behind the batch's bytes. A launch for each combination of formats.
    """
    import torch

    n = len(batch.dtype)
    pieces, scalars, run_piece, _ = batch.tables
    slab = slab[: len(slab) // ALIGNMENT * ALIGNMENT]
    out = torch.empty((len(batch.run_piece), COLUMNS), dtype=torch.float64, device=slab.device)
    arithmetics = sum(int(a) << (4 * k) for k, a in enumerate(recipes.arithmetic))
    orders = sum(int(j) << (6 * k + 2 * i) for k, order in enumerate(recipes.order) for i, j in enumerate(order))
    options = {"num_warps": warps, "enable_fp_fusion": False}
    if n < CHECKPOINTS and not INTERPRETED:  # so that two programs share a multiprocessor; four would spill
        options["maxnreg"] = 65536 // (2 * 32 * warps)
    for launch in batch.launches:
        run_rows[(launch.runs,)](
            slab.view(torch.int16), slab.view(torch.int32), slab[run_piece].view(torch.int32),
            slab[pieces].view(torch.int64), slab[scalars].view(torch.float64), out, launch.first_run,
            N=n, FORMATS=launch.formats, RECIPES=len(recipes.arithmetic), ARITHMETICS=arithmetics, ORDERS=orders,
            EMULATE_FMA=INTERPRETED, SIZE=BLOCK, WIDTH=COLUMNS, **options,
        )  # fmt: skip
    return out
