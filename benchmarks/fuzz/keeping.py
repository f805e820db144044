"""What a search starts from: the seeds, what once did harm, and what earlier runs grew, less what adds nothing."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import modelprov
from benchmarks.fuzz.readers import READERS, Reader
from benchmarks.fuzz.trying import trial

CORPUS = Path(__file__).with_name("corpus")
OUT = Path("modelprov-fuzz")
OWN = str(Path(modelprov.__file__).parent)
Line = tuple[str, int, int]
"""A file of ours, a line of it, and the line before."""


def corpus(name: str) -> list[bytes]:
    """The seeds of a reader, and what the repository holds for it."""
    return [*READERS[name].seeds(), *(path.read_bytes() for path in sorted(CORPUS.glob(f"{name}/*")))]


def grown(name: str) -> list[bytes]:
    """What earlier guided runs in this folder kept."""
    return [path.read_bytes() for path in sorted(place(name).glob("*"))]


def place(name: str) -> Path:
    """The folder in which a guided run of a reader keeps what reached more."""
    return OUT / "corpus" / name


def keep(name: str, contents: Iterable[bytes]) -> None:
    """Add inputs to what was grown."""
    place(name).mkdir(parents=True, exist_ok=True)
    for content in contents:
        (place(name) / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)


def minimise(name: str) -> tuple[int, int]:
    """Leave out every grown input whose steps from line to line shorter ones take too; how many there were and are."""
    every = sorted({*corpus(name), *grown(name)}, key=len)
    with tempfile.TemporaryDirectory() as folder:
        READERS[name].ready(Path(folder))
        seen: set[Line] = set()
        fewest = []
        for content in every:
            steps = _steps(READERS[name], Path(folder), content)
            if not steps <= seen:
                fewest.append(content)
            seen |= steps
    for path in place(name).glob("*"):
        path.unlink()
    keep(name, fewest)
    return len(every), len(fewest)


def _steps(reader: Reader, folder: Path, content: bytes) -> set[Line]:
    """The steps from line to line of our own code that a reader takes over an input."""
    found: set[Line] = set()
    last: dict[int, int] = {}

    def inside(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            found.add((frame.f_code.co_filename, last.get(id(frame), 0), frame.f_lineno))
            last[id(frame)] = frame.f_lineno
        elif event == "return":
            last.pop(id(frame), None)
        return inside

    def called(frame: FrameType, _event: str, _: Any) -> Any:
        return inside if frame.f_code.co_filename.startswith(OWN) else None

    sys.settrace(called)
    try:
        trial(reader, folder, content)
    finally:
        sys.settrace(None)
    return found
