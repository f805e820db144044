"""Methods that think in mixtures, for one sequence, slowly and straight from the formulas. Tests nothing.

SwiReasoning, soft thinking with Gumbel noise and Multiplex Thinking, as docs/generation.md says them.

No cache (every step reads all inputs again), no batch, statistics in float64, and nothing imported from the package but
the settings. Two programs that agree token by token can still share a mistake in the formulas; they do not share code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from modelprov.behavior.generation.interface import Sampling, SoftThinking, SwiReasoning


@dataclass
class Told:
    """What the oracle found."""

    tokens: list[int] = field(default_factory=list)
    latent: list[bool] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    to_explicit: int = 0
    to_latent: int = 0


def _softmax(x: np.ndarray) -> np.ndarray:
    weights = np.exp(x - x.max())
    return weights / weights.sum()


def filtered(logits: np.ndarray, sampling: Sampling) -> tuple[np.ndarray, np.ndarray]:
    """The kept tokens in falling order, and their probabilities."""
    order = np.argsort(-logits, kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    p = _softmax(logits[order] / sampling.temperature)
    kept = 1 + int((np.cumsum(p) <= sampling.top_p).sum()) if sampling.top_p < 1 else len(p)
    p = p[:kept] / p[:kept].sum()
    p = p[p >= sampling.min_p * p[0]]
    return order[: len(p)], p / p.sum()


def inverted(order: np.ndarray, p: np.ndarray, uniform: float) -> int:
    """The token whose interval of the cumulated probabilities holds `uniform`."""
    total = 0.0
    for token, weight in zip(order, p, strict=True):
        total += weight
        if uniform < total:
            return int(token)
    return int(order[-1])


def next_token(logits: np.ndarray, sampling: Sampling, uniform: float) -> int:
    """The token whose interval of the filtered distribution holds `uniform`, tokens in falling order."""
    return int(logits.argmax()) if sampling.greedy else inverted(*filtered(logits, sampling), uniform)


def tell_soft(
    model: Any, prompt: list[int], soft: SoftThinking, sampling: Sampling, uniforms: list[list[float]], *,
    eos: set[int], think: int, close: int,
) -> Told:  # fmt: skip
    """Soft thinking with Gumbel noise, or Multiplex Thinking: len(uniforms) tokens at most, a list of draws each."""
    table = model.get_input_embeddings().weight.detach().double()
    inputs, told, thinking = table[prompt], Told(), False
    for token in prompt:
        thinking = token == think if token in (think, close) else thinking
    for numbers in uniforms:
        with torch.no_grad():
            logits = model(inputs_embeds=inputs[None].to(model.dtype)).logits[0, -1].double().numpy()
        order, p = filtered(logits, sampling)
        mixture = np.zeros(len(logits))
        if soft.kind == "multiplex":
            drawn = [inverted(order, p, number) for number in numbers]
            for token in drawn:
                mixture[token] += 1 / len(drawn)
            x = drawn[0]
        else:
            noisy = np.log(p) - np.log(-np.log(numbers[: len(p)]))
            mixture[order] = _softmax(noisy / soft.noise_temperature)
            x = int(order[noisy.argmax()])
        told.tokens.append(x)
        if x in (think, close):
            thinking, read = x == think, table[x]
            told.latent.append(False)
        else:
            read = torch.tensor(mixture) @ table if thinking else table[x]
            told.latent.append(thinking)
        inputs = torch.cat([inputs, read[None]])
        if x in eos:
            break
    return told


def tell(  # noqa: PLR0912
    model: Any, prompt: list[int], settings: SwiReasoning, sampling: Sampling, uniforms: list[float], *, eos: set[int],
    think: int, close: int, line_break: int, math: set[int], convergence: list[int], termination: list[int],
) -> Told:  # fmt: skip
    """Generate len(uniforms) tokens at most."""
    reference = settings.compat == "reference"
    table = model.get_input_embeddings().weight.detach()
    inputs = table[prompt]
    T, C = len(uniforms), settings.max_switches
    told, mode, locked, queue, budget = Told(), "latent", False, [], None
    for t in range(T):
        with torch.no_grad():
            logits = model(inputs_embeds=inputs[None]).logits[0, -1].double().numpy()
        p = _softmax(logits)
        entropy = float(-(p * np.log(np.maximum(p, 1e-12))).sum())
        sampled = next_token(logits, sampling, uniforms[t])
        was_locked, forced = locked, bool(queue)
        x = queue.pop(0) if forced else sampled
        if (sampled if reference else x) == close:
            locked = True
        told.tokens.append(x)
        told.entropies.append(entropy)

        left = entered = False
        if t == 0:
            ref, stay = entropy, 0
        else:
            stay += 1
            if reference or not (was_locked or forced):
                left = mode == "latent" and entropy < ref
                entered = mode == "explicit" and entropy > ref and stay >= settings.window and not locked
            if left or entered:
                mode, ref, stay = ("explicit" if left else "latent"), entropy, 0
                told.to_explicit += left
                told.to_latent += entered

        s = torch.tensor(p, dtype=torch.float64) @ table.double()
        E = table.double()
        explicit = mode == "explicit" or locked or x in math or (forced and not reference)
        if left:
            b = settings.beta + (1 - settings.beta) * t / T
            following = b * s + (1 - b) * E[close]
        elif explicit:
            following = E[x]
        elif t == 0:
            following = 0.9 * s + 0.1 * E[line_break]
        elif entered:
            a = settings.alpha + (1 - settings.alpha) * t / T
            following = a * s + (1 - a) * E[think]
        else:
            following = s
        told.latent.append(not explicit and not left)
        inputs = torch.cat([inputs, following[None].to(table.dtype)])

        running = budget is not None and not forced  # tokens after the words count; in the reference all do
        if left and C is not None and (reference or not locked):
            if C <= told.to_explicit <= 2 * C:
                queue = list(convergence)
            elif told.to_explicit > 2 * C:
                queue, budget = list(termination), settings.answer_budget
        if budget is not None and (running or reference):
            budget -= 1
        if x in eos or budget == 0:
            break
    return told
