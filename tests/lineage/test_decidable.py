"""What weights decide is measured on the files: a mixture near the suspect, parts of several, shares at rest."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lineage.decidable import in_parts, mixed, of, rounded_mixture
from benchmarks.lineage.labels import COPY, KIN, NOTHING, OPEN, RELATION, Label, Made
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import Size, apply, change, model

RNG = np.random.default_rng(5)
BASE = model(RNG, Size(2, 32, 32, 64), DType.F32)
EMBEDDINGS, QUERIES = "model.embed_tokens.weight", "model.layers.1.self_attn.q_proj.weight"
FIRST, SECOND, OTHER = (apply(BASE, change(BASE, RNG, 1e-3)) for _ in range(3))


def between(first: Weights, second: Weights, share: float) -> Weights:
    return {name: (share * values + (1 - share) * second[name][0], dtype) for name, (values, dtype) in first.items()}


def in_turn(first: Weights, second: Weights) -> Weights:
    return {name: (first if number % 2 else second)[name] for number, name in enumerate(first)}


def scaled(of: Weights, factor: float) -> Weights:
    return {name: (np.float32(factor) * values, dtype) for name, (values, dtype) in of.items()}


@pytest.mark.parametrize(
    ("suspect", "doubted"),
    [
        (OTHER, False),
        (between(FIRST, BASE, 0.05), True),  # nothing but rounding beside it
        (apply(between(FIRST, BASE, 0.05), change(BASE, RNG, 2e-4)), False),
        (scaled(FIRST, 0.98), True),
        (apply(scaled(FIRST, 0.98), change(BASE, RNG, 2e-4)), False),
        (OTHER | {QUERIES: FIRST[QUERIES]}, True),
        (OTHER | {QUERIES: BASE[QUERIES]}, False),  # as whoever froze them leaves them: the rest is near the base too
        (apply(FIRST, change(BASE, RNG, 1e-3, only=lambda name: "embed" not in name)), False),
        (BASE | {EMBEDDINGS: FIRST[EMBEDDINGS]}, True),  # as the first of two stages
        (apply(FIRST, change(BASE, RNG, 1e-6, 0.0, 0.0)), True),  # less than a step of bf16
        (between(FIRST, BASE, 0.3), True),
        (between(FIRST, BASE, 1.3), True),
        (between(OTHER, between(FIRST, SECOND, 0.5), 0.5), True),
        (in_turn(FIRST, BASE), True),
        (BASE, False),
        (apply(BASE, change(BASE, RNG, 2e-3)), False),
        (apply(BASE, change(BASE, RNG, 0.02)), True),  # a tenth of a parent is less than the error of its share
        (model(RNG, Size(2, 32, 32, 64), DType.F32), False),  # whose weights at their places say nothing
        ({name: held for name, held in OTHER.items() if "mlp" not in name}, False),
        (OTHER | {"tower": (np.zeros(1_000_000, np.float32), DType.F32)}, True),
    ],
)
def test_a_relation_is_doubted_where_a_merge_would_leave_such_files(suspect: Weights, doubted: bool) -> None:
    assert of(Made((suspect, FIRST, SECOND, BASE), Label(True, KIN))).label.doubted == (
        RELATION if doubted else NOTHING
    )


@pytest.mark.parametrize(
    ("suspect", "parts"),
    [
        (BASE | {EMBEDDINGS: FIRST[EMBEDDINGS]}, True),
        (BASE | {EMBEDDINGS: OTHER[EMBEDDINGS]}, False),
        (FIRST, False),
        (OTHER | {EMBEDDINGS: FIRST[EMBEDDINGS], QUERIES: BASE[QUERIES]}, False),
    ],
)
def test_parts_are_those_of_several_parents_and_hardly_any_its_own(suspect: Weights, parts: bool) -> None:
    assert in_parts((suspect, FIRST, SECOND, BASE), list(BASE)) == parts


def test_the_error_of_a_share_says_nothing_against_the_bits_of_a_copy() -> None:
    far = Made((apply(BASE, change(BASE, RNG, 0.02)), FIRST, SECOND, BASE), Label(True, COPY | KIN))
    assert of(far).label.doubted == NOTHING


@pytest.mark.parametrize(("share", "doubted"), [(0.1, True), (0.05, False)])
def test_a_mixture_that_least_squares_underrates_is_seen_by_its_rounding(share: float, doubted: bool) -> None:
    """Of a change of a few steps of bf16 a tenth is hardly ever a step: the fit finds a fifth of it."""
    base = model(np.random.default_rng(3), Size(), DType.BF16)
    drawn = {name: np.random.default_rng(4).standard_normal(values.shape) for name, (values, _) in base.items()}
    whole, part = (
        apply(base, {name: (scale * 3e-5 * values).astype(np.float32) for name, values in drawn.items()})
        for scale in (1.0, share)
    )
    models = (part, whole, base)
    assert not mixed(models, list(base))
    assert rounded_mixture(models, list(base)) is doubted


@pytest.mark.parametrize(
    ("beside", "only", "doubted"), [(0.0, "", False), (0.3, "", True), (1e-3, "", False), (0.3, "mlp", False)]
)
def test_shares_are_doubted_where_all_matrices_moved_by_more_than_a_hundredth(
    beside: float, only: str, doubted: bool
) -> None:
    mixture = between(FIRST, SECOND, 0.6)
    later = apply(mixture, change(mixture, RNG, beside * 1e-3, only=lambda name: only in name)) if beside else mixture
    label = Label(True, OPEN, {1: 0.6, 2: 0.4}, merged=True)
    assert of(Made((later, FIRST, SECOND), label)).label.doubted == (frozenset({"shares"}) if doubted else NOTHING)


def test_strangers_and_merges_keep_their_labels() -> None:
    strangers = Made((OTHER, FIRST, BASE), Label(False, frozenset({"stranger"})))
    merges = Made((between(FIRST, BASE, 0.4), FIRST, BASE), Label(True, frozenset({"merge"}), merged=True))
    assert (of(strangers), of(merges)) == (strangers, merges)
