"""Jobs in a process in which reads of weights fail below Python: `reads.c` is loaded there before the C library.

As a program (`begin` starts it) it forks once for each fault, so that everything is imported once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest

from modelprov.jobs.compare import compare
from modelprov.jobs.compare_part import compare_part
from modelprov.native import native
from modelprov.native.build import CannotBuildError, compiler
from tests.faults.injecting import End, below_python, in_a_fork
from tests.faults.jobs import JOBS, Job

SOURCE = Path(__file__).with_name("reads.c")


def library(folder: Path) -> Path:
    """`reads.c`, compiled into a folder; skips the test, and says why, where weights are not read in C or it cannot."""
    if sys.platform != "linux" or native() is None:
        pytest.skip("weights are not read in C here, or there is no LD_PRELOAD")
    made = folder / "reads.so"
    try:
        command = [*compiler(), "-shared", "-fPIC", "-O1", "-Wall", "-Werror", str(SOURCE), "-o", str(made), "-ldl"]
    except CannotBuildError as error:
        pytest.skip(str(error))
    subprocess.run(command, check=True, capture_output=True, text=True)
    return made


def preloaded(made: Path, fault: str = "none", at: int = 0) -> dict[str, str]:
    """What the environment of a process says in which reads fail."""
    return {"LD_PRELOAD": str(made), "READ_FAULT": fault, "READ_FAULT_AT": str(at)}


def ends(made: Path, name: str, fault: str, models: Path, out: Path, at: Sequence[int]) -> list[End]:
    """How a job of `RESUMING` ended that met the fault at each of these reads, in a folder of `out` by its number.

    A fault that spoils the weights is met by models of its own, which lie in that folder.
    """
    told = subprocess.run(
        [sys.executable, "-m", "tests.faults.below", name, fault, models, out, *map(str, at)],
        env=os.environ | preloaded(made), check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return [End(**json.loads(line)) for line in told.stdout.splitlines()]


def _compare(models: Path, out: Path) -> None:
    report = compare(models / "rio", models / "nex", models / "qwen", device="cpu", threads=1, resume=out / "state")
    report.save(out / "report.json")


def _part(models: Path, out: Path) -> None:
    compare_part(
        models / "rio", models / "nex", models / "qwen", part="1/2", output=out / "p.mpsums", device="cpu", threads=1,
        resume=out / "state",
    )  # fmt: skip


RUNS: dict[str, Callable[[Path, Path], object]] = {"compare": _compare, "part": _part}
RESUMING: dict[str, Job] = {name: replace(JOBS[name], run=run) for name, run in RUNS.items()}
"""Jobs that read weights in C, and keep a file to go on from."""


def _run(name: str, fault: str, models: str, out: str, *at: str) -> None:
    for number in at:
        folder = Path(out) / number
        own = folder / "models"
        job = partial(RESUMING[name].run, own if own.exists() else Path(models), folder)
        print(json.dumps(asdict(in_a_fork(job, below_python(fault), int(number)))), flush=True)


if __name__ == "__main__":
    _run(*sys.argv[1:])
