"""Formatting never says more than was measured."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.reports import numbers as n

SHARES = st.floats(0, 1)
ALPHAS = st.floats(-3, 3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.99996, ">99.99 %"),
        (0.00001, "<0.01 %"),
        (0.5652, "56.52 %"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (0.9999, "99.99 %"),
    ],
)
def test_a_share_reads_as_a_percentage(value: float | None, text: str) -> None:
    assert n.share(value) == text


@given(SHARES)
def test_only_all_is_100_percent_and_only_none_is_0_percent(value: float) -> None:
    text = n.share(value)
    assert (text == "100 %") == (value == 1)
    assert (text == "0 %") == (value == 0)
    assert not text.startswith(("100.", "0.00 "))


@given(st.floats(-1, 1))
def test_only_exactly_one_is_a_cosine_of_one(value: float) -> None:
    text = n.cosine(value)
    assert (text in {"1", "-1"}) == (abs(value) == 1)
    assert not text.startswith(("1.0", "-1.0", "-0.0000"))


@given(ALPHAS, st.floats(0, 1))
def test_a_printed_interval_holds_the_measured_one(low: float, width: float) -> None:
    high = low + width
    printed_low, printed_high = map(Decimal, n.interval(low, high).strip("[]").split(", "))
    assert printed_low <= Decimal(low).quantize(Decimal("1e-15")) + Decimal("1e-15")
    assert printed_high >= Decimal(high).quantize(Decimal("1e-15")) - Decimal("1e-15")


@given(ALPHAS, st.floats(1e-9, 1), st.floats(1e-9, 1))
def test_a_printed_tolerance_reaches_both_bounds(alpha: float, below: float, above: float) -> None:
    text = n.tolerance(alpha, alpha - below, alpha + above)
    assert float(text.removeprefix("±")) >= max(below, above) * (1 - 1e-6) - 1e-15


def test_a_coefficient_has_the_digits_of_its_interval() -> None:
    assert n.coefficient(0.565, 0.564997, 0.565003) == "0.565000"
    assert n.interval(0.564997, 0.565003) == "[0.564997, 0.565003]"
    assert n.tolerance(0.565, 0.564997, 0.565003) == "±3e-6"
    assert n.coefficient(0.565) == "0.565"
    assert n.interval(None, 0.5) == n.coefficient(math.nan) == "–"
    assert n.tolerance(None, 0.0, 1.0) == ""


def test_an_estimate_has_the_digits_of_its_error() -> None:
    assert n.with_error(0.59841, 0.00038) == "0.5984 ± 0.0004"
    assert n.with_error(0.59841, 0.000123) == "0.59841 ± 0.00013"
    assert n.with_error(0.5, None) == "0.5000"
    assert n.with_error(None, 0.1) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0K"),
        (999_999, "1.00M"),
        (397_013_214_208, "397B"),
        (2.5e12, "2.50T"),
        (None, "–"),
    ],
)
def test_counts_read_as_people_say_them(value: float | None, text: str) -> None:
    assert n.compact(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 bytes"), (1_500, "1.50 kB"), (806_797_000_000, "807 GB"), (2.42e12, "2.42 TB"), (None, "–")],
)
def test_sizes_are_decimal(value: float | None, text: str) -> None:
    assert n.size(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.04, "0.0 s"), (61, "1 min 1 s"), (4_312.4, "1 h 11 min"), (None, "–")])
def test_durations(value: float | None, text: str) -> None:
    assert n.duration(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0, "0"), (1.96e-5, "1.96e-05")])
def test_small_quantities(value: float | None, text: str) -> None:
    assert n.scientific(value) == text


def test_control_and_invisible_characters_become_visible() -> None:
    assert n.clean("a\x1b[31m\u202e\u200b\n") == "a\\x1b[31m\\u202e\\u200b\\n"
    assert n.clean("a\n\tb", keep="\n\t") == "a\n\tb"
    assert n.clean("α 模型 é") == "α 模型 é"


@given(st.text(max_size=20))
def test_ascii_only_is_ascii(text: str) -> None:
    assert n.ascii_only(text).isascii()


def test_a_half_is_rounded_up_as_people_round() -> None:
    assert (n.number(0.565, 2), n.number(0.125, 2), n.coefficient(0.5645), n.share(0.00125)) == (
        "0.57", "0.13", "0.565", "0.13 %",
    )  # fmt: skip
