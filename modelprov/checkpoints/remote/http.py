"""Sends one HTTP request for a range of bytes and checks the answer. Retries nothing; knows no Hub.

An answer counts only if it says 206, names the range that was asked for, or the beginning of it, and the size that the
file had when it was opened. A header with a token goes to the host that it was made for, and to no other, however often
that host redirects.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from modelprov.checkpoints.remote.locations import shown
from modelprov.errors import ChangedFileError, NoRangesError, UnreachableError

REDIRECTS = 8
TIMEOUT = urllib3.Timeout(connect=10.0, read=30.0)
RANGE = re.compile(r"bytes\s+(\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.IGNORECASE | re.ASCII)
CHANGED = "Its owner replaced it during the run, so nothing was concluded from it; run the command again."
NO_RANGES = "Download the files and give their folder."
PIECE = 1 << 20
DROPPED: Final = frozenset({"authorization", "cookie"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where to ask for a file, and with which headers; these are for the host of `url` alone."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class RefusedRequestError(Exception):
    """An answer that is no content: its status and headers, for whoever knows what they mean."""

    def __init__(self, status: int, headers: Mapping[str, str], url: str) -> None:
        super().__init__(f"{status} from {shown(url)}")
        self.status, self.headers, self.url = status, headers, url


class BrokenAnswerError(Exception):
    """No answer, or one that ended early; `got` are the bytes that came."""

    def __init__(self, what: str, got: bytes = b"") -> None:
        super().__init__(what)
        self.got = got


_pools = threading.local()


def _pool() -> urllib3.PoolManager:
    """Connections of this thread, through the proxies that the environment names."""
    found: urllib3.PoolManager | None = getattr(_pools, "found", None)
    if found is None:
        found = _pools.found = _proxied()
    return found


def _proxied() -> Any:
    from urllib.request import getproxies

    proxies = getproxies()
    if proxies.get("https") or proxies.get("http"):
        return _Proxied(proxies)
    return urllib3.PoolManager(maxsize=4, retries=False, timeout=TIMEOUT)


class _Proxied:
    """A pool a proxy, and one for what is asked directly."""

    def __init__(self, proxies: Mapping[str, str]) -> None:
        self._proxies, self._direct = proxies, urllib3.PoolManager(maxsize=4, retries=False, timeout=TIMEOUT)
        self._pools: dict[str, urllib3.PoolManager] = {}

    def request(self, method: str, url: str, **how: Any) -> Any:
        from urllib.request import proxy_bypass

        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme)
        if not proxy or proxy_bypass(parts.netloc):
            return self._direct.request(method, url, **how)
        if proxy not in self._pools:
            self._pools[proxy] = urllib3.ProxyManager(proxy, maxsize=4, retries=False, timeout=TIMEOUT)
        return self._pools[proxy].request(method, url, **how)


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes that came, the size of the whole file, and the headers of the answer."""

    content: bytearray
    size: int
    headers: Mapping[str, str]


def ask(address: Address, start: int, stop: int, place: str, size: int | None = None) -> Answer:
    """Bytes `start` to `stop` (not empty) of the file at an address, which has `size` bytes where that is known.

    Raises `RefusedRequestError`, `BrokenAnswerError`; `NoRangesError` for a server that does not answer ranges,
    `ChangedFileError` for another size, `UnreachableError` for redirects without an end.
    """
    url, headers = address.url, {**address.headers, "Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    origin = _origin(url)
    for _ in range(REDIRECTS):
        own = headers if _origin(url) == origin else {k: v for k, v in headers.items() if k.lower() not in DROPPED}
        try:
            response = _pool().request("GET", url, headers=own, redirect=False, preload_content=False)
        except HTTPError as error:
            raise BrokenAnswerError(_reason(error)) from error
        try:
            if response.status in (301, 302, 303, 307, 308) and response.headers.get("Location"):
                url = _next(url, response.headers["Location"], place)
                continue
            return _checked(response, start, stop, place, size, url)
        finally:
            _done(response)
    raise UnreachableError(f"{place} is redirected without end", "Check the address, or the mirror (HF_ENDPOINT).")


def _checked(response: Any, start: int, stop: int, place: str, size: int | None, url: str) -> Answer:
    whole = stop - start
    if response.status == 200:
        length = response.headers.get("Content-Length", "")
        if start != 0 or length != str(whole) or size not in (None, whole):
            raise NoRangesError(f"{place}: the server ignores ranges and sends the whole file", NO_RANGES)
        found = whole
    elif response.status == 206:
        said = RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if said is None or int(said[1]) != start or not start <= int(said[2]) < stop:
            what = response.headers.get("Content-Range") or "no range at all"
            raise NoRangesError(
                f"{place}: bytes {start}-{stop - 1} were asked for, the answer is {what:.80}", NO_RANGES
            )
        found = int(said[3]) if said[3] != "*" else (-1 if size is None else size)
        if size is not None and found != size:
            raise ChangedFileError(f"{place} has {found:,} bytes now, and had {size:,} when it was opened", CHANGED)
        whole = min(whole, int(said[2]) + 1 - start)
    elif response.status == 416 and size is not None:
        raise ChangedFileError(f"{place} has become shorter than the {size:,} bytes that it had", CHANGED)
    else:
        raise RefusedRequestError(response.status, dict(response.headers), url)
    if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        raise NoRangesError(f"{place}: the server sends the bytes in another form than asked for", NO_RANGES)
    return Answer(_body(response, whole), found, dict(response.headers))


def _body(response: Any, whole: int) -> bytearray:
    """All the bytes, in one place from the start; `BrokenAnswerError` with those that came where there are fewer."""
    content, at = bytearray(whole), 0
    try:
        while at < whole:
            piece = response.read(min(PIECE, whole - at), decode_content=False)
            if not piece:
                break
            content[at : at + len(piece)] = piece
            at += len(piece)
    except (HTTPError, OSError) as error:
        raise BrokenAnswerError(_reason(error), bytes(content[:at])) from error
    if at < whole:
        raise BrokenAnswerError(f"the answer ended after {at:,} of {whole:,} bytes", bytes(content[:at]))
    return content


def _next(url: str, target: str, place: str) -> str:
    """Where a redirect leads; never from https to http, nor away from the web."""
    try:
        joined = urljoin(url, target)
        scheme, _, _ = _origin(joined)
    except ValueError as error:  # half a bracket, or a port that is no number
        raise UnreachableError(f"{place} is redirected to what is no address", "Check the address.") from error
    if scheme not in ("http", "https") or (scheme == "http" and urlsplit(url).scheme == "https"):
        raise UnreachableError(
            f"{place} is redirected to {shown(joined):.120}, which is not followed", "Check the address."
        )
    return joined


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _done(response: Any) -> None:
    """Give the connection back if all of the answer was read, else close it."""
    if response.length_remaining in (0, None) and response.status in (200, 206):
        response.release_conn()
    elif (response.length_remaining or 0) <= PIECE:
        try:
            response.drain_conn()
            response.release_conn()
        except (HTTPError, OSError):
            response.close()
    else:
        response.close()


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
