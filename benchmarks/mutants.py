"""Changes one thing after another in the files that a verdict hangs on, and says which changes no fast test notices.

    python -m benchmarks.mutants [--processes 2] [interval.py ...]

Each file is mutated alone, by mutmut, in a copy of the repository and against the tests that belong to it: tests that
need no pipeline and take a second or two. How to read what it prints, and what may survive: `docs/testing.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ESTIMATORS = "tests/forensics/estimators"
TESTS = {
    "modelprov/forensics/judging/verdict.py": ["tests/forensics/rules"],
    "modelprov/forensics/judging/relatives.py": ["tests/forensics/rules"],
    "modelprov/forensics/judging/mixtures.py": ["tests/forensics/rules"],
    "modelprov/checkpoints/header.py": ["tests/checkpoints/test_header_edges.py"],
    "modelprov/checkpoints/header_entries.py": ["tests/checkpoints/test_header_edges.py"],
    "modelprov/forensics/estimators/interval.py": [f"{ESTIMATORS}/test_interval_ends.py"],
    "modelprov/forensics/estimators/least_squares.py": [f"{ESTIMATORS}/test_least_squares_edges.py"],
    "modelprov/recipes/methods/linear.py": ["tests/recipes/methods/test_linear.py"],
    "modelprov/forensics/estimators/likelihood.py": [f"{ESTIMATORS}/test_likelihood_small.py"],
}
WORDS = (r'^\s*f?"[^"]* [^"]*"', r"_refuse\(", r'_inconclusive\("')
"""Lines that hold a sentence for a reader: its wording is no rule, and the goldens of the reports hold it."""
SETTINGS = """[mutmut]
source_paths = modelprov
only_mutate = {source}
do_not_mutate_patterns =
    {words}
pytest_add_cli_args_test_selection =
    {tests}
pytest_add_cli_args =
    -p
    no:cacheprovider
    -p
    no:unraisableexception
    --hypothesis-profile
    mutants
process_isolation = forkserver
use_git_change_detection = false
"""
"""For speed: one process imports and is copied for every mutant, no garbage is collected, no example made smaller."""
SHOW = """import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
for mutant in sys.argv[1:]:
    print(mutant, get_diff_for_mutant(mutant), sep="\\n", end="\\0")"""
"""`mutmut show` for many: a process for each takes longer than trying it."""
SURVIVED, NO_TEST, ENDLESS = 0, 33, (-signal.SIGXCPU, -signal.SIGKILL)


@dataclass(frozen=True)
class Outcome:
    """How many mutants of `source` there were and never ended, and what each one that no test noticed changes."""

    source: str
    mutants: int
    endless: int
    survivors: tuple[str, ...]


def mutate(source: str, processes: int) -> Outcome:
    """Try every mutant of one file; raises `CalledProcessError` where the tests fail before anything is changed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("modelprov", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        tests, words = ("\n    ".join(lines) for lines in (TESTS[source], WORDS))
        (folder / "setup.cfg").write_text(SETTINGS.format(source=source, words=words, tests=tests))
        _in(folder, "-m", "mutmut", "run", "--max-children", str(processes))
        codes: dict[str, int] = json.loads((folder / "mutants" / f"{source}.meta").read_text())["exit_code_by_key"]
        kept = [mutant for mutant, code in codes.items() if code in (SURVIVED, NO_TEST)]
        shown = _in(folder, "-c", SHOW, *kept).split("\0")[:-1]
        endless = sum(code in ENDLESS for code in codes.values())
        return Outcome(source, len(codes), endless, tuple(diff.strip() for diff in shown))


def _in(folder: Path, *arguments: str) -> str:
    """What Python prints in `folder`, whose modules are those that are imported."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], file=sys.stderr)
        done.check_returncode()
    return done.stdout


def main() -> None:
    """Mutate the files whose names are given, or all, and print what survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="names of files, as interval.py; all without any")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    for source in TESTS:
        if given.files and Path(source).name not in given.files:
            continue
        outcome = mutate(source, given.processes)
        for survivor in outcome.survivors:
            print(survivor, end="\n\n")
        share = len(outcome.survivors) / max(outcome.mutants, 1)
        survive = f"{len(outcome.survivors)} of {outcome.mutants} mutants survive ({share:.0%})"
        print(f"{source}: {survive}; {outcome.endless} never end, which counts as noticed\n", flush=True)


if __name__ == "__main__":
    main()
