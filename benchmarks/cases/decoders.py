"""Whole decoders: grouped heads, gate and up, experts with a router. As drawn, and in several styles of initialising.

The models of `tests.generated` have no `up_proj` and square attention; to be put into other coordinates a model needs
both. Nothing here is labelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.cases.making import FORMATS, WIDTH, log_uniform, training
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.layout import TensorSpec
from modelprov.demo.weights import random_weights
from modelprov.demo.writing import Float32, Weights
from tests.generated import Rng, apply

HEAD_WIDTH = 8
Style = Callable[[TensorSpec, Rng], Float32]


@dataclass(frozen=True)
class Decoder:
    """How big a decoder is: `heads` query heads of 8 in `groups` that share keys and values.

    With `shared`, an MLP beside the experts is for every token, behind a gate of its own.
    """

    layers: int = 3
    hidden: int = 64
    width: int = 128
    vocabulary: int = 200
    heads: int = 8
    groups: int = 4
    experts: int = 0
    head: bool = True
    shared: bool = False

    @staticmethod
    def draw(rng: Rng, experts: bool = False) -> Decoder:
        """Some size between 90,000 and 500,000 parameters."""
        hidden = int(rng.choice([48, 64]))
        heads = hidden // HEAD_WIDTH
        return Decoder(
            layers=int(rng.integers(2, 5)),
            hidden=hidden,
            width=hidden * (1 if experts else int(rng.integers(2, 4))),
            vocabulary=int(rng.integers(100, 400)),
            heads=heads,
            groups=int(rng.choice([heads, heads // 2])),
            experts=4 if experts else 0,
            head=bool(rng.random() < 0.7),
        )

    def specs(self, dtype: DType) -> tuple[TensorSpec, ...]:
        """Names and shapes."""
        h, f, q, kv = self.hidden, self.width, self.heads * HEAD_WIDTH, self.groups * HEAD_WIDTH
        shapes: list[tuple[str, tuple[int, ...]]] = [("model.embed_tokens.weight", (self.vocabulary, h))]
        for layer in range(self.layers):
            block = f"model.layers.{layer}."
            shapes += [(f"{block}input_layernorm.weight", (h,)), (f"{block}post_attention_layernorm.weight", (h,))]
            for name, shape in (("q", (q, h)), ("k", (kv, h)), ("v", (kv, h)), ("o", (h, q))):
                shapes.append((f"{block}self_attn.{name}_proj.weight", shape))
            if self.experts:
                shapes.append((f"{block}mlp.gate.weight", (self.experts, h)))
            if self.shared:
                shapes.append((f"{block}mlp.shared_expert_gate.weight", (1, h)))
            for place in self.places(layer):
                shapes += [(f"{place}.{name}_proj.weight", (f, h)) for name in ("gate", "up")]
                shapes.append((f"{place}.down_proj.weight", (h, f)))
        shapes.append(("model.norm.weight", (h,)))
        if self.head:
            shapes.append(("lm_head.weight", (self.vocabulary, h)))
        return tuple(TensorSpec(name, shape, dtype) for name, shape in shapes)

    def places(self, layer: int) -> list[str]:
        """The prefixes of a layer's MLP, or of its experts and of what they share."""
        mlp = f"model.layers.{layer}.mlp"
        shared = [f"{mlp}.shared_expert"] if self.shared else []
        return [f"{mlp}.experts.{number}" for number in range(self.experts)] + shared or [mlp]


def decoder_family(
    rng: Rng, shape: Decoder, children: int = 1, dtype: DType | None = None, low: float = 1e-4
) -> list[Weights]:
    """Finetunes of one base, and the base last; bf16 or F32 unless a format is given."""
    stored = dtype or (FORMATS[0] if rng.random() < 0.7 else FORMATS[2])
    base = random_weights(shape.specs(stored), rng)
    size = log_uniform(rng, low, WIDTH[1])
    return [*(apply(base, training(base, rng, size)) for _ in range(children)), base]


def styled(shape: Decoder, dtype: DType, rng: Rng, style: Style) -> Weights:
    """A model from nothing in a style; norm weights are 1."""
    return {
        spec.name: (
            np.ones(spec.shape, np.float32) if len(spec.shape) == 1 else store(style(spec, rng), dtype),
            dtype,
        )
        for spec in shape.specs(dtype)
    }


def normal(spec: TensorSpec, rng: Rng) -> Float32:
    """N(0, 0.02), outputs of a block smaller: what programs of training begin with."""
    deviation = 0.02 / 3 if spec.name.endswith(("o_proj.weight", "down_proj.weight")) else 0.02
    return np.float32(deviation) * rng.standard_normal(spec.shape, dtype=np.float32)


def even(spec: TensorSpec, rng: Rng) -> Float32:
    """Even between the bounds that follow from the width of the input (Kaiming)."""
    bound = 1 / np.sqrt(spec.shape[1])
    return rng.uniform(-bound, bound, spec.shape).astype(np.float32)


def heavy_tailed(spec: TensorSpec, rng: Rng) -> Float32:
    """Student's t with 4 degrees of freedom; rows and columns of unequal size, some columns ten times as large."""
    rows, columns = spec.shape
    values = 0.015 * rng.standard_t(4, spec.shape)
    values *= np.exp(0.5 * rng.standard_normal((rows, 1))) * np.exp(0.3 * rng.standard_normal((1, columns)))
    values[:, rng.choice(columns, 2, replace=False)] *= 10
    return values.astype(np.float32)


def orthogonal(spec: TensorSpec, rng: Rng) -> Float32:
    """Orthogonal: every singular value of every such model is the same."""
    q, r = np.linalg.qr(rng.standard_normal((max(spec.shape), min(spec.shape))))
    values = q * np.sign(np.diag(r))
    return (0.1 * (values if spec.shape[0] >= spec.shape[1] else values.T)).astype(np.float32)


def power_law(spec: TensorSpec, rng: Rng) -> Float32:
    """Singular values that fall as a power of their rank: the same ones, to 1 %, in every such model."""
    rank = min(spec.shape)
    left, _ = np.linalg.qr(rng.standard_normal((spec.shape[0], rank)))
    right, _ = np.linalg.qr(rng.standard_normal((spec.shape[1], rank)))
    falling = (1.0 + np.arange(rank)) ** -0.5 * (1 + 0.01 * rng.standard_normal(rank))
    return (0.5 * (left * falling) @ right.T).astype(np.float32)


def ternary(spec: TensorSpec, rng: Rng) -> Float32:
    """-0.02, 0 or 0.02: a third of two strangers' bits are the same, and so are all sorted values."""
    return np.float32(0.02) * rng.integers(-1, 2, spec.shape).astype(np.float32)


def nearly_constant(spec: TensorSpec, rng: Rng) -> Float32:
    """Matrices that were hardly trained: outputs zero, gates one, the rest normal."""
    if spec.name.endswith(("o_proj.weight", "down_proj.weight")):
        return np.zeros(spec.shape, np.float32)
    if spec.name.endswith(("gate_proj.weight", "mlp.gate.weight")):
        return np.float32(1) + np.float32(1e-2) * rng.standard_normal(spec.shape, dtype=np.float32)
    return normal(spec, rng)


STYLES = (normal, even, heavy_tailed, orthogonal, power_law, ternary, nearly_constant)
"""Of strangers' weights."""
