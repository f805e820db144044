"""A copy whose weights were multiplied is no relative at ease: the factor, and what it leaves, say so."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases.making import family
from benchmarks.cases.opponent_fifth import copy_with_factors_moved_a_little, copy_with_rows_rescaled
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from modelprov.forensics.estimators.scaled import by_rows_and_columns, scaled
from modelprov.forensics.sampling.sample import Sample, from_formats
from tests.memory import judge


def _times(parent: Weights, factor: float, trained: float = 0.0, seed: int = 1) -> Weights:
    """The parent's weights times a factor, with noise of `trained` times their spread beside it, rounded anew."""
    rng = np.random.default_rng(seed)

    def changed(values: np.ndarray) -> np.ndarray:
        beside = trained * values.std() * rng.standard_normal(values.shape)
        return (values * np.float32(factor) + beside).astype(np.float32)

    return {name: (store(changed(values), dtype), dtype) for name, (values, dtype) in parent.items()}


@pytest.mark.parametrize("factor", [0.98, 1.005, 1.02])
@pytest.mark.parametrize("parents", [1, 2])
def test_a_copy_that_was_scaled_is_told_with_its_factor(factor: float, parents: int) -> None:
    parent, base = family(np.random.default_rng([7, parents]), 1, 2e-4)
    verdict = judge(_times(parent, factor), *(parent, base)[:parents]).verdict
    assert (verdict.class_, verdict.rule) == ("inconclusive", "scaled")
    assert f"S is P1, times a factor, rounded: times {factor:.3f}" in verdict.summary
    assert any("decay of its weights" in each.history for each in verdict.histories)


def test_one_model_at_three_sizes_is_no_merge_though_one_weighting_fits_every_cell() -> None:
    _, base = family(np.random.default_rng([7, 2]), 1, 2e-4)
    verdict = judge(_times(base, 1 - 0.3 * 0.039), _times(base, 1 - 0.039), base).verdict
    assert (verdict.class_, verdict.rule) == ("inconclusive", "scaled")


def test_decay_beside_real_training_is_still_the_same_origin() -> None:
    parent, base = family(np.random.default_rng(8), 1, 2e-4)
    verdict = judge(_times(parent, 0.99, 0.05), parent, base).verdict
    assert verdict.rule != "scaled"


def _sample(factor: float, beside: float, dtype: DType = DType.BF16) -> Sample:
    """Two tensors of 4,000 elements of a parent, and of the same times a factor with `beside` of their spread."""
    rng = np.random.default_rng(9)
    parent = store(rng.standard_normal(8_000).astype(np.float32), dtype)
    suspect = store((parent * factor + beside * rng.standard_normal(8_000)).astype(np.float32), dtype)
    codes = np.full((2, 8_000), dtype.code, np.uint8)
    return from_formats(
        np.stack([suspect, parent]).astype(np.float64), codes, np.repeat([0, 1], 4_000).astype(np.int32)
    )


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16])
def test_rounding_alone_is_left_beside_the_factor(dtype: DType) -> None:
    found = scaled(_sample(1.01, 0.0, dtype))
    assert found is not None
    assert found.low == pytest.approx(1.01, rel=5e-4)
    assert found.high == pytest.approx(1.01, rel=5e-4)
    assert 0.9 < found.left < 1.1
    assert found.tensors == 2


@pytest.mark.parametrize(("factor", "beside"), [(1.0, 0.0), (1.01, 0.01), (1.0, 0.001)])
def test_what_was_trained_or_did_not_change_is_no_multiple(factor: float, beside: float) -> None:
    assert scaled(_sample(factor, beside)) is None


@pytest.mark.parametrize("made", [copy_with_factors_moved_a_little, copy_with_rows_rescaled])
def test_a_copy_with_factors_of_its_rows_and_columns_is_told_as_that_model_times_factors(made) -> None:  # type: ignore[no-untyped-def]
    found = judge(*made(np.random.default_rng(2)).models)
    assert (found.verdict.class_, found.verdict.rule) == ("inconclusive", "scaled")
    assert found.verdict.summary.startswith(
        "By its matrices, S is P1, times a factor, rounded: with a factor for each row and each column it leaves no "
        "more than rounding does, in each of "
    )
    assert found.beyond is not None
    assert found.beyond.factored == ("P1",)


def test_factors_in_some_matrices_beside_training_in_others_are_no_copy() -> None:
    rng = np.random.default_rng(3)
    suspect, parent = copy_with_rows_rescaled(rng).models[:2]
    name = "model.layers.0.mlp.down_proj.weight"
    values, dtype = parent[name]
    trained = values + 0.02 * values.std() * rng.standard_normal(values.shape)
    found = judge(suspect | {name: (store(trained.astype(np.float32), dtype), dtype)}, parent)
    assert found.verdict.rule != "scaled"


def _rows(beside: float, rows: int = 64) -> tuple[float, float] | None:
    """What is left of bf16 numbers that are others times factors of rows and columns, with `beside` of their spread."""
    rng = np.random.default_rng(4)
    parent = store(rng.standard_normal((rows, 96)).astype(np.float32), DType.BF16)
    factors = np.exp(0.05 * rng.standard_normal((rows, 1))) * np.exp(0.05 * rng.standard_normal(96))
    noise = beside * rng.standard_normal(parent.shape)
    suspect = store((parent * factors + noise).astype(np.float32), DType.BF16)
    widths = np.exp2(np.floor(np.log2(np.abs(suspect))) - 7)
    return by_rows_and_columns(suspect.astype(np.float64), parent.astype(np.float64), widths)


def test_rounding_alone_is_left_beside_factors_of_rows_and_columns_and_a_change_is_not() -> None:
    found = _rows(0.0)
    assert found is not None
    assert 0.9 < found[0] < 1.1
    assert found[1] > 10
    trained = _rows(0.05)
    assert trained is not None
    assert trained[0] > 5


def test_fewer_rows_than_factors_can_be_told_by_are_not_judged() -> None:
    assert _rows(0.0, 15) is None
