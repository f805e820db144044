"""What was made from a merge is not cleared by naming that merge; nor is a copy by two roundings."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks.cases.opponent_seventh import (
    copy_in_both_formats_of_16_bits,
    finetune_with_new_tokens,
)
from modelprov.checkpoints.formats.dtypes import DType
from tests.forensics.rules.facts import SIBLING, outcome
from tests.generated import Size, apply, cast, change, merge, model, sparse
from tests.memory import judge


def test_a_finetune_of_a_merge_is_not_cleared_by_naming_the_merge() -> None:
    rng = np.random.default_rng(1)
    base = model(rng, Size(hidden=32, width=32, vocabulary=80))
    first, second = (apply(base, change(base, rng, 1e-3)) for _ in range(2))
    merged = merge((first, second), (0.4, 0.6))
    found = judge(apply(merged, change(merged, rng, 2e-4, 0.0, 0.0)), merged, first, second).verdict
    assert (found.class_, found.rule) == ("inconclusive", "near-a-mixture")
    assert "S is near P1" in found.summary


def test_what_is_near_a_mixture_is_open_and_what_is_near_another_parent_is_not() -> None:
    assert outcome(SIBLING) == ("same-origin", "near-one-parent")
    assert outcome(SIBLING, near_mixture=True) == ("inconclusive", "near-a-mixture")
    assert outcome(SIBLING, near_mixture=True, rounded_twice=True) == ("inconclusive", "rounded")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_copy_that_was_rounded_twice_is_rounded(seed: int) -> None:
    found = judge(*copy_in_both_formats_of_16_bits(np.random.default_rng(seed)).models)
    assert found.verdict.rule in ("rounded", "identical")
    assert re.search("S is (a copy of )?P1", found.verdict.summary)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_finetune_of_few_numbers_is_not_rounded(seed: int) -> None:
    """F16 loses digits of a few numbers, training moved a few others: of all numbers both are next to nothing."""
    rng = np.random.default_rng(seed)
    base = model(rng, Size(hidden=64, width=128))
    parent = cast(apply(base, change(base, rng, 1e-3)), DType.BF16)
    moved = apply(parent, sparse(change(parent, rng, 3e-3), rng, 8e-5))
    moved["model.embed_tokens.weight"][0][0, :4] += np.float32(0.01)  # as many as no copy differs by
    found = judge(cast(moved, DType.F16), parent, cast(base, DType.BF16)).verdict
    assert (found.class_, found.rule) == ("same-origin", "near-one-parent")


def test_new_tokens_are_no_rotation() -> None:
    found = judge(*finetune_with_new_tokens(np.random.default_rng(3)).models)
    assert (found.verdict.class_, found.verdict.rule) == ("same-origin", "near-one-parent")
