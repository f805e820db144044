"""From logits to the next token: filters, draws, entropy. Every function is over a batch of rows, none keeps state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelprov.behavior.generation.interface import Sampling, SoftThinking


def draws(seed: int, indices: Sequence[int], steps: int) -> Any:
    """Uniform numbers in [0, 1), [sequences, steps], float64 on the CPU.

    Row i comes from a `torch.Generator` of its own, seeded from (`seed`, `indices[i]`), so that a sequence's draws
    depend neither on the batch it is in nor on the device.
    """
    import torch

    rows = []
    for index in indices:
        state = np.random.SeedSequence([seed % 2**63, index]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        rows.append(torch.rand(steps, generator=generator, dtype=torch.float64))
    return torch.stack(rows)


def distribution(logits: Any) -> tuple[Any, Any]:
    """softmax(logits) and its entropy -sum p ln max(p, 1e-12) in nats, [rows, vocabulary] and [rows].

    Both in the dtype of `logits`, which should be float32: in bfloat16 the entropy has three digits.
    """
    probabilities = logits.softmax(-1)
    return probabilities, -(probabilities * probabilities.clamp(min=1e-12).log()).sum(-1)


def choose(logits: Any, uniform: Any, sampling: Sampling, absolute_min_p: bool = False) -> Any:
    """The next token of each row, int64 [rows].

    The most likely token where `greedy`; else the one whose interval of the cumulated distribution
    softmax(filter(logits / temperature)), in falling order of probability, holds `uniform` (float64 [rows]). Filters
    apply in the order top-k, top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024: relative to the largest
    probability; `absolute_min_p` compares with `min_p` itself).
    """
    if sampling.greedy:
        return logits.argmax(-1)
    weights, tokens = filtered(logits, sampling, absolute_min_p)
    return drawn(weights, tokens, uniform[:, None]).squeeze(-1)


def filtered(logits: Any, sampling: Sampling, absolute_min_p: bool = False) -> tuple[Any, Any]:
    """softmax(filter(logits / temperature)) up to a factor, and its tokens, in falling order, both [rows, kept]."""
    scaled = logits / sampling.temperature
    size = scaled.shape[-1]
    kept, tokens = scaled.topk(min(sampling.top_k or size, size), dim=-1)
    weights = kept.softmax(-1)
    if sampling.top_p < 1:
        before = weights.cumsum(-1).roll(1, -1)
        before[:, 0] = 0
        weights = kept.masked_fill(before > sampling.top_p, -math.inf).softmax(-1)
    if sampling.min_p > 0:
        weights = weights / weights.sum(-1, keepdim=True)
        least = sampling.min_p if absolute_min_p else sampling.min_p * weights[:, :1]
        weights = weights.masked_fill(weights < least, 0.0)
    return weights, tokens


def drawn(weights: Any, tokens: Any, uniform: Any) -> Any:
    """The token of each row whose interval of the cumulated weights holds each uniform number, [rows, draws]."""
    cumulated = weights.double().cumsum(-1)
    place = (cumulated[:, None] <= uniform[..., None] * cumulated[:, -1:, None]).sum(-1)
    last = (weights > 0).sum(-1, keepdim=True) - 1
    return tokens.gather(-1, place.minimum(last))


def soften(logits: Any, uniform: Any, sampling: Sampling, soft: SoftThinking) -> tuple[Any, Any]:
    """The mixture that is read next, [rows, vocabulary], and the token that is emitted, [rows].

    `uniform` holds as many numbers a row as `soft.draws(sampling)`. The noise of Gumbel's distribution is
    -ln(-ln u), so that the largest of ln p + noise is a sample of p (Maddison et al. 2014).
    """
    import torch

    weights, tokens = filtered(logits, sampling)
    if soft.kind == "multiplex":
        chosen = drawn(weights, tokens, uniform)
        share = torch.full_like(chosen, 1.0, dtype=logits.dtype) / soft.width
        return torch.zeros_like(logits).scatter_add(-1, chosen, share), chosen[:, 0]
    noise = -(-uniform[:, : weights.shape[-1]].clamp(1e-12, 1 - 1e-12).log()).log()
    noisy = weights.double().log() + noise  # ln 0 stays what no noise lifts
    mixture = (noisy / soft.noise_temperature).softmax(-1).to(logits.dtype)
    chosen = tokens.gather(-1, noisy.argmax(-1, keepdim=True)).squeeze(-1)
    return torch.zeros_like(logits).scatter(-1, tokens, mixture), chosen
