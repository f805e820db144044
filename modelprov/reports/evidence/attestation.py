"""A report as an in-toto statement: what was compared, what came out, what it does not show. Signs and reads nothing.

Paths of this machine are left out, since a statement travels: an input is named by its label, its digest, and where it
came from a hub, its repository and revision.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from modelprov.checkpoints.digests import HashedWeights
from modelprov.forensics.mixing import RecipeGroup
from modelprov.forensics.results import Control
from modelprov.records import Frozen
from modelprov.reports.comparison.report import Input, Report

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "urn:modelprov:weights-comparison:1"
MANIFEST = "modelprovManifestSha256"
WEIGHTS = "modelprovWeightsSha256"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")


class Camel(Frozen):
    """A record whose keys are written as in-toto writes them: lowerCamelCase."""

    model_config = ConfigDict(alias_generator=to_camel)


class Subject(Camel):
    """What the statement is about: a file by its SHA-256, or a model by the digest of its manifest."""

    name: str
    digest: dict[str, str] = Field(min_length=1)


class AttestedInput(Camel):
    """A checkpoint that was compared. `digest_covers` says what its manifest's digest stands for.

    The digest of the weights, where there is one, covers names, sizes and every byte of the shards.
    """

    label: str
    role: Literal["suspect", "parent", "reference", "control", "candidate"]
    repository: str | None
    revision: str | None
    digest: dict[str, str]
    digest_covers: str
    parameters: int
    bytes: int
    shards: int


class AttestedVerdict(Camel):
    """The conclusion, by which rule, and in a sentence."""

    class_: str = Field(alias="class")
    rule: str
    summary: str
    parent: str | None
    reason: str | None
    roles: str | None


class AttestedShare(Camel):
    """How much of a parent is in the suspect; the interval is that of `AttestedMixing.method`."""

    parent: str
    alpha: float | None
    low: float | None
    high: float | None


class AttestedMixing(Camel):
    """The mixing coefficients, and the estimator they come from."""

    method: str | None
    shares: tuple[AttestedShare, ...]
    reason: str | None


class AttestedRecipe(Camel):
    """The exact recipe that reproduces most bits, and the share of the elements that come out equal."""

    recipe: str | None
    arithmetic: str | None
    groups: tuple[RecipeGroup, ...]
    bit_equal: float | None
    elements: int
    reason: str | None


class AttestedRun(Camel):
    """What the run needs to be repeated."""

    tool: str
    version: str
    packages: dict[str, str]
    device: str
    mode: Literal["full", "sample"]
    seed: int
    share_compared: float
    share_read: float
    started: str


class AttestedReport(Camel):
    """The report file that the statement was made from, by the SHA-256 of its bytes."""

    sha256: str
    schema_version: str


class Predicate(Camel):
    """What is claimed of the subject."""

    schema_version: str = "1.0"
    verdict: AttestedVerdict
    mixing: AttestedMixing
    recipe: AttestedRecipe
    inputs: tuple[AttestedInput, ...]
    controls: tuple[Control, ...]
    does_not_show: tuple[str, ...]
    run: AttestedRun
    report: AttestedReport


class Statement(Camel):
    """An in-toto Statement, version 1."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(STATEMENT, alias="_type")
    subject: tuple[Subject, ...] = Field(min_length=1)
    predicate_type: Literal["urn:modelprov:weights-comparison:1"] = PREDICATE
    predicate: Predicate

    @property
    def about(self) -> str:
        """What the statement is about."""
        return self.predicate.inputs[0].label

    @property
    def claim(self) -> str:
        """What it says that this is, in a word."""
        return str(self.predicate.verdict.class_)

    @property
    def summary(self) -> str:
        """What it says, in a sentence."""
        return self.predicate.verdict.summary

    @property
    def does_not_show(self) -> tuple[str, ...]:
        """What it leaves open."""
        return self.predicate.does_not_show


def make_statement(report: Report, sha256: str, hashed: Mapping[str, HashedWeights] | None = None) -> Statement:
    """Make the statement of a report whose file has this SHA-256; `hashed` are inputs hashed whole, by label.

    The subject is the suspect: its shards by name and SHA-256 where known, else the digest that the report has, under
    a name of its own so that nobody takes it for the SHA-256 of a file.
    """
    suspect = report.inputs[0]
    whole = {label: one.whole for label, one in (hashed or {}).items()}
    if hashed and suspect.label in hashed:
        shards = sorted(hashed[suspect.label].shards.items())
        subject = tuple(Subject(name=name, digest={"sha256": digest}) for name, digest in shards)
    else:
        subject = (Subject(name=suspect.label, digest={MANIFEST: suspect.digest}),)
    return Statement(subject=subject, predicate=make_predicate(report, sha256, whole))


def make_predicate(report: Report, sha256: str, whole: Mapping[str, str]) -> Predicate:
    """What is claimed; `whole` has the digests of all bytes of the inputs that were hashed, by label."""
    verdict, made, run = report.verdict, report.reproduction, report.environment
    return Predicate(
        verdict=AttestedVerdict(
            class_=str(verdict.class_),
            rule=verdict.rule,
            summary=verdict.summary,
            parent=verdict.parent,
            reason=verdict.reason,
            roles=verdict.roles,
        ),
        mixing=AttestedMixing(
            method=report.mixing.method,
            shares=tuple(
                AttestedShare(parent=one.parent, alpha=one.alpha, low=one.low, high=one.high)
                for one in report.mixing.coefficients
            ),
            reason=report.mixing.reason,
        ),
        recipe=AttestedRecipe(
            recipe=made.recipe,
            arithmetic=made.arithmetic,
            groups=made.groups,
            bit_equal=made.bit_equal,
            elements=made.elements,
            reason=made.reason,
        ),
        inputs=tuple(_input(one, whole.get(one.label)) for one in report.inputs),
        controls=verdict.controls,
        does_not_show=verdict.does_not_show,
        run=AttestedRun(
            tool=report.tool,
            version=run.modelprov,
            packages=run.packages,
            device=run.device,
            mode=report.mode,
            seed=run.seed,
            share_compared=report.coverage.share,
            share_read=report.coverage.read_share,
            started=run.started,
        ),
        report=AttestedReport(sha256=sha256, schema_version=report.schema_version),
    )


def _input(one: Input, whole: str | None) -> AttestedInput:
    hub = one.revision is not None and REPOSITORY.fullmatch(one.location) is not None
    return AttestedInput(
        label=one.label,
        role=one.role,
        repository=one.location if hub else None,
        revision=one.revision,
        digest={MANIFEST: one.digest} | ({WEIGHTS: whole} if whole else {}),
        digest_covers=one.digest_covers,
        parameters=one.parameters,
        bytes=one.bytes,
        shards=one.shards,
    )


def statement_text(statement: Camel) -> str:
    """The statement as JSON, ASCII only, ending in a line feed; the same report gives the same bytes."""
    return json.dumps(statement.model_dump(mode="json", by_alias=True), indent=2, allow_nan=False) + "\n"
