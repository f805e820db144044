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

from modelprov.behavior.probing.endpoint_key import Key
from modelprov.behavior.probing.endpoint_replies import printable
from modelprov.errors import EndpointError

if TYPE_CHECKING:
    import httpx

    from modelprov.behavior.probing.endpoint_socket import Guard

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
    client: httpx.Client, guard: Guard, method: str, url: str, request: Mapping[str, Any] | None, key: Key,
    timeout: float,
) -> Answer:  # fmt: skip
    """The whole answer to one request, after redirects within its origin; the key taken out of whatever is in it.

    Raises `EndpointError`: passing when nothing answers, the connection breaks or `timeout` seconds are over; final for
    a redirect elsewhere, an answer over `MAX_RESPONSE` bytes, a compressed one, a certificate that is not trusted.
    """
    until = time.monotonic() + timeout
    origin = _origin(url)
    there = url
    for _ in range(MAX_REDIRECTS + 1):
        answer = _once(client, guard, method, there, request, key, until, _Asked(url, timeout))
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
    raise EndpointError(f"{url} is redirected again and again", "Check the URL: it usually ends in /v1.")


@dataclass(frozen=True)
class _Asked:
    """What a message names: the URL first asked for, and the seconds."""

    url: str
    timeout: float


def _once(
    client: httpx.Client, guard: Guard, method: str, there: str, request: Mapping[str, Any] | None, key: Key,
    until: float, asked: _Asked,
) -> Answer:  # fmt: skip
    """One answer, redirects included. No error of the libraries below is chained: it may quote the server."""
    import httpx

    from modelprov.behavior.probing.endpoint_socket import TooManyBytesError

    try:
        with (
            guard.within(until, 2 * MAX_RESPONSE),  # chunks and headers around the body take room of their own
            client.stream(method, there, json=request, headers=key.header) as response,
        ):
            body = _body(response, asked.url, until)
            headers = {key.hide(name): key.hide(value) for name, value in response.headers.items()}
            return Answer(response.status_code, headers, key.hide_in_bytes(body))
    except EndpointError as error:
        failure = error
    except TooManyBytesError:
        failure = _too_large(asked.url)
    except httpx.TimeoutException:
        failure = _too_slow(asked.url, asked.timeout)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        failure = _broken(error, asked.url, key.hide(printable(str(error))))
    raise failure


def _broken(error: Exception, url: str, words: str) -> EndpointError:
    """The connection could not be made or broke; `words` is what the library says of it."""
    import httpx

    if isinstance(error, httpx.ConnectError):
        if _untrusted(error):
            message, advice = f"the certificate of {url} is not trusted: {words}", "Check the URL and SSL_CERT_FILE."
            return EndpointError(message, advice)
        message, advice = f"nothing answers at {url}: {words}", "Start the server, or check host and port."
        return EndpointError(message, advice, passing=True)
    message = f"the connection to {url} broke: {words or type(error).__name__}"
    advice = "Try again later; look at the server's log if it goes on."
    return EndpointError(message, advice, passing=isinstance(error, httpx.TransportError))


def _body(response: httpx.Response, url: str, until: float) -> bytes:
    """The whole body; of a stream, up to its last event (a server may hold the connection open after it).

    We ask for no compression and unpack none: a few bytes can unpack to any number, or to nothing for ever.
    """
    import httpx

    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", ""}:
        raise EndpointError(
            f"{url} answers in the encoding {ascii(encoding)[:60]}, though it was asked for none",
            "Switch compression off in the server, or in the proxy before it.",
        )
    body = bytearray()
    streamed = response.headers.get("content-type", "").startswith("text/event-stream")
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MAX_RESPONSE:
            raise _too_large(url)
        if streamed and b"\n" + LAST_EVENT in body[-len(chunk) - len(LAST_EVENT) - 1 :]:
            break
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the time for the whole answer is over")
    return bytes(body)


def _too_large(url: str) -> EndpointError:
    return EndpointError(
        f"{url} answers with more than {MAX_RESPONSE >> 20} MB; reading was stopped",
        "Check that the URL is that of an OpenAI-compatible endpoint.",
    )


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
