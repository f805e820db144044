"""What of a statement can be confirmed: signature, the report it was made from, the weights. Opens no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelprov.checkpoints.digests import HashedWeights
from modelprov.reports.comparison.report import Report
from modelprov.reports.evidence.attestation import MANIFEST, WEIGHTS, Statement, make_predicate
from modelprov.reports.evidence.fingerprint_statement import FingerprintStatement
from modelprov.reports.evidence.rechecking import Difference, differing
from modelprov.reports.numbers import plural
from modelprov.savable import Page


@dataclass(frozen=True)
class Point:
    """One thing that was checked: whether it holds, and why or why not."""

    name: str
    holds: bool
    says: str
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, eq=False)
class Confirmed(Page):
    """What the statement in `file` says, and each thing that was checked about it; `started` is when."""

    statement: Statement | FingerprintStatement
    points: tuple[Point, ...]
    file: str
    started: str

    @property
    def holds(self) -> bool:
        """Whether everything that was checked holds."""
        return all(point.holds for point in self.points)


def check_report(statement: Statement, report: Report, sha256: str) -> Point:
    """Whether the report is the one that the statement was made from, byte for byte."""
    signed = statement.predicate
    whole = {one.label: one.digest[WEIGHTS] for one in signed.inputs if WEIGHTS in one.digest}
    made = make_predicate(report, signed.report.sha256, whole)
    before, after = (one.model_dump(mode="json", by_alias=True) for one in (signed, made))
    differences = tuple(differing("predicate", before, after, 0.0))
    same = signed.report.sha256 == sha256
    if same and not differences:
        return Point("report", True, "the file that was attested, byte for byte")
    if same:
        return Point("report", False, "the statement says other things than the report it names", differences)
    if differences:
        return Point("report", False, "not the file that was attested", differences)
    return Point("report", False, "not the bytes that were attested, though the statement's part of it is the same")


def check_fingerprint(statement: FingerprintStatement, sha256: str) -> Point:
    """Whether the file is the one that the statement is about, byte for byte."""
    same = statement.subject[0].digest.get("sha256") == sha256
    return Point("fingerprint", same, "the file that was attested, byte for byte" if same else "not the file attested")


def check_weights(statement: Statement, label: str, found: HashedWeights, manifest: str) -> Point:
    """Whether these are the weights of the input that the statement names so, as closely as it says."""
    name = f"weights of {label}"
    subject = {one.name: one.digest["sha256"] for one in statement.subject if "sha256" in one.digest}
    if label == statement.predicate.inputs[0].label and subject:
        return _files(name, subject, found.shards)
    known = next(one.digest for one in statement.predicate.inputs if one.label == label)
    if WEIGHTS in known:
        same = known[WEIGHTS] == found.whole
        return Point(name, same, "every byte" if same else "not the bytes attested")
    if known.get(MANIFEST) != manifest:
        return Point(name, False, "names, sizes or headers are not those attested")
    says = "the statement has their names, sizes and headers only: any model of this shape would hold"
    return Point(name, True, f"same names, sizes and headers; {says}")


def _files(name: str, attested: Mapping[str, str], found: Mapping[str, str]) -> Point:
    differences = tuple(
        Difference(file, attested.get(file), found.get(file))
        for file in sorted({*attested, *found})
        if attested.get(file) != found.get(file)
    )
    says = "not the files attested" if differences else f"{plural(len(attested), 'shard')} by SHA-256, every byte"
    return Point(name, not differences, says, differences)
