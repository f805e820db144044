"""A form that is refused comes back as it was filled in, and says why beside its fields."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from lxml import html

from modelprov.serve import runs
from tests.serve.conftest import Open, Page

NAMED = {"suspect": "rio", "parent": ["nex", "", "qwen"], "control": "rio", "sample": "on"}


def form(text: str, action: str = "/run") -> html.FormElement:
    return next(each for each in html.fromstring(text).forms if each.action == action)


def filled(text: str) -> list[tuple[str, str]]:
    """Fields of the form of a comparison, as a browser would send them again."""
    return [(name, value) for name, value in form(text).form_values() if name != "token" and value]


def alert(found: html.HtmlElement) -> str:
    return " ".join(" ".join(found.xpath('.//*[@role="alert"]//text()')).split())


@pytest.mark.parametrize("network", [False, True])
def test_what_was_filled_in_is_there_again_with_the_reason(opened: Open, network: bool) -> None:
    answer = opened(network=network).post("/run", NAMED)
    assert answer.status_code == 400
    assert filled(answer.text) == [
        ("suspect", "rio"), ("parent", "nex"), ("parent", "qwen"), ("control", "rio"), ("sample", "on"),
    ]  # fmt: skip
    assert (
        alert(form(answer.text)) == "Not done: the same model is named twice. Name every model once, the control too."
    )
    assert "role" not in html.tostring(form(answer.text, "/reports#read"), encoding="unicode")
    assert "<title>Not done: the same model is named twice" in answer.text


def test_what_was_typed_is_shown_as_text(opened: Open) -> None:
    answer = opened(network=True).post("/run", {"suspect": '"><script>x</script>', "parent": ["no/such/folder"]})
    assert answer.status_code == 400
    assert filled(answer.text)[0] == ("suspect", '"><script>x</script>')
    assert "<script" not in answer.text


def test_a_page_that_is_older_than_the_server_keeps_what_was_filled_in(opened: Open) -> None:
    page = opened()
    answer = page.post("/run", {**NAMED, "token": "of another server"})
    assert answer.status_code == 403
    assert ("control", "rio") in filled(answer.text)
    assert "older than the server" in alert(form(answer.text))
    assert dict(form(answer.text).form_values())["token"] == page.token


@pytest.mark.usefixtures("endless")
def test_a_second_comparison_keeps_its_form_while_the_first_runs(opened: Open) -> None:
    page = opened()
    page.post("/run", {"suspect": "rio", "parent": ["nex"]})
    answer = page.post("/run", {"suspect": "qwen", "parent": ["nex"]})
    assert answer.status_code == 409
    assert filled(answer.text) == [("suspect", "qwen"), ("parent", "nex")]
    assert "a comparison is under way" in alert(form(answer.text))
    assert not [each for each in html.fromstring(page.client.get("/").text).forms if each.action == "/run"]


def test_a_run_that_came_to_nothing_leaves_its_form_filled_in(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(_folder: str, _network: bool) -> subprocess.Popen[str]:
        says = [sys.executable, "-c", 'print(\'{"error": "no such luck"}\')']
        return subprocess.Popen(says, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(runs, "_process", ends)
    page: Page = opened()
    page.post("/run", {"suspect": "rio", "parent": ["nex", "qwen"], "sample": "on"})
    end = time.monotonic() + 20
    while "Could not compare" not in page.client.get("/run").text:
        assert time.monotonic() < end
    assert filled(page.client.get("/").text) == [
        ("suspect", "rio"), ("parent", "nex"), ("parent", "qwen"), ("sample", "on"),
    ]  # fmt: skip


def test_a_file_that_is_no_report_is_refused_beside_its_field(opened: Open) -> None:
    answer = opened().post("/reports", files=[("report", ("notes.json", b"[1]", "application/json"))])
    assert answer.status_code == 400
    assert "notes.json" in alert(form(answer.text, "/reports#read"))
    assert not alert(form(answer.text))
