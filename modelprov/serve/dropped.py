"""Reports that were dropped on the page, or that a run wrote: read by the readers of `report`, shown as their page."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted
from modelprov.jobs.combine import combine, command_of, placed
from modelprov.jobs.recorded import parse_report
from modelprov.reports import as_json
from modelprov.reports.rendering.html import render_html
from modelprov.reports.saving import told_from_file

if TYPE_CHECKING:
    from modelprov.reports.saving import Result

LOADERS: Mapping[str, Callable[[str], Result]] = {
    "check": as_json.load_check, "probe": as_json.load_probe, "eval": as_json.load_evaluation,
    "identify": as_json.load_identified, "atlas": as_json.load_atlas, "verify": as_json.load_verified,
    "inspect": as_json.load_inspection,
}  # fmt: skip
KINDS = ("compare", *LOADERS)
"""Commands whose reports are read."""
_DRAWING = Lock()
"""One page is drawn at a time: plots share a state, and memory is bounded so."""


@dataclass(frozen=True)
class Dropped:
    """A file that a browser sent."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Shown:
    """A report as a page; `json` is its file, None for several on one page."""

    title: str
    headline: str
    page: str
    json: bytes | None = None


def shown(files: Sequence[Dropped]) -> Shown:
    """The page of a report, or of several of one model; `UsageError` for anything else."""
    if not files:
        raise UsageError("no file was given", "Choose one or several JSON reports.")
    with _DRAWING:
        document = told_from_file(read(files[0]) if len(files) == 1 else _case(files))
        json = files[0].content if len(files) == 1 else None
        return Shown(document.title, document.headline, render_html(document), json)


def _kind(file: Dropped) -> str:
    kind = command_of(file.content, file.name)
    if kind not in KINDS:
        raise UsageError(
            f"{quoted(file.name)} is no report that is read here",
            f"Give a report in JSON of {', '.join(KINDS[:-1])} or {KINDS[-1]}, as the option --json writes it.",
        )
    return kind


def read(file: Dropped) -> Result:
    """The report of any command; `UsageError` for anything else."""
    kind = _kind(file)
    try:
        if kind == "compare":
            return parse_report(file.content, file.name)
        return LOADERS[kind](file.content.decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"{quoted(file.name)} is not UTF-8", "Give what --json wrote.") from error


def _case(files: Sequence[Dropped]) -> Result:
    """Reports of one model as `modelprov report combine` puts them together."""
    with tempfile.TemporaryDirectory(prefix="modelprov-") as folder:
        places = [Path(folder, str(number), _file_name(file.name)) for number, file in enumerate(files)]
        for place, file in zip(places, files, strict=True):
            place.parent.mkdir()
            place.write_bytes(file.content)
        try:
            return combine(**placed(places))[0]
        except UsageError as error:  # which names files of ours
            raise UsageError(re.sub(re.escape(folder) + r"/\w+/", "", error.message), error.advice) from error


def _file_name(name: str) -> str:
    """A name of a browser's as one of a file: its last part, of plain letters."""
    return re.sub(r"[^\w.-]", "_", name.replace("\\", "/").rpartition("/")[2])[-80:].lstrip(".") or "report.json"
