"""What mixes the multiples of one matrix is no merge, whatever was trained beside; what holds zeros is no finetune."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases.opponent_eighth import (
    copy_that_was_pruned,
    decay_beside_trained_embeddings,
    stages_of_a_ternary_training,
)
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.forensics.estimators.at_their_places import pruned
from modelprov.forensics.estimators.scaled import Scaled, mostly_scaled
from modelprov.forensics.sampling.sample import Sample, from_formats
from tests.forensics.rules.facts import EXACT, REPRODUCED, SIBLING, outcome
from tests.memory import judge

MULTIPLES = Scaled(1, 0.9, 1.1, 1.0, 10.0, 20, 0.9)


@pytest.mark.parametrize(
    ("made", "seed"),
    [(decay_beside_trained_embeddings, 1), (decay_beside_trained_embeddings, 15), (stages_of_a_ternary_training, 1)],
)
def test_multiples_beside_something_trained_are_no_merge(made, seed: int) -> None:  # type: ignore[no-untyped-def]
    found = judge(*made(np.random.default_rng(seed)).models).verdict
    assert (found.class_, found.rule) == ("inconclusive", "multiples")


def test_whatever_looks_exact_gives_way_to_multiples_and_what_does_not_stays() -> None:
    assert outcome(REPRODUCED, mostly_scaled=MULTIPLES) == ("inconclusive", "multiples")
    assert outcome(EXACT, mostly_scaled=MULTIPLES) == ("inconclusive", "multiples")
    assert outcome(REPRODUCED) == ("merge", "reproduced")
    assert outcome(SIBLING, mostly_scaled=MULTIPLES) == ("same-origin", "near-one-parent")


def _sample(mixed: int) -> Sample:
    """Ten tensors of 1,000 bf16 numbers at three sizes of one model, but for `mixed`, which mix two of their own."""
    rng = np.random.default_rng(3)
    base, other = rng.standard_normal((2, 10, 1_000))
    parent, suspect = 0.9 * base, 0.95 * base
    parent[:mixed], suspect[:mixed] = other[:mixed], 0.5 * (other + base)[:mixed]
    rows = np.stack([store(each.ravel().astype(np.float32), DType.BF16) for each in (suspect, parent, base)])
    codes = np.full(rows.shape, DType.BF16.code, np.uint8)
    return from_formats(rows.astype(np.float64), codes, np.repeat(np.arange(10, dtype=np.int32), 1_000))


def test_seven_tenths_of_multiples_leave_too_little_that_mixes() -> None:
    found = mostly_scaled(_sample(2))
    assert found is not None
    assert (found.parent, found.tensors) == (1, 8)
    assert found.share == pytest.approx(0.8, abs=0.01)
    assert found.low == pytest.approx(0.95 / 0.9, rel=2e-3)
    assert mostly_scaled(_sample(4)) is None


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_copy_with_zeros_is_told_so(seed: int) -> None:
    suspect, parent = copy_that_was_pruned(np.random.default_rng(seed)).models[:2]
    found = judge(suspect, parent).verdict
    assert (found.class_, found.rule) == ("inconclusive", "pruned")
    assert found.summary.startswith("By its matrices, S is P1, with numbers set to zero: ")


def test_zeros_beside_training_are_no_pruned_copy() -> None:
    sample = _sample(0)
    parent = sample.parents[0]
    zeros = np.where(np.arange(parent.size) % 5, parent, 0.0)
    rows = np.stack([zeros, parent])
    codes = np.full(rows.shape, DType.BF16.code, np.uint8)
    assert pruned(from_formats(rows, codes, sample.group), 0) == pytest.approx(0.2)
    rows[0, 1:200:5] *= 2
    assert pruned(from_formats(rows, codes, sample.group), 0) is None
    assert outcome(SIBLING, pruned=0.2) == ("inconclusive", "pruned")
