"""Same distribution or another: the statistic is the definition's, p is honest, and a difference is seen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.answering import run
from modelprov.behavior.continuations import completing, equality
from modelprov.reports.probing import continuing

LETTERS = np.array(list("abcdefgh"))


def completions(seed: int, tilt: float = 0.0, prompts: int = 8, samples: int = 10) -> list[list[str]]:
    """Texts of 12 letters, each prompt with its own preferences; `tilt` shifts them all towards the first letter."""
    chances = np.random.default_rng(1).dirichlet(np.ones(8), prompts)
    chances = (1 - tilt) * chances + tilt * np.eye(8)[0]
    rng = np.random.default_rng([2, seed])
    return [["".join(rng.choice(LETTERS, 12, p=row)) for _ in range(samples)] for row in chances]


def test_the_statistic_is_the_unbiased_discrepancy_written_out():
    first, second = completions(1), completions(2, 0.3)
    grams = equality.hamming([[*a, *b] for a, b in zip(first, second, strict=True)])
    assert grams[0, 0, 11] == np.mean([x == y for x, y in zip(first[0][0], second[0][1], strict=True)])
    slow = 0.0
    for gram in grams:
        own = sum(gram[i, j] for i in range(10) for j in range(10) if i != j) / 90
        others = sum(gram[i, j] for i in range(10, 20) for j in range(10, 20) if i != j) / 90
        slow += own + others - 2 * gram[:10, 10:].mean()
    assert equality.tested(first, second, 0)[0] == pytest.approx(slow / 8)


def test_texts_that_are_over_agree_in_what_neither_has():
    (gram,) = equality.hamming([["ab", "abcd", ""]])
    assert gram.tolist() == [[1.0, 0.5, 0.5], [0.5, 1.0, 0.0], [0.5, 0.0, 1.0]]


def test_two_samples_of_the_same_models_seldom_differ_and_of_others_always(monkeypatch):
    monkeypatch.setattr(equality, "PERMUTATIONS", 100)
    same = [equality.tested(completions(seed), completions(100 + seed), seed)[1] for seed in range(60)]
    assert 1 <= sum(p <= 0.1 for p in same) <= 12  # 6 expected; outside in less than one of 100 such tests
    assert np.mean(same) == pytest.approx(0.5, abs=3 * np.sqrt(1 / 12 / 60))
    assert equality.tested(completions(1), completions(2, 0.3), 0)[1] == pytest.approx(1 / 101)


def test_what_the_report_says_of_the_trained_family_is_what_was_measured_there():
    how = (run.TEXTS * run.SAMPLES, run.TOKENS[-1])
    assert how == (continuing.TRIED_COMPLETIONS, continuing.TRIED_TOKENS) == (500, completing.TOKENS)
    rows = json.loads(run.RESULTS.read_text(encoding="utf-8"))["equality"]
    counts = {row["served"]: row for row in rows if row["tokens"] == completing.TOKENS}
    assert counts["rounded to 4 bits"]["another"] == 0
    assert counts["trained further"]["another"] == counts["trained further"]["tests"]
