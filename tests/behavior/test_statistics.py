"""Statistics of answers against oracles that are computed another way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprov.behavior import statistics
from modelprov.behavior.statistics import (
    cluster_bootstrap,
    holm,
    mcnemar,
    paired_bootstrap,
    paired_interval,
    randomisation_test,
    ratio_bootstrap,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30)


def binomial_p(one: int, two: int) -> float:
    """Two-sided exact p of a fair coin, by counting."""
    n, k = one + two, min(one, two)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


def paired(both: int, one: int, two: int, neither: int) -> tuple[list[bool], list[bool]]:
    first = [True] * (both + one) + [False] * (two + neither)
    return first, [True] * both + [False] * one + [True] * two + [False] * neither


def test_the_published_case_of_newcombes_paired_interval():
    """Newcombe (1998), Statistics in Medicine 17, 2635: 36, 12, 2, 0 of 50 give 0.0569 to 0.3404 by method 10."""
    found = paired_interval(*paired(36, 12, 2, 0))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)


@given(PAIRS)
def test_a_paired_interval_holds_the_difference_and_turns_with_its_sides(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found, turned = paired_interval(first, second), paired_interval(second, first)
    if not pairs:
        assert found.value is None
        return
    assert found.value == pytest.approx(sum(first) / len(first) - sum(second) / len(second))
    assert -1 - 1e-9 <= found.low <= found.value <= found.high <= 1 + 1e-9
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_one_pair_that_differs_leaves_both_directions_open():
    found = paired_interval(*paired(30, 1, 0, 69))
    assert found.low < 0 < found.value < found.high


@given(PAIRS)
def test_mcnemar_is_the_fair_coin_on_the_questions_that_differ(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = mcnemar(first, second)
    assert found.only_first + found.only_second + found.both + found.neither == len(pairs)
    assert found.only_first == sum(a and not b for a, b in pairs)
    assert found.p == pytest.approx(binomial_p(found.only_first, found.only_second))
    assert mcnemar(second, first).p == pytest.approx(found.p)


def test_the_textbook_case_of_mcnemar():
    first = [True] * 10 + [False] * 2 + [True] * 5
    second = [False] * 10 + [True] * 2 + [True] * 5
    assert mcnemar(first, second).p == pytest.approx(2 * (1 + 12 + 66) / 4096)


def test_answers_that_are_no_pairs_are_refused():
    for test in (mcnemar, lambda a, b: randomisation_test(a, b, 0), lambda a, b: paired_bootstrap(a, b, "ab", 0)):
        with pytest.raises(ValueError, match="no pairs"):
            test([True, False], [True])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5)), min_size=1, max_size=40), st.integers(0, 9))
def test_a_bootstrapped_mean_is_the_mean_and_lies_in_its_interval_whatever_the_order(answers, seed):
    names, values = [name for name, _ in answers], [float(value) for _, value in answers]
    found = cluster_bootstrap(values, names, seed, resamples=500)
    assert found.value == pytest.approx(sum(values) / len(values))
    assert found.clusters == len(set(names))
    if found.clusters == 1:
        assert (found.low, found.high) == (None, None)
    else:
        assert min(values) - 1e-12 <= found.low <= found.high <= max(values) + 1e-12
    in_pairs = sorted(zip(names, values, strict=True), key=lambda one: list(dict.fromkeys(names)).index(one[0]))
    regrouped = cluster_bootstrap([v for _, v in in_pairs], [n for n, _ in in_pairs], seed, resamples=500)
    assert regrouped == found


def test_the_interval_has_the_width_that_theory_gives():
    rng = np.random.default_rng(1)
    values = rng.normal(3, 2, 400)
    found = cluster_bootstrap(values.tolist(), [str(i) for i in range(400)], 0)
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)


def test_repeating_every_answer_of_a_question_makes_no_interval_shorter():
    values, names = [1.0, 0.0, 1.0, 1.0, 0.0], list("abcde")
    once = cluster_bootstrap(values, names, 0)
    assert cluster_bootstrap(values * 8, names * 8, 0) == once


def test_draws_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch):
    values, names = [float(i % 3) for i in range(50)], [str(i // 2) for i in range(50)]
    whole = cluster_bootstrap(values, names, 3)
    monkeypatch.setattr(statistics, "BLOCK", 100)
    assert cluster_bootstrap(values, names, 3) == whole


def test_no_answers_have_no_interval():
    assert cluster_bootstrap([], [], 0).value is None


def test_tokens_per_correct_answer_is_a_ratio_of_sums_with_infinity_where_a_resample_has_none():
    found = ratio_bootstrap([10, 20, 30], [1, 0, 1], list("abc"), 0)
    assert found.value == 30
    assert found.low is not None
    # (1/3)^3 = 3.7 % of resamples draw b three times, more than the 2.5 % beyond the upper bound.
    assert found.high is None
    assert ratio_bootstrap([10, 20], [0, 0], list("ab"), 0).value is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8))
def test_the_randomisation_test_counts_every_order(pairs):
    differences = [a - b for a, b in pairs]
    observed = abs(sum(differences))
    signed = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    expected = sum(one >= observed for one in signed) / len(signed)
    found = randomisation_test([a / 4 for a, _ in pairs], [b / 4 for _, b in pairs], 0)
    assert found == pytest.approx(expected)


def test_many_differing_questions_are_drawn_and_agree_with_mcnemar():
    first = [True] * 30 + [False] * 12
    second = [False] * 30 + [True] * 12
    drawn = randomisation_test(list(map(float, first)), list(map(float, second)), 0)
    assert drawn == pytest.approx(mcnemar(first, second).p, abs=0.005)


def test_equal_methods_are_seldom_called_different():
    rng, called = np.random.default_rng(0), 0
    for _ in range(400):
        first, second = rng.random((2, 40)) < 0.7
        called += mcnemar(first, second).p <= 0.05
    assert called <= 20 + 3 * 4.4


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_rejects_what_stepping_down_rejects(p_values):
    adjusted = holm(p_values)
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            if min(1.0, (len(p_values) - rank) * p_values[place]) > level:
                break
            rejected.add(place)
        assert {i for i, p in enumerate(adjusted) if p <= level} == rejected
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))


def test_one_p_value_is_left_as_it_is():
    assert holm([0.03]) == (0.03,)
    assert holm([0.04, 0.01, 0.03]) == pytest.approx((0.06, 0.03, 0.06))
