"""The rows of a report: those of all tensors at once are what each tensor's own would be."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.forensics.judging.rows import Table, measure, measure_each
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from tests.generated import Size, model
from tests.memory import checkpoint

SIZE = Size(layers=2, hidden=16, width=32, vocabulary=32)
CODE = DType.F32.code


def table(n: int, slot: int | None) -> Table:
    """Checkpoints of ordinary tensors, of some that are equal, of one element, of nothing finite, and of none."""
    rng = np.random.default_rng(n)
    names = align([checkpoint(str(i), model(rng, SIZE, DType.F32)) for i in range(n)]).tensors
    count = np.array([9000, 1, 0, *([50] * (len(names) - 3))])
    start = np.tile(4 * np.concatenate([[0], np.cumsum(count)[:-1]]), (n, 1))
    values = rng.normal(0, 1, (n, int(count.sum()))).astype(np.float32)
    values[1:, 9001:9051] = values[0, 9001:9051]
    values[2:, 9051:9101] = values[1, 9051:9101]
    values[0, 9101:9151] = np.nan
    values[:, 9151:9201] = 1.0
    segments = Segments(np.arange(len(names)), count, start, np.full((n, len(names)), CODE))
    plan = RecipePlan(
        np.zeros(1, np.int64), np.arange(n - 1)[None], np.full((1, len(names), n - 1), 1 / (n - 1))
    )  # fmt: skip
    moments = reference_kernel([row.view(np.uint8) for row in values], segments, plan)
    return Table(names, moments, tuple("SABC"[:n]), slot)


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize(("n", "slot"), [(2, None), (3, None), (3, 0), (4, 0)])
def test_all_tensors_at_once_get_the_measures_that_each_alone_would(n: int, slot: int | None, mixed: bool) -> None:
    of = table(n, slot)
    rows = measure_each(of, mixed=mixed)
    assert len(rows) == len(of.tensors) > 8
    for number, (row, tensor) in enumerate(zip(rows, of.tensors, strict=True)):
        alone = measure(
            of, tensor.name, [number], mixed=mixed,
            layer=tensor.layer, component=str(tensor.component), expert=tensor.expert,
        )  # fmt: skip
        assert row.model_dump(exclude={"raw_correlation"}) == alone.model_dump(exclude={"raw_correlation"})
        found, expected = (
            {label: np.nan if value is None else value for label, value in measured.raw_correlation.items()}
            for measured in (row, alone)
        )
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)
    assert rows[2].note == "no finite element"
    assert rows[1].raw_correlation == dict.fromkeys("ABC"[: n - 1])


def test_a_group_of_one_tensor_and_a_group_of_many_correlate_alike() -> None:
    of = table(3, None)
    alone, both = (measure(of, "group", members).raw_correlation["A"] for members in ([0], [0, 1]))
    assert alone == pytest.approx(both)
