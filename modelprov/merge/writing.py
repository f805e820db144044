"""Writes a merge as a checkpoint folder: streaming, in bounded memory, all of it or nothing, and able to resume.

Everything is first written into a hidden folder beside the output (`stage`), with a journal of the shards that are
complete (`journal`); the last step renames that folder. An interrupted run leaves it behind: the same command checks
the digests of its finished shards and goes on from there. One run writes an output at a time, the lock says which.
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelprov.checkpoints.digests import sampled_digest
from modelprov.checkpoints.files import FileState
from modelprov.checkpoints.writing import INDEX, as_json
from modelprov.errors import InterruptedRunError, MergeError, NonFiniteOutputError, UnreadableFileError, UsageError
from modelprov.locking import only_writer
from modelprov.machine import processors
from modelprov.merge.enough_memory import check_memory
from modelprov.merge.journal import Journal, fingerprint
from modelprov.merge.planned import MergePlan
from modelprov.merge.receipt import RECEIPT, model_card, receipt
from modelprov.merge.shard_files import Target, write_shards
from modelprov.merge.side_files import check_side_files, write_side_files
from modelprov.merge.source import DEFAULT_MEMORY, DEFAULT_SHARD, ShardPlan, VirtualSource, plan_shards
from modelprov.merge.stage import Stage
from modelprov.progress import Progress

RECIPE = "recipe.yml"
ELSEWHERE = "Wait until it has ended, or stop it and run the same command to go on, or choose another folder."
SLACK = 64 << 20  # bytes of disk for everything beside the weights
PER_THREAD = 4  # blocks of memory that a thread may hold, beside what a whole-tensor method needs
WAITING = 2  # threads beyond the cores: some wait for the disk while others compute


@dataclass(frozen=True)
class WriteOptions:
    """None of these changes a byte of the tensors; `shard_size` says how they are spread over files."""

    memory: int = DEFAULT_MEMORY
    threads: int | None = None
    shard_size: int = DEFAULT_SHARD


@dataclass(frozen=True)
class Written:
    """What was written: the folder, its files with digests, the notes.

    Of the shards that an earlier run had finished, `resumed` were kept; `remade` were not those of this merge.
    """

    folder: Path
    files: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    resumed: int
    remade: int = 0


def write_merge(plan: MergePlan, out: Path, options: WriteOptions, progress: Progress) -> Written:
    """Write the merge as the new folder `out`.

    Raises `UsageError` when `out` is taken, `InUseError` while another run writes it, `MergeError` when memory or disk
    cannot suffice, `NonFiniteOutputError` for weights that overflow, `ChangedFileError` when a model or the output was
    changed by others meanwhile, `UnreadableFileError` when the disk refuses, `InterruptedRunError` on Ctrl-C, and what
    reading the models raises.
    """
    shards = _checked(plan, out, options)
    stage = Stage(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(stage.lock_file, out, ELSEWHERE):
            _check_free(out)  # another run may have written it since
            return _write(plan, shards, stage, out, options, progress)
    except OSError as error:
        raise _refused(out, stage.folder, error) from error
    except InterruptedRunError:
        raise InterruptedRunError(
            "stopped by the user", f"Run the same command again to go on; finished shards are in {stage.folder}."
        ) from None


def check_merge(plan: MergePlan, out: Path, options: WriteOptions) -> None:
    """Raise what `write_merge` would raise before it computes anything; writes nothing and holds no lock."""
    shards = _checked(plan, out, options)
    folder = Stage(out).folder
    nearest = next(parent for parent in out.absolute().parents if os.path.lexists(parent))
    refusal = None
    if not nearest.is_dir():
        refusal = errno.EEXIST if nearest == out.absolute().parent else errno.ENOTDIR
    elif not os.access(nearest, os.W_OK | os.X_OK):
        refusal = errno.EACCES
    if refusal is not None:
        raise _refused(out, folder, OSError(refusal, os.strerror(refusal)))
    finished = sum(os.path.getsize(path) for path in folder.glob("*.safetensors")) if folder.is_dir() else 0
    _check_disk(nearest, sum(shard.size for shard in shards) - finished)


def _checked(plan: MergePlan, out: Path, options: WriteOptions) -> tuple[ShardPlan, ...]:
    """The files of the output; raises for what plan, folder and options say wrongly."""
    _check_free(out)
    check_side_files(plan)
    shards = plan_shards(plan.tensors, options.shard_size)
    if not shards:
        raise MergeError("the merge has no tensors", "Check the recipe's models: `modelprov inspect` shows each one.")
    check_memory(plan, options.memory)
    return shards


def _write(
    plan: MergePlan, shards: tuple[ShardPlan, ...], stage: Stage, out: Path, options: WriteOptions, progress: Progress
) -> Written:
    try:
        return _written(plan, shards, stage, out, options, progress)
    except NonFiniteOutputError:
        stage.discard()  # the same command would end in the same place
        raise


def _written(
    plan: MergePlan, shards: tuple[ShardPlan, ...], stage: Stage, out: Path, options: WriteOptions, progress: Progress
) -> Written:
    progress.stage("telling the models apart")
    identities = [sampled_digest(checkpoint) for checkpoint in plan.models]
    stage.open()
    journal = Journal(stage, fingerprint(plan, shards, identities))
    threads = options.threads or processors() + WAITING
    earlier = journal.take_over({shard.name: shard.size for shard in shards}, progress, threads)
    missing = [number for number, shard in enumerate(shards) if shard.name not in journal.files]
    _check_disk(out.parent, sum(shards[number].size for number in missing))
    block = min(8 << 20, max(64 << 10, options.memory // (threads * PER_THREAD)))
    source = VirtualSource(plan, shards, options.memory, only_finite=True)
    targets = [
        Target(
            stage.folder / shards[number].name,
            number,
            shards[number].size,
            source.cuts(number),
        )
        for number in missing
    ]

    def finished(place: int, digest: str, state: FileState) -> None:
        shard = shards[missing[place]]
        stage.add(shard.name, digest, state)
        journal.add({"name": shard.name, "bytes": shard.size, "sha256": digest})

    progress.stage("merging", sum(target.size for target in targets))
    write_shards(source, targets, threads, block, progress.advance, finished)
    progress.stage("finishing")
    weight_map = {tensor.name: shard.name for shard in shards for tensor in shard.tensors}
    metadata = {"total_size": plan.bytes}
    stage.write(INDEX, as_json({"metadata": metadata, "weight_map": dict(sorted(weight_map.items()))}))
    notes = (*plan.notes, *write_side_files(plan, stage.write))
    files = tuple(journal.files[shard.name] for shard in shards)
    stage.write(RECIPE, plan.recipe.as_yaml().encode())
    stage.write("README.md", model_card(plan, out.name, notes).encode())
    stage.write(RECEIPT, as_json(receipt(plan, identities, files, notes)))
    for checkpoint in plan.checkpoints:
        checkpoint.source.check_unchanged()
    stage.publish()
    kept = len(shards) - len(missing)
    return Written(out, files, notes, kept, earlier - kept)


def _check_free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise UsageError(f"{out} is already there", "Choose another folder, or remove it first.")


def _check_disk(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + SLACK:
        raise MergeError(
            f"the merge needs {(wanted + SLACK) / 1e9:,.2f} GB of disk, {folder.resolve()} has "
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
