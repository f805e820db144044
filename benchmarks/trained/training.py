"""Trains several decoders of one shape side by side, each as if alone: model, losses and optimisers. Plans nothing.

The weights of all runs lie in one array [runs, parameters], so that one step of all costs about as little as a step of
a single tiny model. Losses are summed over runs, gradients clipped by run: no run feels another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from benchmarks.cases.decoders import HEAD_WIDTH, Decoder
from benchmarks.trained.languages import data_of
from benchmarks.trained.pool import State
from benchmarks.trained.settings import Run
from modelprov.checkpoints.formats.dtypes import DType, store

Stacked = dict[str, torch.Tensor]


@dataclass
class Trained:
    """The weights at the end by run, the watched run's after some steps, and the last losses in nats a token."""

    ends: list[State] = field(default_factory=list)
    stages: dict[int, State] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)


def logits_of(weights: Stacked, tokens: torch.Tensor, shape: Decoder, drop: torch.Tensor | None = None) -> torch.Tensor:
    """Logits [runs, batch, length, vocabulary] of tokens [runs, batch, length]; RMSNorm, causal heads, silu(gate) * up.

    `drop` [2 * layers, runs, batch, length, 1] scales what a block adds to the stream.
    """
    runs, batch, length = tokens.shape

    def normed(x: torch.Tensor, name: str) -> torch.Tensor:
        return weights[name][:, None] * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)

    def through(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ weights[name].transpose(1, 2)

    def heads(x: torch.Tensor, count: int) -> torch.Tensor:
        return x.reshape(runs * batch, length, count, HEAD_WIDTH).transpose(1, 2)

    def kept(x: torch.Tensor, place: int) -> torch.Tensor:
        return x if drop is None else (x.reshape(runs, batch, length, -1) * drop[place]).flatten(1, 2)

    table = weights["model.embed_tokens.weight"]
    offsets = torch.arange(runs)[:, None] * shape.vocabulary
    stream = table.flatten(0, 1)[tokens.flatten(1) + offsets]
    for layer in range(shape.layers):
        block = f"model.layers.{layer}."
        x = normed(stream, f"{block}input_layernorm.weight")
        q, k, v = (through(x, f"{block}self_attn.{name}_proj.weight") for name in "qkv")
        k, v = (heads(y, shape.groups).repeat_interleave(shape.heads // shape.groups, 1) for y in (k, v))
        mixed = functional.scaled_dot_product_attention(heads(q, shape.heads), k, v, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(runs, batch * length, -1)
        stream = stream + kept(through(mixed, f"{block}self_attn.o_proj.weight"), 2 * layer)
        x = normed(stream, f"{block}post_attention_layernorm.weight")
        gate, up = (through(x, f"{block}mlp.{name}_proj.weight") for name in ("gate", "up"))
        stream = stream + kept(through(functional.silu(gate) * up, f"{block}mlp.down_proj.weight"), 2 * layer + 1)
    out = through(normed(stream, "model.norm.weight"), "lm_head.weight" if shape.head else "model.embed_tokens.weight")
    return out.reshape(runs, batch, length, shape.vocabulary)


def train(
    starts: Sequence[State], runs: Sequence[Run], shape: Decoder, family: int, steps: int, rate: float,
    watched: Sequence[int] = (), teachers: Sequence[State] = (), rank: int = 0,
) -> Trained:  # fmt: skip
    """Train every run from its start, with a cosine and a short warm-up; `watched` steps of the first run are kept.

    With `teachers` a run learns a teacher's distribution instead of the data. With a `rank` adapters are trained, and
    the ends hold their sides, `NAME A` [rank, in] and `NAME B` [out, rank].
    """
    frozen = {name: torch.tensor(np.stack([start[name] for start in starts])) for name in starts[0]}
    flat, weights_of, parts = _adapters(frozen, rank) if rank else _whole(frozen)
    mask = _mask(runs, frozen) if not rank else None
    taught = (
        {name: torch.tensor(np.stack([state[name] for state in teachers])) for name in teachers[0]} if teachers else {}
    )
    data = torch.tensor(np.stack([data_of(run, family, shape.vocabulary, steps) for run in runs]))
    optimiser = _Optimiser(runs, rate, flat)
    drawn = [torch.Generator().manual_seed(run.dropout) for run in runs]
    rounded = torch.tensor([run.bf16 for run in runs])[:, None]
    found, made = torch.zeros(len(runs)), Trained()
    for step in range(steps):
        if step in watched:
            made.stages[step] = _state(parts(flat), 0)
        weights = _quantised(weights_of(flat), runs)
        tokens = data[:, step]
        out = logits_of(weights, tokens[..., :-1], shape, _drop(runs, drawn, shape, tokens.shape))
        if teachers:
            with torch.no_grad():
                wanted = torch.softmax(logits_of(taught, tokens[..., :-1], shape), -1)
        else:
            wanted = functional.one_hot(tokens[..., 1:], shape.vocabulary).float()
        found = -(wanted * torch.log_softmax(out, -1)).sum(-1).mean((1, 2))
        (gradient,) = torch.autograd.grad(found.sum(), flat)
        shaped = min((step + 1) / 5, 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.02)
        with torch.no_grad():
            change = optimiser.step(flat, gradient, shaped)
            flat += change if mask is None else change * mask
            if rounded.any():
                flat.copy_(torch.where(rounded, flat.bfloat16().float(), flat))
    made.ends = [_state(parts(flat), place) for place in range(len(runs))]
    made.losses = found.tolist()
    return made


class _Optimiser:
    """Adam, AdamW or SGD with momentum, by run; gradients are clipped to norm 1."""

    def __init__(self, runs: Sequence[Run], rate: float, flat: torch.Tensor) -> None:
        self.rates = torch.tensor([run.rate * rate for run in runs])[:, None]
        self.decay = torch.tensor([0.05 if run.optimiser == "adamw" else 0.0 for run in runs])[:, None]
        self.plain = torch.tensor([run.optimiser == "sgd" for run in runs])[:, None]
        self.first, self.second, self.count = torch.zeros_like(flat), torch.zeros_like(flat), 0

    def step(self, flat: torch.Tensor, gradient: torch.Tensor, shaped: float) -> torch.Tensor:
        """What is added to the weights."""
        self.count += 1
        gradient = gradient / gradient.norm(dim=1, keepdim=True).clamp(min=1)
        self.first.mul_(0.9).add_(gradient, alpha=0.1)
        self.second.mul_(0.99).addcmul_(gradient, gradient, value=0.01)
        first, second = self.first / (1 - 0.9**self.count), self.second / (1 - 0.99**self.count)
        moved = torch.where(self.plain, 300 * self.first, first / (second.sqrt() + 1e-8))
        return -shaped * self.rates * (moved + self.decay * flat)


Parts = Callable[[torch.Tensor], Stacked]


def _cut(flat: torch.Tensor, shapes: dict[str, torch.Size]) -> Stacked:
    pieces = flat.split([math.prod(shape) for shape in shapes.values()], dim=1)
    return {name: piece.reshape(-1, *shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}


def _whole(frozen: Stacked) -> tuple[torch.Tensor, Parts, Parts]:
    shapes = {name: values.shape[1:] for name, values in frozen.items()}
    flat = torch.cat([values.flatten(1) for values in frozen.values()], dim=1).requires_grad_()

    def parts(flat: torch.Tensor) -> Stacked:
        return _cut(flat, shapes)

    return flat, parts, parts


def _adapters(frozen: Stacked, rank: int) -> tuple[torch.Tensor, Parts, Parts]:
    sides = {name: values for name, values in frozen.items() if "_proj" in name}
    drawn = torch.Generator().manual_seed(rank)
    first = {f"{name} A": 0.1 * torch.randn(rank, w.shape[2], generator=drawn) for name, w in sides.items()}
    second = {f"{name} B": torch.zeros(w.shape[1], rank) for name, w in sides.items()}
    shapes = {name: values.shape for name, values in (first | second).items()}
    runs = len(next(iter(frozen.values())))
    whole = torch.cat([values.flatten() for values in (first | second).values()])
    flat = whole.repeat(runs, 1).requires_grad_()

    def weights(flat: torch.Tensor) -> Stacked:
        cut = _cut(flat, shapes)
        return frozen | {name: values + cut[f"{name} B"] @ cut[f"{name} A"] for name, values in sides.items()}

    return flat, weights, lambda flat: _cut(flat, shapes)


def _state(parts: Stacked, place: int) -> State:
    return {name: values[place].detach().numpy().copy() for name, values in parts.items()}


def _mask(runs: Sequence[Run], frozen: Stacked) -> torch.Tensor | None:
    if not any(run.only or run.pruned for run in runs):
        return None
    rows = []
    for place, run in enumerate(runs):
        pieces = []
        for name, values in frozen.items():
            piece = torch.full_like(values[place], float(run.only in name))
            pieces.append((piece * (values[place] != 0) if run.pruned else piece).flatten())
        rows.append(torch.cat(pieces))
    return torch.stack(rows)


def _quantised(weights: Stacked, runs: Sequence[Run]) -> Stacked:
    """Matrices of runs with `bits` as integers with a scale a row, gradients as if they were not."""
    if not any(run.bits for run in runs):
        return weights
    top = torch.tensor([2.0 ** (run.bits or 8) / 2 - 1 for run in runs])[:, None, None]
    chosen = torch.tensor([bool(run.bits) for run in runs])[:, None, None]
    made = dict(weights)
    for name, values in weights.items():
        if "_proj" in name:
            scale = values.detach().abs().amax(2, keepdim=True) / top
            coarse = (values.detach() / scale).round() * scale
            made[name] = torch.where(chosen, values + (coarse - values.detach()), values)
    return made


def _drop(
    runs: Sequence[Run], drawn: Sequence[torch.Generator], shape: Decoder, tokens: torch.Size
) -> torch.Tensor | None:
    if not any(run.dropout for run in runs):
        return None
    size = (2 * shape.layers, tokens[1], tokens[2] - 1, 1)
    masks = [
        (torch.rand(size, generator=generator) >= 0.1).float() / 0.9 if run.dropout else torch.ones(size)
        for run, generator in zip(runs, drawn, strict=True)
    ]
    return torch.stack(masks, dim=1)


def rounded_to(state: State, dtype: DType) -> State:
    """The weights as a format stores them, still float32 arrays."""
    return {name: store(values, dtype) for name, values in state.items()}
