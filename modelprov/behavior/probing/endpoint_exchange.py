"""One try: sends one request and takes in the whole answer, within its limits of time, size and redirects.

The API key goes into one header of requests to the origin (scheme, host, port) that was asked for, never to another.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from modelprov.behavior.probing.endpoint_replies import printable
from modelprov.errors import EndpointError

if TYPE_CHECKING:
    import httpx

MAX_RESPONSE = 8 << 20
"""Bytes of one answer; far more than any probe's answer needs."""

MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 307, 308})
DEFAULT_PORTS = {"http": 80, "https": 443}
LAST_EVENT = b"data: [DONE]"


@dataclass(frozen=True)
class Answer:
    """What came back: HTTP status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def streamed(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        return self.headers.get("content-type", "").lower().startswith("text/event-stream")


def exchange(
    client: httpx.Client, method: str, url: str, request: Mapping[str, Any] | None, key: str, timeout: float
) -> Answer:
    """The whole answer to one request, after redirects within its origin.

    Raises `EndpointError`: passing when nothing answers, the connection breaks or `timeout` seconds are over; final for
    a redirect elsewhere, an answer over `MAX_RESPONSE` bytes, a certificate that is not trusted.
    """
    import httpx

    until = time.monotonic() + timeout
    origin = _origin(url)
    there = url
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        for _ in range(MAX_REDIRECTS + 1):
            with client.stream(method, there, json=request, headers=headers) as response:
                answer = Answer(response.status_code, dict(response.headers), _body(response, url, until))
            target = answer.headers.get("location")
            if answer.status not in REDIRECTS or target is None:
                return answer
            there = _joined(there, target)
            if _origin(there) != origin:
                raise EndpointError(
                    f"{url} sends requests on to another place: {_bare(there)}",
                    "Nothing was sent there. Give that URL yourself if you trust it.",
                    status=answer.status,
                )
    except httpx.TimeoutException as error:
        raise _too_slow(url, timeout) from error
    except httpx.ConnectError as error:
        if _untrusted(error):
            message, advice = f"the certificate of {url} is not trusted: {error}", "Check the URL and SSL_CERT_FILE."
            raise EndpointError(message, advice) from error
        message = f"nothing answers at {url}: {printable(str(error))}"
        raise EndpointError(message, "Start the server, or check host and port.", passing=True) from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        message = f"the connection to {url} broke: {printable(str(error)) or type(error).__name__}"
        advice = "Try again later; look at the server's log if it goes on."
        raise EndpointError(message, advice, passing=isinstance(error, httpx.TransportError)) from error
    raise EndpointError(f"{url} is redirected again and again", "Check the URL: it usually ends in /v1.")


def _body(response: httpx.Response, url: str, until: float) -> bytes:
    """The whole body; of a stream, up to its last event (a server may hold the connection open after it)."""
    import httpx

    body = bytearray()
    streamed = response.headers.get("content-type", "").startswith("text/event-stream")
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_RESPONSE:
            raise EndpointError(
                f"{url} answers with more than {MAX_RESPONSE >> 20} MB; reading was stopped",
                "Check that the URL is that of an OpenAI-compatible endpoint.",
            )
        if streamed and b"\n" + LAST_EVENT in body[-len(chunk) - len(LAST_EVENT) - 1 :]:
            break
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the time for the whole answer is over")
    return bytes(body)


def _too_slow(url: str, timeout: float) -> EndpointError:
    advice = "Give it more time, ask for fewer tokens, or look at what else the server has to do."
    return EndpointError(f"{url} did not answer within {timeout:g} s", advice, passing=True)


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "", "", None


def _joined(url: str, target: str) -> str:
    """Where a redirect leads; nowhere (no origin) for an address that cannot be read."""
    try:
        return urljoin(url, target)
    except ValueError:
        return ""


def _bare(url: str) -> str:
    """The origin of `url` for a message: user, path and query may hold secrets."""
    scheme, host, port = _origin(url)
    return printable(f"{scheme}://{host}:{port}")[:200] if host else "an address that cannot be read"


def _untrusted(error: BaseException | None) -> bool:
    """Whether a certificate is behind this failure to connect."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
