"""Runs in a peer's own Python, with nothing but the standard library: its command, once a line, without starting anew.

`python driver.py MODULE:FUNCTION` reads a JSON list of arguments a line, calls the command's entry point with them and
answers a JSON line: what it printed, its exit code, and the CPU seconds it took.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import resource
import sys
import time


def main() -> None:
    """Answer until the input ends."""
    module, function = sys.argv[1].split(":")
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        call = getattr(importlib.import_module(module), function)
    for line in sys.stdin:
        sys.argv = [module, *json.loads(line)]
        out, began, code = io.StringIO(), time.process_time(), 0
        try:
            with contextlib.redirect_stdout(out):
                call()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=out)
            code = 70
        told = {
            "out": out.getvalue(), "code": code, "seconds": time.process_time() - began,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }  # fmt: skip
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
