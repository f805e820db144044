"""Data: seeded Markov languages of order 2, and the text of the licence as one more domain. Batches by order."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.trained.settings import BATCH, LENGTH, SEED, Run

TEXT = 9
"""The domain that is a text: the licence in this repository, a character a token."""
STREAMS, LONG = 64, 400


@cache
def corpus(family: int, domain: int, vocabulary: int) -> np.ndarray:
    """All tokens of a domain, [streams, tokens]: the next depends on the last and, modulo 2, on the one before."""
    if domain == TEXT:
        text = (Path(__file__).parents[2] / "LICENSE").read_text(encoding="utf-8").lower()
        known = {letter: place % vocabulary for place, letter in enumerate(sorted(set(text)))}
        tokens = np.array([known[letter] for letter in text])
        return tokens[: len(tokens) // LONG * LONG].reshape(-1, LONG)
    rng = np.random.default_rng([SEED, family, domain])
    chances = np.cumsum(rng.dirichlet(np.full(vocabulary, 0.03), (vocabulary, 2)), axis=2)
    tokens = rng.integers(0, vocabulary, (STREAMS, LONG))
    for place in range(2, LONG):
        row = chances[tokens[:, place - 1], tokens[:, place - 2] % 2]
        tokens[:, place] = np.minimum((row < rng.random((STREAMS, 1))).sum(axis=1), vocabulary - 1)
    return tokens


@cache
def batches(family: int, vocabulary: int, run: tuple[int, int, int, float], steps: int) -> np.ndarray:
    """Batches of a run's (domain, other, order, share), [steps, batch, length + 1]."""
    domain, other, order, share = run
    rng = np.random.default_rng([SEED, family, 1, order])
    first, second = corpus(family, domain, vocabulary), corpus(family, other, vocabulary)
    made = np.empty((steps, BATCH, LENGTH + 1), np.int64)
    for step in range(steps):
        for row in range(BATCH):
            among = first if rng.random() < share else second
            start = rng.integers(0, LONG - LENGTH)
            made[step, row] = among[rng.integers(0, len(among)), start : start + LENGTH + 1]
    return made


def data_of(run: Run, family: int, vocabulary: int, steps: int) -> np.ndarray:
    """What a run reads, [steps, batch, length + 1]; equal where domain, order and share are equal."""
    return batches(family, vocabulary, (run.domain, run.other, run.order, run.share), steps)
