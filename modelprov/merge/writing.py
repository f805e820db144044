"""Writes a merge as a checkpoint folder: streaming, in bounded memory, all of it or nothing, and able to resume.

Everything is first written into a hidden folder beside the output (`.NAME.merging`), with a journal of the shards that
are complete; the last step renames that folder. An interrupted run leaves it behind: the same command checks the
digests of its finished shards and goes on from there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from modelprov import __version__
from modelprov.checkpoints.digests import sampled_digest
from modelprov.checkpoints.opening import read_json_object
from modelprov.checkpoints.writing import INDEX, write_json
from modelprov.engines.local import processors
from modelprov.errors import InterruptedRunError, InvalidCheckpointError, MergeError, UnreadableFileError, UsageError
from modelprov.merge.plan import MergePlan
from modelprov.merge.receipt import RECEIPT, model_card, receipt
from modelprov.merge.shard_files import Target, sha256_of, write_shards
from modelprov.merge.side_files import check_side_files, write_side_files
from modelprov.merge.virtual import DEFAULT_MEMORY, DEFAULT_SHARD, ShardPlan, VirtualSource, needed, plan_shards

JOURNAL = "journal.json"
RECIPE = "recipe.yml"
SLACK = 64 << 20  # bytes of disk for everything beside the weights
PER_THREAD = 4  # blocks of memory that a thread may hold, beside what a whole-tensor method needs
WAITING = 2  # threads beyond the cores: some wait for the disk while others compute


class Progress(Protocol):
    """Hears how far a run has come; called from any thread."""

    def stage(self, text: str, total_bytes: int = 0) -> None:
        """A new stage begins."""
        ...

    def advance(self, read: int) -> None:
        """So many bytes were done."""
        ...


@dataclass(frozen=True)
class WriteOptions:
    """None of these changes a byte of the tensors; `shard_size` says how they are spread over files."""

    memory: int = DEFAULT_MEMORY
    threads: int | None = None
    shard_size: int = DEFAULT_SHARD


@dataclass(frozen=True)
class Written:
    """What was written: the folder, its files with digests, the notes, and how many shards were kept from before."""

    folder: Path
    files: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    resumed: int


def write_merge(plan: MergePlan, out: Path, options: WriteOptions, progress: Progress) -> Written:
    """Write the merge as the new folder `out`.

    Raises `UsageError` when `out` is taken, `MergeError` when memory or disk cannot suffice, `UnreadableFileError` when
    the disk refuses, `InterruptedRunError` on Ctrl-C, and what reading the models raises.
    """
    _check_free(out)
    check_side_files(plan)
    shards = plan_shards(plan.tensors, options.shard_size)
    if not shards:
        raise MergeError("the merge has no tensors", "Check the recipe's models: `modelprov inspect` shows each one.")
    _check_memory(plan, options.memory)
    stage = out.parent / f".{out.name}.merging"
    try:
        return _write(plan, shards, stage, out, options, progress)
    except OSError as error:
        raise _refused(out, stage, error) from error
    except InterruptedRunError:
        raise InterruptedRunError(
            "stopped by the user", f"Run the same command again to go on; finished shards are in {stage}."
        ) from None


def _write(
    plan: MergePlan, shards: tuple[ShardPlan, ...], stage: Path, out: Path, options: WriteOptions, progress: Progress
) -> Written:
    out.parent.mkdir(parents=True, exist_ok=True)
    progress.stage("telling the models apart")
    identities = [sampled_digest(checkpoint) for checkpoint in plan.checkpoints]
    key = fingerprint(plan, shards, identities)
    done = _resume(stage, key, shards, progress)
    missing = [number for number, shard in enumerate(shards) if shard.name not in done]
    _check_disk(out, sum(shards[number].size for number in missing))
    threads = options.threads or processors() + WAITING
    block = min(8 << 20, max(64 << 10, options.memory // (threads * PER_THREAD)))
    targets = [
        Target(
            stage / shards[number].name,
            number,
            shards[number].size,
            None if plan.elementwise else shards[number].starts,
        )
        for number in missing
    ]

    def finished(place: int, digest: str) -> None:
        shard = shards[missing[place]]
        done[shard.name] = {"name": shard.name, "bytes": shard.size, "sha256": digest}
        _write_journal(stage, key, done)

    progress.stage("merging", sum(target.size for target in targets))
    source = VirtualSource(plan, shards, options.memory)
    write_shards(source, targets, threads, block, progress.advance, finished)
    progress.stage("finishing")
    weight_map = {tensor.name: shard.name for shard in shards for tensor in shard.tensors}
    metadata = {"total_size": plan.bytes}
    write_json(stage / INDEX, {"metadata": metadata, "weight_map": dict(sorted(weight_map.items()))})
    notes = (*plan.notes, *write_side_files(plan, stage))
    files = tuple(done[shard.name] for shard in shards)
    (stage / RECIPE).write_text(plan.recipe.as_yaml(), encoding="utf-8")
    (stage / "README.md").write_text(model_card(plan, out.name, notes), encoding="utf-8")
    write_json(stage / RECEIPT, receipt(plan, identities, files, notes))
    (stage / JOURNAL).unlink()
    stage.rename(out)
    return Written(out, files, notes, len(shards) - len(missing))


def fingerprint(plan: MergePlan, shards: tuple[ShardPlan, ...], identities: Sequence[str]) -> str:
    """SHA-256 over all that decides the output's bytes: recipe, arithmetic, inputs, layout of the files, version."""
    parts = [
        __version__, plan.arithmetic, plan.recipe.model_dump_json(), *plan.notes, *identities,
        *(hashlib.sha256(shard.header).hexdigest() for shard in shards),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _resume(stage: Path, key: str, shards: tuple[ShardPlan, ...], progress: Progress) -> dict[str, dict[str, Any]]:
    """Finished shards of an earlier run of the same merge, digests checked; anything else there is removed."""
    done: dict[str, dict[str, Any]] = {}
    journal = _read_journal(stage)
    if journal.get("key") == key:
        sizes = {shard.name: shard.size for shard in shards}
        known = {one["name"]: one for one in journal["files"]}
        progress.stage("checking finished shards", sum(one["bytes"] for one in known.values()))
        for name, one in known.items():
            path = stage / name
            if (
                name in sizes
                and path.is_file()
                and path.stat().st_size == sizes[name]
                and sha256_of(path) == one["sha256"]
            ):
                done[name] = one
            progress.advance(one["bytes"])
    stage.mkdir(exist_ok=True)
    for path in stage.iterdir():
        if path.name not in done and path.is_file():
            path.unlink()
    _write_journal(stage, key, done)
    return done


def _read_journal(stage: Path) -> dict[str, Any]:
    if not (stage / JOURNAL).is_file():
        if stage.exists() and any(stage.iterdir()):
            raise UsageError(
                f"{stage} is in the way and not of an unfinished merge", "Remove it, or choose another folder."
            )
        return {}
    try:
        return read_json_object(stage / JOURNAL)
    except InvalidCheckpointError:
        return {}


def _write_journal(stage: Path, key: str, done: dict[str, dict[str, Any]]) -> None:
    part = stage / f"{JOURNAL}.part"
    part.write_text(json.dumps({"key": key, "files": list(done.values())}), encoding="utf-8")
    part.replace(stage / JOURNAL)


def _check_free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise UsageError(f"{out} is already there", "Choose another folder, or remove it first.")


def _check_memory(plan: MergePlan, memory: int) -> None:
    if plan.elementwise:
        return
    largest = max((tensor for tensor in plan.tensors if tensor.copy is None), key=needed, default=None)
    if largest is not None and needed(largest) > memory:
        raise MergeError(
            f"{plan.method.name} looks at whole tensors: {largest.name} needs {needed(largest) / 1e9:,.2f} GB of "
            f"memory, {memory / 1e9:,.2f} GB are allowed",
            f"Allow more: --memory {-(-needed(largest) // (1 << 20))}M.",
        )


def _check_disk(out: Path, wanted: int) -> None:
    free = shutil.disk_usage(out.parent).free
    if free < wanted + SLACK:
        raise MergeError(
            f"the merge needs {(wanted + SLACK) / 1e9:,.2f} GB of disk, {out.parent.resolve()} has "
            f"{free / 1e9:,.2f} GB free",
            "Free some space or choose another disk; `modelprov verify` and `compare` can use the recipe unwritten.",
        )


def _refused(out: Path, stage: Path, error: OSError) -> UnreadableFileError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = (
        f"Free some space and run the same command again: finished shards are kept in {stage}."
        if full
        else "Choose a folder that you may write to; the same command goes on from the shards that are finished."
    )
    return UnreadableFileError(f"could not write {out}: {error.strerror or error}", advice)
