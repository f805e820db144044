"""A fingerprint as an in-toto statement: which file, of which model, taken how. Signs and reads nothing."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from modelprov import __version__
from modelprov.checkpoints.fingerprint_file import Opened
from modelprov.reports.evidence.attestation import STATEMENT, Camel, Subject
from modelprov.reports.numbers import plural
from modelprov.shares import rough_percent

FINGERPRINT: Final = "urn:modelprov:fingerprint:1"
DOES_NOT_SHOW = (
    "that the fingerprint was taken of the model it names: `modelprov compare` holds it against the weights",
    "anything of the weights between its blocks",
    "who made the model, or when",
)


class FingerprintPredicate(Camel):
    """What is claimed of the file: its model by name and revision, how it was taken, how much of the weights it has."""

    schema_version: str = "1.0"
    model: str
    revision: str | None
    seed: int
    share: float = Field(ge=0, le=1)
    parameters: int
    shards: dict[str, str]
    """SHA-256 of the headers of the model's files, by their names."""
    tokenizer: str | None
    tool: str
    version: str
    does_not_show: tuple[str, ...]


class FingerprintStatement(Camel):
    """An in-toto Statement, version 1, about the file of a fingerprint by its SHA-256."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(STATEMENT, alias="_type")
    subject: tuple[Subject, ...] = Field(min_length=1, max_length=1)
    predicate_type: Literal["urn:modelprov:fingerprint:1"] = FINGERPRINT
    predicate: FingerprintPredicate

    @property
    def about(self) -> str:
        """What the statement is about."""
        return self.subject[0].name

    @property
    def claim(self) -> str:
        """What it says that this is, in a word."""
        return "fingerprint"

    @property
    def summary(self) -> str:
        """What it says, in a sentence."""
        of = self.predicate
        revision = f" at revision {of.revision}" if of.revision else ""
        return (
            f"the file is a fingerprint of {of.model}{revision} ({plural(of.parameters, 'parameter')}), taken with "
            f"seed {of.seed}; it holds {rough_percent(of.share)} of the weights."
        )

    @property
    def does_not_show(self) -> tuple[str, ...]:
        """What it leaves open."""
        return self.predicate.does_not_show


def make_fingerprint_statement(file: str, sha256: str, opened: Opened) -> FingerprintStatement:
    """Of the file with this name and SHA-256, which holds what was `opened`."""
    said, held = opened.manifest, opened.fingerprint
    return FingerprintStatement(
        subject=(Subject(name=file, digest={"sha256": sha256}),),
        predicate=FingerprintPredicate(
            model=said.name,
            revision=said.revision,
            seed=said.seed,
            share=held.share,
            parameters=sum(ref.count for header in opened.headers for ref in header.tensors),
            shards={header.shard.name: header.shard.header_digest for header in opened.headers},
            tokenizer=said.tokenizer,
            tool="modelprov",
            version=__version__,
            does_not_show=DOES_NOT_SHOW,
        ),
    )
