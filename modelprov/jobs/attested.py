"""The job of `modelprov attest --verify`: a signed statement in, what of it can be confirmed out. Offline."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from modelprov.called import called
from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.jobs.arguments import Location, text_of
from modelprov.jobs.attest import LARGEST_KEY, hashed_weights, hashing
from modelprov.jobs.recorded import Places, labelled, parse_report, read_file
from modelprov.progress import SILENT, Progress, announce
from modelprov.reports.evidence.attestation_check import (
    Confirmed,
    Point,
    check_fingerprint,
    check_report,
    check_weights,
)
from modelprov.reports.evidence.attestation_envelope import is_envelope, key_id, open_envelope, public_key, verified
from modelprov.reports.evidence.fingerprint_statement import FingerprintStatement
from modelprov.reports.evidence.statements import load_statement


def confirm(
    file: Location, public: Location, *, report: Location | None = None, weights: Places = (),
    progress: Progress = SILENT,
) -> Confirmed:  # fmt: skip
    """Check the signature of a statement, and where given the report it was made from and the weights it names.

    `public` is the file of the key to look for; `report` the report that was attested, or the fingerprint. Raises
    `UsageError` for a file that is no statement.
    """
    started = datetime.now(UTC)
    key = public_key(read_file(public, LARGEST_KEY))
    content = read_file(file)
    try:
        data: Any = parse_json(content, unique=True)
    except JsonError as error:
        raise UsageError(f"{file} is not JSON", "Give a statement that `modelprov attest` signed.") from error
    bundled = isinstance(data, dict) and isinstance(data.get("dsseEnvelope"), dict)
    if bundled:  # a sigstore bundle: its certificates and log entries are not looked at, only the signature
        data = data["dsseEnvelope"]
    payload, signatures = open_envelope(data) if is_envelope(data) else (content, [])
    signed = verified(payload, signatures, key)
    statement = load_statement(payload.decode("utf-8", "replace"))
    if signed:
        says = f"by the key {key_id(key)[:16]}..." + (" (nothing else in the bundle was checked)" if bundled else "")
    else:
        says = "none of its signatures is this key's" if signatures else "the statement is not signed"
    points = [Point("signature", signed, says)]
    if isinstance(statement, FingerprintStatement):
        if weights:
            raise UsageError(
                f"the statement is about a fingerprint, which {called('weights')} cannot be held against",
                f"Give the fingerprint as {called('report')}; `modelprov compare` holds it against weights.",
            )
        if report is not None:
            points.append(check_fingerprint(statement, hashlib.sha256(read_file(report)).hexdigest()))
        return Confirmed(statement, tuple(points), text_of(file), started.isoformat(timespec="seconds"))
    if report is not None:
        told = read_file(report)
        points.append(check_report(statement, parse_report(told, report), hashlib.sha256(told).hexdigest()))
    named = labelled(weights, [each.label for each in statement.predicate.inputs])
    announce(progress, [hashing(label) for label in named])
    for label, where in named.items():
        found, manifest = hashed_weights(where, label, progress)
        points.append(check_weights(statement, label, found, manifest))
    return Confirmed(statement, tuple(points), text_of(file), started.isoformat(timespec="seconds"))
