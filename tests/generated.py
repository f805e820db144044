"""Small generated models with a known history: bases, training of many kinds, merges of many kinds. In memory, seeded.

Everything is made from the generator that is passed in. Changes are float32 arrays by tensor name, in units of the
weights; a model is rounded to its storage format only at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.layout import TensorSpec
from modelprov.demo.weights import random_weights
from modelprov.demo.writing import Float32, Weights
from modelprov.recipes.arithmetics import Arithmetic, evaluate

Change = dict[str, Float32]
Rng = np.random.Generator


@dataclass(frozen=True)
class Size:
    """How big a model is."""

    layers: int = 3
    hidden: int = 48
    width: int = 96
    vocabulary: int = 160
    head: bool = True
    experts: int = 0

    @staticmethod
    def draw(rng: Rng) -> Size:
        """Some size between 15,000 and 300,000 parameters."""
        hidden = int(rng.choice([24, 32, 48, 64]))
        experts = int(rng.choice([0, 0, 0, 4]))
        return Size(
            int(rng.integers(3, 6)), hidden, hidden * int(rng.integers(1, 4)), int(rng.integers(40, 400)),
            bool(rng.random() < 0.7), experts,
        )  # fmt: skip

    def specs(self, dtype: DType) -> tuple[TensorSpec, ...]:
        """Names and shapes of a common decoder."""
        h, f = self.hidden, self.width
        specs = [TensorSpec("model.embed_tokens.weight", (self.vocabulary, h), dtype)]
        for layer in range(self.layers):
            block = f"model.layers.{layer}."
            specs += [TensorSpec(f"{block}self_attn.{name}_proj.weight", (h, h), dtype) for name in "qkvo"]
            specs += [
                TensorSpec(f"{block}{norm}_layernorm.weight", (h,), dtype) for norm in ("input", "post_attention")
            ]
            for place in [f"mlp.experts.{number}" for number in range(self.experts)] or ["mlp"]:
                specs.append(TensorSpec(f"{block}{place}.gate_proj.weight", (f, h), dtype))
                specs.append(TensorSpec(f"{block}{place}.down_proj.weight", (h, f), dtype))
        specs.append(TensorSpec("model.norm.weight", (h,), dtype))
        if self.head:
            specs.append(TensorSpec("lm_head.weight", (self.vocabulary, h), dtype))
        return tuple(specs)


def model(rng: Rng, size: Size | None = None, dtype: DType = DType.BF16, scale: float = 1.0) -> Weights:
    """A model from nothing; matrices of standard deviation about `scale` times 0.02."""
    weights = random_weights((size or Size()).specs(dtype), rng)
    if scale == 1.0:
        return weights
    return {name: (store(values * np.float32(scale), dtype), dtype) for name, (values, _) in weights.items()}


def layer_of(name: str) -> int | None:
    """The layer that a tensor of these models belongs to."""
    return int(name.split(".")[2]) if name.startswith("model.layers.") else None


def change(
    of: Weights, rng: Rng, distance: float, low_rank: float = 0.5, uneven: float = 0.5,
    only: Callable[[str], bool] | None = None,
) -> Change:  # fmt: skip
    """A training run's change: root mean square `distance`, a share `low_rank` of its square of rank 4.

    `uneven` is the standard deviation, over tensors, of the logarithm of the size; `only` picks the tensors trained.
    """
    made: Change = {}
    for name, (values, _) in of.items():
        if only is not None and not only(name):
            made[name] = np.zeros_like(values)
            continue
        noise = rng.standard_normal(values.shape, dtype=np.float32)
        if values.ndim == 2 and low_rank > 0:
            left = rng.standard_normal((values.shape[0], 4), dtype=np.float32)
            right = rng.standard_normal((4, values.shape[1]), dtype=np.float32)
            noise = np.float32(math.sqrt(1 - low_rank)) * noise + np.float32(math.sqrt(low_rank / 4)) * (left @ right)
        made[name] = noise * np.float32(distance * math.exp(uneven * rng.standard_normal()))
    return made


def combine(parts: Sequence[tuple[float | Mapping[str, float], Change]]) -> Change:
    """A linear combination of changes; a factor may differ by tensor."""
    return {
        name: sum(
            (np.float32(factor if isinstance(factor, float) else factor[name]) * part[name] for factor, part in parts),
            np.zeros_like(parts[0][1][name]),
        )
        for name in parts[0][1]
    }  # type: ignore[misc]


def apply(to: Weights, changed: Change, dtype: DType | None = None) -> Weights:
    """The model plus a change, rounded once to `dtype` (its own, if None). Rows that were all zero stay so."""
    result: Weights = {}
    for name, (values, own) in to.items():
        delta = changed[name]
        if values.ndim == 2:
            delta = np.where((values != 0).any(axis=1, keepdims=True), delta, np.float32(0))
        result[name] = store(values + delta, dtype or own), dtype or own
    return result


def cast(weights: Weights, dtype: DType) -> Weights:
    """The same model in another format."""
    return {name: (store(values, dtype), dtype) for name, (values, _) in weights.items()}


def merge(
    parents: Sequence[Weights], weights: Sequence[float] | Callable[[str], Sequence[float]],
    arithmetic: Arithmetic = Arithmetic.FLOAT32, dtype: DType | None = None,
) -> Weights:  # fmt: skip
    """A merge as `modelprov.recipes.arithmetics` computes it; weights may be a function of the tensor's name."""
    order = np.arange(len(parents))
    merged: Weights = {}
    for name, (values, own) in parents[0].items():
        rows = np.ascontiguousarray(np.stack([parent[name][0].ravel() for parent in parents]))
        out = np.empty(values.size, np.float32)
        chosen = np.array(weights(name) if callable(weights) else weights, np.float64)
        evaluate(int(arithmetic), rows, chosen, order, (dtype or own).code, out)
        merged[name] = out.reshape(values.shape), dtype or own
    return merged


def distance(one: Weights, other: Weights) -> float:
    """Root mean square difference over the matrices."""
    parts = [(one[name][0] - other[name][0]).ravel() for name in one if one[name][0].ndim == 2]
    return math.sqrt(float(np.mean(np.concatenate(parts).astype(np.float64) ** 2)))


def quantised(weights: Weights, bits: int, group: int = 32) -> Weights:
    """Matrices to integers of so many bits with one scale for each group of a row, and back."""
    result: Weights = {}
    for name, (values, dtype) in weights.items():
        if values.ndim != 2:
            result[name] = values, dtype
            continue
        width = group if values.shape[1] % group == 0 else values.shape[1]
        groups = values.reshape(values.shape[0], -1, width)
        scale = np.abs(groups).max(axis=2, keepdims=True) / np.float32(2 ** (bits - 1) - 1)
        levels = np.round(groups / np.where(scale > 0, scale, np.float32(1)))
        result[name] = store((levels * scale).reshape(values.shape).astype(np.float32), dtype), dtype
    return result


def pruned(weights: Weights, share: float) -> Weights:
    """The smallest weights of every matrix set to zero."""
    result: Weights = {}
    for name, (values, dtype) in weights.items():
        limit = np.quantile(np.abs(values), share) if values.ndim == 2 else 0.0
        result[name] = np.where(np.abs(values) < limit, np.float32(0), values), dtype
    return result


def sparse(changed: Change, rng: Rng, share: float) -> Change:
    """The change, in a random share of the elements only."""
    return {name: np.where(rng.random(values.shape) < share, values, np.float32(0)) for name, values in changed.items()}
