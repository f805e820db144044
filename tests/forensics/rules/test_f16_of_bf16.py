"""A bf16 model in F16 loses digits of its smallest numbers, and that hides neither a copy nor a merge."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, round_to
from modelprov.demo.writing import Weights
from tests.forensics.methods.making import family, merged
from tests.memory import judge


def in_f16(weights: Weights) -> Weights:
    return {
        name: (round_to(values.astype(np.float64), DType.F16).astype(np.float32), DType.F16)
        for name, (values, _) in weights.items()
    }


def halved(weights: Weights) -> Weights:
    return {name: (values / 2, dtype) for name, (values, dtype) in weights.items()}


@pytest.mark.parametrize("others", [0, 1])
def test_a_copy_in_f16_is_a_copy(others: int) -> None:
    first, *rest = (halved(of) for of in family(hidden=64))
    suspect = in_f16(first)
    lost = sum(int((suspect[name][0] != values).sum()) for name, (values, _) in first.items())
    assert lost > 20
    found = judge(suspect, first, *rest[:others])
    assert (str(found.verdict.class_), found.verdict.parent) == ("copy", "P1")


def test_a_merge_in_f16_is_a_merge() -> None:
    first, second, _ = family(hidden=64)
    found = judge(in_f16(merged("linear", [first, second], each={"weight": [0.6, 0.4]})), first, second)
    assert str(found.verdict.class_) == "merge"


def test_a_sibling_in_f16_is_neither() -> None:
    first, second, base = family(hidden=64)
    assert str(judge(in_f16(first), second, base).verdict.class_) in ("same-origin", "inconclusive")
