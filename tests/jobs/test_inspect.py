"""The job behind `modelprov inspect`: the command's findings without a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelprov.errors import CheckpointNotFoundError
from modelprov.jobs.inspect import inspect as job
from tests.cli.conftest import Command
from tests.factories import write_checkpoint


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


def test_the_parts_of_a_composite_folder_are_shown_with_their_files(tmp_path: Path) -> None:
    for part, form in (("unet", "BF16"), ("vae", "F32")):
        tensors = {f"{part}.proj.weight": (np.ones((8, 4)), form)}
        write_checkpoint(tmp_path / part, tensors, config={"_class_name": f"A{part}"})
    index = {"_class_name": "Pipeline", "unet": ["diffusers", "Aunet"], "vae": ["diffusers", "Avae"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    found = job(tmp_path)
    assert [(each.folder, each.architecture, each.parameters, each.dtypes) for each in found.parts] == [
        ("unet", "Aunet", 32, ("BF16",)),
        ("vae", "Avae", 32, ("F32",)),
    ]
    assert [shard.name for shard in found.shards] == ["unet/model.safetensors", "vae/model.safetensors"]
    assert not job(tmp_path / "unet").parts
