"""Reports that are dropped: shown alone, combined, refused in words; nothing in them is more than text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelprov.jobs.combine import PLACES
from modelprov.reports.as_json import render_json as plain_json
from modelprov.reports.comparison.as_json import render_json
from modelprov.reports.saving import rendered
from modelprov.reports.schemas import KINDS as SCHEMAS
from modelprov.serve import dropped as dropping
from modelprov.serve.app import BACK, MOST_KEPT
from tests.reports import atlases, samples, short_answers
from tests.reports.test_pages_case import checked, probed, scored, weights
from tests.reports.test_schemas import IDENTIFIED
from tests.serve.conftest import Open, Page

if TYPE_CHECKING:
    from modelprov.reports.saving import Result

HOSTILE = "<script>alert(1)</script>"
MADE: dict[str, Callable[[], Result]] = {
    "compare": weights, "check": checked, "probe": lambda: probed(location="models/rio"), "eval": scored,
    "identify": lambda: IDENTIFIED, "atlas": atlases.drawn, "verify": short_answers.verified,
    "inspect": short_answers.inspection,
}  # fmt: skip
TEXTS = {kind: rendered("json", make()) for kind, make in MADE.items()}
COMBINED = {kind: text for kind, text in TEXTS.items() if kind in PLACES}


def dropped(page: Page, **texts: str) -> str:
    """The page that these reports make, or why they make none."""
    files = [("report", (f"{name}.json", text.encode(), "application/json")) for name, text in texts.items()]
    answer = page.post("/reports", files=files)
    if answer.status_code != 303:
        assert answer.status_code == 400
        return answer.text
    report = page.client.get(answer.headers["location"])
    assert "sandbox" in report.headers["content-security-policy"]
    return report.text


def test_a_report_of_every_command_that_writes_one_is_read() -> None:
    assert set(TEXTS) == set(dropping.KINDS) == {"compare" if name == "report" else name for name in SCHEMAS}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_report_alone_is_the_page_that_its_command_writes_with_a_way_back(opened: Open, kind: str) -> None:
    page = opened()
    assert dropped(page, **{kind: TEXTS[kind]}).replace(BACK, "", 1) == rendered("html", MADE[kind]())
    path = re.findall(r'href="(/reports/[^"]+/json)"', page.client.get("/").text)[0]
    assert page.client.get(path).text == TEXTS[kind]


def test_several_of_one_model_are_one_page_that_names_its_files(opened: Open) -> None:
    page = opened()
    shown = dropped(page, **COMBINED)
    for words in ("What the weights show", "What the card claims", "Who it says it is", "compare.json, SHA-256"):
        assert words in shown
    assert ">JSON</a>" not in page.client.get("/").text


def test_what_makes_no_page_is_refused_in_words(opened: Open) -> None:
    page = opened()
    assert "is not JSON" in dropped(page, a="{")
    assert "is no report that is read here" in dropped(page, a='{"tool": "modelprov merge"}')
    assert "is no report that is read here" in dropped(page, a="[]")
    assert "two reports of check" in dropped(page, a=TEXTS["check"], b=TEXTS["check"])
    assert "nested too deeply" in dropped(page, a="[" * 100_000)
    other = dropped(page, a=TEXTS["compare"], b=plain_json(checked(digest="2" * 64)))
    assert "Combine reports that were made from the same files." in other
    assert "/tmp" not in dropped(page, a=TEXTS["compare"], b=TEXTS["check"].replace('"schema_version"', '"x"', 1))
    assert page.post("/reports").status_code == 400


def test_a_report_that_stands_alone_or_contradicts_itself_is_refused_in_words(opened: Open) -> None:
    page = opened()
    assert "is a report of atlas, which stands alone" in dropped(page, a=TEXTS["compare"], b=TEXTS["atlas"])
    drawn = json.loads(TEXTS["atlas"])
    drawn["families"][0]["members"][1]["tie"]["members"] = ["nobody"]
    assert "the parts of the report do not fit each other" in dropped(page, a=json.dumps(drawn))
    claimed = json.loads(TEXTS["verify"]) | {"equal": 10**6}
    assert "it counts more equal elements than it compared" in dropped(page, a=json.dumps(claimed))


def test_script_in_a_report_or_in_a_name_is_text(opened: Open, models: Path) -> None:
    page = opened()
    for shown in (dropped(page, **{HOSTILE: "{"}), dropped(page, a=render_json(samples.hostile()))):
        assert "<script" not in shown
    (models / f"{HOSTILE[:-9]}x").mkdir()
    (models / f"{HOSTILE[:-9]}x" / "model.safetensors").touch()
    home = page.client.get("/").text
    assert "<script" not in home
    assert "&lt;script&gt;alert(1)x" in home


def test_only_the_last_reports_are_kept(opened: Open) -> None:
    page = opened()
    for _ in range(MOST_KEPT + 1):
        dropped(page, check=TEXTS["check"])
    assert page.client.get("/").text.count(">JSON</a>") == MOST_KEPT
    assert page.client.get("/reports/none").status_code == 404
