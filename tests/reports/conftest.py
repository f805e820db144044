"""Sample reports as fixtures, and golden files: `pytest tests/reports --update-goldens` writes them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprov.reports.comparison.report import Report
from modelprov.reports.saving import rendered
from tests.reports.samples import SAMPLES

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the golden files of reports anew")


@pytest.fixture(scope="session", params=list(SAMPLES))
def report(request: pytest.FixtureRequest) -> Report:
    """Return each sample in turn."""
    return SAMPLES[request.param]()


@pytest.fixture(scope="session")
def source(report: Report) -> str:
    """Return the page of each sample in turn; rendered once, since plots take a while."""
    return rendered("html", report)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that compares text with a golden file, or writes it where asked to."""
    update = request.config.getoption("--update-goldens", default=False) or os.environ.get("UPDATE_GOLDENS") == "1"

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if update:
            GOLDEN.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.is_file(), f"{path} is missing: run pytest tests/reports --update-goldens"
        assert text == path.read_text(encoding="utf-8"), "if this is meant, run pytest tests/reports --update-goldens"

    return check
