"""The processor's kernel and the plain one, each against a third count in torch, and against each other."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.sums.kernels import numba_loops
from modelprov.forensics.sums.kernels.cpu import c_kernel, compile_kernel, cpu_kernel, description, numba_kernel
from modelprov.forensics.sums.kernels.interface import Kernel, RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.kernels.self_check import Example, example, quick_example
from modelprov.forensics.sums.moments import layout
from modelprov.native import native, why_not
from modelprov.recipes.arithmetics import OF_TWO, Arithmetic, evaluate

pytest.importorskip("torch")
from tests.forensics.kernels.oracle import expected, gram_error, jackknife_error, named_counts, on

BF16, F16, F32, F64 = DType
ALL = list(Arithmetic)
TOLERANCE = 4 * 2.0**-23
"""Four float32 roundings: of a delta, its square, and the sums inside a run."""
EXACT = 1e-13

WITH_C = pytest.mark.skipif(native() is None, reason=f"no C kernels: {why_not()}")
PROCESSOR = (pytest.param(numba_kernel, id="numba"), pytest.param(c_kernel, id="c", marks=WITH_C))
KERNELS = pytest.mark.parametrize(
    ("kernel", "tolerance"),
    [
        pytest.param(numba_kernel, TOLERANCE, id="numba"),
        pytest.param(c_kernel, TOLERANCE, id="c", marks=WITH_C),
        pytest.param(reference_kernel, EXACT, id="reference"),
    ],
)
BOTH = pytest.mark.parametrize("kernel", PROCESSOR)
EACH = pytest.mark.parametrize("kernel", [*PROCESSOR, pytest.param(reference_kernel, id="reference")])


def family(n: int, count: int, seed: int = 0, scale: float = 0.02, change: float = 0.1) -> list[np.ndarray]:
    """A base and `n - 1` relatives; a third of the elements is the same everywhere."""
    rng = np.random.default_rng(seed)
    base = rng.normal(0, scale, count)
    rows = [base + rng.normal(0, scale * change, count) * (rng.random(count) < 0.7) for _ in range(n - 1)]
    return [np.where(np.arange(count) % 3 == 0, base, row) for row in rows] + [base]


def check(kernel: Kernel, tolerance: float, case: Example) -> None:
    found = kernel(case.buffers, case.segments, case.recipes)
    for segment in range(len(case.segments.count)):
        right = expected(case, segment)
        assert named_counts(found, segment) == right.counts
        assert gram_error(found, right.gram, segment) <= tolerance
        assert jackknife_error(found, right, segment) <= 4 * tolerance


def agree(kernel: Kernel, case: Example) -> None:
    """Both kernels, recipes included: the same counts, sums as close as float32 allows."""
    fast = kernel(case.buffers, case.segments, case.recipes)
    slow = reference_kernel(case.buffers, case.segments, case.recipes)
    assert fast.counts.tolist() == slow.counts.tolist()
    for segment in range(len(case.segments.count)):
        assert gram_error(fast, slow[segment].gram(), segment) <= TOLERANCE


@KERNELS
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("dtype", [BF16, F16, F32])
@pytest.mark.parametrize("count", [1, 2, 4095, 4096, 12_289])
def test_counts_and_sums_are_those_of_the_definition(
    kernel: Kernel, tolerance: float, n: int, dtype: DType, count: int
) -> None:
    check(kernel, tolerance, on(family(n, count), [dtype] * n))


@KERNELS
@pytest.mark.parametrize(
    "dtypes",
    [
        (BF16, F32), (F32, BF16), (F16, BF16), (BF16, F32, F16), (F16, BF16, F32), (F32, F16, BF16),
        (BF16, BF16, F32), (F32, BF16, BF16), (BF16, F16, BF16, F32),
    ],
    ids="-".join,
)  # fmt: skip
def test_formats_may_differ_between_checkpoints(kernel: Kernel, tolerance: float, dtypes: tuple[DType, ...]) -> None:
    check(kernel, tolerance, on(family(len(dtypes), 9001), dtypes))


@KERNELS
@pytest.mark.parametrize("dtypes", [(F64, F64), (F64, BF16, F32), (BF16, F64, BF16)], ids="-".join)
def test_f64_weights_are_added_in_float64(kernel: Kernel, tolerance: float, dtypes: tuple[DType, ...]) -> None:
    del tolerance  # torch rounds float64 to bf16 twice; values of a coarser format leave nothing to round
    values = [np.round(row * 64) / 64 for row in family(len(dtypes), 5000, scale=0.5)]
    check(kernel, EXACT, on(values, dtypes))


SPECIAL = {
    "nan in each in turn": ([np.nan, 1, 2, 3], [1, np.nan, 2, 3], [1, 2, np.nan, 4]),
    "infinities that would cancel": ([np.inf, 1, -np.inf, 2], [np.inf, 1, -np.inf, 3], [np.inf, 1, -np.inf, 4]),
    "infinities of both signs": ([np.inf, 1, 1], [-np.inf, 2, 1], [0, 3, 1]),
    "nothing finite": ([np.nan] * 6, [1] * 6, [1] * 6),
    "all zeros": ([0.0] * 64, [0.0] * 64, [0.0] * 64),
    "zeros of both signs": ([0.0, -0.0] * 32, [-0.0] * 64, [0.0] * 64),
    "minus zero is just below zero": ([-0.0, 0.0, -0.0, 0.0], [0.0, 0.0, -0.0, -0.0], [1.0, -1.0, -1.0, 1.0]),
    "subnormal": ([1e-39, -2e-40, 3e-39], [1e-40, 2e-39, 0], [-1e-39, 2e-39, 1e-40]),
    "squares below float32": ([1e-25, -2e-25, 3e-24], [1e-24, 2e-25, 0], [-1e-25, 2e-25, 1e-24]),
    "squares above float32": ([1e25, -2e25, 3e25], [1e24, 2e25, 0], [-1e25, 2e25, 1e25]),
    "deltas above float32": ([3e38, 3e38], [-3e38, 1], [-3e38, 2]),
    "a zero reference": ([1.0, 2.0], [3.0, -4.0], [0.0, 0.0]),
    "large beside small": ([1e18, 1.0, 1e-18], [-1e18, 1.0, 2e-18], [1.0, 1.0, 3e-18]),
    "equal deltas of tiny weights": ([2e-30] * 6, [1e-30] * 6, [1e-30] * 6),
}


@KERNELS
@pytest.mark.parametrize("dtype", [BF16, F32])
@pytest.mark.parametrize("case", SPECIAL)
def test_special_values(kernel: Kernel, tolerance: float, dtype: DType, case: str) -> None:
    check(kernel, tolerance, on(SPECIAL[case], [dtype] * 3))


@KERNELS
def test_a_run_with_special_values_spoils_no_other_run(kernel: Kernel, tolerance: float) -> None:
    rows = family(3, 3 * 4096 + 5)
    rows[1][4100], rows[0][4101], rows[2][4096] = np.nan, np.inf, -np.inf
    rows[0][8192:] *= 1e-30
    check(kernel, tolerance, on(rows, [BF16] * 3))


@KERNELS
def test_f16_infinities_and_subnormals(kernel: Kernel, tolerance: float) -> None:
    rows = [[np.inf, 6e-8, -6e-5, 65504, 0.1], [1, 1e-7, 6e-5, -65504, 0.1], [1, -6e-8, 6.1e-5, 1, np.nan]]
    check(kernel, tolerance, on(rows, [F16] * 3))


@KERNELS
def test_what_the_suspects_format_cannot_hold_is_infinite_there_but_counted(kernel: Kernel, tolerance: float) -> None:
    rows = [[65504.0, -65504.0, 1.0], [1e6, 65519.0, 1.0], [65520.0, -1e6, 1.0]]
    case = on(rows, [F16, F32, F32])
    check(kernel, tolerance, case)
    found = kernel(case.buffers, case.segments, case.recipes)
    assert found[0].elements == 3
    assert found[0].equal(1, 2) == 2  # 1e6 and 65520 are both infinite in half precision


@BOTH
@pytest.mark.parametrize("dtype", [BF16, F32])
def test_tiny_deltas_that_cancel_are_not_lost(kernel: Kernel, dtype: DType) -> None:
    tiny = np.array([1e-30, -1e-30] * 32)
    base = family(1, 64)[0]
    check(kernel, TOLERANCE, on([np.r_[base, tiny], np.r_[base, -tiny], np.r_[base, 0 * tiny]], [dtype] * 3))


@BOTH
def test_tiny_deltas_that_the_suspects_format_cannot_tell_are_not_lost(kernel: Kernel) -> None:
    tiny = np.array([1e-25, -1e-25] * 32)
    base = np.round(family(1, 64)[0] * 1024) / 1024
    check(kernel, TOLERANCE, on([np.r_[base, tiny], np.r_[base, 1.0001 * tiny], np.r_[base, tiny]], [BF16, F32, F32]))


@BOTH
@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("dtype", [BF16, F16, F32])
def test_fast_and_slow_kernels_agree_on_every_arithmetic(kernel: Kernel, n: int, dtype: DType) -> None:
    arithmetics = ALL if n == 3 else [one for one in ALL if one not in OF_TWO]
    for part in (arithmetics[:5], arithmetics[5:9], arithmetics[9:13], arithmetics[13:]):
        for nonfinite in (0.0, 0.001):
            agree(kernel, example([4096, 1, 9001, 64], [[dtype] * 4] * n, part, nonfinite=nonfinite, seed=n))


@BOTH
@pytest.mark.parametrize("n", [4, 5])
@pytest.mark.parametrize("dtype", [BF16, F16, F32])
def test_fast_and_slow_kernels_agree_on_recipes_of_two_parents_among_several(
    kernel: Kernel, n: int, dtype: DType
) -> None:
    for part in (ALL[:5], ALL[5:9], ALL[9:13], ALL[13:]):
        agree(kernel, example([4096, 1, 5001], [[dtype] * 3] * n, part, nonfinite=0.001, taken=2, seed=n))


@pytest.mark.parametrize("arithmetic", ALL)
def test_a_recipe_of_two_parents_gives_the_bits_that_it_gives_of_these_alone(arithmetic: Arithmetic) -> None:
    rows = np.stack(family(4, 3000, seed=4)).astype(np.float32)
    weights, made, alone = np.array([0.4, 7.0, 0.6, np.nan]), *np.empty((2, 3000), np.float32)
    evaluate(arithmetic, rows, weights, np.array([0, 2, -1, -1]), BF16.code, made)
    evaluate(arithmetic, rows[[0, 2]].copy(), weights[[0, 2]], np.array([0, 1]), BF16.code, alone)
    assert made.view(np.uint32).tolist() == alone.view(np.uint32).tolist()


@BOTH
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(F16, 1e-6), (F16, 1e4), *((dtype, scale) for dtype in (BF16, F32) for scale in (1e-40, 1e-20, 1e-6, 1e25))],
)
def test_fast_and_slow_kernels_agree_at_the_ends_of_the_range(kernel: Kernel, dtype: DType, scale: float) -> None:
    agree(kernel, example([5001, 70], [[dtype] * 2] * 3, ALL[:8], scale=scale))


@BOTH
def test_fast_and_slow_kernels_agree_when_every_segment_has_its_own_formats(kernel: Kernel) -> None:
    formats = [[(BF16, F16, F32)[(i + s) % 3] for s in range(6)] for i in range(3)]
    agree(kernel, example([64, 4097, 9, 1, 8200, 130], formats, ALL[:8], nonfinite=0.001))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_recipe_counts_the_elements_it_reproduces(k: int) -> None:
    """A suspect made in torch; where it was changed afterwards the count must fall by as many."""
    import torch

    parents = [torch.from_numpy(row).to(torch.bfloat16) for row in family(k, 6000, seed=k, scale=0.3)]
    weights = [[1.0], [0.565, 0.435], [0.5, 0.3, 0.2]][k - 1]
    singles = [np.float32(w) for w in weights]
    total = parents[0].float() * singles[0]
    for parent, weight in zip(parents[1:], singles[1:], strict=True):
        total = total + parent.float() * weight
    whole = sum(singles, np.float32(0))
    merged = (total if whole == 1 else total / whole).bfloat16()
    changed = merged.clone()
    changed[::10] += 1
    plan = RecipePlan(np.zeros(1, np.int64), np.arange(k)[None], np.array(weights)[None, None])
    for suspect, count in ((merged, 6000), (changed, 5400)):
        rows = [row.double().numpy() for row in (suspect, *parents)]
        case = on(rows, [BF16] * (k + 1), plan)
        for kernel in (numba_kernel, cpu_kernel, reference_kernel):
            assert kernel(case.buffers, case.segments, plan)[0].recipe(0) == count


@WITH_C
@pytest.mark.parametrize("n", [4, 5, 6])
@pytest.mark.parametrize("arithmetic", [Arithmetic.FLOAT32, Arithmetic.FLOAT32_FUSED])
def test_recipes_of_several_parents_are_counted_by_the_word_as_the_reference_counts_them(
    n: int, arithmetic: Arithmetic
) -> None:
    """Weights so large that what is fused rounds to other numbers, in another order than the parents'."""
    rng = np.random.default_rng(n)
    row = rng.normal(0, 1, 150_001).astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    parents = np.stack([row + (rng.integers(0, 2, row.size).astype(np.uint32) << 16) for _ in range(n - 1)])
    parents = parents.view(np.float32)
    weights, order = np.array([8.3, -7.8, 0.25, 0.125, 0.125][: n - 1]), np.arange(n - 1)[::-1]
    weights[-1] += 1 - weights.sum()
    made = [np.empty(row.size, np.float32) for _ in ALL[:2]]
    for each, out in zip((arithmetic, 1 - arithmetic), made, strict=True):
        evaluate(each, parents, weights, order, BF16.code, out)
    assert (made[0] != made[1]).any()
    assert np.float32(weights[order].astype(np.float32).cumsum(dtype=np.float32)[-1]) == 1  # else it goes no words
    plan = RecipePlan(np.array([arithmetic]), order[None], weights[None, None])
    case = on([each.astype(np.float64) for each in (made[0], *parents)], [BF16] * n, plan)
    assert c_kernel(case.buffers, case.segments, plan)[0].recipe(0) == row.size


@BOTH
def test_products_halfway_between_two_numbers_go_to_the_even_one_whichever_parent_comes_first(kernel: Kernel) -> None:
    torch = pytest.importorskip("torch")
    bits = np.random.default_rng(6).integers(0x3F00, 0x3F80, (2, 5003)).astype(np.int16)
    parents = torch.from_numpy(bits).view(torch.bfloat16)
    exact = parents.float().sum(0) / 2
    merged = exact.bfloat16()
    assert ((exact.view(torch.int32) & 0xFFFF) == 0x8000).sum() > 1000  # halfway
    plan = RecipePlan(np.array([0, 1] * 4), np.array([[0, 1], [0, 1], [1, 0], [1, 0]] * 2), np.full((8, 1, 2), 0.5))
    case = on([row.double().numpy() for row in (merged, *parents)], [BF16] * 3, plan)
    found = kernel(case.buffers, case.segments, plan)
    assert [found[0].recipe(k) for k in range(8)] == [5003] * 8
    wrong = (merged.view(torch.int16) ^ 1).view(torch.bfloat16)
    case = on([row.double().numpy() for row in (wrong, *parents)], [BF16] * 3, plan)
    assert [kernel(case.buffers, case.segments, plan)[0].recipe(k) for k in range(8)] == [0] * 8


def test_weights_and_order_belong_to_their_tensor_and_recipe() -> None:
    """Two tensors with weights of their own, two recipes; each only reproduces its own."""
    rng = np.random.default_rng(5)
    p, r = (rng.integers(-512, 512, 300) / 64 for _ in range(2))  # sums of these are exact in bf16
    rows = [np.concatenate([0.5 * p + 0.5 * r, 0.25 * p + 0.75 * r]), np.tile(p, 2), np.tile(r, 2)]
    one = on(rows, [F32] * 3)
    segments = Segments(
        np.array([1, 0]), np.array([300, 300]), np.array([[0, 1200]] * 3), np.tile(one.segments.dtype, (1, 2))
    )
    weights = np.array([[[0.25, 0.75], [0.5, 0.5]], [[0.5, 0.5], [0.25, 0.75]]])
    plan = RecipePlan(np.array([0, 0]), np.array([[0, 1], [1, 0]]), weights)
    for kernel in (numba_kernel, cpu_kernel, reference_kernel):
        found = kernel(one.buffers, segments, plan)
        assert [found[s].recipe(0) for s in (0, 1)] == [300, 300]
        assert max(found[s].recipe(1) for s in (0, 1)) < 30
        assert found[0].recipe(2) == 0


@st.composite
def segments_of_anything(draw: st.DrawFn) -> Example:
    """Few elements, many kinds: formats, special values, equal elements."""
    n = draw(st.integers(2, 4))
    count = draw(st.integers(1, 40))
    number = st.one_of(
        st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-30, 3e38, 65504.0]),
        st.floats(-2, 2, width=16),
    )
    pool = draw(st.lists(number, min_size=1, max_size=6))
    rows = [draw(st.lists(st.sampled_from(pool), min_size=count, max_size=count)) for _ in range(n)]
    return on(rows, [draw(st.sampled_from([BF16, F16, F32])) for _ in range(n)])


@given(segments_of_anything())
def test_any_elements_are_counted_as_defined(case: Example) -> None:
    for kernel in (numba_kernel, cpu_kernel, reference_kernel):
        found = kernel(case.buffers, case.segments, case.recipes)
        right = expected(case)
        assert named_counts(found) == right.counts


@EACH
def test_splitting_a_segment_at_a_run_changes_no_count_and_no_sum(kernel: Kernel) -> None:
    whole = on(family(3, 3 * 4096 + 77), [BF16] * 3)
    cuts = np.array([0, 4096, 3 * 4096])
    counts = np.diff(np.append(cuts, 3 * 4096 + 77))
    parts = Segments(np.zeros(3, np.int64), counts, np.tile(2 * cuts, (3, 1)), np.zeros((3, 3), np.int64))
    one = kernel(whole.buffers, whole.segments, whole.recipes)[0]
    several = kernel(whole.buffers, parts, whole.recipes).total()
    assert several.counts.tolist() == one.counts.tolist()
    np.testing.assert_allclose(several.sums, one.sums, rtol=1e-13)


@EACH
def test_no_segments_and_empty_segments_leave_nothing(kernel: Kernel) -> None:
    none = example([], [[], [], []], ALL[:2])
    assert kernel(none.buffers, none.segments, none.recipes).counts.shape == (0, layout(3).counts)
    empty = example([0, 0], [[BF16, F32]] * 3, ALL[:2])
    assert not kernel(empty.buffers, empty.segments, empty.recipes).counts.any()


@EACH
def test_the_buffers_may_be_read_only_and_are_never_written(kernel: Kernel) -> None:
    case = quick_example()
    for buffer in case.buffers:
        buffer.setflags(write=False)
    before = [buffer.copy() for buffer in case.buffers]
    kernel(case.buffers, case.segments, case.recipes)
    assert all(np.array_equal(a, b) for a, b in zip(before, case.buffers, strict=True))


@BOTH
def test_threads_share_the_kernel_without_sharing_numbers(kernel: Kernel) -> None:
    case = quick_example()
    alone = kernel(case.buffers, case.segments, case.recipes)
    results: list[bool] = []

    def work() -> None:
        for _ in range(20):
            found = kernel(case.buffers, case.segments, case.recipes)
            results.append(np.array_equal(found.counts, alone.counts) and np.array_equal(found.sums, alone.sums))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80


def test_one_compiled_kernel_serves_every_number_of_checkpoints_and_every_layout_of_what_it_is_given() -> None:
    for n in (2, 3, 4):
        case = example([64, 64], [[BF16, BF16]] * n, ALL[:1])
        apart = np.repeat(case.segments.dtype, 2, axis=1)[:, ::2]
        for segments in (case.segments, replace(case.segments, dtype=apart)):
            for buffer in case.buffers:
                buffer.setflags(write=not buffer.flags.writeable)
            numba_kernel(case.buffers, segments, case.recipes)
    assert len(numba_loops.segments.signatures) == 1


@WITH_C
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_what_memory_holds_behind_a_segment_changes_nothing(n: int) -> None:
    """The last elements, fewer than a vector, are taken with what is not theirs."""
    for count in (1, 31, 33, 4095):
        case = example([count], [[BF16]] * n, ALL[:2])
        longer = [
            np.concatenate([buffer, np.full(64, fill, np.uint8)])
            for buffer, fill in zip(case.buffers, (0, 0x7F, 0xFF, 1, 2, 3), strict=False)
        ]
        apart = c_kernel(longer, case.segments, case.recipes)
        alone = c_kernel(case.buffers, case.segments, case.recipes)
        assert (apart.counts.tolist(), apart.sums.tolist()) == (alone.counts.tolist(), alone.sums.tolist())


@WITH_C
@pytest.mark.parametrize("weights", [(-1.5, 2.5), (2.5, -1.5), (-0.0, 1.0)])
def test_negative_weights_make_no_equal_elements_of_what_fills_the_last_vector(weights: tuple[float, float]) -> None:
    case = on(
        family(3, 37), [BF16] * 3, RecipePlan(np.array([0, 1]), np.array([[0, 1]] * 2), np.array([[weights]] * 2))
    )
    agree(c_kernel, case)


@WITH_C
@pytest.mark.parametrize(("start", "count"), [(0, 9), (1, 8), (-1, 4), (2, 1 << 40)])
def test_a_segment_that_is_not_within_its_buffer_is_refused(start: int, count: int) -> None:
    buffers = [np.zeros(16, np.uint8)] * 2
    codes = np.zeros((2, 1), np.int64)
    with pytest.raises(ValueError, match="within"):
        c_kernel(buffers, Segments(codes[0], np.array([count]), codes + start, codes), RecipePlan.none(1, 1))


def test_what_computes_on_the_processor_is_named() -> None:
    compile_kernel()
    assert description() == ("processor (numba)" if native() is None else f"processor (C, {native().variant})")  # type: ignore[union-attr]
