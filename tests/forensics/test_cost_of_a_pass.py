"""What a pass costs that no busy machine can change: bytes read, Python calls a block, memory. No clock is read here.

What a clock would say is in the benchmarks (`make bench`); which modules a command loads: `tests/cli/test_imports.py`.
"""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import FrameType

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.plan import plan_pass
from modelprov.checkpoints.sources.interface import Piece, Range
from modelprov.checkpoints.types import Checkpoint
from modelprov.demo.writing import Weights
from modelprov.forensics.sums.kernels.cpu import c_kernel
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan
from modelprov.forensics.sums.sweep import sweep
from modelprov.native import native, why_not
from tests.memory import Memory, checkpoint

WITH_C = pytest.mark.skipif(native() is None, reason=f"no C kernels: {why_not()}")
PROCESSOR = Device(c_kernel, "processor")
CALLS_A_BLOCK = 160
"""Of Python functions, for three checkpoints; 123 when this was written."""


@dataclass(frozen=True)
class Counted(Memory):
    """Remembers every range that was read."""

    read: list[Range] = field(default_factory=list)

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        self.read.extend(ranges)
        return super().read_ranges(ranges)


def models(tensors: int, rows: int) -> tuple[Checkpoint, ...]:
    """A merge of two in bf16: so many tensors of `rows` x 128, each in a source that counts."""
    rng = np.random.default_rng(3)
    base = rng.normal(0, 0.02, (tensors, rows, 128)).astype(np.float32)
    parent = base + rng.normal(0, 0.002, base.shape).astype(np.float32)
    made = []
    for label, values in (("S", 0.6 * parent + 0.4 * base), ("P1", parent), ("P2", base)):
        weights: Weights = {
            f"model.layers.{n}.mlp.up_proj.weight": (values[n], DType.BF16) for n in range(tensors)
        }  # fmt: skip
        opened = checkpoint(label, weights)
        source = opened.source
        assert isinstance(source, Memory)
        made.append(replace(opened, source=Counted(source.shards)))
    return tuple(made)


def read_of(opened: Checkpoint) -> list[Range]:
    source = opened.source
    assert isinstance(source, Counted)
    return sorted(source.read)


def swept(checkpoints: tuple[Checkpoint, ...], block: int, threads: int = 1) -> int:
    """A pass; how many blocks it had."""
    alignment = align(checkpoints)
    plan = plan_pass(alignment, block)
    tensors = len(alignment.tensors)
    sweep(checkpoints, plan, tensors, RecipePlan.none(2, tensors), PROCESSOR, threads=threads)
    return plan.blocks


@WITH_C
@pytest.mark.parametrize(("block", "threads"), [(64 << 10, 1), (64 << 10, 2), (1 << 20, 2)])
def test_a_pass_reads_every_byte_of_every_file_once(block: int, threads: int) -> None:
    checkpoints = models(12, 300)
    swept(checkpoints, block, threads)
    for opened in checkpoints:
        end = 0
        for _, start, stop in read_of(opened):
            assert start == end
            end = stop
        assert end == opened.source.size(0)


@WITH_C
def test_what_python_does_for_a_block_does_not_grow_with_the_tensors_in_it() -> None:
    few, many = (calls_a_block(models(tensors, rows)) for tensors, rows in ((4, 2048), (256, 32)))
    assert few <= CALLS_A_BLOCK
    assert many <= few + 10


def calls_a_block(checkpoints: tuple[Checkpoint, ...]) -> float:
    """Python functions called in the threads of a pass, a block of 512 KiB."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = threading.getprofile()
    threading.setprofile(count)
    try:
        blocks = swept(checkpoints, 512 << 10)
    finally:
        threading.setprofile(before)
    return calls / blocks


@WITH_C
def test_the_memory_of_a_pass_is_that_of_its_blocks_however_large_the_models_are() -> None:
    peaks = []
    for tensors in (2, 8):
        checkpoints = models(tensors, 2048)
        swept(checkpoints, 128 << 10)
        tracemalloc.start()
        swept(checkpoints, 128 << 10)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 3 * 2 * (128 << 10)
    assert abs(peaks[1] - peaks[0]) < 64 << 10
