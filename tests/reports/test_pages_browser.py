"""Every kind of page in headless Chromium: it fits a phone and a desk, and prints whole."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reports import chromium
from tests.reports.pages import page

SHOWN = (
    "compare merge", "compare three_parents", "compare hostile", "probe", "probe hostile", "eval", "eval hostile",
    "check", "check hostile", "inspect hostile", "verify", "verify hostile", "recheck", "attest fails", "case",
    "case hostile", "atlas", "atlas hostile",
)  # fmt: skip
BEYOND = """[...document.querySelectorAll('body *')]
    .filter(one => !one.closest('.scroll, pre') && one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.tagName + ': ' + one.textContent.trim().slice(0, 40)).slice(0, 3)"""
CUT = """[...document.querySelectorAll('table')]
    .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(one => one.caption.textContent.slice(0, 40))"""
HIDDEN = """[...document.querySelectorAll('details > *:not(summary)')].filter(one => !one.checkVisibility()).length"""
A4 = 686
"""Width in CSS pixels of what lies between the margins of 14 mm on A4."""
SHEET = 1001
"""Height of what lies between its margins of 16 mm."""

pytestmark = [
    pytest.mark.skipif(chromium.program() is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.xdist_group("chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Browser]:
    with chromium.browser() as running:
        yield running


@pytest.fixture(params=SHOWN)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(page(str(request.param)), encoding="utf-8", errors="backslashreplace")
    return path


def test_a_page_fits_phone_and_desk_and_prints_whole(browser: chromium.Browser, file: Path) -> None:
    for width in (360, 1200):
        browser.load(file, width)
        assert browser.value("innerWidth") == width
        assert browser.value(BEYOND) == []
        assert browser.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    browser.load(file, A4, media="print", scheme="dark")
    assert browser.value("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value(HIDDEN) == 0
    assert browser.value(CUT) == []
    tall = browser.value("document.documentElement.scrollHeight")
    printed = browser.pdf()
    assert printed.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= math.ceil(tall / SHEET) + 1, "half-empty sheets"


def test_details_are_closed_on_a_screen_so_that_their_opening_in_print_is_no_accident(
    browser: chromium.Browser, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    path.write_text(page("probe"), encoding="utf-8")
    browser.load(path, 1200)
    assert browser.value(HIDDEN) > 0


def test_a_page_that_is_too_wide_would_be_noticed(browser: chromium.Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text('<!doctype html><p style="width: 500px">wide</p>', encoding="utf-8")
    browser.load(path, 360)
    assert browser.value(BEYOND) == ["P: wide"]
    assert not browser.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
