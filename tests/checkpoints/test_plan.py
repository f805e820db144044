"""Cutting aligned tensors into blocks: everything once, nothing twice, in the order of the files."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import FORMATS, DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.plan import QUANTUM, Plan, byte_ranges, plan_pass, plan_segments
from modelprov.checkpoints.types import Alignment, Checkpoint, Shard, TensorRef
from tests.memory import Memory

BF16, F16, F32, F64 = DType
HEADER = 100  # bytes before the data of every pretended shard


def checkpoint(tensors: Sequence[tuple[str, int, DType, int]]) -> Checkpoint:
    """A checkpoint without data: (name, elements, dtype, shard) in file order."""
    ends: dict[int, int] = {}
    refs = {}
    for name, count, dtype, shard in tensors:
        start = ends.get(shard, HEADER)
        ends[shard] = start + count * dtype.size
        refs[name] = TensorRef(name, dtype, (count,), shard, start, ends[shard])
    shards = tuple(Shard("x", ends.get(number, HEADER), "") for number in range(max(ends, default=0) + 1))
    return Checkpoint("c", "c", refs, shards, Memory(()))


def pair(counts: Sequence[int], shards: Sequence[int] = (), other: DType = BF16) -> Alignment:
    """Two checkpoints with tensors of `counts` elements; the first lies in `shards`, the second in one file."""
    shards = shards or [0] * len(counts)
    first = [(f"t{i}", count, BF16, shard) for i, (count, shard) in enumerate(zip(counts, shards, strict=True))]
    return align((checkpoint(first), checkpoint([(name, count, other, 0) for name, count, _, _ in first])))


def elements(plan: Plan) -> list[tuple[int, int]]:
    """(tensor, element) of everything in a plan, in its order."""
    return [
        (tensor, first + i)
        for tensor, first, count in zip(plan.tensor.tolist(), plan.first.tolist(), plan.count.tolist(), strict=True)
        for i in range(count)
    ]


@given(
    counts=st.lists(st.integers(1, 20_000), min_size=1, max_size=6),
    block=st.sampled_from([1, 4096, 8192, 50_000, 1 << 20, 8 << 20]),
    other=st.sampled_from(DType),
    cut=st.integers(0, 8),
)
def test_every_element_is_read_once_and_in_file_order(counts: list[int], block: int, other: DType, cut: int) -> None:
    alignment = pair(counts, [int(i >= cut) for i in range(len(counts))], other)
    plan = plan_pass(alignment, block)
    assert (plan.first % QUANTUM == 0).all()
    assert (plan.count > 0).all()
    ends = plan.first + plan.count
    whole = np.array(counts)[plan.tensor]
    assert ((plan.count % QUANTUM == 0) | (ends == whole)).all()
    expected = [(t, i) for t, count in enumerate(counts) for i in (0, count - 1)]
    seen = elements(plan)
    assert len(seen) == sum(counts) == len(set(seen))
    assert seen == sorted(seen)
    assert set(expected) <= set(seen)
    assert plan.bounds[0] == 0
    assert plan.bounds[-1] == len(plan.tensor)
    assert (np.diff(plan.bounds) > 0).all()
    assert plan.bytes == sum(counts) * (2 + other.size)


@given(
    counts=st.lists(st.integers(1, 20_000), min_size=1, max_size=6),
    block=st.sampled_from([1, 8192, 50_000, 1 << 20]),
    other=st.sampled_from(DType),
)
def test_a_block_stays_within_its_size_or_is_a_single_smallest_segment(
    counts: list[int], block: int, other: DType
) -> None:
    plan = plan_pass(pair(counts, other=other), block)
    for number in range(plan.blocks):
        held = plan.block(number)
        assert plan.sizes[:, held].sum(axis=1).max() <= max(block, QUANTUM * other.size)


def test_offsets_point_at_the_segments_bytes_in_every_checkpoint() -> None:
    alignment = pair([10_000, 5000], [0, 1], F32)
    plan = plan_pass(alignment, 16_384)
    for s in range(len(plan.tensor)):
        for i, size in ((0, 2), (1, 4)):
            view = alignment.tensors[plan.tensor[s]].views[i]
            assert plan.start[i, s] == view.start + plan.first[s] * size
            assert plan.shard[i, s] == view.ref.shard
            assert FORMATS[plan.dtype[i, s]] is view.ref.dtype
    assert plan.start[0].min() == HEADER


def test_a_block_ends_with_its_shard_once_it_is_worth_a_read() -> None:
    large, small = 1 << 20, 4096
    assert plan_pass(pair([large, large], [0, 1])).blocks == 2
    assert plan_pass(pair([large, large], [0, 0])).blocks == 1
    assert plan_pass(pair([small, small], [0, 1])).blocks == 1


def test_nothing_aligned_makes_an_empty_plan() -> None:
    alignment = align((checkpoint([("a", 10, BF16, 0)]), checkpoint([("b", 10, BF16, 0)])))
    plan = plan_pass(alignment)
    assert (plan.blocks, plan.bytes, plan.sizes.shape) == (0, 0, (2, 0))


def test_given_segments_are_planned_in_the_given_order() -> None:
    alignment = pair([50_000, 50_000])
    tensor, first, count = (np.array(column) for column in ([1, 0, 1], [4096, 0, 0], [1024, 7, 100]))
    plan = plan_segments(alignment, tensor, first, count, 1 << 20)
    assert (plan.tensor.tolist(), plan.first.tolist(), plan.count.tolist()) == ([1, 0, 1], [4096, 0, 0], [1024, 7, 100])
    assert plan.bounds.tolist() == [0, 3]
    assert plan_segments(alignment, tensor, first, count, 1).blocks == 3


@given(counts=st.lists(st.integers(1, 9000), min_size=1, max_size=8), gap=st.sampled_from([0, 1, 4096, 1 << 20]))
def test_byte_ranges_hold_every_segment_and_little_else(counts: list[int], gap: int) -> None:
    """Every second tensor is absent from the other checkpoint, so that there are gaps to bridge or not."""
    first = checkpoint([(f"t{i}", count, BF16, i % 2) for i, count in enumerate(counts)])
    alignment = align((first, checkpoint([(f"t{i}", count, BF16, 0) for i, count in enumerate(counts) if i % 3 == 0])))
    plan = plan_pass(alignment, 8 << 20)
    block = slice(0, len(plan.tensor))
    for number in range(2):
        runs = byte_ranges(plan, block, number, gap)
        assert runs == sorted(runs)
        for (shard, _, end), (next_shard, begin, _) in itertools.pairwise(runs):
            assert shard != next_shard or begin - end > gap
        for s in range(len(plan.tensor)):
            begin, end = plan.start[number, s], plan.start[number, s] + plan.sizes[number, s]
            inside = [run for run in runs if run[0] == plan.shard[number, s] and run[1] <= begin and end <= run[2]]
            assert len(inside) == 1
        if gap == 0:
            assert sum(end - begin for _, begin, end in runs) == plan.sizes[number].sum()


def test_two_views_of_the_same_bytes_are_one_range() -> None:
    """A tied head is the embedding read again."""
    data = [("model.embed_tokens.weight", (32, 16)), ("lm_head.weight", (32, 16))]
    refs = {
        n: TensorRef(n, BF16, shape, 0, HEADER + 1024 * i, HEADER + 1024 * (i + 1)) for i, (n, shape) in enumerate(data)
    }
    both = Checkpoint("a", "a", refs, (Shard("x", 3000, ""),), Memory(()))
    tied_refs = {"model.embed_tokens.weight": refs["model.embed_tokens.weight"]}
    config = {"tie_word_embeddings": True}
    tied = Checkpoint("b", "b", tied_refs, both.shards, Memory(()), config=config)
    plan = plan_pass(align((both, tied)))
    assert len(plan.tensor) == 2
    assert byte_ranges(plan, plan.block(0), 1) == [(0, HEADER, HEADER + 1024)]


def test_a_segment_inside_another_does_not_shorten_the_range() -> None:
    alignment = pair([50_000])
    columns = (np.array(column) for column in ([0, 0, 0], [0, 4096, 8192], [20_000, 10, 100]))
    plan = plan_segments(alignment, *columns, 1 << 20)
    assert byte_ranges(plan, plan.block(0), 0) == [(0, HEADER, HEADER + 40_000)]


@pytest.mark.parametrize("block", [1, 100_000])
def test_a_tensor_is_cut_by_its_widest_format(block: int) -> None:
    plan = plan_pass(pair([20_000], other=F64), block)
    assert set(plan.count.tolist()) == ({4096, 20_000 - 4 * 4096} if block == 1 else {12_288, 20_000 - 12_288})
