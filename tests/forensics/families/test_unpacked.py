"""Models that were quantised and unpacked again: a copy is no all-clear, a relative no copy, a stranger a stranger."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from modelprov.demo.writing import Weights
from modelprov.forensics.compare import Options, compare
from modelprov.forensics.estimators.lattice import Lattice, find_lattice
from modelprov.forensics.results import Verdict
from modelprov.forensics.search.beyond import TURNS
from modelprov.recipes.tensor_groups import kind_of
from tests.generated import Size, apply, change, model, quantised
from tests.memory import Silence, checkpoint
from tests.unpacking import unpacked

RNG = np.random.default_rng(1128)
BASE = model(RNG, Size(3, 64, 96, 128))
PARENT, SIBLING = (apply(BASE, change(BASE, RNG, 2e-3, 0.5, 0.3)) for _ in range(2))
STRANGER = model(RNG, Size(3, 64, 96, 128))
OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 14)


def judged(suspect: Weights, *parents: Weights) -> Verdict:
    opened = [checkpoint(f"P{number}" if number else "S", each) for number, each in enumerate((suspect, *parents))]
    return compare(opened, OPTIONS, Silence()).findings.verdict


@pytest.mark.parametrize(
    ("form", "rule"),
    [
        ("NF4", "rounded"), ("uneven int4", "rounded"), ("uneven int8", "quantised"), ("GPTQ", "quantised"),
        ("AWQ folded", "quantised"), ("int4 drawn", "quantised"), ("int4 offset", "quantised"),
        ("FP8 block", "quantised"),
    ],
)  # fmt: skip
def test_a_copy_is_no_all_clear(form: str, rule: str) -> None:
    found = judged(unpacked(PARENT, form), PARENT)
    assert (str(found.class_), found.rule) == ("inconclusive", rule)
    assert "P1" in found.summary
    assert any("sibling" in each.history for each in found.histories)


@pytest.mark.parametrize("form", ["NF4", "GPTQ", "AWQ folded"])
def test_a_sibling_in_four_bits_is_neither_cleared_nor_called_a_copy(form: str) -> None:
    found = judged(unpacked(SIBLING, form), PARENT)
    assert (str(found.class_), found.rule) == ("inconclusive", "quantised")


def test_a_sibling_further_than_a_step_of_eight_bits_is_still_told_as_one_of_the_same_origin() -> None:
    assert str(judged(unpacked(SIBLING, "uneven int8"), PARENT).class_) == "same-origin"


def test_few_numbers_are_looked_for_in_two_matrices_of_each_kind_and_in_all_only_where_some_have_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []

    def counted(values: npt.NDArray[np.float64], bits: int) -> Lattice | None:
        looked.append(1)
        return find_lattice(values, bits)

    monkeypatch.setattr("modelprov.forensics.search.matrix_beyond.find_lattice", counted)
    judged(SIBLING, PARENT)
    kinds = {kind_of(name) for name, (values, _) in PARENT.items() if values.ndim == 2}
    assert len(looked) == TURNS * len(kinds)
    spared = len(looked)
    looked.clear()
    judged(unpacked(SIBLING, "NF4"), PARENT)
    assert len(looked) == sum(values.ndim == 2 for values, _ in PARENT.values()) > spared


def test_four_bits_are_a_rounded_parent_of_eight_bits_only_if_they_were_made_from_it() -> None:
    """Of a model that was rounded to 8 bits and to 4, the numbers agree to within what is known of the scale."""
    row = max(values.shape[-1] for values, _ in PARENT.values()) + 1
    in_eight = quantised(PARENT, 8, row)
    beside, after = (judged(quantised(each, 4, row), in_eight, BASE) for each in (PARENT, in_eight))
    assert str(beside.class_) == "inconclusive"
    assert (beside.rule == "rounded", after.rule) == (False, "rounded")


@pytest.mark.parametrize("form", ["NF4", "AWQ folded"])
def test_a_stranger_stays_one(form: str) -> None:
    assert str(judged(unpacked(STRANGER, form), PARENT).class_) == "unrelated"
