"""What a check found, as it crosses file boundaries: claims, findings, what could not be judged. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from modelprov.records import Frozen
from modelprov.savable import PAGES, Page

SCHEMA_VERSION = "1.2"
WEB = r"^https?://[^\s<>\"'`]+$"
"""What an address has to be that a report links."""


class Severity(StrEnum):
    """How a finding counts: an error fails the check, a warning and a note do not; `off` rules do not run."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    OFF = "off"


class Location(Frozen):
    """A place in a file of the model: path relative to its folder, line and column from 1 (None: the whole file)."""

    file: str
    line: int | None = None
    column: int | None = None
    end_line: int | None = None


class Claim(Frozen):
    """One thing that the publisher says, where, and what became of it.

    `kind` is a word such as base-model, relation, license, training, recipe, score, digest. "unverifiable" claims
    leave no trace in files ("from permission"); "not tested" ones could be tested, but something was missing (`note`).
    """

    kind: str
    text: str
    location: Location | None
    status: Literal["confirmed", "contradicted", "unverifiable", "not tested"]
    note: str = ""


class Acceptance(Frozen):
    """A finding that a baseline accepts: who decides gave a reason, until a day (ISO date) or without end."""

    reason: str
    expires: str | None = None


class Finding(Frozen):
    """What was measured contradicts what was claimed, by one rule.

    `fingerprint` stays the same from run to run (rule and what it is about, no line numbers), so that a baseline can
    name it. `claimed` and `measured` are a few words each; `advice` says what to do, `command` what shows
    it, to be typed as it is.
    """

    rule: str
    name: str
    severity: Severity
    message: str
    claimed: str = ""
    measured: str = ""
    advice: str = ""
    command: str = ""
    location: Location | None = None
    fingerprint: str
    accepted: Acceptance | None = None


class NotJudged(Frozen):
    """A rule that could not be judged, and why; `required` ones leave the check without a pass."""

    rule: str
    name: str
    reason: str
    required: bool = False


class Input(Frozen):
    """A checkpoint that was read: `digest` as `digest_covers` says."""

    label: str
    role: Literal["model", "candidate", "control"]
    location: str
    revision: str | None
    digest: str
    digest_covers: str
    declared: bool = False
    license: str | None = None


class Lineage(Frozen):
    """What the comparison of weights said, in short; the full report is `modelprov compare`'s.

    `verdict` is a class of `VerdictClass`. Labels of candidates: `compared` with the model, `parents` that the verdict
    names as sources, `strangers` that have no more in common with the model than independently trained ones.
    `shares`: mixing coefficient by label, where measured. `doubt`: why no finding may rest on it although there is a
    verdict (only a sample was read, shares that cannot be told apart); empty where none. `controls` are the labels.
    `covered`: share of the model's weights that could be compared; `held`: the part of these that the verdict is about,
    less than 1 where a merge or copy holds in a part only. `behind`: by label, candidates of which the model is a
    mixture where the declared parents are left out, in words; `twins`: those that have the weights of a declared
    parent, with its name.
    """

    verdict: str
    summary: str
    compared: tuple[str, ...]
    parents: tuple[str, ...]
    strangers: tuple[str, ...]
    shares: dict[str, float]
    recipe: str | None
    bit_equal: float | None
    command: str
    doubt: str = ""
    controls: tuple[str, ...] = ()
    covered: float = 1.0
    held: float = 1.0
    behind: dict[str, str] = Field(default_factory=dict)
    twins: dict[str, str] = Field(default_factory=dict)


class CheckReport(Frozen, Page):
    """Everything that `modelprov check` found. `outcome` decides the exit code: 0, 1 or 3.

    `model` is its label, `folder` where it is, as it was given. `rule_pages` is where the rules' pages are published.
    """

    forms: ClassVar[Mapping[str, str]] = {**PAGES, ".sarif": "sarif", ".xml": "junit"}

    schema_version: str = SCHEMA_VERSION
    tool: str = "modelprov check"
    version: str
    command: str
    started: str
    model: str
    folder: str = ""
    outcome: Literal["passed", "findings", "could not judge"]
    findings: tuple[Finding, ...]
    not_judged: tuple[NotJudged, ...]
    claims: tuple[Claim, ...]
    lineage: Lineage | None
    inputs: tuple[Input, ...]
    policy: str | None
    rules: tuple[str, ...]
    rule_pages: str | None = Field(default=None, pattern=WEB)
