"""Standard errors by cluster: against how repeated draws scatter, where elements move together and where not."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.forensics.estimators.clustered import NORMAL_95, clustered_errors

TENSORS, EACH = 12, 400


def mean_and_error(rng: np.random.Generator, together: float, tensors: int = TENSORS) -> tuple[float, float]:
    """The mean of values of which a share moves with their tensor, and its standard error by cluster."""
    group = np.repeat(np.arange(tensors, dtype=np.int32), EACH)
    values = rng.standard_normal(group.size) + together * rng.standard_normal(tensors)[group]
    error = clustered_errors((values - values.mean())[None], np.array([[1 / group.size]]), group)
    assert error is not None
    return float(values.mean()), float(error[0])


@pytest.mark.parametrize("together", [0.0, 0.3, 2.0])
def test_the_interval_holds_the_truth_however_much_a_tensor_moves_as_a_whole(together: float) -> None:
    rng = np.random.default_rng(5)
    drawn = [mean_and_error(rng, together) for _ in range(400)]
    held = sum(abs(mean) <= NORMAL_95 * error for mean, error in drawn)
    assert 365 <= held <= 395


def test_independent_elements_get_about_the_error_of_independent_elements() -> None:
    rng = np.random.default_rng(6)
    errors = [mean_and_error(rng, 0.0, tensors=80)[1] for _ in range(20)]
    assert np.mean(errors) == pytest.approx((80 * EACH) ** -0.5, rel=0.15)


def test_a_single_cluster_says_nothing_of_its_own_error() -> None:
    assert clustered_errors(np.ones((1, 100)), np.eye(1), np.zeros(100, np.int32)) is None
    assert clustered_errors(np.ones((1, 0)), np.eye(1), np.zeros(0, np.int32)) is None
