"""The hashes that a release is installed by are of the versions that are tested together."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)


def pins(file: str) -> dict[str, str]:
    """Version by name, as the package index spells names."""
    found = PIN.findall((ROOT / file).read_text())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_every_hashed_version_is_the_tested_one() -> None:
    """Where this fails: `make constraints`."""
    tested, hashed = pins("constraints.txt"), pins("constraints.hashed.txt")
    assert {name: version for name, version in hashed.items() if tested.get(name, version) != version} == {}


def test_what_modelprov_needs_is_hashed_and_everything_has_a_hash() -> None:
    text = (ROOT / "constraints.hashed.txt").read_text()
    needed = (ROOT / "pyproject.toml").read_text().partition("dependencies = [")[2].partition("]")[0]
    names = {re.sub("_", "-", name) for name in re.findall(r'"([\w-]+)>', needed)}
    assert len(names) > 10
    assert names <= pins("constraints.hashed.txt").keys()
    blocks = re.split(r"\n(?=[a-z])", text)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)
