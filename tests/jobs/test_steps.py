"""Every job with known steps goes through all of them, in order: none is named that no run has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import modelprov
from modelprov.jobs import library
from modelprov.jobs.compare_part import compare_part
from modelprov.jobs.steps import STEPS
from modelprov.progress import Steps
from modelprov.recipes.recipe import linear
from tests.cli.conftest import models

__all__ = ["models"]


class Numbers:
    """A `Progress` that keeps the numbers of the stages."""

    def __init__(self, job: str) -> None:
        self._steps, self.heard = Steps(STEPS[job]), list[str]()

    def stage(self, text: str, _total: int = 0, /) -> None:
        self.heard.append(self._steps.number(text))

    def advance(self, done: int, /) -> None:
        """Not looked at."""


def known(models: Path, out: Path) -> Path:
    for name in ("nex", "qwen"):
        library.add(models / name, out / "known")
    return out / "known"


def recipe(models: Path, out: Path) -> Path:
    (out / "claim.yml").write_text(linear({str(models / "nex"): 0.565, str(models / "qwen"): 0.435}).as_yaml())
    return out / "claim.yml"


def parts(models: Path, out: Path) -> list[Path]:
    asked = (models / "rio", models / "nex", models / "qwen")
    made = [out / "1.mpsums", out / "2.mpsums"]
    for number, path in enumerate(made, 1):
        compare_part(*asked, part=f"{number}/2", output=path, device="cpu")
    return made


def report(models: Path, out: Path) -> Path:
    modelprov.compare(models / "rio", models / "nex", models / "qwen", device="cpu").save(out / "report.json")
    return out / "report.json"


RUNS: dict[str, Callable[[Path, Path, Numbers], object]] = {
    "compare": lambda at, _, heard: modelprov.compare(
        at / "rio", at / "nex", at / "qwen", device="cpu", progress=heard
    ),
    "compare_part": lambda at, out, heard: compare_part(
        at / "rio", at / "nex", at / "qwen", part="1/2", output=out / "p.mpsums", device="cpu", progress=heard
    ),
    "add": lambda at, out, heard: modelprov.add(*parts(at, out), progress=heard),
    "recheck": lambda at, out, heard: modelprov.recheck(report(at, out), device="cpu", progress=heard),
    "check": lambda at, _, heard: modelprov.check(at / "rio", candidates=[at / "nex", at / "qwen"], progress=heard),
    "merge": lambda at, out, heard: modelprov.merge({at / "nex": 0.6, at / "qwen": 0.4}, out / "made", progress=heard),
    "verify": lambda at, out, heard: modelprov.verify(at / "rio", recipe(at, out), progress=heard),
    "fingerprint": lambda at, out, heard: modelprov.fingerprint(at / "rio", out / "rio.mpf", progress=heard),
    "library add": lambda at, out, heard: library.add(at / "rio", out / "known", progress=heard),
    "identify": lambda at, out, heard: modelprov.identify(at / "rio", library=known(at, out), progress=heard),
    "atlas": lambda at, out, heard: modelprov.atlas(known(at, out), progress=heard),
}


@pytest.mark.parametrize("job", STEPS)
def test_a_run_takes_every_step_of_its_job_in_order(job: str, models: Path, tmp_path: Path) -> None:
    heard = Numbers(job)
    RUNS[job](models, tmp_path, heard)
    places = [int(number.split()[0]) for number in heard.heard]
    assert places == sorted(places)
    assert set(places) == set(range(1, len(STEPS[job]) + 1))
