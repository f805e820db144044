"""What is said of a sample says of how much: in the summary, which is what others quote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases.side_by_side import SHAPE, _family
from modelprov.demo.writing import as_stored, fill_checkpoint
from modelprov.forensics.compare import Options
from modelprov.jobs.compare import compare
from modelprov.jobs.fingerprint import fingerprint
from modelprov.reports.comparison.sections import headline
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
    for text in (report.rendered("markdown"), report.rendered("html")):
        assert report.verdict.summary in " ".join(text.split())
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
