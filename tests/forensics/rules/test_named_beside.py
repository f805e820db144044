"""A merge of two parents is found whichever is named first, and where a third has no part in it."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.arithmetics import Arithmetic
from tests.generated import Size, apply, cast, change, merge, model
from tests.memory import judge

OF_DIFFERENCES = [
    (Arithmetic.FLOAT32_DELTA, DType.F32), (Arithmetic.FLOAT32_DELTA_FUSED, DType.F32),
    (Arithmetic.FLOAT32_LERP, DType.F32), (Arithmetic.TORCH_LERP, DType.F32),
    (Arithmetic.STEPWISE_DELTA, DType.BF16), (Arithmetic.TORCH_DELTA, DType.BF16),
]  # fmt: skip
"""Programs that compute from one parent on, in formats that tell them from others."""


@pytest.mark.parametrize(("arithmetic", "stored"), OF_DIFFERENCES)
def test_a_merge_by_differences_is_found_beside_its_parents_base(arithmetic: Arithmetic, stored: DType) -> None:
    rng = np.random.default_rng(int(arithmetic))
    base = cast(model(rng, Size(hidden=64, width=64)), stored)
    first, second = (cast(apply(base, change(base, rng, 1e-3)), stored) for _ in range(2))
    suspect = merge([first, second], [0.37, 0.63], arithmetic)
    found = judge(suspect, first, second, base)
    assert (found.verdict.class_, found.verdict.rule) == ("merge", "reproduced")
    assert found.verdict.summary.startswith("S is 0.37 × P1 + 0.63 × P2")
    reproduction = found.reproduction
    assert (reproduction.bit_equal, reproduction.groups[0].weights) == (1.0, {"P1": 0.37, "P2": 0.63, "P3": 0.0})
    assert reproduction.yaml is not None
    assert "P3" not in reproduction.yaml
    assert "reference: P2" in reproduction.yaml


@pytest.mark.parametrize(("arithmetic", "stored"), OF_DIFFERENCES)
@pytest.mark.parametrize("beside", [False, True])
def test_what_differences_are_taken_from_may_be_named_first(
    arithmetic: Arithmetic, stored: DType, beside: bool
) -> None:
    rng = np.random.default_rng(int(arithmetic))
    base = cast(model(rng, Size(hidden=64, width=64)), stored)
    tune, other = (cast(apply(base, change(base, rng, 1e-3)), stored) for _ in range(2))
    suspect = merge([tune, base], [0.37, 0.63], arithmetic)
    found = judge(suspect, base, *([other] if beside else []), tune)
    assert (found.verdict.class_, found.verdict.rule) == ("merge", "reproduced")
    weights = found.reproduction.groups[0].weights
    labels = ("P1", "P3" if beside else "P2")
    assert [round(weights[label], 6) for label in labels] == [0.63, 0.37]
    assert found.reproduction.bit_equal == 1.0
    assert all(mixed.low is not None and mixed.high is not None for mixed in found.mixing.coefficients)


@pytest.mark.parametrize("arithmetic", [Arithmetic.TORCH_DELTA_SUM, Arithmetic.STEPWISE_DELTA, Arithmetic.TORCH_DELTA])
def test_two_changes_of_a_base_that_is_named_first_are_added_up(arithmetic: Arithmetic) -> None:
    rng = np.random.default_rng(int(arithmetic))
    base = cast(model(rng, Size(hidden=64, width=64)), DType.BF16)
    first, second = (cast(apply(base, change(base, rng, 1e-3)), DType.BF16) for _ in range(2))
    found = judge(merge([first, second, base], [0.6, 0.4, 0.0], arithmetic), base, first, second)
    assert (found.verdict.class_, found.verdict.rule) == ("merge", "reproduced")
    assert found.reproduction.bit_equal == 1.0
    assert found.reproduction.groups[0].weights == {"P1": 0.0, "P2": 0.6, "P3": 0.4}


@pytest.mark.parametrize("base_first", [False, True])
def test_a_weight_that_float64_computed_as_one_minus_the_other_may_be_either(base_first: bool) -> None:
    """1 - 0.7 is not 0.3 in float64, and the last bit of a weight decides ties of numbers of F32."""
    rng = np.random.default_rng(4)
    base = cast(model(rng, Size(hidden=64, width=64)), DType.F32)
    tune = apply(base, change(base, rng, 1e-4))
    suspect = merge([tune, base], [0.7, 1 - 0.7], Arithmetic.FLOAT64)
    found = judge(suspect, *((base, tune) if base_first else (tune, base)))
    assert (found.verdict.class_, found.verdict.rule) == ("merge", "reproduced")
    assert found.reproduction.bit_equal == 1.0
