"""A table of sines for positions is known by what it is, in whatever order, format and design; learnt ones are not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases.opponent_seventh import strangers_with_tables_of_sines_in_every_layer
from modelprov.checkpoints.formats.dtypes import DType, Float64, store
from modelprov.demo.writing import Weights
from modelprov.forensics.estimators.sines import is_table_of_sines
from tests.forensics.families.family import named
from tests.generated import Size, apply, change, model
from tests.memory import judge

POSITIONS, WIDTH = 128, 64
PLACE = np.arange(POSITIONS)[:, None]
ANGLES = PLACE / 10_000 ** (np.arange(WIDTH // 2) / (WIDTH // 2))
HALVES = np.concatenate([np.sin(ANGLES), np.cos(ANGLES)], axis=1)
IN_TURN = np.stack([np.sin(ANGLES), np.cos(ANGLES)], axis=2).reshape(POSITIONS, WIDTH)
ALONE = np.sin(PLACE / 10_000 ** (np.arange(WIDTH) / WIDTH))
RNG = np.random.default_rng(11)
NOISE = RNG.standard_normal((POSITIONS, WIDTH))


def reaching_one(table: Float64) -> Float64:
    return table / np.abs(table).max()


SMOOTH = sum(
    RNG.standard_normal(WIDTH) / wave * np.sin(np.pi * wave * PLACE / POSITIONS + RNG.uniform(0, 6, WIDTH))
    for wave in range(1, 6)
)


@pytest.mark.parametrize("dtype", [DType.F32, DType.F16, DType.BF16])
@pytest.mark.parametrize("table", [HALVES, IN_TURN, ALONE])
def test_sines_are_known_in_every_order_and_format(table: Float64, dtype: DType) -> None:
    assert is_table_of_sines(store(table.astype(np.float32), dtype).astype(np.float64))


@pytest.mark.parametrize(
    "table",
    [NOISE, SMOOTH, PLACE * RNG.standard_normal(WIDTH), HALVES + 0.02 * NOISE, np.ones((POSITIONS, WIDTH))],
    ids=["noise", "smooth curves", "lines", "sines that were trained on", "ones"],
)
def test_what_was_learnt_is_no_table_of_sines(table: Float64) -> None:
    assert not is_table_of_sines(reaching_one(table))
    assert not is_table_of_sines(0.5 * HALVES)
    assert not is_table_of_sines(HALVES[:2])


def with_table(weights: Weights, table: Float64) -> Weights:
    return weights | {"model.embed_positions.weight": (store(table.astype(np.float32), DType.BF16), DType.BF16)}


def test_strangers_with_one_table_of_sines_are_unrelated_and_with_a_learnt_one_are_not() -> None:
    first, second = (model(np.random.default_rng(seed), Size(2, WIDTH, 96, 160), DType.BF16) for seed in (1, 2))
    for table, said in ((HALVES, "unrelated"), (0.02 * NOISE, "inconclusive")):
        found = judge(with_table(first, table), with_table(second, table))
        assert named(found)[0] == said


@pytest.mark.parametrize("seed", range(4))
def test_strangers_with_such_tables_in_every_layer_are_unrelated(seed: int) -> None:
    assert (
        named(judge(*strangers_with_tables_of_sines_in_every_layer(np.random.default_rng(seed)).models))[0]
        == "unrelated"
    )


def test_a_table_of_sines_takes_nothing_from_what_relatives_share() -> None:
    base = model(np.random.default_rng(3), Size(2, WIDTH, 96, 160), DType.BF16)
    later = apply(base, change(base, np.random.default_rng(4), 1e-3))
    assert named(judge(with_table(later, HALVES), with_table(base, HALVES)))[0] == "same-origin"
    assert named(judge(with_table(base, HALVES), with_table(base, HALVES)))[0] == "copy"
