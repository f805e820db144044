"""A command of a shell in lines that fit, which can be copied: the shell reads them as one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

FURTHER = "    "


def in_lines(words: Sequence[str], width: int, begin: str = "") -> list[str]:
    """The words, quoted already, in lines of at most `width` where a word leaves it; a backslash parts them."""
    lines = [f"{begin}{words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 3 <= width:
            lines[-1] += f" {word}"
        else:
            lines[-1] += " \\"
            lines.append(f"{FURTHER}{word}")
    return lines


def folded(command: str, width: int) -> list[str]:
    """A line of a shell, broken between its words; one that is no such line stays as it is."""
    try:
        words = shlex.split(command)
    except ValueError:
        return [command]
    return in_lines([shlex.quote(word) for word in words], width) if words and len(command) > width else [command]
