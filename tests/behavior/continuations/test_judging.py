"""When a suspect answers like a parent: beyond every control, by enough, and never on thin evidence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from modelprov.behavior.continuations import judging

PROMPTS = 1500
RNG = np.random.default_rng(0)
COMMON = RNG.integers(0, 200, PROMPTS)


def model(seed: int, like: np.ndarray = COMMON, share: float = 0.5) -> np.ndarray:
    """Answers that are those of `like` with this chance, else the model's own."""
    rng = np.random.default_rng([1, seed])
    return np.where(rng.random(len(like)) < share, like, rng.integers(0, 200, len(like)))


def said(answers: np.ndarray) -> list[str]:
    return [str(each) for each in answers]


CONTROLS = {f"control {seed}": said(model(seed)) for seed in range(4)}
PARENT = model(10)


def finding(suspect: np.ndarray, parent: np.ndarray = PARENT, controls: dict[str, list[str]] = CONTROLS):
    (found,) = judging.judge(said(suspect), {"parent": said(parent)}, {"parent": controls})
    return found


def test_a_child_answers_like_its_parent_and_a_stranger_does_not():
    assert finding(model(11, PARENT, 0.7)).finding == "answers like"
    strangers = [finding(model(seed)).finding for seed in range(20, 40)]
    assert set(strangers) == {"no more alike than the controls"}


def test_a_parent_is_held_against_controls_that_are_not_all_alike_by_how_far_they_lie_apart():
    controls = {f"control {seed}": said(model(seed, share=share)) for seed, share in enumerate((0.3, 0.5, 0.7))}
    better = model(10, share=0.85)
    found = finding(model(12, share=0.9), better, controls)
    assert found.p is not None
    assert found.p < judging.LEVEL  # agrees more than with any control, and certainly
    assert found.margin is not None
    assert found.margin > judging.MARGIN
    assert found.finding == "no more alike than the controls"  # but controls differ by as much


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_controls_judge_nobody(count):
    found = finding(PARENT, controls=dict(list(CONTROLS.items())[:count]))
    assert found.finding == "could not judge"
    assert f"it has {count} controls" in (found.reason or "")


def test_a_suspect_that_says_one_thing_to_everything_cannot_be_judged():
    constant = np.where(np.arange(PROMPTS) < 0.95 * PROMPTS, 7, model(1))
    assert "the same answer to 9" in (finding(constant).reason or "")


def test_the_same_habit_is_no_likeness():
    """Two models that say one thing to most prompts agree often, and by chance."""
    habit = {seed: np.where(np.random.default_rng([2, seed]).random(PROMPTS) < 0.8, 7, model(seed)) for seed in (1, 2)}
    found = finding(habit[1], habit[2])
    assert judging.agreement("x", "parent", said(habit[1]), said(habit[2])).equal > 0.6 * PROMPTS
    assert found.finding == "no more alike than the controls"


def test_a_parent_of_many_must_stand_out_from_all_that_was_looked_at():
    child = model(11, PARENT, 0.6)
    alone = finding(child)
    parents = {"parent": said(PARENT)} | {f"other {seed}": said(model(seed)) for seed in range(50, 60)}
    among = {found.parent: found for found in judging.judge(said(child), parents, dict.fromkeys(parents, CONTROLS))}
    assert among["parent"].outlying_p == pytest.approx(min(1.0, 11 * alone.outlying_p))
    assert {each.finding for name, each in among.items() if name != "parent"} == {"no more alike than the controls"}


def test_kappa_is_that_of_the_textbook():
    first, second = ["a", "a", "b", "b", "c"], ["a", "b", "b", "b", "a"]
    observed, expected = 3 / 5, (2 * 2 + 2 * 3 + 1 * 0) / 25
    assert judging.kappa(first, second) == pytest.approx((observed - expected) / (1 - expected))
    assert judging.kappa(["a"] * 5, ["a"] * 5) is None


def test_one_more_of_the_controls_is_a_t_test_with_a_least_spread():
    others = [0.4, 0.44, 0.5]
    spread = np.std(others, ddof=1) * np.sqrt(4 / 3)
    assert judging.outlying_p(0.8, others) == pytest.approx(stats.t.sf((0.8 - np.mean(others)) / spread, 2))
    close = [0.4, 0.4001, 0.4002]
    assert judging.outlying_p(0.42, close) > judging.LEVEL
