"""Reports of comparisons that lie in files, for the jobs that take them up again. Reads; judges nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from modelprov.checkpoints.files import read_small_file
from modelprov.errors import UsageError
from modelprov.foreign.shown import clean
from modelprov.jobs.arguments import Location, path_of, several
from modelprov.reports.comparison.as_json import load_report
from modelprov.reports.comparison.report import BESIDE, Report

LARGEST = 1 << 30  # bytes

Places = Mapping[str, Location] | Location | Sequence[Location]
"""Where inputs of a report are: by label, or as words such as LABEL=PATH."""


def read_file(file: Location, largest: int = LARGEST) -> bytes:
    """A file of at most so many bytes."""
    return read_small_file(path_of(file), largest)


def parse_report(content: bytes, file: Location) -> Report:
    """The report that a file holds, with inputs that make sense together; `UsageError` for what is no report."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not a text file", "Give a JSON report of `modelprov compare`.") from error
    report = load_report(text)
    roles = [each.role for each in report.inputs]
    main = [role for role in roles if role not in BESIDE]
    whole = main[:1] == ["suspect"] and main[1:] == ["parent"] * (len(main) - 2) + ["reference"]
    if not whole or roles[: len(main)] != main:
        raise UsageError(
            f"the inputs of {file} are not a suspect, its parents and a reference", "Was it edited? Write it anew."
        )
    labels = [each.label for each in report.inputs]
    if len(set(labels)) < len(labels) or report.environment.seed < 0:
        raise UsageError(f"{file} names two inputs alike, or has no valid seed", "Was it edited? Write it anew.")
    return report


def labelled(given: Places, labels: Sequence[str], *, needed: bool = False) -> dict[str, str]:
    """Places by label; a word without a label is the first input, unless it is `needed`."""
    found: dict[str, str] = {}
    for label, path in _pairs(given, labels, needed=needed):
        if found.setdefault(label, path) != path:
            raise UsageError(f"{label} is given two places", "Name every input once.")
    return found


def _pairs(given: Places, labels: Sequence[str], *, needed: bool) -> Iterable[tuple[str, str]]:
    if isinstance(given, Mapping):
        for label, path in given.items():
            if label not in labels:
                raise _unknown(label, labels)
            yield label, os.fspath(path)
        return
    for word in several(given):
        named = next((known for known in sorted(labels, key=len, reverse=True) if word.startswith(f"{known}=")), None)
        if named is None and (needed or "=" in word):
            raise _unknown(word, labels)
        yield (labels[0], word) if named is None else (named, word[len(named) + 1 :])


def _unknown(word: str, labels: Sequence[str]) -> UsageError:
    known = ", ".join(map(clean, labels))
    return UsageError(f"{word!r} names no input of the report", f"Write LABEL=PATH; labels: {known}.")
