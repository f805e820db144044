"""All ratios that give a tiny recipe's bits in one of the package's arithmetics, by trying every pair of weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.arithmetics import Arithmetic, evaluate
from tests.forensics.exact_oracle import ratios

Float32 = npt.NDArray[np.float32]
TORCH = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
DTYPES = {"bf16": DType.BF16, "f16": DType.F16, "f32": DType.F32}
STEPWISE = (Arithmetic.STEPWISE, Arithmetic.STEPWISE_UNNORMALISED, Arithmetic.STEPWISE_DELTA)


def rounded(values: list[float], kind: str) -> list[float]:
    """float64 that float32 holds, rounded by torch."""
    return torch.tensor(values, dtype=torch.float32).to(TORCH[kind]).double().tolist()


def recipe(kind: str, seed: int, elements: int, apart: float) -> tuple[Float32, Float32]:
    """Two parents of a format."""
    rng = np.random.default_rng(seed)
    base = 0.02 * rng.standard_normal(elements)
    parent = base + apart * rng.standard_normal(elements)
    return tuple(np.array(rounded(row.tolist(), kind), np.float32) for row in (parent, base))  # type: ignore[return-value]


def working_weight(weight: float, kind: str) -> float:
    """A weight as a program works with it: rounded to float32 and then to the format."""
    single = np.float32(weight)
    if kind == "bf16":
        bits = int(single.view(np.uint32))
        return float(np.uint32((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32))
    return float(np.float16(single)) if kind == "f16" else float(single)


def merged(parents: tuple[Float32, Float32], alpha: float, arithmetic: Arithmetic, kind: str) -> Float32:
    """What the program with this arithmetic stores for the ratio."""
    out = np.empty_like(parents[0])
    weights = np.array([alpha, 1 - alpha])
    evaluate(int(arithmetic), np.stack(parents), weights, np.arange(2), DTYPES[kind].code, out)
    return out


def ratio_set(
    suspect: Float32, parents: tuple[Float32, Float32], arithmetic: Arithmetic, kind: str, low: float, high: float
) -> list[tuple[float, float]]:
    """Every float64 ratio between `low` and `high` that gives the suspect's bits, by trying all working weights."""
    working = kind if arithmetic in STEPWISE else "f32"

    def key(alpha: float) -> tuple[float, ...]:
        return tuple(working_weight(weight, working) for weight in (alpha, 1 - alpha))

    return ratios(lambda alpha: merged(parents, alpha, arithmetic, kind).tobytes() == suspect.tobytes(), key, low, high)
