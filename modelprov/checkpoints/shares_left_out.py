"""Which share of the weights files of a folder was read, and which files hold the rest. Sizes and names only.

What they are (copies, variants, parts) is said where files are chosen (`layouts/`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from modelprov.checkpoints.homes import Home, LocalHome
from modelprov.checkpoints.layouts.files import PICKLES, WEIGHTS, is_training_state
from modelprov.checkpoints.mistaken import OTHER_KINDS
from modelprov.checkpoints.types import Checkpoint
from modelprov.foreign.shown import quoted
from modelprov.shares import rough_percent

ENDINGS = (WEIGHTS, *PICKLES, ".gguf", *OTHER_KINDS)
SHOWN = 5
SMALLEST = 0.001
"""Of all bytes: files of torch.save hold settings of a training run, too."""


def with_shares(checkpoint: Checkpoint, home: Home) -> Checkpoint:
    """The checkpoint in a folder, with a note on what of the folder's weights files was not read, if any was.

    Nothing is asked about folders that are elsewhere.
    """
    if not isinstance(home, LocalHome):
        return checkpoint
    read = {os.path.realpath(checkpoint.source.place(shard)) for shard in range(len(checkpoint.shards))}
    sizes = dict(_sizes(home))
    left = {name: size for name, (path, size) in sizes.items() if path not in read}
    total = sum(size for _, size in sizes.values()) or 1
    larger = {name: size for name, size in left.items() if size >= SMALLEST * total}
    if not larger:
        return checkpoint
    listed = sorted(larger, key=lambda name: (-larger[name], name))
    named = ", ".join(f"{quoted(name)} ({rough_percent(larger[name] / total)})" for name in listed[:SHOWN])
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    share = rough_percent(1 - sum(left.values()) / total)
    note = f"{share} of the bytes of all weights files here were read; the others are in {named}{more}"
    return replace(checkpoint, notes=(*checkpoint.notes, note))


def _sizes(home: LocalHome) -> Iterator[tuple[str, tuple[str, int]]]:
    """Place and bytes of each weights file in the folder and in its sub-folders, by its name."""
    names = [*home.names(), *(f"{folder}/{name}" for folder, inside in home.folders().items() for name in inside)]
    for name in names:
        last = name.rpartition("/")[2]
        if last.lower().endswith(ENDINGS) and not is_training_state(last):
            path = Path(home.folder, name)
            with suppress(OSError):
                if path.is_file():
                    yield name, (os.path.realpath(path), path.stat().st_size)
