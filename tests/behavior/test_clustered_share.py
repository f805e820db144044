"""The interval of a share of clustered answers: how often it holds the truth, exactly or simulated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from modelprov.behavior.statistics import clustered_bounds, clustered_share

TRUTHS, QUESTIONS = (0.01, 0.05, 0.5, 0.95), (12, 36, 144)


@pytest.mark.parametrize("questions", QUESTIONS)
@pytest.mark.parametrize("truth", TRUTHS)
def test_one_answer_a_question_is_held_in_95_of_100_cases_exactly(truth, questions):
    sums = np.arange(questions + 1)
    each = (np.arange(questions)[None, :] < sums[:, None]).astype(float)
    low, high = clustered_bounds(each, np.ones(questions))
    assert binom.pmf(sums, questions, truth)[(low <= truth) & (truth <= high)].sum() >= 0.95


@pytest.mark.parametrize("questions", QUESTIONS)
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("alike", [0.0, 0.3, 1.0])
def test_eight_answers_a_question_are_held_in_94_of_100_cases_however_alike_they_are(truth, questions, alike):
    rng = np.random.default_rng(17)
    size = (2000, questions)
    if alike in (0.0, 1.0):
        chances = np.full(size, truth) if alike == 0 else (rng.random(size) < truth).astype(float)
    else:
        chances = rng.beta(truth * (1 / alike - 1), (1 - truth) * (1 / alike - 1), size)
    low, high = clustered_bounds(rng.binomial(8, chances).astype(float), np.full(questions, 8.0))
    error = 2 * (0.06 * 0.94 / len(low)) ** 0.5  # of the simulation, two standard errors
    assert ((low <= truth) & (truth <= high)).mean() >= 0.94 - error


def test_the_interval_contains_the_share_and_needs_answers():
    found = clustered_share([True, False, True, True], ["a", "a", "b", "b"])
    assert found.low < found.value == 0.75 < found.high
    assert clustered_share([], []).value is None
