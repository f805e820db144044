r"""What the graders share of an answer's text: its last box, and whether something said was taken back. No verdicts."""

from __future__ import annotations

import re

BRACE = re.compile(r"\\boxed\{|[{}]")


def last_boxed(text: str) -> str | None:
    r"""What stands in the last complete `\boxed{...}`, braces inside it balanced; None where there is none."""
    open_braces: list[int] = []
    best: tuple[int, int] | None = None
    for match in BRACE.finditer(text):
        if match[0] != "}":
            open_braces.append(match.end() if match[0] != "{" else -1)
        elif open_braces and (start := open_braces.pop()) >= 0 and (best is None or start > best[0]):
            best = (start, match.start())
    return text[slice(*best)] if best else None
