"""A document is told once: each medium shows the blocks that are for it, and no text in any block acts anywhere."""

from __future__ import annotations

import io
import re

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from modelprov.errors import UsageError
from modelprov.reports.document import (
    EVERYWHERE,
    MARKDOWN,
    PAGE,
    TERMINAL,
    WRITTEN,
    Block,
    Bullets,
    Code,
    Colours,
    Column,
    Document,
    Fact,
    Facts,
    Figure,
    Figures,
    Fold,
    Grid,
    Heading,
    Only,
    Plot,
    Strip,
    Table,
    Text,
    make_table,
)
from modelprov.reports.rendering.html import render_html
from modelprov.reports.rendering.markdown import render_markdown
from modelprov.reports.rendering.terminal import print_document
from modelprov.reports.saving import rendered, save, show
from modelprov.reports.shown_in import below, seen_in
from tests.reports import pages
from tests.reports.test_renderers import Page

HOSTILE = "<script>alert(1)</script> | [bold red]x[/] :smile: {{ 7*7 }} `y` [a](http://x) @me #1 *z*\x1b[31m\u202e\x00"
TABLE = make_table("Caption", [Column("Name", "name", False), Column("Value", "value")], [("row", "7")])


def document(*blocks: Block, text: str = "words") -> Document:
    return Document(
        title=text, headline=text, summary=text, meaning=text, parts=(text,), notes=(text,), about=text, more=text,
        figures=(Figure(text, text, text),), colours=Colours("#123456", "#abcdef", "blue"), blocks=blocks,
        started=text, version=text, prefix=text,
    )  # fmt: skip


def on_terminal(shown: Document) -> str:
    stream = io.StringIO()
    print_document(shown, Console(file=stream, width=80, legacy_windows=False))
    return stream.getvalue()


def everything(text: str) -> tuple[Block, ...]:
    """Each kind of block with this text wherever a text may stand."""
    table = Table(text, (Column(text, text, False), Column(text, text)), ((text, text),), text)
    return (
        Heading(text, short=text, listed=True), Text(text), Text(text, quiet=True), Facts([Fact(text, text)]),
        Facts([Fact(text, text)], terms=True), Grid(table, titled=EVERYWHERE, total=True), Grid(table, narrow=table),
        Bullets([text]), Figures([Figure(text, text, text)]), Plot(text, text, lambda: "<svg></svg>"),
        Strip(text, [0.5], (0, 1)), Fold(text, [Text(text)]), Fold(text, [Text(text)], level=3), Code(text),
    )  # fmt: skip


def test_no_text_in_any_block_acts_on_a_page() -> None:
    page = render_html(document(*everything(HOSTILE), text=HOSTILE))
    assert not {tag for tag, _ in Page(page).tags} & {"script", "b", "img", "link", "iframe"}
    assert not {"\x1b", "\u202e", "\x00"} & set(page)
    assert "{{ 7*7 }}" in page
    assert all(not str(value).startswith("http") for _, given in Page(page).tags for value in given.values())


def test_no_text_in_any_block_acts_in_markdown() -> None:
    shown = render_markdown(document(*everything(HOSTILE), text=HOSTILE))
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(shown)
    inner = [child for token in tokens for child in token.children or ()]
    assert not [one for one in inner if one.type in ("link_open", "image", "code_inline", "em_open")]
    assert {one.content for one in inner if one.type == "html_inline"} <= {"<sub>", "</sub>"}
    blocks = "".join(one.content for one in tokens if one.type == "html_block")
    assert set(re.findall(r"<(\w+)", blocks)) <= {"details", "summary", "sub"}
    assert not {"\x1b", "\u202e", "\x00"} & set(shown)


def test_no_text_in_any_block_acts_on_a_terminal() -> None:
    shown = on_terminal(document(*everything(HOSTILE), text=HOSTILE))
    assert not {character for character in shown if ord(character) < 32 and character != "\n"}
    assert "\u202e" not in shown
    assert "[bold red]x[/]" in " ".join(shown.split())
    assert ":smile:" in shown
    assert "☺" not in shown
    assert "😄" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_every_block_is_shown_by_every_medium_that_it_is_for_and_by_no_other() -> None:
    some = {Plot: [PAGE], Strip: [TERMINAL], Fold: [MARKDOWN, PAGE]}
    for block in everything("words"):
        for medium, render in ((TERMINAL, on_terminal), (MARKDOWN, render_markdown), (PAGE, render_html)):
            with_it, without = render(document(block, Text("after"))), render(document(Text("after")))
            assert (with_it != without) == (medium in some.get(type(block), [medium])), (block, medium)


def test_a_heading_without_anything_below_it_is_not_shown() -> None:
    for empty in (Text(""), Facts([]), Bullets([]), Grid(make_table("Nothing", TABLE.columns, [])), Only(PAGE, [])):
        assert seen_in([Heading("Gone"), empty, Heading("Next"), Text("kept")], PAGE) == [
            Heading("Next"), Text("kept"),
        ]  # fmt: skip
    assert seen_in([Heading("Outer"), Heading("Gone", 3), Heading("Also gone")], MARKDOWN) == []
    kept = [Heading("Outer"), Heading("Inner", 3), Text("kept")]
    assert seen_in(kept, TERMINAL) == kept


def test_a_heading_for_some_media_stands_above_what_is_for_all_of_them() -> None:
    told = [Only(WRITTEN, [Heading("Here")]), Text("kept")]
    assert seen_in(told, PAGE) == [Heading("Here"), Text("kept")]
    assert seen_in(told, TERMINAL) == [Text("kept")]


def test_a_table_with_a_title_ends_the_section_before_it_where_the_title_is_a_heading() -> None:
    told = [Heading("Gone"), Text(""), Grid(TABLE, titled=EVERYWHERE)]
    for medium in (TERMINAL, MARKDOWN):
        assert [block.text for block in seen_in(told, medium) if isinstance(block, Heading)] == ["Caption"]
    assert "<caption>Caption</caption>" in render_html(document(*told))
    assert '<caption class="spoken">Caption</caption>' in render_html(document(Grid(TABLE)))


def test_an_option_in_a_sentence_stays_on_one_line_of_a_page() -> None:
    page = render_html(document(Text("Give --batch-size 1, not a-long--dash <b>."), Heading("--html", 2)))
    assert 'Give <span class="option">--batch-size</span> 1, not a-long--dash &lt;b&gt;.' in page
    assert page.count('class="option"') == 1  # headings become attributes too


def test_a_fold_is_left_out_of_a_terminal_and_a_page_may_open_it_below_a_heading() -> None:
    fold = Fold("More", [Text("details of it")], level=3)
    assert "details of it" not in on_terminal(document(fold))
    assert "<summary>More</summary>" in render_markdown(document(fold))
    page = render_html(document(fold))
    assert "<h3>More</h3>" in page
    assert "<details>" not in page
    assert "<details><summary>More</summary>" in render_html(document(Fold("More", fold.blocks)))
    assert seen_in([Fold("Empty", [Text("")])], MARKDOWN) == []
    assert seen_in([Heading("Gone"), fold], TERMINAL) == []


def test_blocks_below_another_heading_go_down_with_all_that_they_hold() -> None:
    told = below([Heading("A", listed=True), Only(PAGE, [Heading("B", 3)]), Fold("C", [Heading("D", 3)], level=2)])
    assert told[0] == Heading("A", 3)
    assert told[1] == Only(PAGE, (Heading("B", 4),))
    assert told[2] == Fold("C", (Heading("D", 4),), level=3)
    assert below([Fold("E", [])]) == (Fold("E", ()),)


def test_a_terminal_says_how_much_of_a_long_text_it_leaves_out() -> None:
    shown = on_terminal(document(Code("\n".join(f"line {i}" for i in range(30)))))
    assert "line 19" in shown
    assert "line 20" not in shown
    assert "10 lines more in another format." in shown


def test_a_plot_is_drawn_for_a_page_alone() -> None:
    def draw() -> str:
        raise AssertionError("drawn")

    told = document(Plot("title", "caption", draw))
    on_terminal(told)
    render_markdown(told)
    with pytest.raises(AssertionError, match="drawn"):
        render_html(told)


def test_sections_of_one_name_have_anchors_of_their_own() -> None:
    page = render_html(document(Heading("Same"), Text("1"), Heading("Same"), Text("2"), Heading("Same"), Text("3")))
    anchors = re.findall(r'<section id="([^"]+)"', page)
    assert len(set(anchors)) == 3


@pytest.mark.parametrize("kind", ["eval", "probe", "check", "case"])
@pytest.mark.parametrize("ending", ["txt", "md"])
def test_what_a_kind_of_report_says_is_as_it_was(kind, ending, golden) -> None:
    stream = io.StringIO()
    result = pages.RESULTS[kind]()
    if ending == "txt":
        show(result, Console(file=stream, width=80, legacy_windows=False))
    golden(f"{kind}.{ending}", stream.getvalue() if ending == "txt" else rendered("markdown", result))


def test_every_kind_of_result_is_saved_in_the_form_that_the_name_says(tmp_path) -> None:
    for name in ("compare merge", "eval", "probe", "check"):
        result = pages.RESULTS[name]()
        for ending, form in ((".json", "json"), (".md", "markdown")):
            path = save(result, tmp_path / f"{name}{ending}")
            assert path.read_text(encoding="utf-8") == rendered(form, result)
    case = pages.RESULTS["case of claims"]()
    assert save(case, tmp_path / "case.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(UsageError):
        save(case, tmp_path / "case.json")
