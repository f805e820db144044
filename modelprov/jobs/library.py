"""The jobs of `modelprov library`: fingerprints put into a folder, listed, built from a list, fetched and handed on."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from modelprov.called import called
from modelprov.checkpoints.files import read_small_file
from modelprov.checkpoints.library_folder import (
    INDEX,
    LARGEST_FILE,
    LARGEST_INDEX,
    Entry,
    Library,
    checked,
    file_of,
    library_bytes,
    parse_library,
    path_in,
    read_library,
)
from modelprov.checkpoints.remote.locations import (
    OnHub,
    data_set,
    is_remote,
    parse,
    pinned,
    shown,
    without_secrets,
)
from modelprov.errors import ModelprovError, UsageError
from modelprov.foreign.shown import quoted
from modelprov.forensics.fingerprint import take
from modelprov.jobs.arguments import Location, path_of, refuse_below, text_of
from modelprov.jobs.fingerprint import Fingerprinted, name_for, written
from modelprov.jobs.library_places import added_to_data_set, reader
from modelprov.locking import only_writer
from modelprov.merge.virtual import open_any
from modelprov.progress import SILENT, Progress, Within, numbered, tell
from modelprov.reports.writing import write_atomically

KNOWN = "known-models.toml"
LARGEST_LIST = 4 << 20
SEED = 0
"""Of every fingerprint in a library: only those of one seed share their places."""


@dataclass(frozen=True)
class Listed:
    """A model of a list: what it is called, where it is, and its revision; None where nobody pinned it."""

    name: str
    location: str
    revision: str | None


@dataclass(frozen=True)
class Built:
    """What came of a list: entries made now, there already, and the models that could not be read, with the reason."""

    made: tuple[str, ...]
    kept: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    pinned: tuple[tuple[str, str], ...]


def add(
    model: Location, library: Location, *, name: str | None = None, size: int | None = None,
    progress: Progress = SILENT,
) -> Fingerprinted:  # fmt: skip
    """Take a model's fingerprint into a library; one of the same name makes room.

    Raises what `fingerprint` raises, and `InvalidLibraryError` where the folder holds a library that cannot be read.
    """
    refuse_below(1, size=size)
    location = text_of(model)
    progress.stage("opening the checkpoint")
    opened = open_any(location)
    called_so = name or name_for(location, opened)
    folder = _folder(library)
    path = folder / file_of(called_so)
    made = written(take(opened, called_so, size, SEED, progress), opened, path)
    _enter(folder, Entry(
        name=called_so, file=path.name, location=_public(location), revision=opened.revision,
        sha256=_digest(path), bytes=made.bytes,
    ))  # fmt: skip
    return made


def listed(library: Location) -> Library:
    """What a library holds. Raises `CheckpointNotFoundError` and `InvalidLibraryError`."""
    return read_library(path_of(library))


def pinned_list(library: Location) -> str:
    """The models of a library as a list for `build`, each at the revision that is held; what has none is a comment."""
    lines = []
    for entry in listed(library).entries:
        meant = parse(entry.location)
        if entry.revision is None or not isinstance(meant, OnHub):
            lines.append(f"# {_toml(entry.name)[1:-1]}: no revision of it is known")
            continue
        place = f"hf://{meant.repository}/{meant.inside}" if meant.inside else meant.repository
        values = {"name": entry.name, "location": place, "revision": entry.revision}
        rows = [f"{key} = {_toml(value)}" for key, value in values.items() if key != "name" or value != place]
        lines.append("\n".join(["[[model]]", *rows, ""]))
    return "\n".join([*lines, ""])


def _toml(text: str) -> str:
    """A string of TOML: JSON's, but that a character beyond 16 bits is no pair of escapes there, and DEL is escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def build(
    models: Location | None, library: Location, *, size: int | None = None, limit: int | None = None,
    progress: Progress = SILENT,
) -> Built:  # fmt: skip
    """Take the fingerprints of a list of models (TOML; None for the one that comes along) into a library.

    What is there at the revision that the list says, or at any where it says none, is kept: run it again to go on. A
    model that cannot be read is told and left out. `limit` is how many are made at most.
    """
    refuse_below(1, size=size, limit=limit)
    folder = _folder(library)
    wanted = read_list(models)
    known = read_library(folder) if (folder / INDEX).exists() else Library()
    made: list[str] = []
    kept: list[str] = []
    failed: list[tuple[str, str]] = []
    pins: list[tuple[str, str]] = []
    for place, model in enumerate(wanted, 1):
        held = known.named(model.name)
        if held is not None and model.revision in (None, held.revision) and path_in(folder, held).exists():
            kept.append(model.name)
            continue
        if limit is not None and len(made) >= limit:
            break
        where = model.location if model.revision is None else pinned(model.location, model.revision)
        try:
            inside = Within(progress, model.name, place, len(wanted))
            add(where, folder, name=model.name, size=size, progress=inside)
        except ModelprovError as error:
            failed.append((model.name, error.message))
            tell(progress, f"{model.name}: {error.message}")
            continue
        made.append(model.name)
        entry = read_library(folder).named(model.name)
        if model.revision is None and entry is not None and entry.revision is not None:
            pins.append((model.name, entry.revision))
            tell(progress, f"{model.name}: the list pins no revision; taken at {entry.revision}")
    return Built(tuple(made), tuple(kept), tuple(failed), tuple(pins))


def read_list(models: Location | None) -> tuple[Listed, ...]:
    """The models of a list; `UsageError` for a file that is none."""
    if models is None:
        place, content = KNOWN, (files("modelprov.jobs") / KNOWN).read_bytes()
    else:
        place, content = text_of(models), read_small_file(path_of(models), LARGEST_LIST)
    try:
        told = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{place} is not TOML ({error})", LIST) from error
    rows = told.get("model")
    if not isinstance(rows, list) or not rows or not set(told) <= {"model"}:
        raise UsageError(f"{place} lists no models", LIST)
    found = [_listed(row, place) for row in rows]
    names = [model.name for model in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{place} lists {quoted(twice)} twice", LIST)
    return tuple(found)


LIST = 'Write [[model]] with location = "org/name", and revision and name where you know them.'


def _listed(row: object, place: str) -> Listed:
    if not isinstance(row, dict) or not set(row) <= {"name", "location", "revision"}:
        raise UsageError(f"{place} has a model with other fields than name, location, revision", LIST)
    if not all(isinstance(value, str) and value for value in row.values()) or "location" not in row:
        raise UsageError(f"{place} has a model without a location, or with one that is no text", LIST)
    location = str(row["location"])
    return Listed(str(row.get("name", location)), location, row.get("revision"))


def pull(source: Location, library: Location, *, progress: Progress = SILENT) -> tuple[str, ...]:
    """Fetch what a library elsewhere (a folder, an address of one, a data set) has and this one has not; their names.

    Every file is held against the digest in the index. Raises `InvalidLibraryError`, and what fetching raises.
    """
    read = reader(text_of(source))
    folder = _folder(library)
    theirs = parse_library(read(INDEX, LARGEST_INDEX), f"{shown(text_of(source))}/{INDEX}")
    own = read_library(folder) if (folder / INDEX).exists() else Library()
    held = {entry.name: entry.sha256 for entry in own.entries}
    missing = [entry for entry in theirs.entries if held.get(entry.name) != entry.sha256]
    fetched = []
    for place, entry in enumerate(missing, 1):
        progress.stage(numbered(f"fetching {entry.name}", place, len(missing)), entry.bytes)
        content = checked(read(entry.file, LARGEST_FILE), entry, entry.file)
        write_atomically(folder / entry.file, content)
        _enter(folder, entry)
        fetched.append(entry.name)
    return tuple(fetched)


def push(library: Location, target: Location, *, progress: Progress = SILENT) -> tuple[str, ...]:
    """Hand what this library has to one in another folder, or in a data set that exists; the names of what was new.

    Raises `UsageError` for other addresses: what serves a library there is a copy of the folder.
    """
    meant = data_set(text_of(target))
    if meant is not None:
        folder = path_of(library)
        return added_to_data_set(folder, read_library(folder), meant, progress)
    if is_remote(text_of(target)):
        raise UsageError(
            "a library is pushed to a folder, or to a data set of the Hub (hf://datasets/org/name)",
            "Copy the folder to the server.",
        )
    return pull(library, target, progress=progress)


def _folder(library: Location) -> Path:
    folder = path_of(library)
    if is_remote(text_of(library)):
        raise UsageError(
            f"a library that is changed is a folder of this machine, not {shown(text_of(library))}",
            "Fetch it first (`modelprov library pull`).",
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _enter(folder: Path, entry: Entry) -> None:
    """Add an entry to the index, whoever else does so at the same time."""
    with only_writer(folder / f".{INDEX}.lock", folder / INDEX, f"Wait for it, or use another {called('library')}."):
        known = read_library(folder) if (folder / INDEX).exists() else Library()
        write_atomically(folder / INDEX, library_bytes(known.with_entries([entry])))


def _public(location: str) -> str:
    """A location as it may be handed on: repositories and addresses as they are, paths by their last part."""
    if is_remote(location) or (not os.path.exists(os.path.expanduser(location)) and parse(location) is not None):
        return shown(without_secrets(location))
    return Path(location).resolve().name


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
