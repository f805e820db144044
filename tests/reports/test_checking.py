"""A check on a terminal of 80 columns, as Markdown, HTML and JSON: what is said, and that no text of a card acts."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from pydantic import ValidationError
from rich.console import Console

from modelprov.check.results import CheckReport, Lineage, Location, NotJudged
from modelprov.reports.checking import words as c
from modelprov.reports.saving import rendered, show
from tests.reports import checks

ALL = [checks.passed, checks.found, checks.could_not_judge, checks.hostile]
Make = Callable[[], CheckReport]
CARD = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> | cell |\n# Heading\n[link](javascript:alert(1)) `code` "
    "\x1b[31mred\x1b[0m \u202e[bold]markup[/bold] $(id) ![](http://example.org/x) @someone #1"
)


def terminal(report: CheckReport, width: int = 80, **options: object) -> str:
    out = io.StringIO()
    show(report, Console(file=out, width=width, **options))  # type: ignore[arg-type]
    return out.getvalue()


def spiked() -> CheckReport:
    """Every text of a card or folder holds what terminals, Markdown and HTML act on."""
    place = Location(file=CARD, line=1)
    one = checks.finding("MP101", place, message=CARD).model_copy(
        update={"advice": CARD, "claimed": CARD, "command": CARD}
    )
    lineage = checks.passed().lineage
    assert isinstance(lineage, Lineage)
    return checks.passed(
        outcome="findings",
        model=CARD,
        command=CARD,
        findings=(one, one.model_copy(update={"accepted": checks.Acceptance(reason=CARD)})),
        not_judged=(NotJudged(rule="MP102", name="x", reason=CARD),),
        claims=tuple(claim.model_copy(update={"text": CARD, "note": CARD}) for claim in checks.found().claims),
        lineage=lineage.model_copy(update={"summary": CARD, "recipe": CARD, "command": CARD, "doubt": CARD}),
    )


class Page(HTMLParser):
    """Tags, attributes and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.headings: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.parametrize("make", [*ALL, spiked], ids=lambda make: make.__name__)
@pytest.mark.parametrize("width", [80, 120])
def test_no_line_on_a_terminal_is_wider_than_it(make: Make, width: int) -> None:
    assert max(map(len, terminal(make(), width).splitlines())) <= width


def test_a_finding_on_a_terminal_says_rule_place_message_and_what_to_do() -> None:
    shown = terminal(checks.found())
    assert "error MP101 undeclared-parent  README.md:3" in shown
    assert "What MP101 found about nex." in shown
    assert "Declare it." in shown
    assert shown.index("error MP101") < shown.index("warning MP202") < shown.index("note MP501")
    assert "agreed with legal" in shown
    assert "2 errors, 1 warning, 1 note." in shown  # the accepted one does not count


def test_what_could_not_be_judged_is_no_pass_in_any_rendering() -> None:
    report = checks.could_not_judge()
    for shown in (terminal(report), rendered("markdown", report), rendered("html", report)):
        assert "Could not judge" in shown
        assert "1 required rule could not be judged" in shown
        assert "Passed" not in shown
        assert "qwen is not on this machine" in re.sub(r"\s+", " ", shown)


def test_without_a_comparison_the_summary_says_what_is_missing() -> None:
    absent = NotJudged(rule="MP101", name="undeclared-parent", reason="name possible parents", required=True)
    report = checks.passed(outcome="could not judge", lineage=None, not_judged=(absent,))
    assert c.summary(report) == "The weights were compared with nothing. Not judged: name possible parents."


def test_a_doubt_and_controls_are_shown_beside_the_verdict() -> None:
    lineage = checks.passed().lineage
    assert lineage is not None
    report = checks.passed(lineage=lineage.model_copy(update={"doubt": "only a sample", "controls": ("sibling",)}))
    for shown in (terminal(report), rendered("markdown", report), rendered("html", report)):
        assert "only a sample" in shown
        assert "sibling" in shown


def test_a_terminal_shows_no_control_and_no_markup_of_a_card() -> None:
    shown = terminal(spiked(), force_terminal=False)
    assert not {character for character in shown if ord(character) < 32 and character != "\n"}
    assert "\u202e" not in shown
    assert "[bold]" in shown


def test_markdown_of_a_card_stays_text() -> None:
    from markdown_it import MarkdownIt

    shown = rendered("markdown", spiked())
    assert not {character for character in shown if ord(character) < 32 and character != "\n"}
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(shown)
    inner = [child for token in tokens for child in token.children or ()]
    assert not [one for one in inner if one.type in ("link_open", "image", "code_inline")]
    assert {one.content for one in inner if one.type == "html_inline"} <= {"<sub>", "</sub>"}  # our own small print
    html = "".join(one.content for one in tokens if one.type == "html_block")
    assert set(re.findall(r"<(\w+)", html)) <= {"details", "summary", "sub"}
    headings = [after.content for one, after in pairwise(tokens) if one.type == "heading_open"]
    assert headings[1:] == ["Findings", "To see it yourself", "Accepted findings", "Claims", "Not judged", "Weights"]


def test_every_table_of_markdown_has_as_many_cells_in_each_row_as_its_header() -> None:
    for make in (*ALL, spiked):
        width = None
        for line in rendered("markdown", make()).splitlines():
            if not line.startswith("|"):
                width = None
                continue
            cells = len(re.findall(r"(?<!\\)\|", line))
            width = width or cells
            assert cells == width, line


@pytest.mark.parametrize("make", [*ALL, spiked], ids=lambda make: make.__name__)
def test_a_page_runs_nothing_fetches_nothing_and_has_real_tables(make: Make) -> None:
    page = Page(rendered("html", make()))
    assert not {"script", "img", "iframe", "link", "object", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert not [value for name, value in page.attributes if name == "href" and not (value or "").startswith("#")]
    assert page.tags.count("h1") == 1
    assert page.tags.count("table") == page.tags.count("caption")
    assert ("lang", "en") in page.attributes
    assert "th" in page.tags


def test_json_is_the_whole_report_and_reads_back_as_it() -> None:
    for make in (*ALL, spiked):
        report = make()
        assert rendered("json", report).isascii()
        assert CheckReport.model_validate(json.loads(rendered("json", report))) == report


def test_every_format_renders_by_its_name() -> None:
    starts = {"json": "{", "markdown": "## modelprov check", "html": "<!doctype html>", "sarif": "{", "junit": "<?xml"}
    for name, start in starts.items():
        assert rendered(name, checks.found()).lower().startswith(start)


def test_each_rule_that_is_spoken_of_leads_to_its_own_section_or_to_its_published_page() -> None:
    found = checks.found()
    page = rendered("html", found)
    for one in (*found.findings, *found.not_judged):
        assert f'<a href="#rule-{one.rule.lower()}">{one.rule} {one.name}</a>' in page
        assert f'<dt id="rule-{one.rule.lower()}">{one.rule}</dt>' in page
        assert f"docs/rules/{one.rule}.md" in page
    published = found.model_copy(update={"rule_pages": "https://example.org/rules/"})
    assert 'href="https://example.org/rules/MP101.md"' in rendered("html", published)
    assert '"helpUri": "https://example.org/rules/MP101.md"' in published.rendered("sarif")


@pytest.mark.parametrize("address", ["javascript:alert(1)", 'https://a" onclick="b', "rules/", "file:///etc"])
def test_nothing_but_an_address_of_the_web_is_linked(address: str) -> None:
    told = json.loads(checks.found().rendered("json")) | {"rule_pages": address}
    with pytest.raises(ValidationError):
        CheckReport.model_validate(told)


def test_on_a_phone_every_cell_of_a_finding_says_which_column_it_is_of() -> None:
    page = rendered("html", checks.found())
    assert page.count('data-label="Finding"') == len(checks.found().findings)
    assert 'class="stacked"' in page


def test_a_command_to_type_is_a_block_of_its_own() -> None:
    lineage = checks.found().lineage
    assert lineage is not None
    assert f"<code>{lineage.command}</code>" in rendered("html", checks.found())


def test_what_shows_several_findings_is_a_command_of_its_own_said_once() -> None:
    told = "modelprov compare rio nex"
    found = tuple(checks.finding(rule, None).model_copy(update={"command": told}) for rule in ("MP101", "MP103"))
    report = checks.passed(outcome="findings", findings=found)
    assert terminal(report).splitlines().count(f"      {told}") == 1
    assert rendered("html", report).count(f"<code>{told}</code>") == 1
