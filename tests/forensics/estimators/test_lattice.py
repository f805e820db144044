"""Lattices of quantised copies: known ones are found with their cells, weights that were not rounded lie on none."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.forensics.estimators import lattice
from modelprov.forensics.estimators.lattice import find_lattice

RNG = np.random.default_rng(1)
WEIGHTS = (RNG.standard_normal((96, 128)) * 0.02).astype(np.float32)


def integers(levels: int, block: int) -> np.ndarray:
    groups = WEIGHTS.reshape(-1, block)
    scale = np.abs(groups).max(axis=1, keepdims=True) / levels
    return (np.round(groups / scale) * scale).reshape(WEIGHTS.shape)


def short(bits: int, exponent: int, scale: np.ndarray) -> np.ndarray:
    numbers = WEIGHTS / scale
    step = 2.0 ** (np.maximum(np.floor(np.log2(np.abs(numbers))), exponent) - bits)
    return np.round(numbers / step) * step * scale


KNOWN = {
    "int8 with one scale for each 32 values": integers(127, 32),
    "int8 with one scale for each row": integers(127, 128),
    "int8 with one scale for each tensor": integers(127, WEIGHTS.size),
    "int4 with one scale for each 32 values": integers(7, 32),
    "FP8 (E4M3) with one scale for each row": short(3, -6, np.abs(WEIGHTS).max(axis=1, keepdims=True) / 448),
    "FP8 (E4M3)": short(3, -6, np.ones(1)),
    "FP8 (E5M2)": short(2, -14, np.ones(1)),
}


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
@pytest.mark.parametrize("name", KNOWN)
def test_a_quantised_copy_lies_on_its_lattice_and_what_it_was_made_of_in_its_cells(name: str, dtype: DType) -> None:
    stored = store(KNOWN[name].astype(np.float32), dtype).astype(np.float64)
    found = find_lattice(stored, dtype.mantissa_bits)
    assert found is not None
    assert found.name == name
    assert found.share_within(store(WEIGHTS, dtype).astype(np.float64)) > 0.999
    moved = WEIGHTS + 4e-3 * np.random.default_rng(2).standard_normal(WEIGHTS.shape)
    assert found.share_within(moved.astype(np.float64)) < 0.9


NOT_ROUNDED = {
    "normal": WEIGHTS,
    "heavy tails": RNG.standard_t(3, WEIGHTS.shape) * 0.02,
    "half of them zero": WEIGHTS * (RNG.random(WEIGHTS.shape) < 0.5),
    "three numbers": np.sign(WEIGHTS) * 0.02 * (np.abs(WEIGHTS) > 0.01),
    "constant": np.full(WEIGHTS.shape, 0.5),
    "nothing": np.zeros(WEIGHTS.shape),
}


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
@pytest.mark.parametrize("name", NOT_ROUNDED)
def test_weights_that_were_not_quantised_lie_on_no_lattice(name: str, dtype: DType) -> None:
    stored = store(np.asarray(NOT_ROUNDED[name], np.float32), dtype).astype(np.float64)
    assert find_lattice(stored, dtype.mantissa_bits) is None


@pytest.mark.parametrize("bits", [7, 23])
def test_weights_that_were_not_rounded_are_told_by_few_of_their_rows(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = np.random.default_rng(3).standard_normal((512, 128)) * 0.02
    seen: list[int] = []
    for name in ("_numbers", "_multiples"):
        real = getattr(lattice, name)
        monkeypatch.setattr(
            lattice, name, lambda values, *rest, real=real: seen.append(values.size) or real(values, *rest)
        )
    assert find_lattice(many, bits) is None
    assert sum(seen) < many.size


@pytest.mark.parametrize("seed", range(4))
def test_few_numbers_with_a_known_scale_show_in_a_small_matrix_and_weights_do_not(seed: int) -> None:
    weights = (np.random.default_rng(seed).standard_normal((32, 32)) * 0.02).astype(np.float32)
    scale = np.abs(weights).max(axis=1, keepdims=True) / 127
    found = find_lattice(store(np.round(weights / scale) * scale, DType.BF16).astype(np.float64), 7)
    assert found is not None
    assert found.name == "int8 with one scale for each row"
    assert find_lattice(store(weights, DType.BF16).astype(np.float64), 7) is None
