"""The loop of weighted sums: without numba and with it, the same bits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import WITHIN_FLOAT32, DType, encode_single
from modelprov.merge import fused
from modelprov.native import native
from modelprov.recipes.methods.totals import without_trial
from tests import factories


@pytest.mark.parametrize("stored", WITHIN_FLOAT32)
@pytest.mark.parametrize("arithmetic", [0, 1, 5])
def test_all_loops_give_the_same_bits(arithmetic: int, stored: DType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "CHUNK", 5_000)
    rng = np.random.default_rng(arithmetic)
    formats, count = [DType.BF16, DType.F16, DType.F32], 12_345
    raw = np.zeros((3, 4 * count), np.uint8)
    for row, dtype in zip(raw, formats, strict=True):
        row[: dtype.size * count] = encode_single(rng.standard_normal(count, np.float32), dtype)
    weights, order = np.array([0.5, 0.3, 0.2]), np.arange(3)
    made = []
    for in_c in (True, False):
        if not in_c:
            monkeypatch.setattr(fused, "for_merging", lambda: None)
        for large in (False, True):
            out = np.empty(stored.size * count, np.uint8)
            fused.weighted(arithmetic, raw, formats, weights, order, stored, fused.Scratch(3), out, large=large)
            made.append(out.tobytes())
    assert len(set(made)) == 1


@pytest.mark.parametrize("in_c", [True, False])
@pytest.mark.parametrize("dtype", DType)
def test_numbers_that_are_not_finite_are_found_wherever_they_are(
    dtype: DType, in_c: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "CHUNK", 10)
    if not in_c:
        monkeypatch.setattr(fused, "for_merging", lambda: None)
    values = np.full(35, 60_000.0, np.float32)
    kind = {"F16": np.float16, "F32": np.float32, "F64": np.float64}.get(str(dtype))
    for place, bad in ((None, 0.0), (0, np.inf), (34, -np.inf), (17, np.nan)):
        if place is not None:
            values[place] = bad
        raw = encode_single(values, dtype) if kind is None else values.astype(kind).view(np.uint8)
        assert fused.any_nonfinite(raw, dtype) == (place is not None)


@pytest.mark.skipif(native() is None, reason="no C kernels here")
@pytest.mark.parametrize("method", ["nuslerp", "dare_ties", "ties"])
def test_a_merge_of_bf16_imports_neither_torch_nor_numba(method: str, tmp_path: Path) -> None:
    if method == "nuslerp" and not without_trial():
        pytest.skip("a torch that has to be tried")
    rng = np.random.default_rng(0)
    for name in "ab":
        values = rng.standard_normal((64, 64)).astype(np.float32)
        factories.write_checkpoint(tmp_path / name, {"model.embed_tokens.weight": (values, "BF16")})
    base = "" if method == "nuslerp" else "base_model: b\n"
    models = "".join(f"- {{model: {name}, parameters: {{weight: 0.5}}}}\n" for name in "ab"[: 1 if base else 2])
    density = "parameters: {density: 0.5}\n" if base else ""
    (tmp_path / "r.yml").write_text(f"merge_method: {method}\n{base}models:\n{models}{density}dtype: bfloat16\n")
    program = (
        "import sys, modelprov\n"
        "modelprov.merge('r.yml', 'out')\n"
        "print([name for name in ('numba', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(native() is None, reason="no C kernels here")
def test_a_small_linear_merge_starts_without_numba_and_scipy(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
    for name in "ab":
        factories.write_checkpoint(tmp_path / name, {"model.embed_tokens.weight": (values, "BF16")})
    program = (
        "import sys, modelprov\n"
        "modelprov.merge({'a': 0.5, 'b': 0.5}, 'out')\n"
        "print([name for name in ('numba', 'scipy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
