"""Which checkpoints a page may name: folders under the one that was given; addresses where a network is allowed.

A name comes from a browser. What it leads to, links followed, lies under that folder, with every file in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from modelprov.checkpoints.adapters.joining import holds_adapter
from modelprov.checkpoints.homes import LocalHome
from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted

WEIGHTS = (".safetensors", ".gguf")
DEEPEST = 3
"""Folders are listed so far down: in a cache of the Hub they are models--ORG--NAME/snapshots/REVISION."""
MOST_LISTED = 500
MOST_FILES = 10_000
NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*(?:@\w[\w./-]*)?")
ADDRESSES = ("hf://", "https://", "s3://", "gs://", "az://")


@dataclass(frozen=True)
class Places:
    """What may be named: `root` is the folder of models with its links followed, None where nothing may be run."""

    root: Path | None
    network: bool = False

    def listed(self) -> list[str]:
        """The folders that hold weights, by their path from `root`."""
        return [] if self.root is None else sorted(islice(_models(self.root), MOST_LISTED))

    def located(self, name: str) -> str:
        """The location that a name stands for; `UsageError` for one that may not be named."""
        name = name.strip()
        if self.root is None:
            raise UsageError("no folder of models was given", "Start it with: modelprov serve --models DIR")
        folder = _below(self.root, name)
        if folder is not None:
            if holds_adapter(LocalHome(folder)):
                raise UsageError(
                    f"{quoted(name)} is an adapter, which names its base itself", "Compare it on the command line."
                )
            return str(folder)
        address = f"hf://{name}" if NAME.fullmatch(name) else name
        if address.startswith(ADDRESSES) and "+" not in address:
            if self.network:
                return address
            raise UsageError(
                f"{quoted(name)} is no folder of the list, and nothing is fetched",
                "Choose one of the list. Whoever started the page allows a network with --allow-network.",
            )
        raise UsageError(f"{quoted(name)} is no folder of the list", "Choose one of the list.")


def _below(root: Path, name: str) -> Path | None:
    """The folder of this name with links followed, if it and all in it lie under `root`; None for any other.

    That something is there but may not be named is not said: a page learns nothing of the rest of the disk.
    """
    try:
        folder = (root / name).resolve(strict=True)
        inside = list(islice(folder.rglob("*"), MOST_FILES)) if folder.is_dir() and folder != root else []
        held = bool(inside) and len(inside) < MOST_FILES and all(_is_in(root, each) for each in (folder, *inside))
    except (OSError, ValueError, RuntimeError):
        return None
    return folder if held and "+" not in str(folder) else None  # a location with a + is BASE+ADAPTER


def _is_in(root: Path, path: Path) -> bool:
    return path.resolve(strict=True).is_relative_to(root)


def _models(root: Path) -> Iterator[str]:
    for place, folders, files in os.walk(root):
        inside = Path(place).relative_to(root)
        if len(inside.parts) >= DEEPEST:
            folders.clear()
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        if inside.parts and "+" not in str(inside) and any(each.endswith(WEIGHTS) for each in files):
            yield inside.as_posix()
