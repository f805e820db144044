"""How an accuser makes files out of an honest model: mixtures beyond it, steps on the lattice, dressed-up digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.cases.making import family
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Float32, Weights
from tests.generated import Rng, cast

Share = float | Callable[[str], float]
BEYOND = (1.1, 1.5, 2.0, 3.0, 4.0)


def narrow(rng: Rng) -> DType:
    """The 16-bit format that an honest model's values have, whatever its file says."""
    return DType.BF16 if rng.random() < 0.7 else DType.F16


def honest(rng: Rng, children: int = 1, low: float = 1e-4) -> tuple[DType, list[Weights]]:
    """A format of 16 bits; finetunes and their base with values of that format."""
    dtype = narrow(rng)
    return dtype, family(rng, children, low, dtype)


def in_f32(models: Sequence[Weights]) -> list[Weights]:
    """The same values in F32 files."""
    return [cast(model, DType.F32) for model in models]


def beyond(rng: Rng) -> float:
    """A weight above 1: a plain one, or any."""
    return float(rng.choice(BEYOND)) if rng.random() < 0.8 else float(rng.uniform(1.02, 5.0))


def mixture(parts: Sequence[tuple[Share, Weights]], dtype: DType) -> Weights:
    """The weighted sum in float64, rounded once; a weight may differ by tensor."""
    made: Weights = {}
    for name in parts[0][1]:
        total = np.zeros(parts[0][1][name][0].shape, np.float64)
        for share, model in parts:
            total += (share(name) if callable(share) else share) * model[name][0].astype(np.float64)
        made[name] = store(total.astype(np.float32), dtype), dtype
    return made


def rest(*shares: Share) -> Share:
    """What is missing to 1."""
    return lambda name: 1.0 - sum(share(name) if callable(share) else share for share in shares)


def cell_width(values: Float32, dtype: DType) -> Float32:
    """How wide a symmetric interval around a value of a 16-bit format rounds to it: the smaller of its two steps."""
    step = np.ones(values.shape, np.int64)
    return np.minimum(np.abs(moved(values, step, dtype) - values), np.abs(moved(values, -step, dtype) - values))


def moved(values: Float32, steps: npt.NDArray[np.int64], dtype: DType) -> Float32:
    """Values of a 16-bit format moved outward by so many of its steps (inward, where negative; not past 0)."""
    if dtype is DType.BF16:
        bits = (values.view(np.uint32) >> 16).astype(np.int64)
    else:
        bits = values.astype(np.float16).view(np.uint16).astype(np.int64)
    sign, magnitude = bits & 0x8000, bits & 0x7FFF
    bits = sign | np.maximum(magnitude + steps, 0)
    if dtype is DType.BF16:
        return (bits.astype(np.uint32) << 16).view(np.float32)
    return bits.astype(np.uint16).view(np.float16).astype(np.float32)


def dressed(model: Weights, dtype: DType, rng: Rng, share: float, uniform: bool = False) -> Weights:
    """Values of `dtype` with noise below their rounding cells, in F32: `share` of the cell's width, normal or even.

    With `uniform` and a share of 1 the noise fills the cell as the digits of an unrounded model do.
    """
    made: Weights = {}
    for name, (values, _) in model.items():
        noise = rng.uniform(-0.5, 0.5, values.shape) if uniform else rng.standard_normal(values.shape)
        limited = np.clip(share * noise, -0.499, 0.499) * cell_width(values, dtype)
        made[name] = (values + limited).astype(np.float32), DType.F32
    return made
