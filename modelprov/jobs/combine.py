"""The job of `modelprov report combine`: reports of one model in, the case they make together out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted
from modelprov.jobs.arguments import Location
from modelprov.jobs.recorded import parse_report, read_file
from modelprov.reports.as_json import load_check, load_evaluation, load_probe
from modelprov.reports.case.models import match
from modelprov.reports.case.parts import Case
from modelprov.reports.comparison.report import Report
from modelprov.reports.saving import told_from_file

Kind = TypeVar("Kind")
PLACES: Mapping[str, str] = {"compare": "compare", "check": "check", "probe": "probe", "eval": "evaluation"}
"""Commands whose reports make one page together, and what `combine` calls each."""


def command_of(content: bytes, name: str) -> str:
    """Which command wrote this file, by its own word; empty where it names none of ours."""
    try:
        data = parse_json(content)
    except JsonError as error:
        raise UsageError(f"{quoted(name)} is not JSON: {error}", "Give a report in JSON, as written.") from error
    tool = data.get("tool") if isinstance(data, dict) else None
    return tool.removeprefix("modelprov ") if isinstance(tool, str) else ""


def placed(files: Iterable[Path]) -> dict[str, Path]:
    """What `combine` takes, of files in any order; `UsageError` for two of a kind and for what stands alone."""
    places: dict[str, Path] = {}
    for file in files:
        command = command_of(read_file(file), file.name)
        if command not in PLACES:
            raise UsageError(
                f"{quoted(file.name)} is a report of {command}, which stands alone"
                if command
                else f"{quoted(file.name)} is no report",
                f"Leave it out: reports of {', '.join(PLACES)} make one page.",
            )
        if PLACES[command] in places:
            raise UsageError(f"there are two reports of {command}", "Give at most one of each command.")
        places[PLACES[command]] = file
    return places


def combine(
    *, compare: Location | None = None, check: Location | None = None, probe: Location | None = None,
    evaluation: Location | None = None,
) -> tuple[Case, tuple[str, ...]]:  # fmt: skip
    """The case that these files hold, and a warning for each that only a name ties to the others.

    Raises `UsageError` that names the file which is no such report, where they are about different files, and where
    one contradicts itself.
    """
    sources: list[tuple[str, str]] = []
    case = Case(
        weights=_read("Weights", compare, _weights, sources),
        check=_read("Claims", check, load_check, sources),
        probe=_read("Names", probe, load_probe, sources),
        evaluation=_read("Scores", evaluation, load_evaluation, sources),
        sources=tuple(sources),
    )
    found = match(case)
    if found.contradictions:
        raise UsageError("; ".join(found.contradictions), "Combine reports that were made from the same files.")
    told_from_file(case)
    return case, tuple(found.warnings)


def _weights(text: str) -> Report:
    report = parse_report(text.encode(), "the file")
    if report.tool != "modelprov compare":
        raise UsageError("this is a report of another command", "Give a JSON report of `modelprov compare`.")
    return report


def _read(part: str, file: Location | None, load: Callable[[str], Kind], sources: list[tuple[str, str]]) -> Kind | None:
    """The report in a file, which is noted with its digest; None without one."""
    if file is None:
        return None
    content = read_file(file)
    try:
        report = load(content.decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not a text file", "Give a JSON report.") from error
    except UsageError as error:
        raise UsageError(f"{file}: {error.message}", error.advice) from error
    sources.append((part, f"{Path(file).name}, SHA-256 {hashlib.sha256(content).hexdigest()}"))
    return report
