"""Asks for a range until it is there: waits as servers say, renews locations, goes on where an answer broke off.

What a refusal means is for the caller to say; here it is only decided whether to ask again.
"""

from __future__ import annotations

import email.utils
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from modelprov.checkpoints.remote.http import Address, Answer, BrokenAnswerError, RefusedRequestError, ask
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.errors import UnreachableError

TRIES = 6
LONGEST = 600.0
"""Seconds that a server may make a run wait; whoever is told to wait longer is told so."""
FIRST, MOST_PAUSE = 0.5, 30.0
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
EXPIRED = frozenset({400, 401, 403, 404, 410})
"""What stores say of a signed location that is no longer good."""
RESET = re.compile(r"\bt\s*=\s*(\d+)")
RENEWALS = 2
ENOUGH = 64 << 10
"""Bytes of an answer that broke off, from which the server is thought well of again."""

CONTACT_TRIES = 3
"""For a first question, which a typing error may be behind."""
Result = TypeVar("Result")

pause: Callable[[float], None] = time.sleep
_turns: dict[str, float] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class File:
    """A remote file: what people call it, its bytes where known, and how its address is found (again, if `old`)."""

    place: str
    size: int | None
    address: Callable[[Address | None], Address]
    renewable: bool = False


def fetch(file: File, start: int, stop: int, check: Callable[[Answer], None] | None = None) -> bytes | bytearray:
    """Bytes `start` to `stop` of a file; `check` sees every answer.

    Raises `RefusedRequestError` where the server refuses for good, `UnreachableError` where it was asked often enough,
    and what `http.ask` raises.
    """
    content = bytearray()
    address = file.address(None)
    tries, renewals = 0, 0
    while len(content) < stop - start:
        at = start + len(content)
        TRAFFIC.ask(stop - at, file.place)
        began = time.monotonic()
        try:
            _wait_turn(address.url)
            answer = ask(address, at, stop, file.place, file.size)
            TRAFFIC.answered(time.monotonic() - began)
            if check is not None:
                check(answer)
            if len(answer.content) == stop - start:
                return answer.content  # as nearly always: no copy
            content += answer.content
            if len(answer.content) < min(stop - at, ENOUGH):  # a server may send less, but not for ever
                tries = _counted(tries, file.place, f"{len(answer.content):,} bytes at a time", TRIES)
        except BrokenAnswerError as error:
            if error.got:
                content += error.got
                tries = 0 if len(error.got) >= ENOUGH else tries
            tries = _again(tries, file.place, str(error), None)
        except RefusedRequestError as error:
            if error.status in PASSING:
                tries = _again(tries, file.place, f"status {error.status}", _said(error.headers), address.url)
            elif file.renewable and error.status in EXPIRED and renewals < RENEWALS:
                renewals += 1
                address = file.address(address)
            else:
                raise
    return content


def retried(call: Callable[[], Result], place: str, contact_tries: int = CONTACT_TRIES) -> Result:
    """An answer to a question that is no range, asked again in the same way; so often where nobody answers."""
    tries = 0
    while True:
        try:
            return call()
        except BrokenAnswerError as error:
            tries = _again(tries, place, str(error), None, most=contact_tries)
        except RefusedRequestError as error:
            if error.status not in PASSING:
                raise
            tries = _again(tries, place, f"status {error.status}", _said(error.headers))


def _again(tries: int, place: str, what: str, said: float | None, url: str = "", most: int = TRIES) -> int:
    """Wait before the next try; raises `UnreachableError` where there is none."""
    if said is not None and said > LONGEST:
        raise UnreachableError(
            f"{place}: the server asks to wait {said:,.0f} seconds", "Run the command again then; what came is kept."
        )
    tries = _counted(tries, place, what, most)
    wait = min(MOST_PAUSE, FIRST * 2 ** (tries - 1)) * (0.5 + random.random() / 2)
    if said is not None:
        wait = said + random.random()
        if url:
            with _lock:  # every thread of this process waits: the limit is the account's, not the request's
                _turns[_host(url)] = max(_turns.get(_host(url), 0.0), time.monotonic() + said)
    pause(wait)
    return tries


def _counted(tries: int, place: str, what: str, most: int) -> int:
    if tries + 1 >= most:
        raise UnreachableError(
            f"{place}: no whole answer after {most} tries ({what})",
            "Run the command again later, it goes on where this one stopped; or download the model.",
        )
    return tries + 1


def _wait_turn(url: str) -> None:
    wait = _turns.get(_host(url), 0.0) - time.monotonic()
    if wait > 0:
        pause(wait)
        with _lock:
            if _turns.get(_host(url), 0.0) <= time.monotonic() + wait:
                _turns.pop(_host(url), None)


def _host(url: str) -> str:
    return url.split("/", 3)[2] if url.count("/") >= 2 else url


def _said(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: `Retry-After` as seconds or a date, or the reset of `RateLimit`."""
    lower = {name.lower(): value for name, value in headers.items()}
    after = lower.get("retry-after", "").strip()
    if after.isdecimal():
        return float(after)
    if after:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time())
        except (TypeError, ValueError):
            return None
    reset = RESET.search(lower.get("ratelimit", ""))
    if reset is None:
        plain = lower.get("ratelimit-reset", lower.get("x-ratelimit-reset", ""))
        return float(plain) if plain.isdecimal() and int(plain) < LONGEST else None
    return float(reset[1])
