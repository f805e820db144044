"""Which failures of an endpoint pass, how long to wait before the next try, and what a final one means. Pure."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from modelprov.errors import EndpointError

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""HTTP statuses after which the same request may succeed (RFC 9110, RFC 6585; 529 is "overloaded" of some proxies)."""

FIRST_WAIT = 0.5
"""Seconds before the first retry; each further one waits twice as long."""

LONGEST_WAIT = 60.0
"""Seconds that no wait exceeds, whatever a server asks for."""


def wait_before(attempt: int, asked: float | None, rng: random.Random) -> float:
    """Seconds to wait before retry number `attempt` (from 0).

    What the server asked for (`asked`, capped); otherwise FIRST_WAIT * 2**attempt, capped and shortened at random to
    between half and all of it, so that many clients do not come back together.
    """
    if asked is not None:
        return min(asked, LONGEST_WAIT)
    return float(min(FIRST_WAIT * 2 ** min(attempt, 30), LONGEST_WAIT) * rng.uniform(0.5, 1.0))


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds named by a Retry-After header, a number or a date (RFC 9110, 10.2.3); None where it says neither."""
    if header is None:
        return None
    value = header.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max((date - now).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def status_error(
    status: int, place: str, words: str, *, model: str, keyed: bool, variable: str, served: list[str] | None = None
) -> EndpointError:
    """The error for an HTTP status other than success; `served` are the models that the endpoint lists, if it does."""
    said = f": {words}" if words else ""
    if status in {401, 403}:
        advice = (
            f"The API key is not accepted there: check {variable} (or the key given)."
            if keyed
            else f"It wants an API key: put it into the environment variable {variable}."
        )
        return EndpointError(f"{place} refuses access (HTTP {status}){said}", advice, status=status)
    if status == 429:
        message = f"{place} keeps limiting the rate of requests (HTTP 429){said}"
        advice = "Wait for the limit to pass, or ask the operator for a higher one; then run the command again."
        return EndpointError(message, advice, status=status, passing=True)
    if 300 <= status < 400:
        return EndpointError(
            f"{place} redirects (HTTP {status})", "Check the URL: it usually ends in /v1.", status=status
        )
    passing = status in PASSING
    strange = served is not None and model not in served
    listed = _listed(served or [])
    if strange and status in {400, 404}:
        message = f"{place} does not serve the model {model!r} (HTTP {status}){said}"
        return EndpointError(message, f"It serves: {listed}. Name one of these.", status=status)
    if status in {404, 405, 501}:
        advice = (
            "Check the URL: it usually ends in /v1."
            if served is None
            else "The endpoint lists the model, but does not offer this kind of request (chat or completions)."
        )
        return EndpointError(f"{place} is not there (HTTP {status}){said}", advice, status=status)
    if passing or status >= 500:
        message = f"{place} fails (HTTP {status}){said}"
        advice = "Look at the server's log, and try again."
        if strange:  # some servers fail on an unknown name, others list a model only once it is loaded
            advice = f"It lists other models than {model!r}: {listed}. Name one of these, or look at the server's log."
        return EndpointError(message, advice, status=status, passing=passing)
    message = f"{place} does not accept the request (HTTP {status}){said}"
    advice = "Check the settings: the endpoint may not know one of them, or the prompt may be too long for the model."
    return EndpointError(message, advice, status=status)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (", ".join(names[:10]) or "nothing") + more
