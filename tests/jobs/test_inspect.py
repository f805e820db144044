"""The job behind `modelprov inspect`: the command's findings without a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelprov.errors import CheckpointNotFoundError
from modelprov.jobs.inspect import inspect as job
from tests.cli.conftest import Command


@pytest.mark.parametrize("digest", [False, True])
def test_the_inspection_is_the_one_of_the_command(
    digest: bool, models: Path, modelprov: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    found = job(models / "rio", digest=digest)
    assert capsys.readouterr() == ("", "")
    assert (found.weights_digest is not None) is digest
    said = modelprov("inspect", models / "rio", "--json", "-", *(["--digest"] if digest else []))
    assert json.loads(said.out) == found.model_dump(mode="json")


def test_a_place_with_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError):
        job(tmp_path / "nothing")
