"""A base and an adapter become one checkpoint: names, headers and notes. Reads the adapter's config and header only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from modelprov.checkpoints.adapters.config import AdapterConfig, adapter_config
from modelprov.checkpoints.adapters.matching import matched
from modelprov.checkpoints.adapters.source import AdaptedSource
from modelprov.checkpoints.header import Header, read_headers
from modelprov.checkpoints.homes import Home, json_in
from modelprov.checkpoints.layouts.files import ADAPTER, PICKLES, choose
from modelprov.checkpoints.layouts.quantised import refuse_decoded
from modelprov.checkpoints.layouts.side_files import ADAPTER_CONFIG
from modelprov.checkpoints.remote.locations import REPOSITORY, SECOND, OnHub, parse
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.torch_files import read_torch_headers
from modelprov.checkpoints.types import Checkpoint, Shard
from modelprov.errors import (
    CheckpointNotFoundError,
    MissingBaseError,
    ModelprovError,
    UnsupportedFormatError,
    UsageError,
)
from modelprov.foreign.shown import quoted

FILES = (ADAPTER, "adapter_model.bin")
ON_BASE = " on the base "
AS_MERGED = "read as merged weights"
"""In the note on an adapter, and in no other: reports put it beside their headline."""
MOST_PLUSES = 20
GIVE_BASE = "Say where it is, as BASE+ADAPTER."


def holds_adapter(home: Home) -> bool:
    """Whether the folder holds an adapter with its config."""
    return home.has(ADAPTER_CONFIG) and any(map(home.has, FILES))


def is_adapter_alone(home: Home, name: str | None) -> bool:
    """Whether the folder, or the file of it that was named, is an adapter with its config and no model beside it."""
    if name is not None:
        return name in FILES and home.has(ADAPTER_CONFIG)
    return holds_adapter(home) and choose(home.place(), home.names()) is None


def base_and_adapter(location: str, elsewhere: bool) -> tuple[str, str] | None:
    """`BASE+ADAPTER` as its parts; None for anything else.

    The adapter is behind the last `+` behind which an address begins or a folder of this machine is named; where there
    is none, behind the last, but in a location that is elsewhere: it may have a `+` of its own. A repository of the Hub
    has none in its name, so that `org/name` behind it is the adapter's.
    """
    *before, last = SECOND.split(location)
    if before:
        return "+".join(before), last
    base, plus, adapter = location.rpartition("+")
    if plus and elsewhere and REPOSITORY.fullmatch(adapter) and _is_repository(base):
        return base, adapter
    words = location.split("+")
    splits = [("+".join(words[:at]), "+".join(words[at:])) for at in range(len(words) - 1, 0, -1)]
    splits = [(base, adapter) for base, adapter in splits[:MOST_PLUSES] if base and adapter]
    for base, adapter in splits:
        with suppress(OSError, ValueError, RuntimeError):
            if Path(adapter).expanduser().is_dir():
                return base, adapter
    return splits[0] if splits and not elsewhere else None


def _is_repository(location: str) -> bool:
    """Whether it is a whole repository of the Hub."""
    try:
        meant = parse(location)
    except (UsageError, ValueError):
        return False
    return isinstance(meant, OnHub) and not meant.inside


def read_adapter_config(home: Home) -> AdapterConfig:
    """The config of the adapter in a folder, checked."""
    return adapter_config(json_in(home, ADAPTER_CONFIG), home.place(ADAPTER_CONFIG))


def with_adapter(base: Checkpoint, home: Home, label: str, location: str) -> Checkpoint:
    """The base with the adapter of the folder `home` on it, as merging the adapter would give it.

    Raises `UnsupportedFormatError` and `InvalidCheckpointError` as `adapter_config` and `matched` do.
    """
    file = next((name for name in FILES if home.has(name)), None)
    if file is None or not home.has(ADAPTER_CONFIG):
        raise CheckpointNotFoundError(
            f"{home.place()} holds no adapter: it takes {ADAPTER_CONFIG} and {FILES[0]}", "Give the adapter's folder."
        )
    config = read_adapter_config(home)
    if base.packings or base.fingerprint is not None:  # what is known of a packed number's cell is not of its sum
        what = "is quantised" if base.packings else "is a fingerprint"
        raise UnsupportedFormatError(
            f"{base.location} {what}: an adapter cannot be put on it",
            "Give the release in BF16 or F16 that it was made of, as BASE+ADAPTER.",
        )
    refuse_decoded(base, "the base of an adapter")
    home.check(file)
    notes: list[str] = []
    source = home.source([file])
    header = _header(source, file, notes)
    source.close()
    if header.refused:
        first = header.refused[0]
        raise UnsupportedFormatError(
            f"{home.place(file)} stores {quoted(first.name)} as {first.format}", "Give the adapter in floats."
        )
    named = {ref.name: ref for ref in header.tensors}
    found = matched(
        named, (base.tensors, base.refused, base.location), config, (home.place(file), home.place(ADAPTER_CONFIG))
    )
    shards = len(base.shards)
    tensors = dict(base.tensors) | {name: ref._replace(name=name, shard=shards) for name, ref in found.added.items()}
    marked = _digest(header, config)
    own = [Shard(shard.name, shard.size, _both(shard, marked)) for shard in base.shards]
    changed = {change.target.name for change in found.changes}
    share = sum(base.tensors[name].count for name in changed) / (base.parameters or 1)
    words = (
        f"{config.name} adapter {home.place()}{ON_BASE}{base.location}, {AS_MERGED}: "
        f"{len(changed):,} tensors changed ({share:.1%} of the parameters)"
    )
    if found.added:
        words += f", {len(found.added):,} taken from the adapter as they are, e.g. {quoted(next(iter(found.added)))}"
    return replace(
        base,
        label=label,
        location=location,
        tensors=tensors,
        shards=(*own, *([header.shard] if found.added else [])),
        source=AdaptedSource(base.source, source, found.changes),
        refused={name: ref for name, ref in base.refused.items() if name not in found.added},
        revision=None,
        adapter_on=config.base or base.location,
        adapter=config.words,
        notes=(words, *notes, *base.notes),
    )


def adapter_alone(home: Home, label: str, location: str) -> Checkpoint:
    """The adapter's own tensors, without its base: for whoever wants to know what it is. It is no model."""
    config, notes = read_adapter_config(home), list[str]()
    file = next(name for name in FILES if home.has(name))
    home.check(file)
    source = home.source([file])
    header = _header(source, file, notes)
    return Checkpoint(
        label=label, location=location, tensors={ref.name: ref for ref in header.tensors}, shards=(header.shard,),
        source=source, config=None, metadata=header.metadata or {},
        refused={ref.name: ref for ref in header.refused},
        notes=("these are the adapter's own tensors: its base is not on this machine, so that no weights can be "
               "compared; say where it is, as BASE+ADAPTER", *notes),
        folder=home.folder, files=home, adapter_on=config.base or None, adapter=config.words,
    )  # fmt: skip


def base_of(config: AdapterConfig, place: str, open_near: Callable[[str], Checkpoint]) -> Checkpoint:
    """The base that a config names, where it is on this machine; a config is not asked whom to ask elsewhere."""
    if not config.base:
        raise MissingBaseError(f"{place} is an adapter and does not name its base", GIVE_BASE)
    try:
        return open_near(config.base)
    except CheckpointNotFoundError as error:
        raise MissingBaseError(
            f"{place} is an adapter on {quoted(config.base)}, which is not on this machine", GIVE_BASE, base=config.base
        ) from error
    except ModelprovError as error:
        raise type(error)(f"the base of the adapter {place}: {error.message}", error.advice) from error


def _header(source: Source, file: str, notes: list[str]) -> Header:
    (header,) = read_torch_headers(source, notes) if file.endswith(PICKLES) else read_headers(source)
    return header


def _digest(header: Header, config: AdapterConfig) -> str:
    said = json.dumps([header.shard.header_digest, header.shard.size, repr(config)])
    return hashlib.sha256(said.encode()).hexdigest()


def _both(shard: Shard, adapter: str) -> str:
    """The digest of a shard of the base with the adapter on it: of neither alone."""
    return hashlib.sha256(f"{shard.header_digest}\t{adapter}".encode()).hexdigest()
