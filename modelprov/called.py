"""What messages call an argument: its name in Python, its option in a command; refusals of unknown values; sizes.

For every room: who refuses something far below a job does not know whether a program or a command line asked for it.
Knows no job and no option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from modelprov.errors import UsageError

DEVICES: Final = ("auto", "cpu", "cuda")
ENGINES: Final = ("local", "ray")

_spelling: ContextVar[Callable[[str], str] | None] = ContextVar("spelling", default=None)


@contextmanager
def spelt(spelling: Callable[[str], str]) -> Iterator[None]:
    """While it lasts, messages call arguments as `spelling` does: a command calls `out_dtype` `--out-dtype`."""
    token = _spelling.set(spelling)
    try:
        yield
    finally:
        _spelling.reset(token)


def called(name: str, value: str | None = None) -> str:
    """What the reader calls an argument, and how he gives it a value: `device='cpu'`, in a command `--device cpu`."""
    spelling = _spelling.get()
    if spelling is None:
        return name if value is None else f"{name}={value!r}"
    return spelling(name) if value is None else f"{spelling(name)} {value}"


def refuse_other(name: str, value: str | None, known: Sequence[str]) -> None:
    """Refuse a value that is none of the known; `name` is the argument's. None is the default and passes."""
    if value is not None and value not in known:
        raise unknown(name, value, known)


def unknown(name: str, value: str, known: Sequence[str]) -> UsageError:
    """The error for a value of the argument `name` that is none of the known."""
    return UsageError(f"{called(name)} is {', '.join(known[:-1])} or {known[-1]}, not {value!r}")


UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_size(text: str, option: str) -> int:
    """Read a size such as 512M, 2G or 1048576 as bytes (powers of 1,024)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(match[1]) * UNITS[match[2].upper()]) if match else 0
    if size < 1:
        raise UsageError(f"{option} {text!r} is not a size", "Write it like 512M or 2G.")
    return size
