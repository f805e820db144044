"""Libraries that are elsewhere: read from a folder, the web or a data set of the Hub, added to in a data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from modelprov.checkpoints.files import read_small_file
from modelprov.checkpoints.library_folder import (
    INDEX,
    LARGEST_FILE,
    LARGEST_INDEX,
    Library,
    checked,
    library_bytes,
    parse_library,
    path_in,
)
from modelprov.checkpoints.remote.locations import OnHub, OnWeb, data_set, is_remote, parse, shown
from modelprov.checkpoints.remote.store import Store
from modelprov.errors import InvalidLibraryError, RemoteNotFoundError, UsageError
from modelprov.progress import Progress

Read = Callable[[str, int], bytes]
"""A file of a library by its name, of at most so many bytes."""


def reader(source: str) -> Read:
    """Reads files of the library at a location; of a data set all from one commit."""
    meant = data_set(source)
    if meant is not None:
        from modelprov.checkpoints.remote.hub import open_hub

        return partial(_from_store, open_hub(meant, "dataset"), _inside(meant))
    if not is_remote(source):
        folder = Path(os.path.expanduser(source))
        return lambda name, limit: read_small_file(folder / name, limit)
    if not isinstance(parse(source), OnWeb):
        raise UsageError(
            f"a library is fetched from a folder, a web address or a data set, not from {shown(source)}",
            "Of a data set on the Hub give hf://datasets/org/name.",
        )
    return partial(_from_web, source)


def added_to_data_set(folder: Path, own: Library, meant: OnHub, progress: Progress) -> tuple[str, ...]:
    """Commit what a library in a folder has and the one in a data set has not; the names of what was new there.

    The data set must exist: whoever makes one says whether all may see it. Raises `InvalidLibraryError` and what
    `commit_to` raises.
    """
    from modelprov.checkpoints.remote.data_sets import commit_to
    from modelprov.checkpoints.remote.hub import open_hub

    found, inside = open_hub(meant, "dataset"), _inside(meant)
    place = found.place(inside + INDEX)
    begun = inside + INDEX in found.files
    theirs = parse_library(_from_store(found, inside, INDEX, LARGEST_INDEX), place) if begun else Library()
    held = {entry.name: entry.sha256 for entry in theirs.entries}
    new = [entry for entry in own.entries if held.get(entry.name) != entry.sha256]
    if not new:
        return ()
    progress.stage(f"uploading {len(new)} fingerprints", sum(entry.bytes for entry in new))
    contents: dict[str, bytes | Path] = {}
    for entry in new:
        path = path_in(folder, entry)
        checked(read_small_file(path, LARGEST_FILE), entry, str(path))
        contents[inside + entry.file] = path
    index = library_bytes(theirs.with_entries(new))
    parse_library(index, place)  # a name of theirs may stand in the way of one of ours
    contents[inside + INDEX] = index
    commit_to(meant, found, contents, f"Add {len(new)} fingerprints")
    return tuple(entry.name for entry in new)


def _inside(meant: OnHub) -> str:
    return f"{meant.inside.strip('/')}/" if meant.inside.strip("/") else ""


def _from_web(source: str, name: str, limit: int) -> bytes:
    from modelprov.checkpoints.remote.hub import refuse_offline
    from modelprov.checkpoints.remote.web import WebStore

    refuse_offline(shown(source))
    parts = urlsplit(source)
    folder = urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/", "", ""))
    return _from_store(WebStore(folder, parts.query, {}).with_files([name]), "", name, limit)


def _from_store(store: Store, inside: str, name: str, limit: int) -> bytes:
    path = inside + name
    if path not in store.files:
        raise RemoteNotFoundError(f"{store.place(path)} is not there, or not shown", "Check the address.")
    size = store.files[path].size
    if size > limit:
        raise InvalidLibraryError(f"{store.place(path)} is larger than {limit:,} bytes", "Do not trust this library.")
    return bytes(store.fetch(path, 0, size)) if size else b""
