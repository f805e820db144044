"""Fills shard files from a source, block by block, with several threads; bytes reach a file and its hash in order.

Knows nothing of merges: any `Source` can be written out. What is finished is said at once, so that a run can resume.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from modelprov.checkpoints.files import FileState
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.sources.page_cache import aligned_buffer
from modelprov.engines.local import run_tasks
from modelprov.engines.turns import OtherFailedError, Turn
from modelprov.merge.output_file import OutputFile, part_of


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes `start` to `stop` of the file in place `file`; `last` ends the file."""

    file: int
    start: int
    stop: int
    last: bool


@dataclass(frozen=True, slots=True)
class Target:
    """One file to write: shard number `shard` of the source; blocks end only at `cuts` where those are given."""

    path: Path
    shard: int
    size: int
    cuts: tuple[int, ...] | None = None


def write_shards(
    source: Source, targets: Sequence[Target], threads: int, block_bytes: int,
    on_bytes: Callable[[int], None], on_finished: Callable[[int, str, FileState], None],
) -> None:  # fmt: skip
    """Write every target; `on_finished` hears its place, SHA-256 and state when a file is complete and on disk.

    A file has its name only then: whatever lies at a target's path is whole, and what is not is removed.

    Raises `OSError` (disk full, ...), what the source raises, and `InterruptedRunError`. Holds one block a thread.
    """
    blocks = list(
        _interleaved([list(_blocks(number, one, block_bytes)) for number, one in enumerate(targets)], threads)
    )
    turns = [Turn() for _ in targets]
    hashes = [hashlib.sha256() for _ in targets]
    files: dict[int, OutputFile] = {}
    lock = threading.Lock()
    errors: list[BaseException] = []

    def opened(number: int) -> OutputFile:
        with lock:
            if number not in files:
                files[number] = OutputFile(part_of(targets[number].path))
            return files[number]

    def finish(number: int) -> None:
        state = opened(number).settle(targets[number].path)
        with lock:
            files.pop(number).close()
            on_finished(number, hashes[number].hexdigest(), state)

    def make_worker() -> Callable[[int], None]:
        buffer = memoryview(b"")

        def work(task: int) -> None:
            nonlocal buffer
            block = blocks[task]
            size = block.stop - block.start
            try:
                if len(buffer) < size or len(buffer) > max(2 * block_bytes, size):
                    buffer = aligned_buffer(max(size, min(block_bytes, 8 << 20))).data
                view = buffer[:size]
                source.read_into(targets[block.file].shard, block.start, view)
                opened(block.file).write(view, block.start)
                turns[block.file].wait_for(block.start)
                hashes[block.file].update(view)
                turns[block.file].move_to(block.stop)
                if block.last:
                    finish(block.file)
            except BaseException as error:
                with lock:
                    errors.append(error)
                for turn in turns:
                    turn.fail()
                raise
            on_bytes(size)

        return work

    try:
        run_tasks(len(blocks), make_worker, threads)
    except OtherFailedError:
        raise next(error for error in errors if not isinstance(error, OtherFailedError)) from None
    finally:
        for file in files.values():  # of a run that failed
            file.abandon()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file; raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _blocks(number: int, target: Target, block_bytes: int) -> Iterator[Stretch]:
    """The blocks of one file: of `block_bytes`, or from cut to cut, as many cuts as fit."""
    at = 0
    if target.cuts is None:
        while at < target.size:
            stop = min(at + block_bytes, target.size)
            yield Stretch(number, at, stop, stop == target.size)
            at = stop
        return
    cuts = [*target.cuts, target.size]
    for this, following in zip_longest(cuts, cuts[1:]):
        full = following is None or following - at > block_bytes
        if full and this > at:
            yield Stretch(number, at, this, this == target.size)
            at = this


def _interleaved(files: Sequence[list[Stretch]], lanes: int) -> Iterator[Stretch]:
    """Blocks of several files side by side, so that no file's hash is what everyone waits for."""
    waiting = [iter(blocks) for blocks in files]
    open_files, waiting = waiting[:lanes], waiting[lanes:]
    while open_files:
        for lane in list(open_files):
            block = next(lane, None)
            if block is not None:
                yield block
                continue
            open_files.remove(lane)
            if waiting:
                open_files.append(waiting.pop(0))
