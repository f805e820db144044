"""Fuzz readers, guided by the branches they take: `python -m benchmarks.fuzz [--reader gguf] [--seconds 60]`.

Each reader runs in a process of its own under atheris, and goes on from what earlier runs in this folder grew. A fault
does not end the run: the first input of each kind is written to `modelprov-fuzz/found/READER/` with what it did, and
counted. `--without-guide` tries mutations of the seeds, the corpus and what was grown, two to five times as many in a
second, and needs no atheris (which has wheels for Linux). `--minimise` first leaves out what adds nothing to the rest.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MEMORY = 4096  # MB, of a whole process, beyond which atheris ends it with the input written
HANG = 30  # seconds, likewise


@dataclass
class Search:
    """One reader's run: inputs so far, and faults by kind with how often."""

    name: str
    inputs: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    begun: float = field(default_factory=time.process_time)

    def told(self) -> str:
        """A line for people."""
        rate = self.inputs / max(1e-9, time.process_time() - self.begun)
        return f"{self.name:17} {self.inputs:>10,} inputs {rate:>7,.0f}/s  {len(self.faults)} kinds of faults"


@contextmanager
def trials(name: str) -> Iterator[tuple[Search, Callable[[bytes], None]]]:
    """A search, and the function that tries one input in it."""
    from benchmarks.fuzz.keeping import OUT
    from benchmarks.fuzz.readers import READERS
    from benchmarks.fuzz.trying import trial

    reader, search = READERS[name], Search(name)
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        reader.prepare(Path(folder))

        def attempt(content: bytes) -> None:
            search.inputs += 1
            fault = trial(reader, Path(folder), content)
            if fault is None:
                return
            search.faults[fault.kind] += 1
            if search.faults[fault.kind] == 1:
                place = OUT / "found" / name / hashlib.sha256(content).hexdigest()[:12]
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
                place.with_suffix(".txt").write_text(f"{fault.kind}\n{fault.told}")
                print(f"{name}: {fault.kind} ({place})", flush=True)

        yield search, attempt


def guided(name: str, seconds: int, seed: int) -> None:
    """Search with atheris; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["modelprov"]):
        from benchmarks.fuzz.keeping import OUT, corpus, keep, place
        from benchmarks.fuzz.mutating import mutated
        from benchmarks.fuzz.readers import READERS

        first = corpus(name)
        with trials(name) as (_, attempt):  # imports what the reader takes, so that its branches are counted
            attempt(first[0])
    form = READERS[name].form
    keep(name, first)
    with trials(name) as (search, attempt):
        until = time.process_time() + seconds

        def one_input(content: bytes) -> None:
            attempt(content)
            if time.process_time() > until:
                print(search.told(), flush=True)
                os._exit(0)

        def mutator(content: bytes, most: int, number: int) -> bytes:
            made = mutated(form, content, number)
            return made if len(made) <= most else atheris.Mutate(content, most)

        given = [
            sys.argv[0], str(place(name)), f"-seed={seed}",
            "-max_len=65536", "-len_control=0", f"-rss_limit_mb={MEMORY}",
            f"-timeout={HANG}", f"-artifact_prefix={OUT}/found/{name}-", "-verbosity=0",
        ]  # fmt: skip
        (OUT / "found").mkdir(parents=True, exist_ok=True)
        atheris.Setup(given, one_input, custom_mutator=mutator)
        atheris.Fuzz()


def unguided(name: str, seconds: int, seed: int) -> None:
    """Mutations of seeds, corpus and what was grown, of which none is kept."""
    from benchmarks.fuzz.keeping import corpus, grown
    from benchmarks.fuzz.mutating import mutated
    from benchmarks.fuzz.readers import READERS

    first, rng = [*corpus(name), *grown(name)], random.Random(seed)
    with trials(name) as (search, attempt):
        while time.process_time() < search.begun + seconds:
            attempt(mutated(READERS[name].form, rng.choice(first), rng.getrandbits(32)))
        print(search.told(), flush=True)


def main() -> int:
    """Run each reader asked for, one after the other; status 1 where any found a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", action="append", default=[], help="which (default: all); repeatable")
    parser.add_argument("--seconds", type=int, default=10, help="of the processor, for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-guide", action="store_true", help="without atheris")
    parser.add_argument("--minimise", action="store_true", help="leave out first what adds nothing to the rest")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        (unguided if args.without_guide else guided)(args.reader[0], args.seconds, args.seed)
        return 0
    from benchmarks.fuzz.keeping import OUT, minimise
    from benchmarks.fuzz.readers import READERS

    if unknown := [name for name in args.reader if name not in READERS]:
        parser.error(f"no reader {unknown[0]}; there are {', '.join(READERS)}")
    before = set(OUT.glob("found/**/*"))
    own = [sys.executable, "-m", "benchmarks.fuzz", "--here", f"--seconds={args.seconds}", f"--seed={args.seed}"]
    own += ["--without-guide"] * args.without_guide
    OUT.mkdir(exist_ok=True)
    ended = 0
    for name in args.reader or READERS:
        if args.minimise:
            print("{}: {} inputs kept {}".format(name, *minimise(name)), flush=True)
        with (OUT / f"{name}.log").open("wb") as log:
            done = subprocess.run([*own, f"--reader={name}"], stderr=log, check=False)
        if done.returncode:
            print(f"{name}: the process ended with {done.returncode}; see {log.name}")
            ended += 1
    found = set(OUT.glob("found/**/*")) - before
    return 1 if found or ended else 0


if __name__ == "__main__":
    sys.exit(main())
