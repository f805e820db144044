"""What `modelprov.toml` says: which rules count how, what to compare with, what has to be judged. Judges nothing.

A policy is looked for above the model's folder, never in it: a model must not bring the rules that it is checked by.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from os.path import exists
from pathlib import Path
from typing import Any

from pydantic import Field, StrictBool, StrictStr, ValidationError

from modelprov.check.results import WEB, Severity
from modelprov.check.settings_file import FILE, MAX_BYTES, POLICY, TABLES
from modelprov.checkpoints.files import read_small_file
from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted, shortened
from modelprov.records import Frozen

REQUIRED = ("MP101",)
"""What a check does not pass without, unless a policy says `required = [...]`: no pass without evidence."""
SEVERITIES = {**{str(one): one for one in Severity}, "warn": Severity.WARNING}
SEE = "docs/check-policy.md lists the keys."


class Policy(Frozen):
    """A policy, its paths already those to open; the defaults are what counts without one.

    `rule_pages` is the address under which the rules' pages are published, which reports link. `severities` has only
    the rules that the policy names, by id; `required` are rules without whose judgement a check does not pass; `path`
    is the file it came from.
    """

    path: Path | None = None
    candidates: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    expected_digest: str | None = None
    sample: bool = False
    baseline: Path | None = None
    required: tuple[str, ...] = REQUIRED
    rule_pages: str | None = None
    severities: dict[str, Severity] = Field(default_factory=dict)

    def severity(self, rule: str, default: Severity) -> Severity:
        """How a finding of `rule` counts."""
        return self.severities.get(rule, default)


class _Check(Frozen):
    """The table [check], as written."""

    candidates: tuple[StrictStr, ...] = ()
    controls: tuple[StrictStr, ...] = ()
    expected_digest: StrictStr | None = Field(default=None, min_length=8)
    sample: StrictBool = False
    baseline: StrictStr | None = Field(default=None, min_length=1)
    required: tuple[StrictStr, ...] | None = None
    rule_pages: StrictStr | None = Field(default=None, pattern=WEB)


def find_policy(folder: Path) -> Path | None:
    """The nearest `modelprov.toml` above the model's folder, up to the repository that it lies in; None if none is."""
    for parent in folder.resolve().parents:
        if (parent / FILE).is_file():
            return parent / FILE
        if (parent / ".git").exists():
            return None
    return None


def load_policy(path: Path, rules: Mapping[str, str]) -> Policy:
    """The policy in a file; `rules` are the known rules, name by id. Raises `UnreadableFileError` or `UsageError`."""
    try:
        text = read_small_file(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", "Write the policy as UTF-8.") from error
    return parse_policy(text, path, rules)


def parse_policy(text: str, path: Path, rules: Mapping[str, str]) -> Policy:
    """The policy in a text that stands in `path`; relative paths in it begin at its folder. Raises `UsageError`."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path} is not valid TOML: {shortened(str(error), 160)}", SEE) from error
    for section in document:
        if section not in TABLES:
            raise _unknown(f"{path}: unknown section", section, POLICY)
        if section in POLICY and not isinstance(document[section], dict):
            raise UsageError(f"{path}: {section} is a table, written [{section}]", SEE)
    check = _check(document.get("check", {}), path)
    severities = _severities(document.get("rules", {}), path, rules)
    wanted = check.required
    if wanted is None:  # a default cannot contradict a rule that is off
        wanted = tuple(one for one in REQUIRED if severities.get(one) is not Severity.OFF)
    required = tuple(dict.fromkeys(_rule(one, f"{path}: required: unknown rule", rules) for one in wanted))
    off = [one for one in required if severities.get(one) is Severity.OFF]
    if off:
        raise UsageError(f"{path}: {off[0]} is required and off", "Take it out of `required`, or turn it on.")
    home = path.parent
    return Policy(
        path=path,
        candidates=tuple(_place(one, home) for one in check.candidates),
        controls=tuple(_place(one, home) for one in check.controls),
        expected_digest=check.expected_digest,
        sample=check.sample,
        baseline=home / check.baseline if check.baseline is not None else None,
        required=required,
        rule_pages=check.rule_pages,
        severities=severities,
    )


def _check(table: dict[str, Any], path: Path) -> _Check:
    for key in table:
        if key not in _Check.model_fields:
            raise _unknown(f"{path}: unknown key in [check]", key, _Check.model_fields)
    try:
        return _Check.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: check.{place}: {first['msg']}", SEE) from error


def _severities(table: dict[str, Any], path: Path, rules: Mapping[str, str]) -> dict[str, Severity]:
    found: dict[str, Severity] = {}
    for key, value in table.items():
        rule = _rule(key, f"{path}: unknown rule in [rules]", rules)
        if not isinstance(value, str) or value.lower() not in SEVERITIES:
            raise UsageError(f"{path}: {shortened(key, 80)} = {quoted(value)}: known: {', '.join(SEVERITIES)}", SEE)
        if rule in found:
            raise UsageError(f"{path}: {rule} ({rules[rule]}) is set twice", "Keep one of the two lines.")
        found[rule] = SEVERITIES[value.lower()]
    return found


def _rule(given: str, what: str, rules: Mapping[str, str]) -> str:
    """The id of a rule that is given by id or by name."""
    names = {name: rule for rule, name in rules.items()}
    if given.upper() in rules:
        return given.upper()
    if given.lower() in names:
        return names[given.lower()]
    raise _unknown(what, given, [*rules, *names], shown=[f"{rule} {name}" for rule, name in rules.items()])


def _place(location: str, home: Path) -> str:
    """A path relative to the policy as one to open, also after `NAME=`; an `org/name` that is no folder here stays."""
    name, equals, where = location.rpartition("=")
    there = home / where  # Path.exists raises for a name too long to be one
    return f"{name}{equals}{there}" if where.startswith(".") or (where and exists(there)) else location


def _unknown(what: str, given: str, known: Iterable[str], shown: Iterable[str] | None = None) -> UsageError:
    choices = list(known)
    close = difflib.get_close_matches(given[:100].lower(), [one.lower() for one in choices], n=1)
    meant = next((one for one in choices if close and one.lower() == close[0]), None)
    hint = f" (did you mean {meant}?)" if meant else ""
    return UsageError(f"{what}: {given[:100]!r}{hint}", f"Known: {', '.join(shown if shown is not None else choices)}.")
