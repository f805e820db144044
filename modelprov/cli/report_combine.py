"""`modelprov report combine`: reports of one model as one page. Parses, loads, matches, renders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from modelprov.cli.compare import HELP_FILE, check_outputs, page_to_open, show_page
from modelprov.cli.report import LIMIT, parse_report, report_app
from modelprov.cli.terminal import say
from modelprov.errors import UsageError

if TYPE_CHECKING:
    from modelprov.reports.case.parts import Case
    from modelprov.reports.comparison.report import Report

Kind = TypeVar("Kind")


@report_app.command()
def combine(
    compare: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `modelprov compare --json` wrote: the weights.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `modelprov check --json` wrote: the claims.")
    ] = None,
    probe: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `modelprov probe --json` wrote: the names it says.")
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option("--eval", metavar="FILE", help="What `modelprov eval --json` wrote: the scores.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("one HTML page"))] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("Markdown"))] = None,
    open_it: Annotated[
        bool, typer.Option("--open", help="Show the HTML page in a browser (a temporary file without --html).")
    ] = False,
) -> None:
    """Put what was found about one model on one page: weights, claims, names and scores side by side.

    At least one report is needed. They must be about the same model: where digests of the same kind differ, nothing is
    written; where only a name ties them, the page and standard error say so. Nothing is computed anew.

    Exit codes: 0 written, 2 bad usage or input, or reports about different files.

    Example: modelprov report combine --compare compare.json --check check.json --probe probe.json --html case.html
    """
    from modelprov.reports.case.models import match
    from modelprov.reports.saving import rendered
    from modelprov.reports.writing import write_atomically

    if not any((compare, check, probe, evaluation)):
        raise UsageError(
            "combine needs at least one report", "Give --compare, --check, --probe or --eval a file that --json wrote."
        )
    page = page_to_open(html) if open_it else html
    if page is None and markdown is None:
        raise UsageError("combine needs to know what to write", "Give --html FILE or --markdown FILE.")
    check_outputs({"html": page, "markdown": markdown})
    case = load_case(compare, check, probe, evaluation)
    found = match(case)
    if found.contradictions:
        raise UsageError("; ".join(found.contradictions), "Combine reports that were made from the same files.")
    for warning in found.warnings:
        say(f"warning: {warning}")
    forms = ((page, "html"), (markdown, "markdown"))
    texts = [(path, rendered(form, case)) for path, form in forms if path is not None]
    for path, text in sorted(texts, key=lambda one: str(one[0]) == "-"):
        write_atomically(path, text)
        if str(path) != "-":
            say(f"wrote {path}")
    if open_it and page is not None:
        show_page(page, temporary=html is None)


def load_case(compare: Path | None, check: Path | None, probe: Path | None, evaluation: Path | None) -> Case:
    """The case that these files hold; raises `UsageError` that names the file which is no such report."""
    from modelprov.reports.as_json import load_check, load_evaluation, load_probe
    from modelprov.reports.case.parts import Case

    sources: list[tuple[str, str]] = []
    return Case(
        weights=_read("Weights", compare, _weights, sources),
        check=_read("Claims", check, load_check, sources),
        probe=_read("Names", probe, load_probe, sources),
        evaluation=_read("Scores", evaluation, load_evaluation, sources),
        sources=tuple(sources),
    )


def _weights(text: str) -> Report:
    report = parse_report(text.encode(), Path("the file"))
    if report.tool != "modelprov compare":
        raise UsageError("this is a report of another command", "Give a file that `modelprov compare --json` wrote.")
    return report


def _read(part: str, file: Path | None, load: Callable[[str], Kind], sources: list[tuple[str, str]]) -> Kind | None:
    """The report in a file, which is noted with its digest; None without one."""
    from modelprov.checkpoints.files import read_small_file

    if file is None:
        return None
    content = read_small_file(file.expanduser(), LIMIT)
    try:
        report = load(content.decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not a text file", "Give a file that --json wrote.") from error
    except UsageError as error:
        raise UsageError(f"{file}: {error.message}", error.advice) from error
    sources.append((part, f"{file.name}, SHA-256 {hashlib.sha256(content).hexdigest()}"))
    return report
