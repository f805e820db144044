"""The journal of an unfinished merge: which shards are complete, and of what. Decides what a later run may keep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from modelprov import __version__
from modelprov.checkpoints.json_files import read_json_object
from modelprov.engines.local import run_tasks
from modelprov.errors import InvalidCheckpointError, UnreadableFileError
from modelprov.merge.planned import MergePlan
from modelprov.merge.source import ShardPlan
from modelprov.merge.stage import JOURNAL, Stage
from modelprov.progress import Progress


class Journal:
    """The finished shards in a stage, by name; `key` says of which merge they are."""

    def __init__(self, stage: Stage, key: str) -> None:
        self._stage, self._key = stage, key
        self.files: dict[str, dict[str, Any]] = {}

    def take_over(self, sizes: Mapping[str, int], progress: Progress, threads: int = 1) -> int:
        """Keep the finished shards of an earlier run of the same merge, digests checked; everything else is removed.

        `sizes` are those of the merge's shards by name, which are hashed side by side by so many threads. Returns how
        many shards the earlier run had finished.
        """
        key, found = self._read()
        if key == self._key:
            progress.stage("checking finished shards", sum(sizes.get(name, 0) for name in found))
            named = list(found)

            def check(number: int) -> bool:
                name = named[number]
                kept = name in sizes and self._stage.find(name, sizes[name], found[name])
                progress.advance(sizes.get(name, 0))
                return kept

            for name, kept in zip(named, run_tasks(len(named), lambda: check, threads), strict=True):
                if kept:
                    self.files[name] = {"name": name, "bytes": sizes[name], "sha256": found[name]}
        self._stage.clear(JOURNAL)
        self._write()
        return len(found)

    def add(self, file: dict[str, Any]) -> None:
        """A shard is complete and on the disk."""
        self.files[file["name"]] = file
        self._write()

    def _write(self) -> None:
        document = {"key": self._key, "files": list(self.files.values())}
        self._stage.write_journal(json.dumps(document).encode())

    def _read(self) -> tuple[str, dict[str, str]]:
        """Key and digests by name; a journal that cannot be read, or says something else, has nothing to keep."""
        try:
            document = read_json_object(self._stage.folder / JOURNAL)
        except (InvalidCheckpointError, UnreadableFileError):
            return "", {}
        entries = document.get("files")
        found = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
        return str(document.get("key")), {str(one.get("name")): str(one.get("sha256")) for one in found}


def fingerprint(plan: MergePlan, shards: tuple[ShardPlan, ...], identities: Sequence[str]) -> str:
    """SHA-256 over all that decides the output's bytes: recipe, arithmetic, inputs, layout of the files, version.

    The inputs are known by their sampled digests (`identities`) and by what the system says of every file, which
    changes with any edit, wherever it is. The device is left out: its number may be another one after a restart.
    """
    parts = [
        __version__, plan.arithmetic, plan.recipe.model_dump_json(), *plan.notes, *identities,
        *(hashlib.sha256(shard.header).hexdigest() for shard in shards),
        *(version for checkpoint in plan.checkpoints for version in checkpoint.source.versions()),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
