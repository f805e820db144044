"""FP8 and int8 codes: the numbers that torch gives them, and cells that hold whatever torch rounds to them."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, encode
from modelprov.checkpoints.formats.scaled_codes import bounds, scaled_bounds, scales_of, values

ALL = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(("code", "name"), [("F8_E4M3", "float8_e4m3fn"), ("F8_E5M2", "float8_e5m2"), ("I8", "int8")])
def test_codes_are_the_numbers_that_torch_reads(code: str, name: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.from_numpy(ALL.copy()).view(getattr(torch, name)).to(torch.float32).numpy()
    own = values(ALL, code)
    finite = np.isfinite(theirs)
    assert np.array_equal(own[finite], theirs[finite])
    assert not np.isfinite(own[~finite]).any()


@pytest.mark.parametrize(("code", "name"), [("F8_E4M3", "float8_e4m3fn"), ("F8_E5M2", "float8_e5m2")])
def test_what_torch_rounds_to_a_code_lies_in_its_cell(code: str, name: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    real = (rng.standard_normal(20_000) * np.exp(3 * rng.standard_normal(20_000))).astype(np.float32)
    real = np.clip(real, -448, 448)
    codes = torch.from_numpy(real).to(getattr(torch, name)).view(torch.uint8).numpy()
    lower, upper = bounds(codes, code)
    assert ((lower <= real) & (real <= upper)).all()
    assert (
        (upper - lower) <= np.maximum(np.abs(values(codes, code)) * 2.0 ** (-3 if code == "F8_E4M3" else -2), 2**-9)
    ).all()


def test_scales_of_powers_of_two_are_read_and_their_nan_stays() -> None:
    assert scales_of(np.array([127, 128, 120, 0], np.uint8), "F8_E8M0").tolist() == [1.0, 2.0, 2.0**-7, 2.0**-127]
    assert np.isnan(scales_of(np.array([255], np.uint8), "F8_E8M0")).all()


def test_a_cell_holds_the_number_under_any_scale_that_was_stored_so() -> None:
    rng = np.random.default_rng(1)
    scale = rng.uniform(0.5, 2, 1000)
    stored = scales_of(encode(scale, DType.BF16), "BF16")
    codes = rng.integers(0, 126, 1000).astype(np.uint8)
    lower, upper = scaled_bounds(*bounds(codes, "F8_E4M3"), stored, "BF16")
    real = values(codes, "F8_E4M3") * scale
    assert ((lower <= real) & (real <= upper)).all()
