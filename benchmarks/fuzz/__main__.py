"""Fuzz readers, guided by the branches they take: `python -m benchmarks.fuzz [--reader gguf] [--seconds 60]`.

Each reader runs in a process of its own under atheris, and goes on from what earlier runs in this folder grew. A fault
does not end the run: the first input of each kind is written to `modelprov-fuzz/found/READER/` with what it did, and
counted. `--without-guide` tries mutations of the seeds, the corpus and what was grown, and needs no atheris (which has
wheels for Linux). `--minimise` first leaves out what adds nothing to the rest.

A long run: `--until 320000 --inputs 8000 --seconds 600 --in-turn` tries so many inputs of every reader a round, every
other round with the guide, until each has had its share; stopped and called again it goes on. An input counts once,
whichever run tried it. `--table` says what was tried so far.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.fuzz.counting import Counting

MEMORY = 4096  # MB of a whole process, beyond which an input has done harm
HANG = 60  # seconds, after which atheris ends the process; `trying` is done with an input before


@contextmanager
def trials(name: str, seed: int, guided: bool) -> Iterator[tuple[Counting, Callable[[bytes], None]]]:
    """A count, and the function that tries one input in it."""
    from benchmarks.fuzz.counting import Counting
    from benchmarks.fuzz.keeping import OUT
    from benchmarks.fuzz.readers import READERS
    from benchmarks.fuzz.trying import trial

    reader = READERS[name]
    counting = Counting(name, reader.form, seed, guided)
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        reader.ready(Path(folder))

        def attempt(content: bytes) -> None:
            mark = counting.mark(content)
            if not mark and not guided:
                return
            outcome = trial(reader, Path(folder), content)
            if mark:
                counting.note(mark, content, outcome)
            if (fault := outcome.fault) is None:
                return
            counting.count.faults[fault.kind] += 1
            if counting.count.faults[fault.kind] == 1:
                place = OUT / "found" / name / hashlib.sha256(content).hexdigest()[:12]
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
                place.with_suffix(".txt").write_text(f"{fault.kind}\n{fault.told}")
                print(f"{name}: {fault.kind} ({place})", flush=True)

        counting.begun = time.process_time()
        yield counting, attempt


def guided(name: str, seconds: int, inputs: int, seed: int) -> None:
    """Search with atheris; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["modelprov"]):
        from benchmarks.fuzz.forms import is_of
        from benchmarks.fuzz.keeping import OUT, corpus, grown, keep, place
        from benchmarks.fuzz.mutating import mutated
        from benchmarks.fuzz.readers import READERS

        first = corpus(name)
        with trials(name, seed, True):  # imports what the reader takes, so that its branches are counted
            pass
    form = READERS[name].form
    sound = [content for content in (*first, *grown(name)) if is_of(form, content)]
    keep(name, first)
    with trials(name, seed, True) as (counting, attempt):

        def one_input(content: bytes) -> None:
            attempt(content)
            if counting.count.inputs >= inputs or counting.spent > seconds:
                counting.close()
                os._exit(0)

        def mutator(content: bytes, most: int, number: int) -> bytes:
            if not is_of(form, content) and number % 8:  # branches of first checks are new too, and soon most of all
                content = sound[number % len(sound)]
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


def unguided(name: str, seconds: int, inputs: int, seed: int) -> None:
    """Mutations of seeds, corpus and what was grown and is still of its form; none is kept."""
    import resource

    from benchmarks.fuzz.forms import is_of
    from benchmarks.fuzz.keeping import corpus, grown
    from benchmarks.fuzz.mutating import mutated
    from benchmarks.fuzz.readers import READERS

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY << 20, MEMORY << 20))
    form, rng = READERS[name].form, random.Random(seed)
    first = [*corpus(name), *(content for content in grown(name) if is_of(form, content))]
    with trials(name, seed, False) as (counting, attempt):
        while counting.count.inputs < inputs and counting.spent < seconds:
            attempt(mutated(form, rng.choice(first), rng.getrandbits(32)))
        counting.close()


def a_round(args: argparse.Namespace, names: list[str]) -> int:
    """Each of the readers once; how many processes ended as none may."""
    from benchmarks.fuzz.counting import runs
    from benchmarks.fuzz.keeping import OUT, minimise

    own = [sys.executable, "-m", "benchmarks.fuzz", "--here", f"--seconds={args.seconds}", f"--inputs={args.inputs}"]
    ended = 0
    for name in names:
        if args.minimise:
            print("{}: {} inputs kept {}".format(name, *minimise(name)), flush=True)
        seed = args.seed or 1 + max((run.seed for run in runs(name)), default=0)
        alone = args.without_guide or (args.in_turn and seed % 2 == 0)
        command = [*own, f"--reader={name}", f"--seed={seed}", *["--without-guide"] * alone]
        with (OUT / f"{name}.log").open("wb") as log:
            done = subprocess.run(command, stderr=log, check=False)
        if done.returncode:
            print(f"{name}: the process ended with {done.returncode}; see {log.name}", flush=True)
            ended += 1
    return ended


def main() -> int:
    """Run each reader asked for, one after the other; status 1 where any found a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", action="append", default=[], help="which (default: all); repeatable")
    parser.add_argument("--seconds", type=int, default=10, help="of the processor, for each reader")
    parser.add_argument("--inputs", type=int, default=10**9, help="for each reader, where the seconds suffice")
    parser.add_argument("--until", type=int, help="rounds, until so many inputs of each reader were tried in all")
    parser.add_argument("--seed", type=int, default=0, help="default: the one after the reader's last run")
    parser.add_argument("--without-guide", action="store_true", help="without atheris")
    parser.add_argument("--in-turn", action="store_true", help="with and without atheris in turn")
    parser.add_argument("--minimise", action="store_true", help="leave out first what adds nothing to the rest")
    parser.add_argument("--table", action="store_true", help="say what was tried so far")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        (unguided if args.without_guide else guided)(args.reader[0], args.seconds, args.inputs, args.seed)
        return 0
    from benchmarks.fuzz.counting import runs, table
    from benchmarks.fuzz.keeping import OUT
    from benchmarks.fuzz.readers import READERS

    if unknown := [name for name in args.reader if name not in READERS]:
        parser.error(f"no reader {unknown[0]}; there are {', '.join(READERS)}")
    if args.table:
        print(table())
        return 0
    before = set(OUT.glob("found/**/*"))
    OUT.mkdir(exist_ok=True)
    names, ended = args.reader or list(READERS), 0
    while names:
        ended += a_round(args, names)
        tried = {name: sum(run.inputs for run in runs(name)) for name in names}
        names = [name for name in names if args.until and tried[name] < args.until]
    found = set(OUT.glob("found/**/*")) - before
    return 1 if found or ended else 0


if __name__ == "__main__":
    sys.exit(main())
