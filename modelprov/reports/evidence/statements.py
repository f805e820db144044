"""Statements of both kinds, of a comparison and of a fingerprint: read from their text, each by what it says it is."""

from __future__ import annotations

from pydantic import ValidationError

from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted
from modelprov.records import first_mistake
from modelprov.reports.evidence.attestation import PREDICATE, Statement
from modelprov.reports.evidence.fingerprint_statement import FINGERPRINT, FingerprintStatement

KINDS: dict[str, type[Statement | FingerprintStatement]] = {PREDICATE: Statement, FINGERPRINT: FingerprintStatement}


def load_statement(text: str) -> Statement | FingerprintStatement:
    """The statement that `statement_text` wrote.

    Raises `UsageError` for what is no statement, or one about something else.
    """
    try:
        data = parse_json(text, unique=True, finite=True)
    except JsonError as error:
        raise UsageError(f"The statement is not JSON: {error}", "Give what `modelprov attest` wrote.") from error
    said = data.get("predicateType") if isinstance(data, dict) else None
    kind = KINDS.get(said) if isinstance(said, str) else None
    if kind is None:
        raise UsageError(
            f"The statement is not one of modelprov's: its predicateType is {quoted(said)}, not {' or '.join(KINDS)}",
            "Give what `modelprov attest` wrote.",
        )
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        place, mistake = first_mistake(error, "the statement")
        message = f"The statement does not fit its form at {place}: {mistake}"
        raise UsageError(message, "A newer modelprov may have written it.") from error
