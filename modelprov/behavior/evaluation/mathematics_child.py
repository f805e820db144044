"""The child process that compares answers as mathematics with math-verify, within a limit of memory.

Stands alone (it is started by its path, isolated, without the environment of the parent) and imports nothing of
modelprov. Reads JSON objects, one a line: first the limit of memory, then pairs of `expected` and `said`; writes
`{"equal": ...}` for each, with `"read": false` where what is expected is no mathematics to the library. A text is
LaTeX to be read as a whole; `free` says that `said` is prose, to be looked through as the library does.
"""

from __future__ import annotations

import contextlib
import json
import sys
from functools import lru_cache
from typing import Any

from math_verify import LatexExtractionConfig, parse, verify

SECONDS = 5
"""The library's own limit, by an alarm that Python code hears; the parent's, which ends this process, is longer."""


def limit_memory(memory: int) -> None:
    """Bound this process's memory (bytes) and let it write no files, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@lru_cache(maxsize=4)
def whole(text: str) -> tuple[Any, ...]:
    """LaTeX read from end to end: never a number out of the middle of what could not be read."""
    return tuple(parse(f"${text}$", extraction_config=[LatexExtractionConfig()], parsing_timeout=SECONDS))


def compared(order: dict[str, Any]) -> dict[str, Any]:
    """Whether the library finds both equal."""
    expected = list(whole(order["expected"]))
    said = parse(order["said"], parsing_timeout=SECONDS) if order["free"] else list(whole(order["said"]))
    if not expected or not said:
        return {"equal": False, "read": bool(expected)}
    return {"equal": bool(verify(expected, said, timeout_seconds=SECONDS)), "read": True}


def main() -> None:
    """Compare pair after pair; whatever a text brings about is its own fault."""
    for number, line in enumerate(sys.stdin):
        order = json.loads(line)
        answer: dict[str, Any] = {}
        if number == 0:
            limit_memory(order["memory"])
        else:
            try:
                answer = compared(order)
            except (Exception, MemoryError, RecursionError):
                answer = {"equal": False, "read": True}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
