"""What was tried so far, in `modelprov-fuzz`: a line a run, and a mark of each input, so that none counts twice."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.fuzz.forms import is_of
from benchmarks.fuzz.keeping import OUT
from benchmarks.fuzz.trying import Outcome

SAMPLED = 8
"""Of so many inputs, by their marks, one is looked at for its form."""
RUNS = OUT / "runs.jsonl"


@dataclass
class Count:
    """One reader's run. `inputs` were tried in no run before; of `looked` of them, `formed` got beyond the first check.

    `refusals`: from how many places of ours inputs were refused; `faults`: kinds, and how often.
    """

    name: str
    seed: int
    guided: bool
    inputs: int = 0
    again: int = 0
    looked: int = 0
    formed: int = 0
    taken: int = 0
    refusals: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)


class Counting:
    """A run that is under way: which inputs are new, and what came of them."""

    def __init__(self, name: str, form: str, seed: int, guided: bool) -> None:
        self.count, self.form = Count(name, seed, guided), form
        self._place = OUT / "tried" / name
        self._before = set(_marks(self._place))
        self._new: set[int] = set()
        self._refused: set[str] = set()
        self.begun = time.process_time()  # set anew when all is imported

    def mark(self, content: bytes) -> int:
        """A number for an input, 0 for one that was tried before."""
        mark = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little") or 1
        if mark in self._before or mark in self._new:
            self.count.again += 1
            return 0
        self._new.add(mark)
        return mark

    def note(self, mark: int, content: bytes, outcome: Outcome) -> None:
        """What came of a new input."""
        count = self.count
        count.inputs += 1
        count.taken += not outcome.refused and outcome.fault is None
        if outcome.refused:
            self._refused.add(outcome.refused)
        if mark % SAMPLED == 0:
            count.looked += 1
            count.formed += is_of(self.form, content)

    @property
    def spent(self) -> float:
        """Seconds of this process."""
        return time.process_time() - self.begun

    def close(self) -> None:
        """Write the run down, and say it."""
        self.count.refusals, self.count.seconds = len(self._refused), round(self.spent, 2)
        self._place.parent.mkdir(parents=True, exist_ok=True)
        with self._place.open("ab") as marks:
            np.fromiter(self._new, np.uint64, len(self._new)).tofile(marks)
        with RUNS.open("a") as runs:
            runs.write(json.dumps(vars(self.count)) + "\n")
        print(_line([self.count]), "guided" if self.count.guided else "", flush=True)


def _marks(place: object) -> list[int]:
    try:
        return np.fromfile(str(place), np.uint64).tolist()  # type: ignore[no-any-return]
    except FileNotFoundError:
        return []


def runs(name: str = "") -> Iterator[Count]:
    """Every run in this folder, or those of a reader."""
    for line in RUNS.read_text().splitlines() if RUNS.exists() else ():
        told = json.loads(line)
        if not name or told["name"] == name:
            yield Count(**{**told, "faults": Counter(told["faults"])})


def _line(counts: Sequence[Count]) -> str:
    looked, inputs = sum(c.looked for c in counts), sum(c.inputs for c in counts)
    rate = inputs / max(1e-9, sum(c.seconds for c in counts))
    formed = 100 * sum(c.formed for c in counts) / max(1, looked)
    finds = len({kind for c in counts for kind in c.faults})
    return f"{counts[0].name:17} {inputs:>10,} inputs {rate:>7,.0f}/s {formed:>4.0f} % of their form {finds:>3} finds"


def table() -> str:
    """All runs as a table in Markdown."""
    rows = ["| Reader | Inputs | guided | of their form | taken | refused at | kinds of faults |",
            "| :--- | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    every = list(runs())
    names = dict.fromkeys(count.name for count in every)
    rows += (_row(name, [count for count in every if count.name == name]) for name in names)
    return "\n".join([*rows, _row("all", every)]) if every else "no runs yet"


def _row(name: str, counts: Sequence[Count]) -> str:
    inputs, looked = sum(c.inputs for c in counts), sum(c.looked for c in counts)
    shares = (
        sum(c.inputs for c in counts if c.guided) / max(1, inputs), sum(c.formed for c in counts) / max(1, looked),
        sum(c.taken for c in counts) / max(1, inputs),
    )  # fmt: skip
    told = " | ".join(f"{100 * share:.0f} %" for share in shares)
    lines = str(max(c.refusals for c in counts)) if len({c.name for c in counts}) == 1 else ""
    return f"| {name} | {inputs:,} | {told} | {lines} | {len({kind for c in counts for kind in c.faults})} |"
