"""What weights decide of a relation is measured on the files: a mixture near the suspect, parts of several parents."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lineage.decidable import of
from benchmarks.lineage.labels import KIN, Label, Made
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import Size, apply, change, model

RNG = np.random.default_rng(5)
BASE = model(RNG, Size(2, 32, 32, 64), DType.F32)
FIRST, SECOND, OTHER = (apply(BASE, change(BASE, RNG, 1e-3)) for _ in range(3))


def between(first: Weights, second: Weights, share: float) -> Weights:
    return {name: (share * values + (1 - share) * second[name][0], dtype) for name, (values, dtype) in first.items()}


def in_turn(first: Weights, second: Weights) -> Weights:
    return {name: (first if number % 2 else second)[name] for number, name in enumerate(first)}


@pytest.mark.parametrize(
    ("suspect", "doubted"),
    [
        (OTHER, False),
        (between(FIRST, BASE, 0.05), False),
        (between(FIRST, BASE, 0.3), True),
        (between(FIRST, BASE, 1.3), True),
        (between(OTHER, between(FIRST, SECOND, 0.5), 0.5), True),
        (in_turn(FIRST, BASE), True),
        (BASE, False),
        (apply(BASE, change(BASE, RNG, 0.02)), False),
        ({name: held for name, held in OTHER.items() if "mlp" not in name}, False),
        (OTHER | {"tower": (np.zeros(1_000_000, np.float32), DType.F32)}, True),
    ],
)
def test_a_relation_is_doubted_where_a_merge_would_leave_such_files(suspect: Weights, doubted: bool) -> None:
    assert of(Made((suspect, FIRST, SECOND, BASE), Label(True, KIN))).label.doubted is doubted


def test_strangers_and_merges_keep_their_labels() -> None:
    strangers = Made((OTHER, FIRST, BASE), Label(False, frozenset({"stranger"})))
    merges = Made((between(FIRST, BASE, 0.4), FIRST, BASE), Label(True, frozenset({"merge"}), merged=True))
    assert (of(strangers), of(merges)) == (strangers, merges)
