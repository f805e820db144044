"""Opens a checkpoint: finds its shards, reads their headers and config. No tensor data is read here, nothing decoded.

A location is a folder (with an index or without), one `.safetensors` or `.gguf` file, an index file, a fingerprint, a
repository of the Hugging Face Hub (the copy in the local cache, if one is there), an address (`remote/`), an adapter on
the base that its config names, or `BASE+ADAPTER`. Which files of a folder make its model is decided in `layouts/`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from modelprov.checkpoints.adapters.config import MERGE
from modelprov.checkpoints.adapters.joining import (
    adapter_alone,
    base_and_adapter,
    base_of,
    is_adapter_alone,
    read_adapter_config,
    with_adapter,
)
from modelprov.checkpoints.composed import composed
from modelprov.checkpoints.header import Header, read_headers
from modelprov.checkpoints.homes import Home, json_in
from modelprov.checkpoints.labels import default_label
from modelprov.checkpoints.layouts.files import (
    FINGERPRINT,
    GGUF,
    PICKLES,
    is_index,
    is_second_copy,
)
from modelprov.checkpoints.layouts.folders import model_parts
from modelprov.checkpoints.layouts.scaled import with_scaled
from modelprov.checkpoints.layouts.side_files import ADAPTER_CONFIG, CONFIG
from modelprov.checkpoints.locating import located, path_here
from modelprov.checkpoints.remote.locations import is_remote, pinned, shown
from modelprov.checkpoints.shards import read_index, shards_of
from modelprov.checkpoints.shares_left_out import with_shares
from modelprov.checkpoints.single_file import beside_index
from modelprov.checkpoints.torch_files import read_torch_headers
from modelprov.checkpoints.types import Checkpoint, RefusedTensor, TensorRef
from modelprov.collector import paused
from modelprov.errors import (
    CheckpointNotFoundError,
    DuplicateTensorError,
    MissingShardError,
    UnsupportedFormatError,
)
from modelprov.foreign.shown import quoted
from modelprov.shares import rough_percent

LOG = logging.getLogger(__name__)
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
    joined = None if path_here(location) is not None else base_and_adapter(location, is_remote(location))
    if joined is not None:
        adapter, _ = located(joined[1], near)
        base = open_checkpoint(joined[0], near=near)
        at = "+".join(map(_pinned, joined, (base.revision, adapter.revision)))
        return with_adapter(base, adapter, label or default_label(location), at)
    notes: list[str] = []
    home, name = located(location, near)
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


def open_adapter(location: str, label: str | None = None) -> Checkpoint:
    """An adapter whose base is not here, as the tensors of its own file."""
    home, name = located(location, near=False)
    if not is_adapter_alone(home, name):
        raise CheckpointNotFoundError(f"{location} is no adapter")
    return adapter_alone(home, label or default_label(location), shown(location))


def _opened(home: Home, name: str | None, label: str, location: str, notes: list[str]) -> Checkpoint:
    """What lies in one folder, or is the file `name` of it; `notes` grows."""
    if any(each.endswith(GGUF) for each in (home.names() if name is None else [name])):  # few models have any
        from modelprov.checkpoints.layouts.gguf_model import gguf_files, open_gguf

        if blocks := gguf_files(home, name):
            return open_gguf(home, blocks, label, shown(location), notes)
    names, index = shards_of(home, name, notes)
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
    files = "1 file" if len(headers) == 1 else f"{len(headers):,} files"
    LOG.info("opened %s: %d tensors in %s at %s", label, len(tensors), files, opened.location)
    opened = with_scaled(opened)
    if not opened.refused:
        return opened
    from modelprov.checkpoints.layouts.packed.finding import with_packed

    return with_packed(opened)


def _of_fingerprint(home: Home, name: str, label: str, location: str) -> Checkpoint:
    """The checkpoint that a fingerprint is of, with what is there of it."""
    from modelprov.checkpoints.fingerprint_file import read_fingerprint

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


def _pinned(location: str, revision: str | None) -> str:
    """A location as it is recorded, at the commit that was read."""
    return shown(location if revision is None or path_here(location) else pinned(location, revision))


def _open_near(location: str) -> Checkpoint:
    return open_checkpoint(location, near=True)


def _check_named_weights(
    config: dict[str, Any] | None, home: Home, names: Sequence[str], index: Mapping[str, str] | None
) -> None:
    """Refuse a folder whose config names other weights than those that its files' names say."""
    named = (config or {}).get("transformers_weights")
    if not isinstance(named, str) or named in names:
        return
    followed = index is not None and is_index(named) and home.has(named) and read_index(home, named) == index
    if not followed:
        raise UnsupportedFormatError(
            f"the config in {home.place()} names {quoted(named)} as the weights, "
            f"the files' own names say {quoted(names[0])}",
            "Give the path of the one you mean.",
        )


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
        shard = PurePosixPath(index[absent[0]]).name
        raise MissingShardError(
            f"the index says that {quoted(absent[0])} is in {quoted(shard)}, which does not hold it"
            + (f" (nor {len(absent) - 1} more)" if len(absent) > 1 else ""),
            "Download the shards and their index again, from one revision.",
        )
    extra = [name for name in where if name not in index]
    if extra:
        notes.append(
            f"{len(extra)} tensors are stored but not named by the index, e.g. {quoted(extra[0])}; they are included"
        )
