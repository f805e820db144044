"""Opens a checkpoint: finds its shards, reads their headers and config. No tensor data is read here, nothing decoded.

A location is a folder (with an index or without), one `.safetensors` or `.gguf` file, an index file, a fingerprint, a
repository of the Hugging Face Hub (the copy in the local cache, if one is there), an address (`remote/`), an adapter on
the base that its config names, or `BASE+ADAPTER`. Which files of a folder make its model is decided in `layouts/`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from modelprov.checkpoints.adapters.config import MERGE
from modelprov.checkpoints.adapters.joining import (
    base_and_adapter,
    base_of,
    holds_adapter,
    is_adapter_alone,
    read_adapter_config,
    with_adapter,
)
from modelprov.checkpoints.composed import composed
from modelprov.checkpoints.files import unreadable
from modelprov.checkpoints.fingerprint_file import read_fingerprint
from modelprov.checkpoints.header import Header, read_headers
from modelprov.checkpoints.homes import Home, LocalHome, json_in
from modelprov.checkpoints.labels import default_label
from modelprov.checkpoints.layouts.files import (
    FINGERPRINT,
    PICKLES,
    WEIGHTS,
    Choice,
    choose,
    few,
    is_adapter,
    is_index,
    is_second_copy,
    is_training_state,
    left_out,
)
from modelprov.checkpoints.layouts.folders import folders_with_weights, model_parts
from modelprov.checkpoints.layouts.gguf_model import gguf_files, open_gguf
from modelprov.checkpoints.layouts.packed.finding import with_packed
from modelprov.checkpoints.layouts.scaled import with_scaled
from modelprov.checkpoints.layouts.side_files import ADAPTER_CONFIG, CONFIG
from modelprov.checkpoints.mistaken import OTHER_KINDS
from modelprov.checkpoints.remote.locations import InBucket, OnHub, OnWeb, is_remote, parse, shown
from modelprov.checkpoints.shares_left_out import with_shares
from modelprov.checkpoints.single_file import beside_index
from modelprov.checkpoints.torch_files import read_torch_headers
from modelprov.checkpoints.types import Checkpoint, RefusedTensor, TensorRef
from modelprov.collector import paused
from modelprov.errors import (
    CheckpointNotFoundError,
    DuplicateTensorError,
    InvalidCheckpointError,
    MissingShardError,
    OfflineError,
    RemoteError,
    UnsupportedFormatError,
)
from modelprov.foreign.shown import quoted
from modelprov.shares import rough_percent

SLICED = (
    "Where these are the parts of one model for several GPUs, as Meta ships large ones, each has a slice of every "
    "tensor: give the model in the layout of transformers, or put the slices together first."
)


@paused()
def open_checkpoint(location: str, label: str | None = None, *, near: bool = False) -> Checkpoint:
    """The checkpoint at `location`, by its headers alone; `label` names it in tables (default: the path's last part).

    With `near` nothing is asked of any network. Raises a `RemoteError` for what is elsewhere,
    `CheckpointNotFoundError`, `UnsupportedFormatError`, `UnreadableFileError`, or an `InvalidCheckpointError` that says
    which rule is broken (`ForeignLinkError` for links out of the folder; what `location` names may be one).
    """
    joined = None if _path(location) is not None else base_and_adapter(location, is_remote(location))
    if joined is not None:
        adapter, _ = _located(joined[1], near)
        base = open_checkpoint(joined[0], near=near)
        return with_adapter(base, adapter, label or default_label(location), shown(location))
    notes: list[str] = []
    home, name = _located(location, near)
    label = label or default_label(location)
    if name is not None and name.endswith(FINGERPRINT):
        return _of_fingerprint(home, name, label, location)
    if is_adapter_alone(home, name):
        base = base_of(read_adapter_config(home), home.place(), _open_near)
        return with_adapter(base, home, label, shown(location))
    if name is not None:
        return _opened(home, name, label, location, notes)
    parts = model_parts(home, notes)
    homes = [home.sub(part.folder) if part.folder else home for part in parts]
    if len(parts) == 1:
        return with_shares(_opened(homes[0], None, label, location, notes), home)
    opened = [_opened(each, None, label, location, []) for each in homes]
    whole = composed(list(zip(parts, opened, strict=True)))
    if parts[0].prefix:  # else the first is the model proper
        whole = replace(whole, config=None, folder=home.folder, files=home)
    return with_shares(replace(whole, notes=(*notes, *whole.notes)), home)


def _opened(home: Home, name: str | None, label: str, location: str, notes: list[str]) -> Checkpoint:
    """What lies in one folder, or is the file `name` of it; `notes` grows."""
    if blocks := gguf_files(home, name):
        return open_gguf(home, blocks, label, shown(location), notes)
    names, index = _shards(home, name, notes)
    config = json_in(home, CONFIG) if home.has(CONFIG) else None
    if name is None:
        _check_named_weights(config, home, names, index)
    source = home.source(names)  # before anything is read: whatever changes from here on shows
    pickled = any(shard.endswith(PICKLES) for shard in names)
    headers = read_torch_headers(source, notes) if pickled else read_headers(source)
    source.close()
    tensors, refused = _collect(headers)
    if index is not None:
        _check_index(index, headers, notes)
        notes += beside_index(home, names, {**tensors, **refused})
    if tensors and all("lora_" in name for name in tensors):
        raise UnsupportedFormatError(f"{location} holds a LoRA adapter without {ADAPTER_CONFIG}, not a model", MERGE)
    opened = Checkpoint(
        label=label,
        location=shown(location),
        tensors=tensors,
        shards=tuple(header.shard for header in headers),
        source=source,
        config=config,
        revision=home.revision,
        metadata=_said(headers),
        refused=refused,
        notes=tuple(notes),
        folder=home.folder,
        files=home,
    )
    return with_packed(with_scaled(opened))


def _of_fingerprint(home: Home, name: str, label: str, location: str) -> Checkpoint:
    """The checkpoint that a fingerprint is of, with what is there of it."""
    opened = read_fingerprint(home.source([name]), label)
    tensors, refused = _collect(opened.headers)
    share = opened.fingerprint.share
    return Checkpoint(
        label=label,
        location=shown(location),
        tensors=tensors,
        shards=tuple(header.shard for header in opened.headers),
        source=opened.source,
        config=opened.manifest.config,
        revision=opened.manifest.revision,
        metadata=_said(opened.headers),
        refused=refused,
        notes=(
            f"a fingerprint of {quoted(opened.manifest.name)}: it holds {rough_percent(share)} of the weights, in "
            f"blocks that seed {opened.manifest.seed} chose; the checkpoint itself would add all others",
        ),
        fingerprint=opened.fingerprint,
    )


def _open_near(location: str) -> Checkpoint:
    return open_checkpoint(location, near=True)


def _check_named_weights(
    config: dict[str, Any] | None, home: Home, names: Sequence[str], index: Mapping[str, str] | None
) -> None:
    """Refuse a folder whose config names other weights than those that its files' names say."""
    named = (config or {}).get("transformers_weights")
    if isinstance(named, str) and named not in names and not (index is not None and is_index(named)):
        raise UnsupportedFormatError(
            f"the config in {home.place()} names {quoted(named)} as the weights, "
            f"the files' own names say {quoted(names[0])}",
            "Give the path of the one you mean.",
        )


def _located(location: str, near: bool) -> tuple[Home, str | None]:
    """The folder meant by `location`, and the file of it that was named, if one was; what is here comes first."""
    path = _path(location)
    if path is not None:
        return (LocalHome(path), None) if path.is_dir() else (LocalHome(path.parent), path.name)
    meant = parse(location)
    if meant is None:
        raise CheckpointNotFoundError(
            f"nothing is at {location!r}",
            "Give a folder, a .safetensors or .gguf file, org/name on the Hugging Face Hub, or an address (https://, s3://).",
        )
    if is_remote(location):
        if near:
            raise CheckpointNotFoundError(f"{shown(location)} is not on this machine", "Download it, give its folder.")
        return _remote(meant)
    try:
        return _cached_snapshot(location), None
    except CheckpointNotFoundError as error:
        if near:
            raise
        missing = error
    try:
        return _remote(meant)
    except OfflineError as error:
        raise missing from error
    except RemoteError as error:
        here = f"{location!r} is no path here, and not in the local Hugging Face cache"
        raise type(error)(f"{here}; on the Hub: {error.message}", error.advice) from error


def _remote(meant: OnHub | OnWeb | InBucket) -> tuple[Home, str | None]:
    from modelprov.checkpoints.remote.door import remote_home  # HTTP is loaded when something is elsewhere

    return remote_home(meant)


def _path(location: str) -> Path | None:
    """What is at `location` on this machine; None where nothing is."""
    path = Path(location)
    with suppress(RuntimeError):  # a home that nobody has: then the name is taken as it stands
        path = path.expanduser()
    try:
        return path if path.exists() else None
    except ValueError as error:
        raise CheckpointNotFoundError(f"{location!r} is not a usable path ({error})", "Check the spelling.") from error
    except OSError as error:
        if is_remote(location):  # too long for a path, as signed addresses are
            return None
        raise unreadable(path, error) from error


def _cached_snapshot(location: str) -> LocalHome:
    """The cached folder of `org/name[@revision]`, if its weights are all there; nothing is downloaded."""
    from huggingface_hub import snapshot_download

    repository, _, revision = location.partition("@")
    failure: Exception | None = None
    try:
        home = LocalHome(Path(snapshot_download(repository, revision=revision or None, local_files_only=True)))
        if not holds_adapter(home):
            _shards(home, None, [])
        return home
    # LocalEntryNotFoundError is an OSError and HFValidationError a ValueError, in every version of the library.
    except (OSError, ValueError, CheckpointNotFoundError, MissingShardError) as error:
        failure = error
    command = f"hf download {repository}" + (f" --revision {revision}" if revision else "")
    raise CheckpointNotFoundError(
        f"{location!r} is neither a local path nor in the local Hugging Face cache",
        f"Download it first: `{command}`. (HF_HUB_OFFLINE keeps it from being read on the Hub.)",
    ) from failure


def _shards(home: Home, name: str | None, notes: list[str]) -> tuple[list[str], Mapping[str, str] | None]:
    """The names of all shards in the folder, and the index's map from tensor to shard where there is one.

    `name` is that of the only one, or of the index, where it was given.
    """
    if name is not None and not is_index(name):
        if not name.endswith((WEIGHTS, *PICKLES)):
            raise _not_safetensors(home, name)
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
        raise _not_safetensors(home)
    if choice.index is None:
        shards = list(choice.weights)
    else:
        index = _read_index(home, choice.index)
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


def _read_index(home: Home, name: str) -> dict[str, str]:
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


def _stored(header: Header) -> Iterator[TensorRef | RefusedTensor]:
    return chain(header.tensors, header.refused)


def _said(headers: Sequence[Header]) -> dict[str, str]:
    """What the headers say beside their tensors; of two words for one thing the later."""
    return {key: value for header in headers for key, value in header.metadata.items()}


def _collect(headers: Sequence[Header]) -> tuple[dict[str, TensorRef], dict[str, RefusedTensor]]:
    """All tensors by name, in file order; two shards with one name are an error."""
    tensors = {stored.name: stored for header in headers for stored in header.tensors}
    refused = {stored.name: stored for header in headers for stored in header.refused}
    told = sum(len(header.tensors) + len(header.refused) for header in headers)
    if len(tensors) + len(refused) == told and tensors.keys().isdisjoint(refused):
        return tensors, refused
    seen: dict[str, str] = {}
    for header in headers:
        for stored in _stored(header):
            if stored.name in seen:
                files = seen[stored.name], header.shard.file_name
                raise DuplicateTensorError(
                    f"tensor {quoted(stored.name)} is in {files[0]} and in {files[1]}",
                    SLICED
                    if all(map(is_second_copy, files))
                    else "Remove the files that do not belong, or add an index that names the right ones.",
                )
            seen[stored.name] = header.shard.file_name
    raise AssertionError("no name is there twice")


def _check_index(index: Mapping[str, str], headers: Sequence[Header], notes: list[str]) -> None:
    """The index and the headers agree: what is named is there; what is there but not named is kept and noted."""
    where: dict[str, str] = {}
    for header in headers:
        names = [stored.name for stored in _stored(header)]
        where |= dict.fromkeys(names, header.shard.name)
    absent = [name for name, shard in index.items() if where.get(name) != shard]
    if absent:
        raise MissingShardError(
            f"the index says that {quoted(absent[0])} is in {quoted(_last(index[absent[0]]))}, which does not hold it"
            + (f" (nor {len(absent) - 1} more)" if len(absent) > 1 else ""),
            "Download the shards and their index again, from one revision.",
        )
    extra = [name for name in where if name not in index]
    if extra:
        notes.append(
            f"{len(extra)} tensors are stored but not named by the index, e.g. {quoted(extra[0])}; they are included"
        )


def _not_safetensors(home: Home, name: str | None = None) -> UnsupportedFormatError | CheckpointNotFoundError:
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
