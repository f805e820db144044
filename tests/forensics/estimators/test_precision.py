"""The precision of values is measured: what a file declares changes neither cells nor rules."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import FORMATS, DType, is_even, round_to, rounding_cell
from modelprov.forensics.estimators.precision import effective, short
from modelprov.forensics.sampling.sample import Sample, concatenate, from_values


def rows(seed: int, held: DType, elements: int = 4_000) -> list[np.ndarray]:
    """A suspect, a parent and a reference with values of a format."""
    rng = np.random.default_rng(seed)
    base = 0.02 * rng.standard_normal(elements)
    changes = (rng.standard_normal(elements) * size for size in (1e-3, 1e-3, 0.0))
    return [round_to(base + change, held) for change in changes]


def sample(held: DType, declared: DType, seed: int = 1, group: int = 0) -> Sample:
    suspect, *parents = rows(seed, held)
    return from_values(suspect, parents, declared, group)


@pytest.mark.parametrize("declared", [DType.F32, DType.F64])
@pytest.mark.parametrize("held", [DType.BF16, DType.F16, DType.F32])
def test_values_keep_the_cells_of_their_own_format_in_a_finer_file(held: DType, declared: DType) -> None:
    if declared is held:
        pytest.skip("the same format")
    found = effective(sample(held, declared))
    assert found.dtypes == (frozenset({held}),) * 3
    lower, upper = rounding_cell(found.suspect, held)
    assert np.array_equal(found.lower, lower)
    assert np.array_equal(found.upper, upper)


def test_values_that_need_their_format_are_left_alone() -> None:
    full = sample(DType.F32, DType.F32)
    assert effective(full) is full
    assert not short(full)
    plain = sample(DType.BF16, DType.BF16)
    assert effective(plain) is plain
    assert short(plain)


def test_a_few_finer_values_are_no_finer_format_but_one_in_a_hundred_is() -> None:
    rng = np.random.default_rng(2)
    suspect, *parents = rows(3, DType.BF16)
    for share, expected in ((0.0005, DType.BF16), (0.01, DType.F32)):
        finer = np.where(rng.random(suspect.size) < share, suspect * (1 + 1e-5), suspect)
        found = effective(from_values(round_to(finer, DType.F32), parents, DType.F32))
        assert found.dtypes[0] == {expected}


def test_precision_is_measured_tensor_by_tensor() -> None:
    both = concatenate([sample(DType.BF16, DType.F32, 4, 0), sample(DType.F32, DType.F32, 5, 1)])
    found = effective(both)
    assert {FORMATS[code] for code in found.formats[0][both.group == 0]} == {DType.BF16}
    assert {FORMATS[code] for code in found.formats[0][both.group == 1]} == {DType.F32}


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
def test_a_tie_is_rounded_to_the_even_number(dtype: DType) -> None:
    values = round_to(0.02 * np.random.default_rng(6).standard_normal(2_000), dtype)
    lower, upper = rounding_cell(values, dtype)
    for border in (lower, upper):
        assert np.array_equal(round_to(border, dtype) == values, is_even(values, dtype))


def test_what_was_rounded_to_bf16_and_then_to_f16_lies_in_the_cells_of_both() -> None:
    rng = np.random.default_rng(7)
    mixed = rng.standard_normal(40_000) * 0.02
    mixed[:10] *= 1e-4  # below 2^-17 F16 holds fewer digits than bf16
    twice = round_to(round_to(mixed, DType.BF16), DType.F16)
    assert (twice != round_to(mixed, DType.BF16)).any()
    parents = [round_to(mixed + 1e-3 * rng.standard_normal(mixed.size), DType.BF16) for _ in range(2)]
    found = effective(from_values(twice, parents, DType.F16))
    assert found.dtypes[0] == {DType.BF16}
    assert ((found.lower <= mixed) & (mixed <= found.upper)).all()
