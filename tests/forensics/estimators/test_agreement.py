"""After the merge: the six rows of the table in estimators.md, and Wilson intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from modelprov.checkpoints.formats.dtypes import DType, round_to
from modelprov.forensics.agreement import Counts, count, measure
from modelprov.forensics.sampling.sample import from_values
from modelprov.shares import wilson
from tests.forensics.estimators.simulated import bf16_stepwise

N = 400_000
DISTANCE = 5e-4
ALPHA = 0.565


def bf16(x):
    return round_to(x, DType.BF16)


def suspects():
    rng = np.random.default_rng(50)
    base = bf16(rng.normal(0, 0.02, N))
    parent = bf16(base + rng.normal(0, DISTANCE, N))
    noise = rng.normal(size=N)
    pure = (np.float32(ALPHA) * parent.astype(np.float32) + np.float32(1 - ALPHA) * base.astype(np.float32)).astype(
        np.float64
    )
    made = {
        "float32": bf16(pure),
        "bf16": bf16_stepwise(ALPHA, parent, base),
        "trained 1 %": bf16(pure + 0.01 * DISTANCE * noise),
        "trained 10 %": bf16(pure + 0.1 * DISTANCE * noise),
        "independent": bf16(base + DISTANCE * noise),
        "further": bf16(parent + 0.1 * DISTANCE * noise),
    }
    return {name: from_values(value, [parent, base], DType.BF16) for name, value in made.items()}


SUSPECTS = suspects()


@pytest.mark.parametrize(
    ("name", "cosine", "agreement", "betweenness"),
    [
        ("float32", 0.9933, 1.0, 1.0),
        ("bf16", 0.9778, 0.669, 0.998),
        ("trained 1 %", 0.9931, 0.99603, 0.99957),
        ("trained 10 %", 0.9782, 0.747, 0.962),
        ("independent", 0.0, 0.115, 0.323),
        ("further", 0.9947, 0.749, 0.749),
    ],
)
def test_the_table_of_what_happens_after_a_merge(name, cosine, agreement, betweenness):
    sample = SUSPECTS[name]
    u, v = sample.deltas[0], sample.delta
    result = measure(count(sample))
    assert u @ v / np.linalg.norm(u) / np.linalg.norm(v) == pytest.approx(
        cosine, abs=4 / np.sqrt(N) if cosine == 0 else 4e-4
    )
    for got, expected in ((result.agreement, agreement), (result.betweenness, betweenness)):
        error = np.sqrt(expected * (1 - expected) / got.total)
        # four standard errors of both sides, and the rounding of the printed figure
        assert got.share == pytest.approx(expected, abs=4 * np.sqrt(2) * error + 6e-4 * (expected < 0.9990))


def test_no_element_to_count_is_a_reason_and_no_share():
    result = measure(Counts(0, 0, 0, 0))
    assert result.agreement.share is None
    assert "all parents are equal" in result.agreement.reason
    assert "differ" in result.betweenness.reason


def test_counts_of_parts_add_up():
    sample = SUSPECTS["trained 1 %"]
    assert count(sample.take(slice(0, 1000))) + count(sample.take(slice(1000, N))) == count(sample)


def test_of_several_parents_all_must_agree():
    sample = from_values([1.0, 2.0, 3.0], [[1.0, 1.0, 1.0], [1.0, 2.5, 1.0], [1.0, 1.0, 2.0]], DType.F32)
    assert count(sample) == Counts(1, 1, 2, 1)


@given(st.integers(0, 400), st.integers(0, 400))
def test_wilson_equals_scipys(successes, more):
    total = successes + more
    if total == 0:
        assert wilson(0, 0).share is None
        return
    expected = binomtest(successes, total).proportion_ci(method="wilson")
    result = wilson(successes, total)
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert result.low <= result.share <= result.high


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)
