"""What every renderer owes every report."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from rich.console import Console

from modelprov.forensics.results import VerdictClass
from modelprov.reports.comparison import words
from modelprov.reports.comparison.report import Report
from modelprov.reports.rendering.markdown import escape
from modelprov.reports.saving import rendered, show
from tests.reports import samples
from tests.reports.sample_parts import LAYERS


def on_terminal(report: Report, width: int = 80, encoding: str = "utf-8", color: bool = False) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    show(report, Console(file=stream, width=width, force_terminal=color, no_color=not color, legacy_windows=False))
    stream.seek(0)
    return stream.read()


class Page(HTMLParser):
    """Collects the visible text, tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.hidden = 0
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.hidden += tag == "style"
        if tag not in {"meta", "link", "br", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag == "style"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.text.append(data)


def on_page(source: str) -> str:
    return " ".join("".join(Page(source).text).replace("\u00a0", " ").split())


FORMATS = ("terminal", "markdown", "html")


def shown(report: Report, kind: str, source: str | None = None) -> str:
    if kind == "html":
        return on_page(source or rendered("html", report))
    return on_terminal(report) if kind == "terminal" else rendered("markdown", report)


@pytest.fixture(params=FORMATS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def text(report: Report, source: str, kind: str) -> str:
    return shown(report, kind, source)


def test_nothing_unmeasured_shows_as_a_word_of_the_machine(text: str) -> None:
    assert not re.search(r"\b(None|nan|NaN|inf|Infinity|undefined|Undefined)\b(?! or infinite|/Inf)", text)
    assert "VerdictClass" not in text


def test_the_verdict_comes_first(report: Report, text: str) -> None:
    text = " ".join(text.replace("│", " ").split())
    name = words.VERDICTS[report.verdict.class_].name
    start = text[:600]
    assert name in start
    if "<script>" not in report.verdict.summary:
        assert " ".join(report.verdict.summary.split()) in text[:1200]


def test_rendering_twice_gives_the_same_bytes(report: Report, source: str) -> None:
    assert rendered("html", report) == source
    for form in ("markdown", "json"):
        assert rendered(form, report) == rendered(form, report)
    assert on_terminal(report) == on_terminal(report)


def test_every_verdict_class_has_words() -> None:
    assert set(words.VERDICTS) == set(VerdictClass)


@pytest.mark.parametrize("kind", FORMATS)
def test_control_characters_never_get_through(kind: str) -> None:
    text = shown(samples.hostile(), kind)
    assert not set(text) & {"\x1b", "\u202e", "\r", "\x00"}
    assert "everyone" in text


@pytest.mark.parametrize("kind", FORMATS)
def test_missing_mixing_is_explained_in_a_sentence(kind: str) -> None:
    assert "Mixing needs at least two parents; only one was given." in " ".join(
        shown(samples.same_origin(), kind).split()
    )


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_no_line_is_wider_than_the_terminal(report: Report, width: int, encoding: str) -> None:
    lines = on_terminal(report, width, encoding).splitlines()
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if line != line.rstrip()]


def test_numbers_are_not_cut_at_80_columns(report: Report) -> None:
    assert "…" not in on_terminal(report).replace(report.verdict.summary, "").split("\n", 1)[1]


def test_a_wider_terminal_shows_more_columns() -> None:
    assert "LS α" not in on_terminal(samples.merge(), 80)
    assert "LS α" in on_terminal(samples.merge(), 130)


def test_colour_changes_no_words(report: Report) -> None:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(report, color=True))
    assert plain == on_terminal(report)


def test_every_layer_has_its_dot() -> None:
    marks = sum(
        line.count("*") for line in on_terminal(samples.piecewise(), encoding="ascii").splitlines() if "|" in line
    )
    assert marks == 2 * LAYERS


def test_every_markdown_table_has_rows_of_one_length(report: Report) -> None:
    columns = 0
    for line in rendered("markdown", report).splitlines():
        here = line.count("|") if line.startswith("|") else 0
        assert not columns or not here or here == columns, line
        columns = here


def test_markdown_escapes_what_github_would_act_on() -> None:
    assert escape("a|b `c` <d> *e* _f_ [g](h) self_attn") == (
        r"a&#124;b &#96;c&#96; &lt;d> \*e\* \_f\_ \[g](h) self_attn"
    )
    assert escape("@me #1 https://x www.x") == "@&#8203;me #&#8203;1 https&#58;//x www&#46;x"
    assert escape("- a") == "&#45; a"
    assert escape("1. a") == "1&#46; a"
    text = rendered("markdown", samples.hostile())
    outside = re.sub(r"(`{3,})[^\n]*\n.*?\n\1", "", text, flags=re.DOTALL)
    for active in ("<script", "`rm", "http://", "@everyone"):
        assert active not in outside


def test_a_code_block_cannot_be_left() -> None:
    assert "\n````yaml\n```\n" in rendered("markdown", samples.hostile())


def test_the_page_is_well_formed_and_fetches_nothing(source: str) -> None:
    page = Page(source)
    assert not page.open
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            assert (attributes.get(name) or "#").startswith("#")
        assert "url(http" not in (attributes.get("style") or "")
    assert "@import" not in source
    assert not re.search(r"url\((?!#)", source)


def test_identifiers_on_the_page_are_unique_and_every_reference_leads_somewhere(source: str) -> None:
    page = Page(source)
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = {(a.get("xlink:href") or a.get("href") or "#")[1:] for _, a in page.tags} - {""}
    assert targets <= set(identifiers)


def test_tables_and_plots_can_be_read_aloud(report: Report, source: str) -> None:
    page = Page(source)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption")
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in page.tags if tag == "th")
    plots = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in plots)
    assert bool(plots) == bool(report.layers)


def test_hostile_names_are_escaped_on_the_page() -> None:
    source = rendered("html", samples.hostile())
    assert "<script" not in source
    assert "&lt;script&gt;" in source


def test_the_page_says_how_many_tensors_it_left_out() -> None:
    report = samples.merge()
    assert f"{len(report.tensors) - 40} more tensors left out here" in on_page(rendered("html", report))


@pytest.mark.parametrize("kind", list(VerdictClass))
def test_accents_are_readable_on_their_background(kind: VerdictClass) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        dark, light = sorted((luminance(one), luminance(other)))
        return (light + 0.05) / (dark + 0.05)

    assert contrast(words.VERDICTS[kind].colours.accent, "#f6f7f8") >= 4.5
    assert contrast(words.VERDICTS[kind].colours.accent_dark, "#1d2126") >= 4.5


@pytest.mark.parametrize("name", ["merge", "three_parents", "same_origin", "inconclusive", "hostile"])
def test_markdown_is_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.md", rendered("markdown", samples.SAMPLES[name]()))


@pytest.mark.parametrize("name", ["merge", "on_line", "piecewise", "same_origin", "inconclusive", "hostile"])
def test_the_terminal_is_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.txt", on_terminal(samples.SAMPLES[name]()))


def test_the_ascii_terminal_is_as_it_was(golden: Callable[[str, str], None]) -> None:
    golden("merge.ascii.txt", on_terminal(samples.merge(), encoding="ascii"))
