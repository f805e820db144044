"""`inspect`, `verify`, `report verify` and `attest --verify`, each told once for terminal, Markdown, page and JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from modelprov.reports.saving import rendered, show
from tests.reports import short_answers as answers
from tests.reports.checks import HOSTILE

if TYPE_CHECKING:
    from modelprov.reports.saving import Result

MADE: dict[str, Callable[[], Result]] = {
    "inspect": answers.inspection,
    "verify": answers.verified,
    "verify.reproduced": answers.reproduced,
    "recheck": answers.rechecked,
    "recheck.holds": answers.holding,
    "attest": answers.confirmed,
    "attest.fails": lambda: answers.confirmed(good=False),
}
FIRST = {
    "verify": "NOT REPRODUCED", "verify.reproduced": "REPRODUCED", "recheck.holds": "EVERY CLAIM HOLDS",
    "attest": "VERIFIED", "attest.fails": "NOT VERIFIED",
}  # fmt: skip


def on_terminal(result: Result, width: int = 80, *, brief: bool = False) -> str:
    stream = io.StringIO()
    show(result, Console(file=stream, width=width, no_color=True), brief=brief)
    return stream.getvalue()


@pytest.mark.parametrize("name", list(MADE))
def test_what_is_told_is_told_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    result = MADE[name]()
    said = on_terminal(result)
    assert max(map(len, said.splitlines())) <= 80
    golden(f"{name}.txt", said)
    golden(f"{name}.md", rendered("markdown", result))


@pytest.mark.parametrize(("name", "answer"), FIRST.items())
def test_the_answer_is_the_first_line_of_a_terminal_and_no_frame_stands_around_it(name: str, answer: str) -> None:
    assert on_terminal(MADE[name]()).splitlines()[0] == answer


@pytest.mark.parametrize("name", list(MADE))
def test_every_answer_is_saved_by_the_ending_of_a_name_and_shown_in_notebooks(name: str, tmp_path: Path) -> None:
    result = MADE[name]()
    assert result.save(tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert result.save(tmp_path / "a.md").read_text(encoding="utf-8").startswith("## modelprov ")
    assert json.loads(result.save(tmp_path / "a.json").read_text(encoding="utf-8"))
    assert result._repr_html_().startswith("<iframe ")


def test_a_page_has_every_shard_and_whole_digests_where_a_terminal_has_the_first() -> None:
    result = answers.inspection()
    assert "7" * 64 in rendered("html", result)
    said = on_terminal(result)
    assert "and 2 more shards" in said
    assert "7" * 16 not in said


def test_in_brief_a_verification_says_where_it_differs_what_fits_and_what_it_cannot_say() -> None:
    said = on_terminal(answers.verified(), brief=True)
    for words in ("75.0000 %", "50.0000 % equal", "element 7 of", "bf16-stepwise", "every weight of 4 tensors",
                  "What this does not show"):  # fmt: skip
        assert words in said
    assert "Layers" not in said


def test_in_brief_an_inspection_names_its_formats_and_no_shard() -> None:
    said = on_terminal(answers.inspection(), brief=True)
    assert "1 tensor of F4 (cannot be compared), 40 tensors of BF16" in said
    assert "warning: the folder holds code" in said
    assert "model-1-of-7" not in said


def test_a_layer_that_is_left_out_of_the_tables_is_counted() -> None:
    from modelprov.forensics.search.reproduce import Part

    layers = tuple(Part(name=f"layer {number}", elements=2, equal=1) for number in range(70))
    said = on_terminal(answers.verified(answers.verification(layers=layers)))
    assert "10 more differ" in said


def test_foreign_text_reaches_no_medium_raw() -> None:
    found = answers.verification(HOSTILE, cautions=(HOSTILE,))
    for result in (answers.hostile_inspection(), answers.verified(found, HOSTILE), answers.rechecked(HOSTILE)):
        assert "\x1b" not in on_terminal(result) + on_terminal(result, brief=True)
        assert "<x &" not in rendered("html", result)
        assert "(https://" not in rendered("markdown", result)
