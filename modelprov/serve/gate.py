"""The gate before every page: this host, forms of our own pages, so many bytes; no other. Headers that allow no script.

Other pages in the same browser can send requests to loopback. What they cannot do: name our host in `Host` after they
made their own name lead here (DNS rebinding), send our `Origin`, read the token in our forms, or frame a page of ours.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSED = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
PAGE = f"{CLOSED}; style-src 'self'; form-action 'self'"
REPORT = f"{CLOSED}; style-src 'unsafe-inline'; img-src data:; form-action 'none'; sandbox"
"""A report may hold what strangers wrote: whatever got into it could run nothing, and would not be of our origin."""
HEADERS = {
    "Content-Security-Policy": PAGE,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send a form with `Origin: null`
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def hosts(host: str, port: int) -> frozenset[str]:
    """What a browser may call this server in `Host`."""
    names = {"127.0.0.1", "localhost", "[::1]"} if is_loopback(host) else {f"[{host}]" if ":" in host else host}
    return frozenset({f"{name.lower()}:{port}" for name in names} | (names if port == 80 else set()))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    return host in ("localhost", "::1") or host.startswith("127.")


class Gate:
    """Lets a request through, or answers it: 400 for another host, 403 for another origin, 411 and 413 for its size."""

    def __init__(self, app: ASGIApp, allowed: Collection[str], limit: int) -> None:
        self._app, self._allowed, self._limit = app, allowed, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; connections that are no HTTP are left alone (there are none)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refusal(scope["method"], Headers(scope=scope))
        await (refused or self._app)(scope, receive, guarded)

    def _refusal(self, method: str, headers: Headers) -> PlainTextResponse | None:
        host = headers.getlist("host")
        if len(host) != 1 or host[0].lower() not in self._allowed:
            return PlainTextResponse("This server is called by another name. Open the address that it printed.\n", 400)
        if method in ("GET", "HEAD"):
            return None
        if headers.getlist("origin") != [f"http://{host[0].lower()}"]:
            return PlainTextResponse("Only a form of this page may ask for that.\n", 403)
        length = headers.get("content-length", "")
        if "transfer-encoding" in headers or not (length.isascii() and length.isdecimal()):
            return PlainTextResponse("The length of what is sent must be said.\n", 411)
        if len(length) > 15 or int(length) > self._limit:
            return PlainTextResponse(f"At most {self._limit:,} bytes may be sent at once (--upload-limit).\n", 413)
        return None
