"""Few numbers of any form are seen in unpacked copies of every kind; nothing that was not rounded has them."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.forensics.estimators.code_tables import UNEVEN, find_table
from modelprov.forensics.estimators.few_significands import (
    _different_rows,
    _do_stand_out,
    _may_stand_out,
    _more_than,
    _stands_out,
    few_in_groups,
    one_quotient,
)
from modelprov.forensics.estimators.lattice import find_lattice
from modelprov.forensics.thresholds import QUOTIENT_SHARE
from tests.unpacking import OWN, uneven

RNG = np.random.default_rng(1128)
WEIGHTS = store((RNG.standard_normal((128, 256)) * 0.02).astype(np.float32), DType.BF16)
BOUNDED = ("NF4 nested", "uneven int4", "uneven int8", "uneven int8 row")
"""Forms whose cells are known where they are found."""


def stored(values: np.ndarray, dtype: DType) -> np.ndarray:
    return store(np.asarray(values, np.float32), dtype).astype(np.float64)


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
@pytest.mark.parametrize("form", OWN)
def test_an_unpacked_copy_has_few_numbers_and_its_own_weights_in_known_cells(form: str, dtype: DType) -> None:
    found = find_lattice(stored(OWN[form](WEIGHTS), dtype), dtype.mantissa_bits)
    assert found is not None
    assert found.known is (form in (*BOUNDED, "int4 drawn"))
    assert found.share_within(WEIGHTS.astype(np.float64)) > 0.99 or form not in BOUNDED
    steps = np.linalg.norm(stored(OWN[form](WEIGHTS), dtype) - WEIGHTS) / np.linalg.norm(found.upper - found.lower)
    assert steps < 0.6


def test_roundings_drawn_by_chance_leave_the_cells_and_stay_within_a_step() -> None:
    found = find_lattice(stored(OWN["int4 drawn"](WEIGHTS), DType.BF16), DType.BF16.mantissa_bits)
    assert found is not None
    assert found.share_within(WEIGHTS.astype(np.float64)) < 0.9


def test_columns_of_a_group_that_lie_elsewhere_have_a_quotient_in_common() -> None:
    wide = (np.random.default_rng(3).standard_normal((96, 2048)) * 0.02).astype(np.float32)
    order = np.random.default_rng(4).permutation(2048)
    copy = np.empty_like(wide)
    copy[:, order] = uneven(wide[:, order], 4, 128)
    assert one_quotient(stored(copy, DType.BF16), DType.BF16.mantissa_bits)
    assert not one_quotient(stored(wide, DType.BF16), DType.BF16.mantissa_bits)


def low_rank(rank: int) -> np.ndarray:
    return RNG.standard_normal((128, rank)) @ RNG.standard_normal((rank, 256)) * 0.01


places = np.arange(128)[:, None] / 10000 ** (np.arange(0, 256, 2) / 256)
ORDINARY = {
    "uniform": RNG.uniform(-0.03, 0.03, WEIGHTS.shape),
    "laplace": RNG.laplace(0, 0.02, WEIGHTS.shape),
    "heavy tails": RNG.standard_t(2, WEIGHTS.shape) * 0.02,
    "rows of many sizes": WEIGHTS * np.exp(RNG.normal(0, 2, (128, 1))),
    "near 1": 1 + RNG.normal(0, 0.01, WEIGHTS.shape),
    "near 1 and a few far": np.where(RNG.random(WEIGHTS.shape) < 0.05, 9, 1) + RNG.normal(0, 0.004, WEIGHTS.shape),
    "all positive": np.abs(WEIGHTS),
    "nine tenths zero": WEIGHTS * (RNG.random(WEIGHTS.shape) < 0.1),
    "two of four zero": WEIGHTS * (np.arange(256) % 4 < 2),
    "small ones pruned": np.where(np.abs(WEIGHTS) < 0.015, 0, WEIGHTS),
    "rows of zeros": WEIGHTS * (RNG.random((128, 1)) < 0.3),
    "repeated rows": np.repeat(WEIGHTS[:8], 16, axis=0),
    "equal columns": np.repeat(WEIGHTS[:, :1], 256, axis=1),
    "paired columns": np.repeat(WEIGHTS[:, :128], 2, axis=1),
    "one direction": low_rank(1),
    "two directions": low_rank(2),
    "three numbers": np.sign(WEIGHTS) * (np.abs(WEIGHTS) > 0.01) * 0.03,
    "three numbers in rows of many sizes": np.sign(WEIGHTS) * np.exp(RNG.normal(0, 1, (128, 1))),
    "identity": np.eye(128, 256) + WEIGHTS * 0.01,
    "places": np.concatenate([np.sin(places), np.cos(places)], axis=1),
    "tiny in F16": WEIGHTS * 3e-5,
    "constant": np.full(WEIGHTS.shape, 0.3),
}


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
@pytest.mark.parametrize("name", ORDINARY)
def test_weights_that_nobody_rounded_have_many_numbers(name: str, dtype: DType) -> None:
    values = stored(ORDINARY[name], dtype)
    assert few_in_groups(values, dtype.mantissa_bits) is None
    assert not one_quotient(values, dtype.mantissa_bits)
    assert find_table(values, 2.2 * 2.0 ** -(dtype.mantissa_bits + 1), UNEVEN) is None


@pytest.mark.parametrize("seed", range(8))
def test_weights_of_bf16_in_float32_of_which_some_were_changed_have_many_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held = stored(rng.standard_normal((128, 256)) * 0.02, DType.BF16)
    held[rng.random(held.shape) < 0.01] *= 1.0001
    assert find_lattice(stored(held, DType.F32), DType.F32.mantissa_bits) is None


@pytest.mark.parametrize("seed", range(20))
def test_different_rows_and_values_are_those_that_a_sort_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-1, 2, (int(rng.integers(0, 40)), 3)) * rng.choice([1.0, -1.0])  # among them 0 and -0
    found = _different_rows(rows)
    assert np.array_equal(np.unique(found, axis=0), np.unique(rows, axis=0))
    assert len(found) == len(np.unique(rows, axis=0))
    values = np.sort(rng.integers(0, 12, int(rng.integers(1, 2000)))).astype(np.float64)
    assert _more_than(6, values) == (np.unique(values).size > 6)


@pytest.mark.parametrize(("wrong", "found"), [(10, True), (11, False)])
def test_a_table_is_found_with_as_many_wrong_numbers_as_may_be_wherever_these_lie(wrong: int, found: bool) -> None:
    """Of 2,064 in groups of 16 a share of .005 may miss: ten, even if all lie in the first few, which are looked at."""
    numbers = RNG.choice([-1.0, 1.0], (129, 16)) * RNG.integers(1, 8, (129, 16))
    numbers[:, 0] = -8
    numbers[1 : 1 + wrong, 5] = np.resize([np.pi, -np.e], wrong)
    assert (find_table(numbers, 2.0**-20, UNEVEN) is not None) is found


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
def test_columns_that_stand_out_are_among_those_that_may(dtype: DType) -> None:
    """A sort decides; counting only spares it those that cannot."""
    width, rng = 8 * 2.0 ** -(dtype.mantissa_bits + 1) / np.log(2), np.random.default_rng(9)
    quotients = rng.uniform(-3, 3, (64, 600))
    for column in range(500):  # about as many as have to lie within a width, around every place, 0 and 1 among them
        near = rng.permutation(64)[: int(rng.integers(14, 20))]
        around = width * rng.uniform(-0.52, 0.52, near.size) + rng.integers(-2, 3, near.size)
        quotients[near, column] = [column / 400 + around, around, -1e-18][column % 3]
    quotients[rng.random(quotients.shape) < 0.02] = np.nan
    many = int(QUOTIENT_SHARE * len(quotients))
    exactly = _do_stand_out(quotients, width, many, (0.0, 0.5))
    assert np.array_equal(_stands_out(quotients, width), exactly)
    assert 50 < exactly.sum() < 450
    assert _may_stand_out(quotients[:, 500:], width, many).mean() < 0.2
