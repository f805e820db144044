"""A library: a folder of fingerprints with an index that says what each is of. Takes no fingerprints, compares none.

The index is hostile, as everything from elsewhere: names are shown, files stay inside the folder, digests are checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from modelprov.checkpoints.files import read_small_file
from modelprov.checkpoints.layouts.files import FINGERPRINT
from modelprov.errors import CheckpointNotFoundError, InvalidLibraryError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.records import Frozen

INDEX = "library.json"
KIND, VERSION = "modelprov library", 1
LARGEST_INDEX, LARGEST_FILE = 64 << 20, 1 << 30
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,200}\.mpf")
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*)?")
LONGEST = 150
AGAIN = "Fetch the library again, or make it anew: `modelprov library add`."


class Entry(Frozen):
    """A fingerprint of a library: what it is of, where that is, and the SHA-256 of the file."""

    name: str
    file: str
    location: str
    revision: str | None
    sha256: str
    bytes: int


class Library(Frozen):
    """The index of a library; entries in the order of their names."""

    kind: str = KIND
    version: int = VERSION
    entries: tuple[Entry, ...] = ()

    def named(self, name: str) -> Entry | None:
        """The entry of this name; None where there is none."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def with_entries(self, more: Iterable[Entry]) -> Library:
        """The same with these entries, each in the place of one of its name."""
        entries = {entry.name: entry for entry in (*self.entries, *more)}
        return Library(entries=tuple(entries[name] for name in sorted(entries)))


def file_of(name: str) -> str:
    """The name of the file for a fingerprint of this name, another one for another name."""
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "--", name).strip("-.") or "model"
    own = PLAIN.fullmatch(name) is not None and "--" not in name and len(plain) <= LONGEST
    mark = "" if own else f"@{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{plain[:LONGEST]}{mark}{FINGERPRINT}"


def read_library(folder: Path) -> Library:
    """The index of the library in a folder.

    Raises `CheckpointNotFoundError` where there is none, `InvalidLibraryError` for one that cannot be followed.
    """
    path = folder / INDEX
    if not path.exists():
        raise CheckpointNotFoundError(
            f"{folder} holds no library ({INDEX} is not there)",
            "Begin one there with a model that you know: `modelprov library add`.",
        )
    return parse_library(read_small_file(path, LARGEST_INDEX), str(path))


def parse_library(content: bytes, place: str) -> Library:
    """The index that these bytes are; `place` is where they come from. Raises `InvalidLibraryError`."""
    try:
        told = parse_json(content.decode("utf-8"), unique=True, finite=True, stored=True)
        if isinstance(told, dict) and told.get("kind") == KIND and told.get("version") not in (None, VERSION):
            raise InvalidLibraryError(
                f"{place} is of version {told['version']!r:.20}; this modelprov reads version {VERSION}", AGAIN
            )
        found = Library.model_validate(told)
    except (UnicodeDecodeError, JsonError, ValidationError) as error:
        raise InvalidLibraryError(f"{place} is no index of a library", AGAIN) from error
    names = {entry.name for entry in found.entries}
    files = {entry.file for entry in found.entries}
    if found.kind != KIND or len(names) < len(found.entries) or len(files) < len(found.entries):
        raise InvalidLibraryError(f"{place} is no index of a library, or names an entry twice", AGAIN)
    for entry in found.entries:
        if FILE.fullmatch(entry.file) is None:
            raise InvalidLibraryError(f"{place} names a file that no library holds", AGAIN)
    return found


def library_bytes(library: Library) -> bytes:
    """The index as it is written."""
    return (json.dumps(library.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def checked(content: bytes, entry: Entry, place: str) -> bytes:
    """The bytes of an entry's file, if they are those that the index says; else raises `InvalidLibraryError`."""
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise InvalidLibraryError(f"{place} is another file than the index says", AGAIN)
    return content


def path_in(folder: Path, entry: Entry) -> Path:
    """Where an entry's file lies; links are not followed."""
    path = folder / entry.file
    if os.path.islink(path):
        raise InvalidLibraryError(f"{path} is a link: a library holds its files", AGAIN)
    return path
