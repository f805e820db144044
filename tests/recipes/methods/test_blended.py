"""Two tensors added by their factors in C hold the bits of the same steps in numpy, zeros and their signs too."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.native import for_merging
from modelprov.recipes.methods.combining import blended
from modelprov.recipes.methods.steps import Steps, stored

WITHIN = (DType.BF16, DType.F16, DType.F32)


@pytest.mark.skipif(for_merging() is None, reason="no C kernels here")
@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("out", WITHIN)
@pytest.mark.parametrize("dtype", WITHIN)
def test_two_tensors_are_blended_as_the_steps_of_a_method_do_it(dtype: DType, out: DType, divided: bool) -> None:
    step = Steps(np.float32, dtype)
    rng = np.random.default_rng(5)
    x, y = (step(rng.standard_normal(5_001).astype(np.float32)) for _ in range(2))
    x[:3], y[:3] = (-0.0, 0.0, -0.0), (-0.0, -0.0, 0.0)
    factors = step(np.float32([0.6])), step(np.float32([0.43]))
    divisor = step(np.float32([0.97])) if divided else None
    expected = step(step(factors[0] * x) + step(factors[1] * y))
    if divisor is not None:
        expected = step.divide(expected, divisor)
    made = blended(x, y, factors, divisor, out, step)
    assert made is not None
    np.testing.assert_array_equal(made.view(np.uint32), stored(expected, out).view(np.uint32))


def test_without_a_stored_format_or_in_float64_numpy_computes() -> None:
    values = np.ones(3)
    assert blended(values, values, (values[:1], values[:1]), None, DType.BF16, Steps(np.float64, DType.F64)) is None
    assert blended(values, values, (values[:1], values[:1]), None, None, Steps(np.float32, DType.F32)) is None
