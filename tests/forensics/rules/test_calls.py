"""What a tensor more costs while judging, in calls of Python: a large model has 95,000, and time hangs on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.types import AlignedTensor, Component, TensorRef, TensorView
from modelprov.forensics.judging.findings import FurtherLooks, collect
from modelprov.forensics.judging.rows import Table, measure_each
from modelprov.forensics.sampling.scout import Strata
from modelprov.forensics.sums.moments import Moments, layout
from tests.calls import calls

FEW, MANY = 100, 600
SIDE = 16
JUDGING = 6  # calls a tensor


def table(tensors: int) -> Table:
    """Two layers of experts of three models of one start."""
    rng = np.random.default_rng(0)
    views = []
    for number in range(tensors):
        name, shape = f"model.layers.{number % 2}.mlp.experts.{number}.up_proj.weight", (SIDE, SIDE)
        view = TensorView(TensorRef(name, DType.BF16, shape, 0, 0, 2 * SIDE * SIDE), 0, SIDE * SIDE)
        views.append(AlignedTensor(name, number % 2, Component.EXPERTS, number, shape, (view,) * 3))
    columns, elements = layout(3), SIDE * SIDE
    counts = np.zeros((tensors, columns.counts), np.int64)
    counts[:, [0, 2]] = elements, 9
    parts = rng.normal(0, 1, (tensors, elements, 3))
    parts[:, :, :2] /= 10
    whole = np.concatenate([parts, np.ones((tensors, elements, 1))], axis=2)
    rows, across = np.triu_indices(4)
    gram = np.einsum("tei,tej->tij", whole, whole)[:, rows, across][:, :-1]
    sums = np.concatenate([gram, rng.uniform(1, 2, (tensors, columns.sums - gram.shape[1]))], axis=1)
    return Table(tuple(views), Moments(3, counts, sums), ("S", "A", "B"))


def slope(act: Callable[[Table], object]) -> float:
    """Calls a tensor, of what is done with a table; what is done once in a process is done before."""
    act(table(FEW))
    few, many = (table(size) for size in (FEW, MANY))
    return (calls(lambda: act(many)) - calls(lambda: act(few))) / (MANY - FEW)


def judged(of: Table) -> object:
    """All findings, of sums alone."""
    strata = Strata(np.arange(len(of.tensors)) % 2, ("first", "second"), (0, 1), ("up", "up"))
    return collect(of, strata, None, 0, controls=[], locations=["a", "b"], looks=FurtherLooks())


def test_all_tensors_are_measured_with_a_handful_of_calls_each() -> None:
    assert slope(measure_each) < 2


def test_a_tensor_more_costs_a_handful_of_calls_while_judging() -> None:
    assert slope(judged) < JUDGING
