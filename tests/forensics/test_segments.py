"""A sample decoded a format at a time holds what its segments hold one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.plan import plan_segments
from modelprov.demo.writing import Weights
from modelprov.forensics.sampling.segments import decoded, decoded_at_once
from tests.memory import checkpoint

FORMATS = (DType.BF16, DType.F32, DType.F16, DType.BF16, DType.F32)


@pytest.mark.parametrize("block", [200, 1 << 20])
def test_values_of_mixed_formats_are_those_of_their_segments_however_they_are_cut(block: int) -> None:
    rng = np.random.default_rng(3)
    made = []
    for label, turned in (("S", 0), ("P1", 1)):
        formats = (*FORMATS[turned:], *FORMATS[:turned])
        values = [rng.standard_normal((16, 16)).astype(np.float32) for _ in formats]
        weights: Weights = {
            f"model.layers.{n}.mlp.up_proj.weight": own for n, own in enumerate(zip(values, formats, strict=True))
        }  # fmt: skip
        made.append(checkpoint(label, weights))
    alignment = align(made)
    tensor = np.array([0, 1, 1, 2, 3, 4, 4])
    first, count = np.array([5, 0, 100, 250, 7, 9, 40]), np.array([3, 50, 60, 6, 1, 30, 200])
    plan = plan_segments(alignment, tensor, first, count, block)
    expected = [np.concatenate(row) for row in zip(*(values for _, values in decoded(made, plan)), strict=True)]
    np.testing.assert_array_equal(decoded_at_once(made, plan), np.stack(expected))
