"""`modelprov report combine` and `--open`: what is written, what is refused, and that no browser is no failure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprov.reports import opening
from modelprov.reports.as_json import render_json as plain_json
from modelprov.reports.comparison.as_json import render_json
from tests.cli.conftest import MAIN, Command, program
from tests.reports.test_pages_case import checked, probed, scored, weights

PARTS = ("compare", "check", "probe", "eval")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Write the four reports into an empty folder; the options that name those asked for."""
    monkeypatch.chdir(tmp_path)
    texts = {
        "compare": render_json(weights()), "check": plain_json(checked()),
        "probe": plain_json(probed(location="models/rio")), "eval": plain_json(scored()),
    }  # fmt: skip

    def write(*parts: str, **changes: str) -> list[str]:
        for name, text in (texts | changes).items():
            Path(f"{name}.json").write_text(text)
        return [word for part in parts for word in (f"--{part}", f"{part}.json")]

    return write


def test_all_four_become_one_page_and_one_text(modelprov: Command, files: Callable[..., list[str]]) -> None:
    said = modelprov("report", "combine", *files(*PARTS), "--html", "case.html", "--markdown", "case.md")
    assert (said.code, said.out) == (0, "")
    assert said.err.split("\n")[-3:] == ["wrote case.html", "wrote case.md", ""]
    page = Path("case.html").read_text()
    for words in ("What the weights show", "What the card claims", "Who it says it is", "Accuracy and tokens"):
        assert words in page
    assert "compare.json, SHA-256" in page
    assert "### How it scores" in Path("case.md").read_text()


@pytest.mark.parametrize("part", PARTS)
def test_one_report_is_enough(modelprov: Command, files: Callable[..., list[str]], part: str) -> None:
    said = modelprov("report", "combine", *files(part), "--html", "-")
    assert (said.code, said.err) == (0, "")
    assert said.out.lstrip().startswith("<!doctype html>")


def test_files_say_themselves_which_command_wrote_them(modelprov: Command, files: Callable[..., list[str]]) -> None:
    files()
    given = [f"{part}.json" for part in reversed(PARTS)]
    assert modelprov("report", "combine", *given, "--markdown", "-").out == (
        modelprov("report", "combine", *files(*PARTS), "--markdown", "-").out
    )
    half = modelprov("report", "combine", "probe.json", "--eval", "eval.json", "--markdown", "-")
    assert (half.code, "### How it scores" in half.out) == (0, True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["check.json", "check.json"], "two reports of check"),
        (["check.json", "--check", "probe.json"], "reports of one command"),
        (["library.json"], "is a report of atlas, which stands alone"),
        (["none.json"], "'none.json' is no report"),
        (["text.json"], "is not JSON"),
    ],
)
def test_files_that_do_not_make_one_page_are_refused_with_advice(
    modelprov: Command, files: Callable[..., list[str]], given: list[str], words: str
) -> None:
    files()
    for name, text in (("library", '{"tool": "modelprov atlas"}'), ("none", "{}"), ("text", "no")):
        Path(f"{name}.json").write_text(text)
    said = modelprov("report", "combine", *given, "--html", "case.html")
    assert (said.code, words in said.err, "→" in said.err) == (2, True, True), said.err
    assert not Path("case.html").exists()


def test_reports_of_different_files_are_refused_and_nothing_is_written(
    modelprov: Command, files: Callable[..., list[str]], tmp_path: Path
) -> None:
    other = files("compare", "check", check=plain_json(checked(digest="2" * 64)))
    said = modelprov("report", "combine", *other, "--html", "case.html")
    assert said.code == 2
    assert "different files" in said.err
    assert not (tmp_path / "case.html").exists()


def test_what_only_a_name_ties_is_warned_of_aloud_and_on_the_page(
    modelprov: Command, files: Callable[..., list[str]]
) -> None:
    elsewhere = files("compare", "probe", probe=plain_json(probed(location="elsewhere/rio")))
    said = modelprov("report", "combine", *elsewhere, "--html", "case.html")
    assert said.code == 0
    assert "warning: Names: only the name rio says" in said.err
    assert "only the name rio says" in Path("case.html").read_text()


def changed(text: str, **changes: object) -> str:
    return json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "not JSON", lambda _: "[]", lambda _: "[" * 100_000, lambda _: "\x00", lambda _: '{"tool": 3}',
        lambda text: changed(text, schema_version="9.0"), lambda text: changed(text, tool="modelprov other"),
        lambda text: changed(text, command=[1]), lambda text: text.replace('"command"', '"commanded"', 1),
    ],
    ids=["no JSON", "list", "deep", "null", "tool", "version", "other", "type", "key"],
)  # fmt: skip
def test_what_is_no_such_report_is_refused_in_words(
    modelprov: Command, files: Callable[..., list[str]], part: str, spoil: Callable[[str], str]
) -> None:
    options = files(part)
    spoiled = spoil(Path(f"{part}.json").read_text())
    said = modelprov("report", "combine", *files(part, **{part: spoiled}), *options[2:], "--html", "case.html")
    assert said.code == 2
    assert f"{part}.json" in said.err
    assert "Traceback" not in said.err
    assert not Path("case.html").exists()


def test_numbers_that_json_does_not_have_and_rows_of_nobody_are_refused(
    modelprov: Command, files: Callable[..., list[str]]
) -> None:
    report = json.loads(plain_json(scored()))
    row = report["rows"][0]
    for rows, words in (
        ([row | {"model": "nobody"}], "does not list"),
        ([row | {"switches": float("nan")}], "NaN"),
        ([row | {"switches": float("inf")}], "Infinity"),
    ):
        said = modelprov(
            "report", "combine", *files("eval", eval=changed(json.dumps(report), rows=rows)), "--html", "-"
        )
        assert (said.code, words in said.err) == (2, True)


def test_nothing_to_read_or_to_write_is_said(modelprov: Command, files: Callable[..., list[str]]) -> None:
    options = files("compare")
    for given, words in (
        (["--html", "a.html"], "at least one report"),
        (options, "what to write"),
        ([*options, "--html", "-", "--markdown", "-"], "only one report"),
        ([*options, "--html", "-", "--open"], "needs a file"),
        (["--compare", "absent.json", "--html", "a.html"], "absent.json"),
    ):
        said = modelprov("report", "combine", *given)
        assert (said.code, words in said.err) == (2, True)


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False), ({"DISPLAY": ":0"}, "linux", True), ({"WAYLAND_DISPLAY": "w"}, "linux", True),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", False), ({"CI": "true"}, "darwin", False), ({}, "darwin", True),
        ({}, "win32", True), ({"CI": "true", "BROWSER": "x"}, "linux", True), ({"DISPLAY": ""}, "linux", False),
    ],
)  # fmt: skip
def test_a_browser_is_expected_only_where_there_is_a_screen_or_one_is_named(
    environment: dict[str, str], platform: str, expected: bool
) -> None:
    assert opening.has_browser(environment, platform) is expected


@pytest.fixture
def fake(tmp_path: Path) -> tuple[str, Path]:
    """A browser that writes down what it is to show, and where it writes."""
    shown, script = tmp_path / "shown.txt", tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {shlex.quote(str(shown))}\n')
    script.chmod(0o755)
    return str(script), shown


def opened(folder: Path, browser: str, *arguments: object) -> tuple[int, str]:
    """Run the command in a process of its own, since Python looks for browsers once."""
    running = program(f"import os; os.chdir({str(folder)!r})\n{MAIN}", *arguments, BROWSER=browser, CI="", DISPLAY="",
                      WAYLAND_DISPLAY="")  # fmt: skip
    _, err = running.communicate(timeout=120)
    return running.returncode, err


def test_open_shows_the_page_of_a_comparison_or_a_temporary_one(
    models: Path, tmp_path: Path, fake: tuple[str, Path]
) -> None:
    browser, shown = fake
    given = ("compare", models / "nex", models / "qwen", "--device", "cpu", "-q", "--open")
    code, err = opened(tmp_path, browser, *given)
    assert code == 0
    page = Path(shown.read_text().removeprefix("file://"))
    assert page.read_text().lstrip().startswith("<!doctype html>")
    assert page.parent.stat().st_mode & 0o077 == 0
    assert f"opened {page} (temporary; --html FILE" in err
    page.unlink()
    page.parent.rmdir()


def test_open_shows_the_combined_page_where_it_was_asked_for(
    files: Callable[..., list[str]], tmp_path: Path, fake: tuple[str, Path]
) -> None:
    browser, shown = fake
    code, err = opened(tmp_path, browser, "report", "combine", *files("check"), "--html", "case.html", "--open")
    assert (code, "opened case.html\n" in err) == (0, True)
    assert shown.read_text() == (tmp_path / "case.html").as_uri()


@pytest.mark.parametrize("browser", ["", "/nowhere/at-all", "false"])
def test_without_a_browser_open_says_where_the_page_is_and_does_not_fail(
    files: Callable[..., list[str]], tmp_path: Path, browser: str
) -> None:
    code, err = opened(tmp_path, browser, "report", "combine", *files("check"), "--html", "case.html", "--open")
    assert code == 0
    assert "no browser could be started; the page is case.html" in err
    assert "Traceback" not in err
