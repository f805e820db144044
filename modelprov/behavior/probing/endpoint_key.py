"""Keeps an endpoint's API key out of whatever the endpoint says: whole or in part, plain or encoded. Pure.

A server may echo the headers it was sent, and proxies and error pages do. So the key is taken out where bytes of the
server arrive (`endpoint_exchange`) and once more where pieces of a stream are joined, before anything else sees them.
"""

from __future__ import annotations

import base64
import html
import re
from functools import cached_property
from urllib.parse import unquote

SHOWN = "***"
RUN = 8
"""Characters of the key in a row that are taken for a part of it."""

LEAST = 4
"""A shorter "key" (some servers want any text at all) keeps nothing secret, and would be found in every word."""

LEVELS = 4
"""How often an encoding may be wrapped in another one, such as JSON in JSON."""

ESCAPES = re.compile(r"\\+u\{?([0-9a-fA-F]{2,6})\}?|\\+x([0-9a-fA-F]{2})|\\([^ux])")


class Key:
    """An API key (empty: none). `hide` takes it out of a text."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Key(***)" if self._key else "Key()"

    def __bool__(self) -> bool:
        return bool(self._key)

    @property
    def header(self) -> dict[str, str]:
        """The header that a request carries the key in."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def hide(self, text: str) -> str:
        """The text with `***` for the key, for each run of `RUN` of its characters, and for usual encodings of both.

        A key of `LEAST` to `RUN` - 1 characters is hidden where it stands as a word.
        """
        if len(self._key) < LEAST or not text:
            return text
        parts = self._parts_in(text)
        for part in sorted(parts, key=len, reverse=True):
            text = re.sub(self._pattern(part), SHOWN, text)
        return SHOWN if parts and self._parts_in(text) else text

    def hide_in_bytes(self, data: bytes) -> bytes:
        """The same for bytes of a server, whatever their encoding."""
        if len(self._key) < LEAST:
            return data
        text = data.decode("latin-1")
        hidden = self.hide(text)
        return data if hidden is text or hidden == text else hidden.encode("latin-1")

    def _parts_in(self, text: str) -> set[str]:
        """Every longest part of the key that the text holds, once what is escaped in it is read."""
        found: set[str] = set()
        for _ in range(LEVELS):
            found |= set(self._runs(text))
            plain = _unescaped(text)
            if plain == text:
                break
            text = plain
        return found

    def _runs(self, text: str) -> list[str]:
        if len(self._key) < RUN:
            return [self._key] if re.search(self._pattern(self._key), text) else []
        found = []
        for match in self._candidates.finditer(text):
            held = match[0]
            start = end = -1
            for at in range(len(held) - RUN + 1):
                if held[at : at + RUN] in self._grams:
                    if at > end:
                        found += [held[start:end]] if start >= 0 else []
                        start = at
                    end = at + RUN
            found += [held[start:end]] if start >= 0 else []
        return found

    @cached_property
    def _spellings(self) -> tuple[str, ...]:
        """The key as it is usually written: plain, in base64 wherever it stands in what is encoded, in hexadecimal."""
        plain = self._key.encode()
        shifted = []
        for before in range(3):
            encoded = base64.b64encode(b"\0" * before + plain).decode().rstrip("=")
            shifted.append(encoded[0 if before == 0 else before + 1 :])
        return (
            self._key, self._key.lower(), self._key.upper(), *shifted,
            *(each.replace("+", "-").replace("/", "_") for each in shifted), plain.hex(), plain.hex().upper(),
        )  # fmt: skip

    @cached_property
    def _grams(self) -> frozenset[str]:
        return frozenset(each[at : at + RUN] for each in self._spellings for at in range(len(each) - RUN + 1))

    @cached_property
    def _candidates(self) -> re.Pattern[str]:
        letters = "".join(sorted(set("".join(self._spellings))))
        return re.compile(f"[{re.escape(letters)}]{{{RUN},}}")

    def _pattern(self, part: str) -> str:
        """The part as a pattern: each character plain or escaped, at any depth of escapes."""
        whole = "".join(_written(letter) for letter in part)
        return rf"(?<![A-Za-z0-9]){whole}(?![A-Za-z0-9])" if len(self._key) < RUN else whole


def _written(letter: str) -> str:
    """A pattern for one character and the ways in which JSON, URLs, HTML and programs escape it."""
    code = f"{ord(letter):02x}"
    either = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in code)
    named = html.escape(letter)
    entity = (
        rf"&(?:amp;)*(?:#0*{ord(letter)}|#[xX]0*{either}{'|' + re.escape(named[1:-1]) if named != letter else ''});"
    )
    return rf"(?:\\*{re.escape(letter)}|\\+u\{{?0*{either}\}}?|\\+x{either}|%(?:25)*{either}|{entity})"


def _unescaped(text: str) -> str:
    """One level of escapes read: JSON's, those of URLs, those of HTML."""
    if "\\" in text:
        text = ESCAPES.sub(_character, text)
    if "%" in text:
        text = unquote(text, encoding="latin-1")
    return html.unescape(text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code is None:
        return match[3]
    return chr(int(code, 16)) if int(code, 16) < 0x110000 else ""
