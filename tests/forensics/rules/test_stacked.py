"""Rules of layers put together, from bare facts: what makes a stack, and what an ancestor may be too."""

from __future__ import annotations

from dataclasses import replace

from modelprov.forensics.judging.facts import Stacked
from modelprov.forensics.thresholds import DISTINCT
from tests.forensics.rules.facts import REPRODUCED, SIBLING, outcome

PARTS = Stacked((1, 2), moved=True)
WHOLE = ("inconclusive", "whole-parts")


def test_two_versions_of_one_layer_are_what_no_training_leaves() -> None:
    assert outcome(SIBLING, stacked=replace(PARTS, versions=DISTINCT)) == ("merge", "method")
    assert outcome(SIBLING, stacked=replace(PARTS, versions=DISTINCT - 1)) == WHOLE
    assert outcome(SIBLING, stacked=replace(PARTS, moved=False)) == WHOLE
    assert outcome(SIBLING, stacked=replace(PARTS, scaled=True)) == WHOLE


def test_layers_of_one_parent_are_its_copy_or_that_with_a_factor() -> None:
    alone = Stacked((1,), moved=True)
    assert outcome(SIBLING, identical=(1,), stacked=alone) == ("copy", "identical")
    assert outcome(SIBLING, stacked=replace(alone, scaled=True)) == ("merge", "method")
    assert outcome(SIBLING, stacked=replace(alone, scaled=True, moved=False))[1] != "method"


def test_a_stack_says_nothing_of_too_few_weights_or_of_a_small_part() -> None:
    stacked = replace(PARTS, versions=10 * DISTINCT)
    assert outcome(SIBLING, stacked=stacked, elements=10)[1] == "no-evidence"
    assert outcome(SIBLING, stacked=stacked, compared_decisive=0.4) == ("inconclusive", "partial")


def test_tensors_that_are_each_a_parents_are_no_merge_whatever_else_gives_their_bits() -> None:
    assert outcome(SIBLING, patched=True) == WHOLE
    assert outcome(REPRODUCED, patched=True) == WHOLE
