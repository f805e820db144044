"""Copies that were quantised and unpacked again: rounded as quantisers round, and stored as numbers of 16 or 32 bits.

Forms of `tests/packing.py` are decoded by the product's own readers, which are checked against the programs' numbers;
what no such form holds is rounded here: double quantisation, zero points, folded factors, roundings drawn by chance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.checkpoints.formats.four_bit_floats import NF4
from modelprov.demo.writing import Weights
from tests.checkpoints.adapted import values_of
from tests.packing import Float32, group_of, nearest, packed_form

SEED = 20261128


def nf4_nested(weights: Float32, size: int = 64, outer: int = 256) -> Float32:
    """NF4 whose largest numbers of each block are themselves rounded to 8 bits, as bitsandbytes does for QLoRA."""
    flat = np.pad(weights.reshape(-1), (0, -weights.size % size)).reshape(-1, size)
    largest = np.maximum(np.abs(flat).max(axis=1, keepdims=True), np.float32(1e-30))
    codes = nearest(flat / largest, NF4.values)
    middle = largest.mean()
    padded = np.pad(largest[:, 0] - middle, (0, -len(largest) % outer)).reshape(-1, outer)
    whole = np.maximum(np.abs(padded).max(axis=1, keepdims=True), np.float32(1e-30))
    rounded = (np.round(padded / whole * 127) / 127 * whole).reshape(-1)[: len(largest), None] + middle
    return np.asarray((NF4.values[codes] * rounded).reshape(-1)[: weights.size].reshape(weights.shape), np.float32)


def uneven(weights: Float32, bits: int, size: int | None = 32, drawn: bool = False) -> Float32:
    """Integers with a zero point, one scale for each group of a row or each row; up or down by chance where `drawn`."""
    width = weights.shape[1] if size is None else group_of(weights.shape[1], size)
    own = weights.reshape(-1, width)
    low, high = np.minimum(own.min(axis=1, keepdims=True), 0), np.maximum(own.max(axis=1, keepdims=True), 0)
    most = (1 << bits) - 1
    scale = np.maximum((high - low) / np.float32(most), np.float32(1e-30))
    zero = np.round(-low / scale)
    lost = np.random.default_rng(SEED).random(own.shape) if drawn else np.float32(0.5)
    codes = np.clip(np.floor(own / scale + lost) + zero, 0, most)
    return np.asarray(((codes - zero) * scale).reshape(weights.shape), np.float32)


def folded(weights: Float32, bits: int = 4) -> Float32:
    """AWQ: each input column multiplied by what activations would say, rounded, and divided by it again."""
    by = np.exp(np.random.default_rng(weights.shape[1]).normal(0, 0.4, weights.shape[1])).astype(np.float32)
    return uneven(weights * by, bits) / by


def with_offset(weights: Float32, bits: int = 4, size: int = 32) -> Float32:
    """Whole steps above the smallest number of each group, as Q4_K, MLX and HQQ leave them."""
    own = weights.reshape(-1, group_of(weights.shape[1], size))
    low = own.min(axis=1, keepdims=True)
    scale = np.maximum((own.max(axis=1, keepdims=True) - low) / ((1 << bits) - 1), np.float32(1e-30))
    return np.asarray((np.round((own - low) / scale) * scale + low).reshape(weights.shape), np.float32)


OWN: dict[str, Callable[[Float32], Float32]] = {
    "NF4 nested": nf4_nested, "uneven int4": lambda of: uneven(of, 4), "uneven int8": lambda of: uneven(of, 8),
    "uneven int8 row": lambda of: uneven(of, 8, None), "AWQ folded": folded,
    "int4 offset": with_offset, "int5 offset": lambda of: with_offset(of, 5),
    "int4 drawn": lambda of: uneven(of, 4, drawn=True),
}  # fmt: skip
READ = ("NF4", "FP4", "MXFP4", "NVFP4", "FP8 block", "GPTQ", "W4A16")
UNPACKED = (*READ, *OWN)


def unpacked(weights: Weights, form: str, dtype: DType = DType.BF16) -> Weights:
    """The same model with its matrices rounded so and unpacked again to numbers of a type."""
    if form in OWN:
        made = {name: OWN[form](np.asarray(each, np.float32)) for name, (each, _) in weights.items() if each.ndim == 2}
    else:
        opened = packed_form("S", weights, form)
        made = {name: values_of(opened, name) for name, (each, _) in weights.items() if each.ndim == 2}
    return {
        name: (store(np.asarray(made[name], np.float32), dtype), dtype) if name in made else tensor
        for name, tensor in weights.items()
    }
