"""What is said of a sample says of how much: in the summary, which is what others quote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cases.decoders import Decoder
from benchmarks.cases.side_by_side import SHAPE, _family
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.weights import random_weights
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from modelprov.forensics.compare import Options
from modelprov.forensics.sampling.closer import largest
from modelprov.jobs.compare import compare
from modelprov.jobs.fingerprint import fingerprint
from modelprov.reports.comparison.beginning import headline
from modelprov.reports.evidence.bill_of_materials import relatives
from modelprov.shares import rough_percent
from tests.generated import merge
from tests.memory import run

SAMPLE = Options(threads=1, device="cpu", sample=True, sample_elements=1 << 14)


def test_the_summary_of_a_sample_carries_the_share_that_was_read() -> None:
    first, second, _ = _family(np.random.default_rng(1), SHAPE)
    suspect = merge([first, second], [0.6, 0.4])
    whole = run((suspect, first, second)).findings.verdict
    part = run((suspect, first, second), options=SAMPLE).findings.verdict
    assert (whole.class_, part.class_) == ("merge", "merge")
    assert whole.summary.startswith("S is ")
    assert part.summary.startswith("In the ")
    assert part.summary.partition(" of the weights that were read: ")[2].startswith("S is ")
    assert part.reason == whole.reason


def test_whatever_is_made_of_fingerprints_carries_it(tmp_path: Path) -> None:
    first, second, _ = _family(np.random.default_rng(1), SHAPE)
    for name, weights in (("s", merge([first, second], [0.6, 0.4])), ("a", first), ("b", second)):
        fill_checkpoint(tmp_path / name, as_stored(weights), {}, 1)
        fingerprint(tmp_path / name, tmp_path / f"{name}.mpf", size=60_000)
    report = compare(*(tmp_path / f"{name}.mpf" for name in "sab"), device="cpu", threads=1)
    read = rough_percent(report.coverage.read_share)
    assert 0 < report.coverage.read_share < 0.9
    assert report.verdict.class_ == "merge"
    assert report.verdict.summary.startswith(f"In the {read} of the weights that were read: s is ")
    plain = report.verdict.summary.partition(" (`")[0]  # Markdown and HTML mark code in ways of their own
    for text in (report.rendered("markdown"), report.rendered("html")):
        assert plain in " ".join(text.split())
    assert headline(report).endswith(f"({read} of it read)")
    assert all(f"every bit read, in {read} of the weights" in each.proportion for each in relatives(report))
    whole = compare(*(tmp_path / name for name in "sab"), device="cpu", threads=1)
    assert "every bit" in whole.verdict.summary
    assert "read:" not in whole.verdict.summary
    assert all("every bit;" in each.proportion or each.proportion.endswith("every bit") for each in relatives(whole))


@pytest.mark.parametrize("elements", [1 << 30])
def test_a_sample_of_everything_is_no_sample(elements: int) -> None:
    first, second, _ = _family(np.random.default_rng(1), SHAPE)
    options = Options(threads=1, device="cpu", sample=True, sample_elements=elements)
    assert run((first, second), options=options).findings.verdict.summary.startswith(("S ", "All "))


def _large(seed: int) -> tuple[Weights, Weights]:
    """A model with a vocabulary far larger than a sample, and a copy of it to change."""
    rng = np.random.default_rng(seed)
    shape = Decoder(layers=2, hidden=64, width=128, vocabulary=12_000, heads=8, groups=4)
    parent = random_weights(shape.specs(DType.BF16), rng)
    return parent, {name: (values.copy(), dtype) for name, (values, dtype) in parent.items()}


@pytest.mark.parametrize("first", [3_000, 11_940])
def test_a_few_trained_rows_of_a_vocabulary_are_no_copy_by_sample_either(first: int) -> None:
    parent, suspect = _large(3)
    rows = suspect["model.embed_tokens.weight"][0]
    rows[first : first + 32] = rows[first + 32 - 1 : first - 1 : -1]
    options = replace(SAMPLE, sample_elements=1 << 18)
    assert run((suspect, parent), options=options).findings.verdict.class_ == "same-origin"


def test_a_bias_alone_is_found_by_sample() -> None:
    parent, suspect = _large(4)
    suspect["model.norm.weight"][0][5] *= 2
    options = replace(SAMPLE, sample_elements=1 << 18)
    summary = run((suspect, parent), options=options).findings.verdict.summary
    assert "only smaller ones, norms, biases or the like differ" in summary


def test_a_copy_by_sample_says_how_much_may_differ() -> None:
    parent, suspect = _large(5)
    found = run((suspect, parent), options=replace(SAMPLE, sample_elements=1 << 18)).findings
    assert found.verdict.class_ == "copy"
    assert 0 < found.facts.may_differ < 0.01
    assert (
        f"Up to {rough_percent(found.facts.may_differ)} of the weights may differ all the same" in found.verdict.summary
    )
    assert any("a small part of the weights that was not read" in each.history for each in found.verdict.histories)
    whole = run((suspect, parent)).findings
    assert whole.facts.may_differ == 0
    assert "may differ" not in whole.verdict.summary


def test_a_merge_by_sample_says_what_was_not_read_and_gives_a_share_where_all_that_was_read_fits() -> None:
    first, second, third = _family(np.random.default_rng(6), replace(SHAPE, vocabulary=6_000))
    mixed = merge([first, second], [0.6, 0.4])
    options = replace(SAMPLE, sample_elements=1 << 16)
    found = run((mixed, first, second), options=options).findings
    assert (found.verdict.class_, found.reproduction.bit_equal) == ("merge", 1)
    assert found.verdict.summary.endswith(
        f" Up to {rough_percent(found.facts.may_differ)} of the weights may come from elsewhere all the same (95 % "
        "confidence). Only comparing every weight of the models themselves settles it (`compare --full`)."
    )
    other = {name: third[name] if ".layers.1." in name and "norm" in name else mixed[name] for name in mixed}
    partly = run((other, first, second), options=options).findings
    assert "Weights that were not read may come from elsewhere all the same. Only" in partly.verdict.summary
    assert "may come from elsewhere" not in run((mixed, first, second)).findings.verdict.summary


def test_the_limit_of_one_stratum_is_that_of_clopper_and_pearson() -> None:
    assert largest(np.array([1.0]), np.array([59])) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert largest(np.array([0.3, 0.7]), np.array([30, 70])) == pytest.approx(1 - 0.05 ** (1 / 100))


@given(st.lists(st.tuples(st.floats(0.01, 1), st.integers(1, 40)), min_size=2, max_size=3), st.data())
def test_no_shares_that_a_sample_would_miss_exceed_the_limit(
    strata: list[tuple[float, int]], data: st.DataObject
) -> None:
    weights, runs = np.array([weight for weight, _ in strata]), np.array([run for _, run in strata])
    differing = np.array([data.draw(st.floats(0, 0.999)) for _ in strata])
    if np.prod((1 - differing) ** runs) >= 0.05:
        assert weights @ differing <= largest(weights, runs) + 1e-9
