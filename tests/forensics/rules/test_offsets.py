"""Numbers added to whole rows and columns hide no copy, and a common profile of them makes no relatives."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases.opponent_eighth import copy_with_offsets, strangers_with_one_profile
from modelprov.checkpoints.formats.dtypes import DType, Float64, store
from modelprov.forensics.estimators.beside_means import correlation_beside_means, offsets
from tests.memory import judge


@pytest.mark.parametrize("seed", [0, 5])
def test_a_copy_with_offsets_is_told_so(seed: int) -> None:
    suspect, parent = copy_with_offsets(np.random.default_rng(seed)).models[:2]
    found = judge(suspect, parent)
    assert (found.verdict.class_, found.verdict.rule) == ("inconclusive", "coordinates-open")
    assert "with a number added to each row and each column" in found.verdict.summary
    assert found.beyond is not None
    assert found.beyond.offset == ("P1",)


@pytest.mark.parametrize("seed", [1, 2])
def test_strangers_of_one_profile_have_no_common_origin(seed: int) -> None:
    found = judge(*strangers_with_one_profile(np.random.default_rng(seed)).models).verdict
    assert (found.class_, found.rule) == ("inconclusive", "weak-kinship")


def _measured(moved: float, beside: float, rows: int = 64) -> tuple[float | None, float, float] | None:
    """Of bf16 rows and others that have offsets of this size and noise `beside` more than they, in their own spread."""
    rng = np.random.default_rng(6)
    parent = store(rng.standard_normal((rows, 96)).astype(np.float32), DType.BF16)
    shifted = parent + moved * (rng.standard_normal((rows, 1)) + rng.standard_normal(96))
    suspect = store((shifted + beside * rng.standard_normal(parent.shape)).astype(np.float32), DType.BF16)
    widths: Float64 = np.exp2(np.floor(np.log2(np.abs(suspect).astype(np.float64))) - 7)
    own, theirs = suspect.astype(np.float64), parent.astype(np.float64)
    found = offsets(own, theirs, widths)
    return None if found is None else (correlation_beside_means(own, theirs, widths), *found)


def test_rounding_alone_is_left_beside_offsets_and_what_was_trained_is_more() -> None:
    correlation, left, moved = _measured(3.0, 0.0) or (0, 0, 0)
    assert correlation is not None
    assert correlation > 0.99
    assert 0.9 < left < 1.1
    assert moved > 100
    assert (_measured(3.0, 0.1) or (0, 0, 0))[1] > 3
    assert _measured(3.0, 0.0, rows=15) is None
