"""Atlases as they are shown: every tie in words, arrows only where a tie has a direction, usable without a mouse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelprov.forensics.identify.charted import Atlas, Family
from tests.reports import chromium
from tests.reports.atlases import drawn, placed, tie


def test_every_tie_is_told_in_words_wherever_it_is_shown() -> None:
    for form in ("markdown", "html"):
        text = drawn().rendered(form)
        for said in (
            "drawn first: the nearest to all others",
            "the numbers of base, rounded",
            "the same numbers as chat",
            "made of 0.565 × chat + 0.435 × code",
            "near a mix of 0.500 × chat + 0.500 × code: no finding",
            "kin to base, correlation 0.9987",
            "no kin among the 8 entries that could be compared with it",
            "no other entry has tensors of its names and shapes",
            "it is cut off",
        ):
            assert said in text, (form, said)


def test_an_arrow_leads_only_to_what_can_be_computed_from_others() -> None:
    page = drawn().rendered("html")
    arrows = re.findall(r'<path class="(\w+)"[^>]*marker-end', page)
    assert arrows == ["from"] * 3  # small from base, mixed from chat and from code
    assert page.count('class="kin"') == 3
    assert page.count('class="loose"') == 2
    kin = Atlas.model_validate(drawn().model_dump() | {"families": (Family(members=(
        placed("base", 0, None), placed("chat", 1, tie("kin", "base")),
    )),)})  # fmt: skip
    assert "marker-end" not in kin.rendered("html")


def test_evidence_stands_beside_every_entry_and_below_the_tree_under_its_own_address() -> None:
    page = drawn().rendered("html")
    links = re.findall(r'<li><a href="#([\w-]+)" aria-describedby="([\w-]+)"', page)
    assert len(links) == 7
    for anchor, tip in links:
        assert page.count(f'id="{anchor}"') == page.count(f'id="{tip}"') == 1
    assert page.count("25.00\u00a0% equal numbers") == 2 * 6  # the tip and the list, of all but the first
    assert '<svg class="branches" aria-hidden="true"' in page  # a screen reader hears the rows, once


@pytest.mark.skipif(chromium.program() is None, reason="Chromium is not installed (apt-get install chromium)")
@pytest.mark.xdist_group("chromium")
def test_the_keyboard_alone_shows_the_evidence_of_an_entry(tmp_path: Path) -> None:
    path = tmp_path / "atlas.html"
    path.write_text(drawn().rendered("html"), encoding="utf-8")
    shown = "[...document.querySelectorAll('.tip')].filter(tip => tip.checkVisibility()).map(tip => tip.id)"
    with chromium.browser() as browser:
        for width in (360, 1200):
            browser.load(path, width)
            assert browser.value(shown) == []
            browser.value("document.querySelectorAll('.tree a')[2].focus({focusVisible: true})")
            assert browser.value(shown) == ["tip-family-1-3"]
            box = browser.value("JSON.stringify(document.getElementById('tip-family-1-3').getBoundingClientRect())")
            edges = {key: float(value) for key, value in re.findall(r'"(left|right)":([-\d.]+)', box)}
            assert edges["left"] >= 0
            assert edges["right"] <= width
