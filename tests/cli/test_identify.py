"""`modelprov identify`: no all-clear where a file of the library is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprov.jobs.library import add
from tests.cli.conftest import Command


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_an_entry_that_cannot_be_read_is_said_and_leaves_no_all_clear(
    modelprov: Command, models: Path, tmp_path: Path, quiet: tuple[str, ...]
) -> None:
    for name in ("qwen", "stranger"):
        add(models / name, tmp_path / "known")
    whole = modelprov("identify", models / "nex", "--library", tmp_path / "known", *quiet)
    assert (whole.code, "Could not be read" in whole.out) == (0, False)
    entry = next((tmp_path / "known").glob("stranger*"))
    entry.write_bytes(entry.read_bytes()[:1000])
    damaged = modelprov("identify", models / "nex", "--library", tmp_path / "known", *quiet)
    assert damaged.code == 3
    assert ("Could not be read, so that nothing is said of them: stranger (" in " ".join(damaged.out.split())) != bool(
        quiet
    )
