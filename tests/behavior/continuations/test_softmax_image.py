"""Numbers inside and outside the image of a head, against least squares written out, and what is said of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.answering import images
from modelprov.behavior.continuations import softmax_image as image

TOKENS, HIDDEN, TEXTS = 90, 20, 12


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


COMMON = normal(0, TOKENS, HIDDEN)
"""What heads of one language have in common."""


def head(seed: int) -> np.ndarray:
    return np.asarray(COMMON + normal(seed, TOKENS, HIDDEN))


def said(rows: np.ndarray) -> np.ndarray:
    """Log-probabilities after all texts, [texts, tokens]."""
    logits = normal(99, TEXTS, HIDDEN) @ rows.T
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))


def bfloat16(numbers: np.ndarray) -> np.ndarray:
    """Rounded to eight significant bits."""
    scale = 2.0 ** (np.floor(np.log2(np.abs(numbers))) - 7)
    return np.asarray(np.round(numbers / scale) * scale)


def shares(suspect: np.ndarray, **heads: np.ndarray) -> dict[str, list[float]]:
    return {name: [image.outside(image.Head(rows).image(), each) for each in said(suspect)]
            for name, rows in heads.items()}  # fmt: skip


def found(suspect: np.ndarray, controls: int = 3):
    heads = {"parent": head(1), **{f"control {n}": head(10 + n) for n in range(controls)}}
    own = shares(suspect, **heads)
    (judged,) = image.judge(
        own, {"parent": 1e-3}, {"parent": 0.0}, {"parent": [each for each in heads if each != "parent"]}, {}
    )
    return judged


def test_outside_is_the_residual_of_least_squares_with_an_intercept():
    rows, bias, numbers = head(1), normal(5, TOKENS), said(head(2))[0]
    design = np.column_stack([rows, bias, np.ones(TOKENS)])
    left = numbers - design @ np.linalg.lstsq(design, numbers, rcond=None)[0]
    free, spread = TOKENS - HIDDEN - 2, numbers.var(ddof=1)
    assert image.outside(image.Head(rows, bias).image(), numbers) == pytest.approx(np.sqrt(left @ left / free / spread))


def test_a_head_in_other_coordinates_has_the_same_image():
    turned = head(1) @ normal(7, HIDDEN, HIDDEN)
    assert shares(head(1), turned=turned)["turned"] == pytest.approx([0] * TEXTS, abs=1e-10)


def test_dimensions_that_a_head_has_twice_count_once():
    rows = head(1)
    assert image.Head(np.column_stack([rows, rows[:, :3]])).image().shape == (TOKENS, HIDDEN)


def test_without_a_spare_token_nothing_can_be_said():
    assert np.isnan(image.outside(image.Head(head(1)[: HIDDEN + 1]).image(), said(head(1))[0][: HIDDEN + 1]))


@pytest.mark.parametrize(
    ("suspect", "finding"),
    [
        (head(1), "its head"),
        (head(1) + 1e-4 * normal(8, TOKENS, HIDDEN), "its head"),
        (head(1) + 0.1 * normal(8, TOKENS, HIDDEN), "near its head"),
        (0.5 * head(1) + 0.5 * head(30), "no nearer than the controls"),
        (head(30), "no nearer than the controls"),
    ],
)
def test_what_is_said_of_a_head(suspect, finding):
    assert found(suspect).finding == finding


def test_a_parent_whose_own_numbers_are_coarse_has_no_head_that_anything_fits():
    own = shares(head(30), parent=head(1))
    (judged,) = image.judge(own, {"parent": 0.9}, {"parent": 0.9}, {"parent": []}, {})
    assert judged.finding == "could not judge"


@pytest.mark.parametrize("common", [0, 5, 15])
@pytest.mark.parametrize(
    ("suspect", "coarse", "finding"),
    [
        (head(1), True, "its head"),
        (head(1), False, "its head"),
        (0.985 * head(1) + 0.015 * head(30), False, "near its head"),
        (0.97 * head(1) + 0.03 * head(30), True, "near its head"),
    ],
)
def test_room_for_rounding_is_given_only_to_numbers_that_were_rounded(common, suspect, coarse, finding):
    """Logits with a common part lose in bfloat16 what a small share of another head leaves."""
    parts = {"parent": head(1), **{f"control {n}": head(10 + n) for n in range(3)}}
    images = {name: image.Head(rows).image() for name, rows in parts.items()}
    spread = np.std(said(head(1)), axis=1).mean()
    served = said(suspect) / spread + common
    served = bfloat16(served) if coarse else served
    own = {name: [image.outside(each, text) for text in served] for name, each in images.items()}
    parents = bfloat16(said(head(1)) / spread + common)
    rounding = float(np.median([image.outside(images["parent"], text) for text in parents]))
    grain = float(np.median([image.grain(text) for text in served]))
    (judged,) = image.judge(own, {"parent": rounding}, {"parent": grain}, {"parent": [*parts][1:]}, {})
    assert judged.finding == finding


@pytest.mark.parametrize("step", [0.25, 0.0625, 0.01])
def test_the_grain_is_what_rounding_to_steps_loses(step):
    numbers = normal(3, 4000) * 2
    assert image.grain(np.round(numbers / step) * step) == pytest.approx(step / np.sqrt(12) / 2, rel=0.1)
    assert image.grain(numbers) < 0.05 * step


def test_its_head_needs_no_controls_and_near_its_head_three():
    assert found(head(1), 0).finding == "its head"
    near = found(head(1) + 0.1 * normal(8, TOKENS, HIDDEN), 2)
    assert (near.finding, near.reason) == ("could not judge", "it has 2 controls that count, and takes 3")


def test_a_control_that_is_as_near_takes_the_finding_away():
    suspect = head(1) + 0.1 * normal(8, TOKENS, HIDDEN)
    heads = {"parent": head(1), "sibling": head(1) + 0.1 * normal(9, TOKENS, HIDDEN), "a": head(10), "b": head(11)}
    controls = {"parent": ["sibling", "a", "b"]}
    (judged,) = image.judge(shares(suspect, **heads), {"parent": 1e-3}, {"parent": 0.0}, controls, {})
    assert judged.finding == "no nearer than the controls"


def test_the_trained_family_is_as_the_thresholds_and_the_words_have_it():
    result = json.loads(images.RESULTS.read_text(encoding="utf-8"))
    strangers = [row for row in result["rows"] if row["truth"] == "strangers"]
    assert sum(row[each] for row in strangers for each in images.FOUND) == 0
    assert min(row["nearness"][0] for row in strangers) > 0.9
    assert min(row["outside"][0] for row in strangers) > image.RELATED
    derived = [row for row in result["rows"] if row["truth"] == "derived"]
    assert max(row["nearness"][1] for row in derived) < 0.18
    (student,) = {tuple(row["nearness"]) for row in result["rows"]
                  if row["kind"].startswith("distilled") and row["controls"] == 3}  # fmt: skip
    assert student[0] > 0.55
    served = {row["served"]: (row["other numbers"], row["tests"]) for row in result["served"]}
    assert served["the same weights, in bfloat16"][0] == served["rounded to 8 bits"][0] == 0
    assert served["rounded to 4 bits"][0] == served["rounded to 4 bits"][1]
