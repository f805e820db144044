# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
"""The kernel for accelerators in Triton: one program a run of 4,096 elements, up to four checkpoints.

A program reads its run of every checkpoint once, multiplies in float32, adds eights in float32 and those in float64,
counts in integers and writes one row of float64, without atomics; another adds rows by groups, in a fixed order.
Contraction is off (`enable_fp_fusion=False`), since it changes the last bit of a merge. Importing this needs triton,
and no torch: what is compiled here is started by `cuda.py`, or run by Triton's interpreter in `interpreted.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import triton
import triton.language as tl

from modelprov.forensics.sums.kernels.gpu_batches import Launch
from modelprov.forensics.sums.kernels.gpu_columns import COLUMNS
from modelprov.forensics.sums.kernels.interface import RecipePlan
from modelprov.forensics.sums.kernels.triton_recipes import evaluate, store
from modelprov.forensics.sums.moments import BLOCK


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
def _seen(value, suspect_bits, SOURCE: tl.constexpr, PRECISION: tl.constexpr):
    """Bits of a value in the format of the suspect's numbers; the suspect's very bits are equal, whatever it is."""
    bits = value.to(tl.int32, bitcast=True)
    if SOURCE != PRECISION:
        bits = tl.where(bits == suspect_bits, bits, store(value, PRECISION).to(tl.int32, bitcast=True))
    return bits


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
    N: tl.constexpr, FORMATS: tl.constexpr, PRECISION: tl.constexpr, RECIPES: tl.constexpr, ARITHMETICS: tl.constexpr,
    ORDERS: tl.constexpr, EMULATE_FMA: tl.constexpr, SIZE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Write one row of `out` float64 [runs, WIDTH] for each of the runs from `first_run` on, a program each.

    `run_piece` int32 [runs], `pieces` int64 [pieces, N + 2] (first run, elements, starts in 16 bytes), `scalars`
    float64 [pieces, RECIPES, 4]; FORMATS, ARITHMETICS and ORDERS pack 2, 5 and 3 x 2 bits an entry, lowest first.
    PRECISION is the code of the format that the suspect's numbers were rounded to.
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
    r = _seen(reference, s, LAST, PRECISION)
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
        f = _seen(first, s, (FORMATS >> 2) & 3, PRECISION)
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
            g = _seen(second, s, (FORMATS >> 4) & 3, PRECISION)
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
            first, second, reference, scalars + (piece * RECIPES + k) * 4, (ARITHMETICS >> (5 * k)) & 31,
            ORDERS >> (6 * k), N, PRECISION, EMULATE_FMA,
        )  # fmt: skip
        _put(row, 32 + k, tl.sum((valid & (merged.to(tl.int32, bitcast=True) == s)).to(tl.int32)))


@triton.jit
def group_sums(rows, groups, out, count, WIDTH: tl.constexpr, GROUP: tl.constexpr, PADDED: tl.constexpr):
    """Add rows float64 [runs, WIDTH] by groups, a program each, into `out` float64 [count, WIDTH].

    `groups` int64 [2, count]: the first run of a group, and how many it has, GROUP at most. PADDED is a power of two
    from WIDTH on.
    """
    group = tl.program_id(0).to(tl.int64)
    begin, length = tl.load(groups + group), tl.load(groups + count + group)
    run, column = tl.arange(0, GROUP), tl.arange(0, PADDED)
    inside = (run[:, None] < length) & (column[None, :] < WIDTH)
    values = tl.load(rows + (begin + run[:, None]) * WIDTH + column[None, :], mask=inside, other=0.0)
    tl.store(out + group * WIDTH + column, tl.sum(values, axis=0), mask=column < WIDTH)


INTERPRETED = not isinstance(run_rows, triton.JITFunction)
"""Triton's interpreter (TRITON_INTERPRET=1) has no fused multiply-add: it is emulated there, exactly."""
PADDED = triton.next_power_of_2(COLUMNS)
WARPS = 8


@dataclass(frozen=True, slots=True)
class Program:
    """A kernel compiled for a GPU: its code, its name there, threads and bytes of shared memory of a program.

    `hidden` is the number of pointers that the compiler adds behind the arguments: buffers of its own, here unused.
    """

    code: bytes
    name: str
    threads: int
    shared: int
    hidden: int


def constants(n: int, launch: Launch, recipes: RecipePlan) -> dict[str, Any]:
    """What `run_rows` is compiled for."""
    arithmetics = sum(int(a) << (5 * k) for k, a in enumerate(recipes.arithmetic))
    orders = sum((int(j) & 3) << (6 * k + 2 * i) for k, order in enumerate(recipes.order) for i, j in enumerate(order))
    return {
        "N": n, "FORMATS": launch.formats, "PRECISION": launch.precision, "RECIPES": len(recipes.arithmetic),
        "ARITHMETICS": arithmetics, "ORDERS": orders, "EMULATE_FMA": INTERPRETED, "SIZE": BLOCK, "WIDTH": COLUMNS,
    }  # fmt: skip


def compiled_rows(n: int, launch: Launch, recipes: RecipePlan, architecture: int) -> Program:
    """`run_rows` for a GPU of this compute capability (90 is 9.0); from Triton's cache where it was compiled before."""
    options = {"num_warps": WARPS, "enable_fp_fusion": False}
    if n < 4:  # so that two programs share a multiprocessor; four checkpoints would spill
        options["maxnreg"] = 65536 // (2 * 32 * WARPS)
    pointers = ("*i16", "*i32", "*i32", "*i64", "*fp64", "*fp64")
    return _compiled(run_rows, (*pointers, "i32"), constants(n, launch, recipes), architecture, options)


def compiled_groups(group: int, architecture: int) -> Program:
    """`group_sums` for groups of up to `group` runs, likewise."""
    constexprs = {"WIDTH": COLUMNS, "GROUP": group, "PADDED": PADDED}
    return _compiled(
        group_sums,
        ("*fp64", "*i64", "*fp64", "i32"),
        constexprs,
        architecture,
        {"num_warps": 4, "enable_fp_fusion": False},
    )


def _compiled(
    function: Any, types: tuple[str, ...], constexprs: dict[str, Any], architecture: int, options: dict[str, Any]
) -> Program:
    """Compile for a GPU that need not be here; every pointer starts at a multiple of 16 bytes."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = function.arg_names
    source = ASTSource(
        fn=function, signature=dict(zip(names, types, strict=False)) | dict.fromkeys(constexprs, "constexpr"),
        constexprs={(names.index(name),): value for name, value in constexprs.items()},
        attrs={(i,): [["tt.divisibility", 16]] for i, kind in enumerate(types) if kind.startswith("*")},
    )  # fmt: skip
    made = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=options)
    (parameters,) = re.findall(rf"\.entry {made.metadata.name}\((.*?)\)", made.asm["ptx"], re.DOTALL)
    hidden = parameters.count(".param") - len(types)
    scratch = getattr(made.metadata, "global_scratch_size", 0) or getattr(made.metadata, "profile_scratch_size", 0)
    if hidden < 0 or scratch:
        raise RuntimeError(f"Triton {triton.__version__} compiles kernels that want other arguments")
    return Program(made.asm["cubin"], made.metadata.name, 32 * options["num_warps"], made.metadata.shared, hidden)
