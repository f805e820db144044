"""How foreign text looks wherever it is printed: nothing in it steers a terminal, and none of it is endless. Pure."""

from __future__ import annotations

import unicodedata

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of characters that show nothing themselves, or change how others show."""


def clean(text: str, keep: str = "") -> str:
    """Foreign text made safe to show: control, bidirectional and invisible characters become visible escapes."""
    if text.isprintable():
        return text

    def visible(character: str) -> str:
        if character in keep or unicodedata.category(character) not in UNSEEN:
            return character
        return character.encode("unicode_escape", "backslashreplace").decode("ascii")

    return "".join(map(visible, text))


def shortened(text: str, most: int) -> str:
    """`text` with its white space folded, of at most `most` characters, the last of them an ellipsis if it was cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def quoted(value: object, most: int = 80) -> str:
    """A foreign value as Python writes it, for a message: on one line, clean, and cut where it is long."""
    start = value[: most + 1] if isinstance(value, str | bytes | list) else value
    return shortened(clean(repr(start)), most)
