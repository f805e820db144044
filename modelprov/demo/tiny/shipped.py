"""The trained family that comes with the package: copies it to where a user can see it. Needs no torch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from modelprov.checkpoints.json_files import read_json_object
from modelprov.demo.tiny.members import CHECKPOINTS, MEMBERS, RECORD
from modelprov.demo.writing import staged


def unpack(folder: Path) -> None:
    """Copy the shipped checkpoints and their record into `folder`, whole or not at all.

    Raises `UsageError` when one of them is already there and `UnreadableFileError` when the disk refuses.
    """
    with staged(folder, (*(one.key for one in MEMBERS), RECORD)) as part:
        for member in MEMBERS:
            (part / member.key).mkdir()
            for file in (CHECKPOINTS / member.key).iterdir():  # `copytree` would gather all refusals into one text
                shutil.copyfile(file, part / member.key / file.name)
        shutil.copyfile(CHECKPOINTS / RECORD, part / RECORD)


def record(folder: Path = CHECKPOINTS) -> dict[str, Any]:
    """How the family in `folder` was trained and what it reached."""
    return read_json_object(folder / RECORD)
