"""What the package says of itself to an index: systems and Pythons that CI must pass on, and no others."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
SYSTEMS = {"ubuntu": "POSIX :: Linux", "macos": "MacOS", "windows": "Microsoft :: Windows"}


def claimed(kind: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {each.removeprefix(f"{kind} :: ") for each in project["classifiers"] if each.startswith(f"{kind} :: ")}


def required() -> dict[str, Any]:
    """The jobs of CI that run the tests and may not fail."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    return {
        name: job
        for name, job in jobs.items()
        if not job.get("continue-on-error") and any("make test" in step.get("run", "") for step in job["steps"])
    }


def test_the_systems_are_those_that_ci_must_pass_on() -> None:
    machines = {machine for job in required().values() for machine in job["strategy"]["matrix"]["machine"]}
    assert claimed("Operating System") == {SYSTEMS[machine.split("-")[0]] for machine in machines}


def test_the_pythons_are_those_that_ci_must_pass_on() -> None:
    pythons = {version for job in required().values() for version in job["strategy"]["matrix"]["python"]}
    of_three = {each for each in claimed("Programming Language :: Python") if each.startswith("3.")}
    assert of_three == pythons
    least = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert least == f">={min(pythons, key=lambda version: int(version.split('.')[1]))}"
