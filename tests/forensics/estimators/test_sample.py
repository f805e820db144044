"""Samples: deltas, roles, cells."""

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, round_to, rounding_cell
from modelprov.forensics.sampling.sample import FLOAT32_ERROR, concatenate, from_values, widened_cell
from tests.forensics.estimators.simulated import merged


def test_deltas_are_taken_from_the_last_parent():
    sample = from_values([5.0, 1.0], [[3.0, 2.0], [1.0, 4.0], [0.5, 1.0]], DType.F32)
    np.testing.assert_array_equal(sample.deltas, [[2.5, 1.0], [0.5, 3.0]])
    np.testing.assert_array_equal(sample.delta, [4.5, 0.0])


def test_elements_that_are_not_finite_are_left_out():
    sample = from_values([1.0, np.nan, 2.0, 3.0], [[1.0, 1.0, np.inf, 1.0]], DType.F32, group=[0, 0, 1, 1])
    assert sample.elements == 2
    np.testing.assert_array_equal(sample.group, [0, 1])


def test_every_argument_can_be_the_child_with_the_cells_of_its_own_format():
    values = round_to(np.random.default_rng(5).normal(size=(3, 50)), DType.BF16)
    sample = from_values(values[0], values[1:], [DType.BF16, DType.F16, DType.F32])
    for child, dtype in ((0, DType.BF16), (1, DType.F16), (2, DType.F32)):
        turned = sample.with_roles(child)
        np.testing.assert_array_equal(turned.suspect, values[child])
        np.testing.assert_array_equal((turned.lower, turned.upper), rounding_cell(values[child], dtype))
        assert {*map(tuple, [turned.suspect, *turned.parents])} == {*map(tuple, values)}
        back = turned.with_roles(child)
        np.testing.assert_array_equal(back.parents, sample.parents)
        assert back.dtypes == sample.dtypes


def test_samples_of_different_formats_keep_their_cells_when_joined():
    one, two = (from_values([1.0], [[2.0]], [DType.BF16, dtype]) for dtype in (DType.BF16, DType.F32))
    joined = concatenate([one, two]).with_roles(1)
    widths = joined.upper - joined.lower
    assert widths[0] == widths[1] * 2**16


def test_widening_adds_the_arithmetics_error_on_both_sides():
    sample = from_values([1.0], [[3.0], [-2.0]], DType.BF16)
    lower, upper = widened_cell(sample)
    assert lower == sample.lower - 5 * FLOAT32_ERROR
    assert upper == sample.upper + 5 * FLOAT32_ERROR


def test_taking_elements_keeps_rows_aligned():
    sample = merged(100, 1e-3)
    part = sample.take(np.arange(10, 20))
    np.testing.assert_array_equal(part.deltas, sample.deltas[:, 10:20])
    np.testing.assert_array_equal(part.lower, sample.lower[10:20])


def test_misfitting_arguments_are_refused():
    with pytest.raises(ValueError, match="at least one parent"):
        from_values([1.0], [], DType.BF16)
    with pytest.raises(ValueError, match="formats"):
        from_values([1.0], [[1.0]], [DType.BF16])
    with pytest.raises(ValueError, match="numbers of parents"):
        concatenate([merged(10, 1e-3), merged(10, 1e-3, (0.3, 0.2))])
    with pytest.raises(ValueError, match="no samples"):
        concatenate([])
