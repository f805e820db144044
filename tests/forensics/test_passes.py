"""A pass gives the same bits whatever machine it runs on: threads and blocks follow it, the cuts of tensors do not."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.passes import Scouted, scouted, summed
from modelprov.forensics.sums.kernels.cpu import processor
from modelprov.forensics.sums.moments import Moments
from modelprov.forensics.sums.sweep import PIECE
from tests.memory import Silence, checkpoint

PROCESSOR = processor()


@pytest.fixture(scope="module")
def found() -> Scouted:
    """Two models of one tensor that is cut into five."""
    draw = np.random.default_rng(5)
    shape = (5 * PIECE // 4 // 1024, 1024)
    scale = np.exp2(draw.integers(-24, 24, (shape[0], 1))).astype(np.float32)  # sums that float64 does not hold exactly
    models = [checkpoint(name, {"w": (draw.standard_normal(shape, np.float32) * scale, DType.F32)}) for name in "ab"]
    return scouted(tuple(models), 4096, 0, Silence())


def sums(found: Scouted, threads: int, memory: int) -> Moments:
    moments, read = summed(
        found, "a", PROCESSOR, Silence(), memory=memory, threads=threads, method="auto", sampled=False, ledger=None
    )
    assert read > 10 * PIECE
    return moments


@pytest.mark.parametrize("threads", [2, 7, 64])
def test_threads_and_memory_change_no_bit_of_the_sums_of_a_large_tensor(found: Scouted, threads: int) -> None:
    right = sums(found, 1, 512 << 20)
    assert right.total().elements == 5 * PIECE // 4
    for memory in (8 << 20, 64 << 20, 1 << 40):
        again = sums(found, threads, memory)
        assert np.array_equal(again.sums.view(np.int64), right.sums.view(np.int64))
        assert np.array_equal(again.counts, right.counts)
