"""Where a model's weights are put: on one device where they fit, else on all there are, and what is left on the disk.

Spreading is accelerate's (`device_map`): the modules follow each other from the first device to the last; what lies in
main memory or on the disk is brought to the first device whenever it is computed with.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from modelprov.behavior.extra import require
from modelprov.behavior.memory import free_memory, in_words
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import UsageError

WEIGHTS = 0.9
"""Of the memory that is free on a device, the share that weights may take; answers need the rest."""

DISK = "disk"
FORMATS = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Placement:
    """What `from_pretrained` is told: empty `arguments` load everything onto `device`.

    `room` is the memory that weights and answers may take on the first device, None where only what is free counts;
    `beside` holds what of the weights lies on the disk in another number format than in the checkpoint.
    """

    device: str
    arguments: Mapping[str, Any]
    room: int | None = None
    beside: TemporaryDirectory[str] | None = None


def placement(checkpoint: Checkpoint, device: str, dtype: str, memory: int | None) -> Placement:
    """Where the weights of this checkpoint go, run in `dtype` on `device`, with at most `memory` bytes a device.

    Raises `UsageError` where they do not fit on `device` and accelerate is not installed.
    """
    needed = size_of(checkpoint, dtype)
    if needed <= WEIGHTS * _room(device, memory):
        return Placement(device, {}, memory)
    require(
        f"{checkpoint.label} ({in_words(needed)}) is larger than the memory for it ({in_words(_room(device, memory))}) "
        "and must be spread over devices, which",
        packages=("accelerate",),
    )  # fmt: skip
    beside = TemporaryDirectory(prefix="modelprov-")
    most = {each: int(WEIGHTS * _room(each, memory)) for each in _devices(device)}
    names = {each: int(each.partition(":")[2]) if ":" in each else each for each in most}  # accelerate counts GPUs
    arguments = {
        "device_map": "auto",
        "max_memory": {names[each]: size for each, size in most.items()},
        "offload_folder": beside.name,
    }
    return Placement(device, arguments, memory, beside)


def size_of(checkpoint: Checkpoint, dtype: str) -> int:
    """Bytes of the weights in memory: as stored, or in another number format."""
    counts = {(ref.shard, ref.start, ref.stop): ref.count for ref in checkpoint.tensors.values()}
    if dtype in FORMATS and not checkpoint.packings and not checkpoint.refused:
        return FORMATS[dtype] * sum(counts.values())
    refused = {(ref.shard, ref.start, ref.stop) for ref in checkpoint.refused.values()}
    return sum(stop - start for _, start, stop in {*counts, *refused})


def check_disk(checkpoint: Checkpoint, placed: Placement, dtype: str) -> None:
    """Raise `UsageError` where the disk does not hold what must be written: weights that are in no file yet."""
    if placed.beside is None:
        return
    written = size_of(checkpoint, dtype) - sum(placed.arguments["max_memory"].values())
    free = shutil.disk_usage(placed.beside.name).free
    if written > free:
        raise UsageError(
            f"{checkpoint.label} is larger than the memory for it: {in_words(written)} of the merge must be written to "
            f"a temporary folder, whose disk has {in_words(free)} free",
            "Name a folder on a larger disk in the environment variable TMPDIR.",
        )


def check_embeddings(model: Any, checkpoint: Checkpoint) -> None:
    """Raise `UsageError` where the embeddings themselves did not fit: they are read for every token."""
    if model.get_input_embeddings().weight.is_meta:
        raise UsageError(
            f"the memory for {checkpoint.label} does not hold its embeddings beside its largest layer",
            "Allow more memory, or run it on a machine that has more.",
        )


def places(model: Any) -> dict[str, int]:
    """Bytes of the weights on each device, as "cuda:0", "cpu" or "disk", in the order of the layers."""
    parts = getattr(model, "hf_device_map", None)
    if not parts:
        return {str(model.device): sum(each.nbytes for each in model.parameters())}
    named = {part: f"cuda:{where}" if isinstance(where, int) else str(where) for part, where in parts.items()}
    found = dict.fromkeys(named.values(), 0)
    for name, weight in model.named_parameters():
        part = max((part for part in named if not part or f"{name}.".startswith(f"{part}.")), key=len)
        found[named[part]] += weight.nbytes
    return found


def told(label: str, model: Any, *, computed: bool = False) -> str | None:
    """A sentence on where the weights lie, where that is not one device; `computed` ones are in no other file."""
    found = places(model)
    if len(found) == 1:
        return None
    where = ", ".join(f"{in_words(size)} on {'the disk' if place == DISK else place}" for place, size in found.items())
    written = " (written to a temporary folder for this run)" if computed and DISK in found else ""
    return f"{label} is larger than the memory of one device. Its weights lie spread: {where}{written}."


def _room(device: str, memory: int | None) -> int:
    free = free_memory(device)
    return free if memory is None else min(free, memory)


def _devices(first: str) -> list[str]:
    """All devices that weights can be spread over; the disk comes last by itself."""
    import torch

    if not first.startswith("cuda"):
        return [first]
    return [*(f"cuda:{number}" for number in range(torch.cuda.device_count())), "cpu"]
