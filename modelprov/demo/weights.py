"""What happens to weights: invented, finetuned, merged, trained further. Pure arithmetic in memory, no files.

Bytes depend on the seed alone: no BLAS and no transcendental functions, whose last bit differs between processors.
The merges are written in numpy, apart from the compiled ones of `recipes/arithmetics.py`, so that each can be held
against the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, Float32, round_to, store
from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.naming import canonical_name
from modelprov.checkpoints.types import Component
from modelprov.demo.layout import TensorSpec
from modelprov.demo.writing import Weights
from modelprov.recipes.arithmetics import Arithmetic

# Root mean square of what a finetune changes, in weight units, at middle depth; early layers change less, late ones
# more (0.4 to 1.6 times). The range is that of published finetunes of models with weights of about 0.02.
CHANGES = {
    Component.EMBEDDINGS: 2.5e-5,
    Component.ATTENTION: 3.5e-4,
    Component.LINEAR_ATTENTION: 2.5e-4,
    Component.ROUTER: 4.5e-4,
    Component.EXPERTS: 1.5e-4,
    Component.SHARED_EXPERT: 3e-4,
    Component.MLP: 3e-4,
    Component.NORMS: 4.5e-4,
    Component.HEAD: 1e-4,
    Component.VISION: 3e-5,
    Component.MTP: 1e-4,
    Component.OTHER: 1e-4,
}
RANK = 4
LOW_RANK_SHARE = 0.5
"""Share of a finetune's squared change that is low-rank; the rest is independent in every element."""

Combine = Callable[[Sequence[Float32], Sequence[float], DType], Float32]


def random_weights(layout: Iterable[TensorSpec], rng: np.random.Generator) -> Weights:
    """Invent a model: matrices of about N(0, 0.02) with rows of unequal size, norms as trained models have them.

    Norm weights of any two such models are nearly the same (raw cosine above 0.99), though nothing else is: norms of
    the text model lie near a mean that depends on depth (they enter as 1 + w), the others near 1.
    """
    specs = tuple(layout)
    deepest = _deepest(spec.name for spec in specs)
    return {spec.name: (store(_invent(spec, deepest, rng), spec.dtype), spec.dtype) for spec in specs}


def finetune(base: Weights, rng: np.random.Generator, strength: float = 1.0) -> Weights:
    """Train `base` further: each tensor changes by a low-rank part plus noise, then is rounded as it is stored.

    The change's root mean square is `strength` times `CHANGES`, by component and depth: many elements of bf16 tensors
    keep their bits.
    """
    deepest = _deepest(base)
    tuned: Weights = {}
    for name, (values, dtype) in base.items():
        size = np.float32(strength * _change(name, values.shape, deepest))
        tuned[name] = store(values + size * _unit_change(values.shape, rng), dtype), dtype
    return tuned


def merge_exact(
    parents: Sequence[Weights], weights: Sequence[float], arithmetic: Arithmetic = Arithmetic.FLOAT32
) -> Weights:
    """The weighted sum of `parents` (the reference last), rounded as `arithmetic` rounds and stored as the first is.

    Same bits as `modelprov.recipes.arithmetics.evaluate` in the order of the parents. Raises `ValueError` for the fused
    arithmetics, which numpy cannot compute, and for parents that do not have the same tensors.
    """
    if arithmetic not in COMBINE:
        raise ValueError(f"{arithmetic.name} needs fused multiply-add: use modelprov.recipes.arithmetics.evaluate")
    combine = COMBINE[arithmetic]
    return {
        name: (combine(_rows(parents, name), weights, dtype), dtype) for name, (_, dtype) in _common(parents).items()
    }


def merge_trained(
    parents: Sequence[Weights], weights: Sequence[float], share: float, rng: np.random.Generator
) -> Weights:
    """The float32 merge, trained a little before its only rounding.

    The training is Gaussian; its standard deviation in each tensor is `share` times the root mean square of the first
    parent minus the last, as stored.
    """
    merged: Weights = {}
    for name, (_, dtype) in _common(parents).items():
        rows = _rows(parents, name)
        distance = math.sqrt(float(np.mean(np.square(rows[0] - rows[-1], dtype=np.float64))))
        noise = rng.standard_normal(rows[0].shape, dtype=np.float32) * np.float32(share * distance)
        merged[name] = store(_sum(rows, weights) + noise, dtype), dtype
    return merged


def split_experts(weights: Weights) -> Weights:
    """The same weights with one tensor for each expert and projection, as many derivatives store them."""
    split: Weights = {}
    for name, (stack, dtype) in weights.items():
        block, _, what = name.rpartition(".")
        if what not in {"gate_up_proj", "down_proj"} or not block.endswith(".experts"):
            split[name] = stack, dtype
            continue
        for expert, values in enumerate(stack):
            if what == "down_proj":
                split[f"{block}.{expert}.down_proj.weight"] = values, dtype
            else:
                gate, up = np.split(values, 2)
                split[f"{block}.{expert}.gate_proj.weight"] = gate, dtype
                split[f"{block}.{expert}.up_proj.weight"] = up, dtype
    return split


def without_mtp(weights: Weights) -> Weights:
    """The same weights without the block that predicts a second token, which derivatives often lose."""
    return {name: tensor for name, tensor in weights.items() if not name.startswith("mtp.")}


def _invent(spec: TensorSpec, deepest: int, rng: np.random.Generator) -> Float32:
    def normal(mean: float, deviation: float) -> Float32:
        return np.float32(mean) + np.float32(deviation) * rng.standard_normal(spec.shape, dtype=np.float32)

    name = spec.name
    if name.endswith("A_log"):
        return rng.uniform(0.1, 2.7, spec.shape).astype(np.float32)
    if name.endswith("dt_bias"):
        return rng.uniform(-6.0, -2.0, spec.shape).astype(np.float32)
    if name.endswith(".bias"):
        return normal(0, 0.01)
    if len(spec.shape) == 1:
        near_one = ".linear_attn." in name or ".visual." in name
        return normal(1.0, 0.03) if near_one else normal(0.25 + 0.5 * _depth(name, spec.shape, deepest), 0.02)
    tails = rng.standard_normal(spec.shape[:-1], dtype=np.float32)[..., None]
    heights = np.float32(0.75) + np.float32(0.25) * tails * tails
    return normal(0, 0.15 if "conv1d" in name else 0.02) * heights


def _unit_change(shape: tuple[int, ...], rng: np.random.Generator) -> Float32:
    """A change of mean square about 1: low-rank plus independent for matrices, independent for the rest."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    matrix = shape if len(shape) <= 3 else (shape[0], math.prod(shape[1:]))
    if len(matrix) < 2 or min(matrix[-2:]) <= RANK:
        return noise
    left = rng.standard_normal((*matrix[:-1], RANK), dtype=np.float32)
    right = rng.standard_normal((*matrix[:-2], RANK, matrix[-1]), dtype=np.float32)
    right *= np.float32(math.sqrt(LOW_RANK_SHARE / RANK))
    change = np.float32(math.sqrt(1 - LOW_RANK_SHARE)) * noise.reshape(matrix)
    for rank in range(RANK):
        change += left[..., rank, None] * right[..., rank, None, :]
    return change.reshape(shape)


def _change(name: str, shape: tuple[int, ...], deepest: int) -> float:
    component = component_of(canonical_name(name), shape)[1]
    return CHANGES[component] * (0.4 + 1.2 * _depth(name, shape, deepest))


def _depth(name: str, shape: tuple[int, ...], deepest: int) -> float:
    """0 for the first layer, 1 for the last, a half for what is outside the layers."""
    layer = component_of(canonical_name(name), shape)[0]
    return 0.5 if layer is None or deepest == 0 else layer / deepest


def _deepest(names: Iterable[str]) -> int:
    return max((component_of(canonical_name(name), ())[0] or 0 for name in names), default=0)


def _common(parents: Sequence[Weights]) -> Weights:
    if any(parent.keys() != parents[0].keys() for parent in parents):
        raise ValueError("the parents do not have the same tensors")
    return parents[0]


def _rows(parents: Sequence[Weights], name: str) -> list[Float32]:
    return [parent[name][0] for parent in parents]


def _sum(rows: Sequence[Float32], weights: Sequence[float]) -> Float32:
    """Each product and each sum rounded to float32, divided by the sum of the weights where that is not 1."""
    total, result = np.float32(0), rows[0] * np.float32(weights[0])
    for row, weight in zip(rows[1:], weights[1:], strict=True):
        result = row * np.float32(weight) + result
    for weight in weights:
        total += np.float32(weight)
    return result if total == 1 else result / total


def _float32(rows: Sequence[Float32], weights: Sequence[float], dtype: DType) -> Float32:
    return store(_sum(rows, weights), dtype)


def _float32_delta(rows: Sequence[Float32], weights: Sequence[float], dtype: DType) -> Float32:
    total = np.zeros_like(rows[-1])
    for row, weight in zip(rows[:-1], weights[:-1], strict=True):
        total = total + (row - rows[-1]) * np.float32(weight)
    return store(rows[-1] + total, dtype)


def _float32_lerp(rows: Sequence[Float32], weights: Sequence[float], dtype: DType) -> Float32:
    first, second = rows
    weight = np.float32(weights[0])
    delta = first - second
    merged = second + weight * delta if weight < np.float32(0.5) else first - delta * (np.float32(1) - weight)
    return store(merged, dtype)


def _float64(rows: Sequence[Float32], weights: Sequence[float], dtype: DType) -> Float32:
    total = np.zeros(rows[0].shape, np.float64)
    for row, weight in zip(rows, weights, strict=True):
        total += row.astype(np.float64) * weight
    return round_to(total, dtype).astype(np.float32)


def _stepwise(rows: Sequence[Float32], weights: Sequence[float], dtype: DType, *, normalise: bool = True) -> Float32:
    rounded = [store(np.array(weight, np.float32), dtype) for weight in weights]
    total, result = np.float32(0), np.zeros_like(rows[0])
    for row, weight in zip(rows, rounded, strict=True):
        total = np.float32(total + weight)
        result = result + store(row * weight, dtype)
    result = store(result, dtype)
    return store(result / store(np.array(total), dtype), dtype) if normalise else result


def _stepwise_unnormalised(rows: Sequence[Float32], weights: Sequence[float], dtype: DType) -> Float32:
    return _stepwise(rows, weights, dtype, normalise=False)


def _stepwise_delta(rows: Sequence[Float32], weights: Sequence[float], dtype: DType) -> Float32:
    total = np.zeros_like(rows[-1])
    for row, weight in zip(rows[:-1], weights[:-1], strict=True):
        total = total + store(store(row - rows[-1], dtype) * store(np.array(weight, np.float32), dtype), dtype)
    return store(rows[-1] + store(total, dtype), dtype)


def _torch_sum(rows: Sequence[Float32], weights: Sequence[float], dtype: DType) -> Float32:
    products = [store(row * np.float32(weight), dtype) for row, weight in zip(rows, weights, strict=True)]
    return reduce(lambda total, product: store(total + product, dtype), products)


def _torch_delta(rows: Sequence[Float32], weights: Sequence[float], dtype: DType) -> Float32:
    deltas = [store(row - rows[-1], dtype) for row in rows[:-1]]
    return _torch_sum([rows[-1], *deltas], [1.0, *weights[:-1]], dtype)


COMBINE: dict[Arithmetic, Combine] = {
    Arithmetic.FLOAT32: _float32,
    Arithmetic.FLOAT32_DELTA: _float32_delta,
    Arithmetic.FLOAT32_LERP: _float32_lerp,
    Arithmetic.FLOAT64: _float64,
    Arithmetic.STEPWISE: _stepwise,
    Arithmetic.STEPWISE_UNNORMALISED: _stepwise_unnormalised,
    Arithmetic.STEPWISE_DELTA: _stepwise_delta,
    Arithmetic.TORCH_SUM: _torch_sum,
    Arithmetic.TORCH_DELTA: _torch_delta,
}
