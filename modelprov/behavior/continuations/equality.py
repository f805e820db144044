"""Whether two models answer from the same distribution: a two-sample test on sampled completions. Asks nobody.

Model Equality Testing (Gao, Liang and Guestrin, arXiv 2410.20247): the squared maximum mean discrepancy with the
Hamming kernel, k(x, y) = share of places at which x and y have the same character if both continue the same prompt,
else 0; its p from permutations that exchange the two models' completions of a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

LEVEL = 0.01
PERMUTATIONS = 2_000
LENGTH = 200
"""Characters of a completion that are compared; shorter ones count as equal where both are over."""

Grams = npt.NDArray[np.float64]


def tested(first: Sequence[Sequence[str]], second: Sequence[Sequence[str]], seed: int) -> tuple[float, float]:
    """Statistic and p of two models' completions: for each prompt a list of as many texts."""
    return permuted(hamming([[*a, *b] for a, b in zip(first, second, strict=True)]), len(first[0]), seed)


def hamming(texts: Sequence[Sequence[str]]) -> Grams:
    """The kernel between all completions of each prompt, [prompts, completions, completions]."""
    length = max(1, min(LENGTH, max(len(text) for each in texts for text in each)))
    grams = []
    for each in texts:
        letters = np.full((len(each), length), -1, np.int32)
        for row, text in zip(letters, each, strict=True):
            row[: len(text[:length])] = [ord(letter) for letter in text[:length]]
        grams.append((letters[:, None] == letters[None]).mean(-1))
    return np.stack(grams)


def discrepancy(grams: Grams, first: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The unbiased squared discrepancy, summed over prompts, of each labelling `first`, [labellings, *grams.shape[:2]].

    Both models have equally many completions of each prompt.
    """
    count, mine, theirs = grams.shape[1] // 2, first.astype(float), (~first).astype(float)
    within = _form(grams, mine, mine) + _form(grams, theirs, theirs) - np.einsum("pii->", grams)  # without k(x, x)
    return np.asarray(within / (count * (count - 1)) - 2 * _form(grams, mine, theirs) / count**2)


def _form(grams: Grams, left: Grams, right: Grams) -> npt.NDArray[np.float64]:
    """The sum over prompts of left' gram right, of each labelling."""
    return np.asarray(np.einsum("lpi,lpi->l", np.matmul(left[:, :, None], grams)[:, :, 0], right))


def permuted(grams: Grams, count: int, seed: int) -> tuple[float, float]:
    """The discrepancy of the first `count` completions of each prompt from the rest, and its one-sided p."""
    rng = np.random.default_rng(seed)
    start = np.zeros((1, *grams.shape[:2]), bool)
    start[:, :, :count] = True
    own = float(discrepancy(grams, start)[0])
    beyond = 1
    for _ in range(PERMUTATIONS // 100):
        drawn = rng.permuted(np.repeat(start, 100, axis=0), axis=2)
        beyond += int((discrepancy(grams, drawn) >= own - 1e-12).sum())
    return own / len(grams), beyond / (1 + PERMUTATIONS)
