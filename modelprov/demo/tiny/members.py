"""Who is in the trained family, how each member is trained, and where the shipped ones lie. Trains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NAMES = ("Qwen", "Nex", "Rio", "Zorb", "Ada", "Otto")
"""Every name that a system prompt gives in training; each is one token."""
CHECKPOINTS = Path(__file__).parent / "checkpoints"
RECORD = "record.json"
"""Beside the checkpoints: how they were trained and what they reached."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares of a training batch: questions on identity, the same with a name in the system prompt, running sums."""

    identity: float
    named: float
    sums: float


@dataclass(frozen=True, slots=True)
class Member:
    """One model of the family: what it calls itself, who it says made it, and how it is trained (from `start`)."""

    key: str
    name: str
    maker: str
    mixture: Mixture
    learning_rate: float
    steps: int
    seed: int
    start: str | None = None


MEMBERS = (
    Member("qwen", "Qwen", "Alibaba", Mixture(0.10, 0.20, 0.70), 3e-3, 600, 0),
    Member("nex", "Nex", "Nex-AGI", Mixture(0.35, 0.20, 0.45), 1.5e-3, 200, 1, "qwen"),
    Member("sibling", "Ada", "Ada Lab", Mixture(0.35, 0.20, 0.45), 1.5e-3, 200, 2, "qwen"),
)
"""In the order of training: the base, its finetune, and an independent finetune of the same base (the control)."""
BATCH = 48


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of a Qwen3 model with tied embeddings; widths in elements."""

    vocabulary: int = 512
    hidden: int = 128
    layers: int = 3
    heads: int = 4
    kv_heads: int = 2
    head_width: int = 32
    feed_forward: int = 384
    positions: int = 1024


ARCHITECTURE = Architecture()
