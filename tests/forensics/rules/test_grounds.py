"""What a verdict rests on: the precision of the numbers and the parity of ties have rows of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelprov.forensics.estimators.precision import Precision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.grounds import grounds
from modelprov.forensics.mixing import CandidateRecipe, Mixing, RecipeGroup, Reproduction
from modelprov.forensics.results import AfterMerge, Evidence
from modelprov.shares import short_of_one
from tests.forensics.rules.facts import EXACT

LABELS = ("S", "A", "B")


def row(facts: Facts, words: str) -> Evidence | None:
    rows = grounds(facts, Mixing(), Reproduction(), AfterMerge(), LABELS, ())
    return next((one for one in rows if words in one.measure), None)


def test_the_precision_of_the_numbers_is_said_beside_what_the_file_declares() -> None:
    precision = (Precision("F32", "BF16"), Precision("F32", "F32"), Precision("BF16", "BF16"))
    found = row(replace(EXACT, precision=precision), "precision")
    assert found is not None
    assert found.value == "S BF16 (stored as F32), A F32, B BF16"
    assert row(EXACT, "precision") is None


def test_the_parity_of_ties_is_said_with_its_interval_and_not_without_any_tie() -> None:
    found = row(replace(EXACT, ties=400, ties_even=0.5), "parity")
    assert found is not None
    assert (found.value, found.elements) == ("0.5000", 400)
    assert found.uncertainty is not None
    assert found.uncertainty.startswith("95 %: 0.45")
    assert row(EXACT, "parity") is None
    assert row(replace(EXACT, ties=400, ties_even=1.0, correlations=(0.0, 0.0)), "parity") is None


@pytest.mark.parametrize(
    ("weights", "said"),
    [((0.6, 0.4), "the same in bf16-stepwise-unnormalised 100 %"), ((0.5, 0.5), "the next best recipe 100 %")],
)
def test_a_runner_up_that_is_as_good_is_told_from_the_same_in_another_arithmetic(
    weights: tuple[float, ...], said: str
) -> None:
    tried = []
    for arithmetic, shares in (("bf16-stepwise", (0.6, 0.4)), ("bf16-stepwise-unnormalised", weights)):
        group = RecipeGroup(tensors="all tensors", weights=dict(zip(LABELS[1:], shares, strict=True)), elements=9)
        tried.append(CandidateRecipe(description="", arithmetic=arithmetic, groups=(group,), bit_equal=1.0, elements=9))
    made = Reproduction(recipe="", arithmetic="bf16-stepwise", bit_equal=1.0, elements=9, candidates=tuple(tried))
    rows = grounds(EXACT, Mixing(), made, AfterMerge(), LABELS, ())
    assert [row.null for row in rows if row.measure.startswith("bits reproduced")] == [said]


@pytest.mark.parametrize(
    ("value", "said"), [(1.0, "1.0000"), (0.99996, ">0.9999"), (0.99994, "0.9999"), (-0.00001, "0.0000")]
)
def test_what_falls_short_of_one_never_reads_as_one(value: float, said: str) -> None:
    assert short_of_one(value, 4) == said
    rows = grounds(replace(EXACT, correlations=(value, 0.5)), Mixing(), Reproduction(), AfterMerge(), LABELS, ())
    assert next(row.value for row in rows if row.measure.startswith("correlation")) == said
