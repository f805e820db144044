"""One input, judged: a reader may take it or raise an error of `modelprov.errors`, soon and in few words; no more."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz.readers import Reader
from modelprov.errors import ModelprovError

SLOW = 2.0
"""Seconds of this process for one input, all of which are smaller than 64 kB."""
LONGEST_MESSAGE = 2_000
"""Characters: a message is read by people."""


@dataclass(frozen=True)
class Fault:
    """What an input did that none may: `kind` is the same for all inputs that do it alike, `told` the traceback."""

    kind: str
    told: str = ""


def trial(reader: Reader, folder: Path, content: bytes) -> Fault | None:
    """Have a reader read `content` in its prepared folder; None where all is well."""
    reader.put(folder, content)
    started = time.process_time()
    try:
        reader.read(folder)
    except ModelprovError as error:
        if len(error.message) > LONGEST_MESSAGE:
            return Fault(f"a message of {len(error.message):,} characters: {error.message[:60]}")
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "modelprov" in Path(frame.filename).parts] or frames
        where = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        return Fault(f"{type(error).__name__} at {where}", traceback.format_exc())
    if (spent := time.process_time() - started) > SLOW:
        return Fault(f"slow: {spent:.1f} s")
    return None
