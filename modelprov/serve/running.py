"""A comparison in a process of its own: asked on standard input, it tells on standard output, a JSON object a line.

It lives as long as its standard input is open: whoever started it stops it by closing that, and cannot leave it behind.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from typing import IO, Any

from modelprov.errors import ModelprovError
from modelprov.foreign.json_text import parse_json

BETWEEN = 0.2  # seconds, at least, from one count to the next


class Lines:
    """A `Progress` that another process reads."""

    def __init__(self, out: IO[str]) -> None:
        self._out, self._lock, self._done, self._said = out, threading.Lock(), 0, 0.0

    def say(self, **said: Any) -> None:
        """One line."""
        self._out.write(json.dumps(said) + "\n")
        self._out.flush()

    def stage(self, text: str, total: int = 0, /) -> None:
        """A stage begins."""
        with self._lock:
            self._done, self._said = 0, 0.0
            self.say(stage=text, total=total)

    def advance(self, done: int, /) -> None:
        """Count, and say so now and then."""
        with self._lock:
            self._done += done
            if time.monotonic() - self._said >= BETWEEN:
                self._said = time.monotonic()
                self.say(done=self._done)

    def tell(self, text: str, /) -> None:
        """A sentence that stays."""
        with self._lock:
            self.say(tell=text)


def main() -> None:
    """Compare as asked, and write the report; what goes wrong is told in words."""
    asked = parse_json(sys.stdin.readline())
    threading.Thread(target=_leave_when_left, daemon=True).start()
    lines = Lines(sys.stdout)
    try:
        from modelprov.jobs.compare import compare

        report = compare(
            *asked["models"], control=asked["controls"], sample=asked["sample"], memory=asked["memory"],
            threads=asked["threads"], progress=lines,
        )  # fmt: skip
        report.save(asked["report"])
    except ModelprovError as error:
        lines.say(error=error.message, advice=error.advice)
    except MemoryError:
        lines.say(error="there is not enough memory", advice="Start the page with a smaller --memory, fewer --threads.")
    except Exception:
        traceback.print_exc()
        lines.say(error="this is a fault of modelprov; nothing was concluded", advice="The terminal has the details.")
    else:
        lines.say(report=asked["report"])


def _leave_when_left() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
