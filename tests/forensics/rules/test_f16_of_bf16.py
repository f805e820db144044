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


def test_parents_that_were_cast_to_f16_before_the_merge_leave_no_rest() -> None:
    first, second, _ = family(hidden=64)
    parents = [tiny(first), tiny(second)]
    cast = [in_f16(parent) for parent in parents]
    assert any((cast[0][name][0] != parents[0][name][0]).any() for name in cast[0])
    found = judge(merged("linear", cast, each={"weight": [0.35, 0.65]}), *parents)
    assert str(found.verdict.class_) == "merge"
    assert found.verdict.rule in ("exact-to-rounding", "reproduced")
    assert found.mixing.alpha == pytest.approx(0.35, abs=1e-5)


def tiny(weights: Weights) -> Weights:
    """The same with one number in 16 so small that F16 loses digits of it."""
    rng = np.random.default_rng(4)
    made: Weights = {}
    for name, (values, dtype) in weights.items():
        small = np.where(rng.random(values.shape) < 1 / 16, np.float32(2.0**-14), np.float32(1))
        made[name] = (values * small).astype(np.float32), dtype
    return made


@pytest.mark.parametrize("stored", [DType.F16, DType.F32])
def test_a_recipe_names_the_format_that_the_numbers_show(stored: DType) -> None:
    first, second, _ = family(hidden=64)
    made = merged("linear", [first, second], each={"weight": [0.6, 0.4]})
    suspect = in_f16(made) if stored is DType.F16 else {name: (values, stored) for name, (values, _) in made.items()}
    found = judge(suspect, first, second)
    assert "out_dtype: bfloat16" in (found.reproduction.yaml or "")
