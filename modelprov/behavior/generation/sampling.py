"""From logits to the next token: filters, draws, entropy. Every function is over a batch of rows, none keeps state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelprov.behavior.generation.interface import Sampling


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
    scaled = logits / sampling.temperature
    size = scaled.shape[-1]
    kept, tokens = scaled.topk(min(sampling.top_k or size, size), dim=-1)
    weights = kept.softmax(-1)
    if sampling.top_p < 1:
        before = weights.cumsum(-1) - weights
        weights = weights.masked_fill(before > sampling.top_p, 0.0)
    if sampling.min_p > 0:
        weights = weights / weights.sum(-1, keepdim=True)
        least = sampling.min_p if absolute_min_p else sampling.min_p * weights[:, :1]
        weights = weights.masked_fill(weights < least, 0.0)
    cumulated = weights.double().cumsum(-1)
    place = (cumulated <= uniform[:, None] * cumulated[:, -1:]).sum(-1, keepdim=True)
    last = (weights > 0).sum(-1, keepdim=True) - 1
    return tokens.gather(-1, place.minimum(last)).squeeze(-1)
