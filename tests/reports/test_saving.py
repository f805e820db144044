"""A report in a file is what its name says, and in a notebook a page in a frame of its own."""

from __future__ import annotations

import re
from html import unescape
from importlib import import_module
from pathlib import Path

import pytest

from modelprov.errors import UsageError
from modelprov.reports.comparison.as_json import load_report
from modelprov.reports.saving import KINDS, rendered
from modelprov.savable import Saved
from tests.reports.samples import SAMPLES


def test_the_ending_of_the_name_says_the_form(tmp_path: Path) -> None:
    report = SAMPLES["merge"]()
    for name, form in (("r.json", "json"), ("r.md", "markdown"), ("r.HTML", "html")):
        written = report.save(tmp_path / name)
        assert written == tmp_path / name
        assert written.read_text(encoding="utf-8") == rendered(form, report)
    assert load_report((tmp_path / "r.json").read_text()) == report


@pytest.mark.parametrize("name", ["report", "report.pdf", "model.safetensors", "model.safetensors.index.json"])
def test_another_name_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        SAMPLES["merge"]().save(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["merge", "hostile"])
def test_a_notebook_shows_the_page_in_a_frame_that_runs_nothing(name: str) -> None:
    report = SAMPLES[name]()
    frame = re.fullmatch(r'<iframe srcdoc="([^"<>]*)" sandbox="" [^<>]*></iframe>', report._repr_html_())
    assert frame is not None
    assert unescape(frame[1]) == rendered("html", report)


def test_every_kind_of_report_is_told_and_written_where_the_table_says() -> None:
    for kind, (telling, writer) in KINDS.items():
        module, name = kind.rsplit(".", maxsplit=1)
        assert issubclass(getattr(import_module(module), name), Saved), kind
        assert callable(import_module(telling).tell)
        assert not writer or callable(import_module(writer).render_json)
