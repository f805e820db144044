"""What a tensor costs of its row in a report and in its JSON: in calls, not by a clock.

What opening, aligning and planning call for it: `tests/checkpoints/test_many_tensors.py`.
"""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.plan import plan_pass
from modelprov.demo.writing import Weights
from modelprov.forensics.judging.rows import Table, measure_each
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.sweep import sweep
from modelprov.reports.comparison.as_json import _rows
from tests.calls import calls
from tests.memory import checkpoint

CALLS_A_TENSOR = 5
"""Of Python and of C, for three checkpoints; 2.9 when this was written."""


def table(experts: int) -> Table:
    """A merge of two in bf16: one layer of so many experts, each a matrix of 16 x 16."""
    rng = np.random.default_rng(3)
    base = rng.normal(0, 0.02, (experts, 16, 16)).astype(np.float32)
    parent = base + rng.normal(0, 0.002, base.shape).astype(np.float32)
    made = []
    for label, values in (("S", 0.6 * parent + 0.4 * base), ("P1", parent), ("P2", base)):
        names = [f"model.layers.0.mlp.experts.{n}.up_proj.weight" for n in range(experts)]
        weights: Weights = {name: (own, DType.BF16) for name, own in zip(names, values, strict=True)}
        made.append(checkpoint(label, weights))
    alignment = align(made)
    plan, device = plan_pass(alignment, 1 << 20), Device(reference_kernel, "processor")
    moments = sweep(tuple(made), plan, experts, RecipePlan.none(2, experts), device, threads=1)
    return Table(alignment.tensors, moments, ("S", "P1", "P2"))


def test_a_row_of_a_tensor_and_its_json_cost_few_calls() -> None:
    few, many = table(20), table(220)
    assert '"name": "model.layers.0.mlp.experts.19' in _rows(measure_each(few))  # what is kept is there from now on
    counted = [calls(lambda own=own: _rows(measure_each(own))) for own in (few, many)]
    assert counted[1] - counted[0] <= CALLS_A_TENSOR * 200
