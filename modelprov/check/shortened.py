"""Foreign text on one line of a message, cut where it is long."""

from __future__ import annotations


def shortened(text: str, most: int) -> str:
    """`text` with its white space folded, of at most `most` characters, the last of them an ellipsis if it was cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
