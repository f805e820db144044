"""Findings that somebody accepts, with a reason and perhaps until a day: reads, applies and renews such a file.

The day is always given: nothing here asks a clock. A baseline never lies in the model's folder by itself; a policy or
the command line names it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from modelprov.check.results import Acceptance, Finding, Severity
from modelprov.checkpoints.files import read_small_file
from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.records import Frozen

MAX_BYTES = 10_000_000
SHOWN = 80
SEE = "docs/check-policy.md shows a baseline, and how `modelprov check` writes it."


class Entry(Frozen):
    """One accepted finding: its fingerprint and rule, why, until which day (that day included), and what it said.

    `severity` is what it counted as: whoever accepts a warning has not seen the error that it may become. Entries
    without it accept whatever comes.
    """

    fingerprint: str = Field(min_length=1)
    rule: str = Field(min_length=1)
    reason: str
    expires: date | None = None
    about: str = ""
    severity: Severity | None = None

    @field_validator("reason")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("is empty; say why the finding is accepted")
        return value.strip()

    @field_validator("expires", mode="before")
    @classmethod
    def _a_day(cls, value: object) -> object:
        if value is None or isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else _no_day(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is no day; write it like 2027-01-31") from error


class Baseline(Frozen):
    """All accepted findings."""

    schema_version: Literal["1.0"] = "1.0"
    accepted: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Applied:
    """Findings with their acceptance, and the entries that no finding matched or whose day has passed."""

    findings: tuple[Finding, ...]
    unmatched: tuple[Entry, ...]
    expired: tuple[Entry, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell whoever keeps the baseline, a sentence each."""
        return tuple(
            f"The baseline accepts {one.rule} ({_short(one.about) or one.fingerprint}), which was not found this time: "
            "if the rule was judged, remove the entry."
            for one in self.unmatched
        )


def load_baseline(path: Path) -> Baseline:
    """The baseline in a file; raises `UnreadableFileError`, or `UsageError` that says what is wrong and where."""
    try:
        document = parse_json(read_small_file(path, MAX_BYTES))
    except JsonError as error:
        raise UsageError(f"{path} is not valid JSON: {error}", SEE) from error
    try:
        baseline = Baseline.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        what = {"missing": "is missing", "extra_forbidden": "is no key of a baseline"}.get(first["type"], first["msg"])
        raise UsageError(f"{path}: {place}: {what.removeprefix('Value error, ')}", SEE) from error
    seen: set[tuple[str, str]] = set()
    for entry in baseline.accepted:
        if (entry.rule, entry.fingerprint) in seen:
            raise UsageError(
                f"{path}: {entry.rule} {entry.fingerprint} is accepted twice", "Keep one of the two entries."
            )
        seen.add((entry.rule, entry.fingerprint))
    return baseline


def apply(findings: Sequence[Finding], baseline: Baseline, today: date) -> Applied:
    """The findings, those accepted marked so; one whose acceptance has ended, or was of less, counts again and says so.

    An entry matches by rule and fingerprint. Entries without a match are given back.
    """
    entries = {(one.rule, one.fingerprint): one for one in baseline.accepted}
    matched: set[tuple[str, str]] = set()
    result: list[Finding] = []
    expired: list[Entry] = []
    for finding in findings:
        key = (finding.rule, finding.fingerprint)
        entry = entries.get(key)
        if entry is None:
            result.append(finding)
            continue
        if _over(entry, today):
            ended = f"{finding.message} It was accepted until {entry.expires} ({entry.reason}); that day has passed."
            result.append(finding.model_copy(update={"message": ended, "accepted": None}))
            if key not in matched:
                expired.append(entry)
        elif _outgrown(entry, finding):
            less = (
                f"It was accepted as a {entry.severity} ({entry.reason}); it counts as more now ({finding.severity})."
            )
            result.append(finding.model_copy(update={"message": f"{finding.message} {less}", "accepted": None}))
        else:
            until = entry.expires.isoformat() if entry.expires is not None else None
            result.append(finding.model_copy(update={"accepted": Acceptance(reason=entry.reason, expires=until)}))
        matched.add(key)
    unmatched = tuple(one for key, one in entries.items() if key not in matched)
    return Applied(tuple(result), unmatched, tuple(expired))


def updated(
    baseline: Baseline, findings: Sequence[Finding], reason: str, expires: date | None, today: date
) -> Baseline:
    """A baseline that accepts all of `findings` (as they were before `apply`).

    Entries that still hold keep their reason and day; new, ended and outgrown ones get `reason` and `expires`; entries
    without a finding are dropped. Raises `UsageError` for no reason, an option in its place, or a day that has passed.
    """
    if not reason.strip() or reason.startswith("--"):
        raise UsageError("a finding is accepted only with a reason", "Say why.")
    if expires is not None and expires < today:
        raise UsageError(f"{expires} has passed", "Give a day to come, or none.")
    entries = {(one.rule, one.fingerprint): one for one in baseline.accepted}
    accepted: dict[tuple[str, str], Entry] = {}
    for finding in findings:
        key = (finding.rule, finding.fingerprint)
        kept = entries.get(key)
        if kept is None or _over(kept, today) or _outgrown(kept, finding):
            kept = Entry(
                fingerprint=finding.fingerprint,
                rule=finding.rule,
                reason=reason,
                expires=expires,
                about=finding.message,
                severity=finding.severity,
            )
        accepted[key] = kept
    return Baseline(accepted=tuple(accepted[key] for key in sorted(accepted)))


def as_text(baseline: Baseline) -> str:
    """The baseline as JSON for a file: the same findings always give the same bytes."""
    return json.dumps(baseline.model_dump(mode="json"), indent=2) + "\n"


def _over(entry: Entry, today: date) -> bool:
    return entry.expires is not None and today > entry.expires


def _outgrown(entry: Entry, finding: Finding) -> bool:
    order = list(Severity)
    return entry.severity is not None and order.index(finding.severity) < order.index(entry.severity)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _no_day(value: object) -> object:
    raise ValueError(f"{value!r} is no day")
