"""Which files of a home are the shards of its model, by names and index; and why there are none. Reads no headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from modelprov.checkpoints.adapters.config import MERGE
from modelprov.checkpoints.homes import Home, json_in
from modelprov.checkpoints.layouts.files import (
    PICKLES,
    WEIGHTS,
    Choice,
    choose,
    few,
    is_adapter,
    is_index,
    is_training_state,
    left_out,
)
from modelprov.checkpoints.layouts.folders import folders_with_weights
from modelprov.checkpoints.layouts.side_files import ADAPTER_CONFIG
from modelprov.checkpoints.mistaken import OTHER_KINDS
from modelprov.errors import CheckpointNotFoundError, InvalidCheckpointError, MissingShardError, UnsupportedFormatError
from modelprov.foreign.shown import quoted


def shards_of(home: Home, name: str | None, notes: list[str]) -> tuple[list[str], Mapping[str, str] | None]:
    """The names of all shards in the folder, and the index's map from tensor to shard where there is one.

    `name` is that of the only one, or of the index, where it was given.
    """
    if name is not None and not is_index(name):
        if not name.endswith((WEIGHTS, *PICKLES)):
            raise not_safetensors(home, name)
        if is_adapter(name):
            raise UnsupportedFormatError(
                f"{home.place(name)} is a LoRA adapter without {ADAPTER_CONFIG}, not a model", MERGE
            )
        home.check(name)
        return [name], None
    names = home.names()
    index: dict[str, str] | None = None
    choice = choose(home.place(), names) if name is None else Choice(name, ())
    if choice is None:
        raise not_safetensors(home)
    if choice.index is None:
        shards = list(choice.weights)
    else:
        index = read_index(home, choice.index)
        shards = sorted(set(index.values()), key=PurePosixPath)
        for shard in shards:
            if not home.has(shard):
                raise MissingShardError(
                    f"{home.place(choice.index)} names {quoted(_last(shard))}, which is missing",
                    "Download the missing file, or all of them.",
                )
    for shard in shards:
        home.check(shard)
    notes += [*choice.notes, *left_out(names, list(map(_last, shards)), choice.index)]
    return shards, index


def read_index(home: Home, name: str) -> dict[str, str]:
    """Tensor name to shard's name, which stays inside the folder."""
    path, weight_map = home.place(name), json_in(home, name).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InvalidCheckpointError(f"{path} has no weight_map", "Download this file again.")
    if set(map(type, weight_map.values())) != {str}:
        raise InvalidCheckpointError(f"{path} names a shard that is not a text", "Download this file again.")
    for file in set(weight_map.values()):
        inside = PurePosixPath(file)
        if not file or inside.is_absolute() or ".." in inside.parts or "\\" in file or not file.isprintable():
            raise InvalidCheckpointError(
                f"{path} names {quoted(file)}, which is outside the folder", "Do not trust this checkpoint."
            )
    names = {file: str(PurePosixPath(file)) for file in set(weight_map.values())}
    return {tensor: names[file] for tensor, file in weight_map.items()}


def _last(name: str) -> str:
    return PurePosixPath(name).name


def not_safetensors(home: Home, name: str | None = None) -> UnsupportedFormatError | CheckpointNotFoundError:
    """Why there is nothing to read: what the folder holds instead, or the file that was named."""
    place, names = home.place(name or ""), {name} if name is not None else set(home.names())
    kinds = Counter(PurePosixPath(each).suffix.lower() for each in names)
    if names & {ADAPTER_CONFIG, "adapter_model.bin"} or any(map(is_adapter, names)):
        return UnsupportedFormatError(f"{place} holds a LoRA adapter without {ADAPTER_CONFIG}, not a model", MERGE)
    if training := sorted(filter(is_training_state, names)):
        return UnsupportedFormatError(
            f"{place} holds the state of a training run ({few(training)}), not a model",
            "Give the folder of the weights that were trained.",
        )
    if other := next((each for ending, each in OTHER_KINDS.items() if kinds[ending]), None):
        return UnsupportedFormatError(f"{place} holds {other[0]}, which cannot be read", other[1])
    inside = folders_with_weights(home) if name is None else []
    for folder, held in home.folders().items() if name is None and not inside else ():
        endings = {PurePosixPath(each).suffix.lower() for each in held}
        if other := next((each for ending, each in OTHER_KINDS.items() if ending in endings), None):
            return UnsupportedFormatError(f"{home.place(folder)} holds {other[0]}, which cannot be read", other[1])
    return CheckpointNotFoundError(
        f"no .safetensors file in {place}" + (f"; some are in its sub-folders {few(inside, 12)}" if inside else ""),
        f"Give the folder that holds the weights{f', e.g. {home.place(inside[0])}' if inside else ''}, "
        "or one .safetensors file.",
    )
