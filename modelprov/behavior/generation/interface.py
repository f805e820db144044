"""What generation takes and gives: how to choose tokens, which method, and what came out. Data only, no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

METHODS = ("cot", "cot-greedy", "cot-budget", "swir", "soft-gumbel", "multiplex")
"""Sampled chain of thought; the most likely token each time; sampled, with thinking cut off at a budget of tokens;
SwiReasoning (Shi et al., arXiv 2510.05069); soft thinking with Gumbel noise (Wu et al., arXiv 2508.03440); Multiplex
Thinking without its training (Tang et al., arXiv 2601.08808)."""

LATENT = ("swir", "soft-gumbel", "multiplex")
"""Methods that think in mixtures of embeddings."""


@dataclass(frozen=True)
class Sampling:
    """Next token from softmax(filter(logits / temperature)), or the most likely one where `greedy`."""

    temperature: float = 0.6
    top_k: int = 20
    top_p: float = 0.95
    min_p: float = 0.0
    greedy: bool = False


@dataclass(frozen=True)
class SwiReasoning:
    """Settings of SwiReasoning, named as in its paper.

    `window` is W, the least explicit steps before thinking in latent space again; `alpha` is the weight of the soft
    input on entering latent thinking (1 - alpha of `<think>`), `beta` that on leaving it (1 - beta of `</think>`), both
    at step 0 and rising linearly to 1; `max_switches` is C, or None for no limit; `answer_budget` tokens are left after
    the termination words. `compat="reference"` repeats the public program token by token, faults included where they
    do not crash.
    """

    window: int = 512
    alpha: float = 1.0
    beta: float = 0.7
    max_switches: int | None = None
    answer_budget: int = 32
    compat: str = "corrected"


@dataclass(frozen=True)
class SoftThinking:
    """A thought whose every token is read as a mixture of tokens, drawn anew each step from the filtered distribution.

    `kind` "gumbel": the mixture is softmax((ln p + g) / `noise_temperature`), g of Gumbel's distribution, over the
    `top_k` kept tokens; the token emitted is its largest. "multiplex": the mean of `width` independent draws, of which
    the first is emitted. Both emit a plain sample of the distribution.
    """

    kind: str = "gumbel"
    noise_temperature: float = 0.5
    width: int = 3

    def draws(self, sampling: Sampling) -> int:
        """Uniform numbers that a step takes."""
        return sampling.top_k if self.kind == "gumbel" else self.width


@dataclass(frozen=True)
class Method:
    """A way to generate answers: one of `METHODS`, completely described (`as_dict` is the key of a result)."""

    name: str
    sampling: Sampling = Sampling()
    max_new_tokens: int = 1024
    thinking_budget: int | None = None
    swir: SwiReasoning | None = None
    soft: SoftThinking | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything that shapes a result, as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Step:
    """One generated token: its id, whether its input was latent, the entropy (nats) that chose the mode."""

    token: int
    latent: bool
    entropy: float


@dataclass(frozen=True)
class Trace:
    """What happened in one sequence; `steps` is empty unless asked for. Switches count both directions."""

    latent_steps: int
    explicit_steps: int
    switches_to_explicit: int
    switches_to_latent: int
    mean_entropy: float
    injected_tokens: int = 0
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One generated sequence, without the prompt.

    `tokens` end with the end-of-sequence token where `finished`; `text` is everything decoded (special tokens left
    out, except the thinking tags). `thinking` is what stands before the last `</think>` (without tags), None where
    there was no thinking. `final` is what is graded: the text after the thinking, or all of it where none began; None
    for a thought that never ended.
    """

    tokens: tuple[int, ...]
    text: str
    thinking: str | None
    final: str | None
    finished: bool
    trace: Trace
