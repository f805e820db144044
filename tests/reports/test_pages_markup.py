"""What every page owes to those who cannot see it well: markup that can be read aloud, and contrast. No browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from lxml import html

from tests.reports.pages import RESULTS, page

READABLE = 4.5
"""The contrast that WCAG 2.2 asks of text (success criterion 1.4.3, level AA)."""
SHADES = ("ink", "quiet", "accent")


@pytest.fixture(params=list(RESULTS))
def source(request: pytest.FixtureRequest) -> str:
    return page(str(request.param))


@pytest.fixture
def tree(source: str) -> html.HtmlElement:
    return html.document_fromstring(source)


def text(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def test_the_page_names_its_language_title_and_landmarks(tree: html.HtmlElement) -> None:
    assert tree.get("lang") == "en"
    assert text(tree.find(".//title"))
    assert tree.find(".//meta[@name='viewport']").get("content") == "width=device-width, initial-scale=1"
    assert [len(tree.findall(f".//{tag}")) for tag in ("main", "header", "footer")] == [1, 1, 1]
    assert all(nav.get("aria-label") for nav in tree.iter("nav"))


def test_there_is_one_main_heading_and_no_level_is_left_out(tree: html.HtmlElement) -> None:
    headings = list(tree.iter("h1", "h2", "h3", "h4", "h5", "h6"))
    levels = [int(one.tag[1]) for one in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(text(one) for one in headings)


def test_every_table_has_a_caption_headings_with_scope_and_rows_of_one_length(tree: html.HtmlElement) -> None:
    for table in tree.iter("table"):
        caption = table.find("caption")
        assert caption is not None
        assert text(caption)
        heads = table.findall("thead/tr/th")
        assert heads
        assert all(one.get("scope") == "col" and text(one) for one in heads), text(caption)
        for row in table.findall("tbody/tr"):
            assert [cell.tag for cell in row] == ["th"] + ["td"] * (len(heads) - 1), text(caption)
            assert row[0].get("scope") == "row"
            assert text(row[0])


def test_what_scrolls_can_be_reached_by_keyboard_and_has_a_name(tree: html.HtmlElement) -> None:
    for box in tree.find_class("scroll"):
        assert (box.get("tabindex"), box.get("role")) == ("0", "group")
        assert box.get("aria-label")
    for block in tree.iter("pre"):
        assert block.get("tabindex") == "0"
    assert all(table.getparent().get("class") == "scroll" for table in tree.iter("table"))


def test_every_picture_says_what_it_shows_and_its_text_follows_the_colours_of_the_page(tree: html.HtmlElement) -> None:
    assert not list(tree.iter("img"))
    for picture in tree.iter("svg"):
        if picture.get("aria-hidden") == "true":  # lines beside words that say the same
            assert not list(picture.iter("text"))
            continue
        assert picture.get("role") == "img"
        assert len(picture.get("aria-label")) > 15
        assert (picture[0].tag, text(picture[0])) == ("title", " ".join(picture.get("aria-label").split()))
        for written in picture.iter("text"):
            fill = re.search(r"(?<![\w-])fill:\s*([^;]+)", ";".join(one.get("style") or "" for one in lineage(written)))
            assert fill is not None, "text without a colour is black, also on black"
            assert fill[1] in {f"var(--{shade})" for shade in SHADES}, text(written)


def lineage(element: html.HtmlElement) -> Iterator[html.HtmlElement]:
    """An element and those it stands in, up to its picture."""
    while element.tag != "svg":
        yield element
        element = element.getparent()


def test_links_and_identifiers_lead_somewhere_and_nothing_is_loaded(tree: html.HtmlElement) -> None:
    identifiers = [one.get("id") for one in tree.iter() if isinstance(one.tag, str) and one.get("id")]
    assert len(identifiers) == len(set(identifiers))
    for link in tree.iter("a"):
        assert link.get("href").startswith("#")
        assert link.get("href")[1:] in identifiers
        assert text(link)
    assert not list(tree.iter("script", "link", "iframe", "object", "embed", "form", "base"))
    assert not [name for one in tree.iter() if isinstance(one.tag, str) for name in one.attrib if name[:2] == "on"]


def test_text_has_enough_contrast_in_both_colour_schemes_and_on_paper(source: str) -> None:
    style = source[source.index("<style>") : source.index("</style>")]
    light, dark, printed = colours(style)
    assert light["paper"] != dark["paper"]
    for scheme in (light, dark, printed):
        for shade in SHADES:
            for ground in ("paper", "panel"):
                assert contrast(scheme[shade], scheme[ground]) >= READABLE, (shade, ground)
    assert contrast(printed["ink"], printed["paper"]) == pytest.approx(21)


def colours(style: str) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The variables of colour, as light and dark screens and paper get them, from the style sheet itself."""
    bare = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    blocks = {"light": [], "dark": [], "print": []}
    rules = re.compile(r"(?P<media>@media[^{]*\{\s*)?:root\s*\{(?P<body>[^}]*)\}")
    for rule in rules.finditer(bare):
        media = rule["media"] or ""
        kind = "dark" if "dark" in media else "print" if "print" in media else "light"
        blocks[kind] += re.findall(r"--(\w+):\s*(#[0-9a-fA-F]{3,8})\b", rule["body"])
    light = dict(blocks["light"])
    return light, light | dict(blocks["dark"]), light | dict(blocks["print"])


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG: 1 for equal colours, 21 for black on white."""
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:4])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_computed_as_published() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_a_page_says_when_it_was_made_as_people_write_it_and_in_utc() -> None:
    [made] = html.document_fromstring(page("compare merge")).findall(".//header//time")
    assert (text(made), made.get("datetime")) == ("22 November 2026, 12:00 UTC", "2026-11-22T12:00:00Z")
