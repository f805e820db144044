"""Files at addresses of the web as a `Store`: a server that answers ranges is all that is needed.

A folder cannot be listed there: what a model's files are called is asked for by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from modelprov.checkpoints.json_files import MAX_JSON_BYTES, json_object
from modelprov.checkpoints.layouts.files import DEFAULTS, FINGERPRINT, WEIGHTS, is_index
from modelprov.checkpoints.layouts.side_files import CONFIG, GENERATION, PROCESSORS, TOKENIZER
from modelprov.checkpoints.remote.asking import File, fetch
from modelprov.checkpoints.remote.http import CHANGED, Address, Answer, RefusedRequestError
from modelprov.checkpoints.remote.hub import refuse_offline
from modelprov.checkpoints.remote.locations import LAST_PARTS, OnWeb, shown
from modelprov.checkpoints.remote.store import Stored
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.errors import (
    ChangedFileError,
    RemoteNotFoundError,
    TokenRejectedError,
    UnreachableError,
    UnreadableFileError,
)

INDEX_ENDS: Final = ".safetensors.index.json"
BESIDE: Final = (CONFIG, GENERATION, *TOKENIZER, *PROCESSORS, "README.md")
ASKED: Final = (*(stem + WEIGHTS for stem in DEFAULTS), *(stem + INDEX_ENDS for stem in DEFAULTS), *BESIDE)
NOT_THERE: Final = frozenset({401, 403, 404, 410})
"""What servers say of a file that they do not have, or do not show."""
MOST_SHARDS = 100_000


@dataclass(frozen=True)
class WebStore:
    """Files below the folder `url` (which ends in `/`); `query` is part of every address, `own` their identities."""

    url: str
    query: str
    files: Mapping[str, Stored]
    revision: None = None  # there are no commits

    def place(self, name: str = "") -> str:
        """See `Store`."""
        return shown(self.url) + name

    def fetch(self, name: str, start: int, stop: int) -> bytes | bytearray:
        """See `Store`."""
        known = self.files[name]

        def same(answer: Answer) -> None:
            now = _identity(self.place(name), answer)
            if known.identity is not None and now != known.identity:
                raise ChangedFileError(f"{self.place(name)} is another file than when it was opened", CHANGED)

        try:
            return fetch(File(self.place(name), known.size, partial(self._address, name)), start, stop, same)
        except RefusedRequestError as error:
            raise _refused(error, self.place(name)) from error

    def check_unchanged(self, names: Sequence[str]) -> None:
        """See `Store`; one byte of each is asked for."""
        list(TRAFFIC.pool().map(self._check, [name for name in names if self.files[name].size]))

    def _check(self, name: str) -> None:
        self.fetch(name, 0, 1)

    def _address(self, name: str, _old: Address | None = None) -> Address:
        return Address(self.url + quote(name) + (f"?{self.query}" if self.query else ""))

    def with_files(self, names: Iterable[str]) -> WebStore:
        """The same with those of the files that are there."""
        asked = [name for name in dict.fromkeys(names) if name not in self.files]
        found = TRAFFIC.pool().map(self._probe, asked)
        return replace(self, files={**self.files, **{n: each for n, each in zip(asked, found, strict=True) if each}})

    def _probe(self, name: str) -> Stored | None:
        """What a file is, by its first byte; None where the server does not have it."""
        seen: list[Answer] = []
        try:
            fetch(File(self.place(name), None, partial(self._address, name)), 0, 1, seen.append)
        except RefusedRequestError as error:
            if error.status in NOT_THERE or error.status == 416:
                return None
            raise _refused(error, self.place(name)) from error
        return Stored(seen[-1].size, _identity(self.place(name), seen[-1]))


def open_web(meant: OnWeb) -> tuple[WebStore, str | None]:
    """The files at an address, and the name of the one that was meant, if it was a file.

    Raises `RemoteNotFoundError`, `TokenRejectedError`, `UnreachableError` or `NoRangesError`.
    """
    parts = urlsplit(meant.url)
    refuse_offline(shown(meant.url))
    folder, _, last = parts.path.rpartition("/")
    name = unquote(last) if last.endswith(LAST_PARTS) else None
    folder = folder if name is not None else parts.path.rstrip("/")
    store = WebStore(urlunsplit((parts.scheme, parts.netloc, f"{folder}/", "", "")), parts.query, {})
    if name is not None:
        store = store.with_files([name])
        if name not in store.files:
            raise RemoteNotFoundError(f"{store.place(name)} is not there, or not shown", "Check the address.")
        if name.endswith(FINGERPRINT):
            return store, name
        return (
            (store.with_files([CONFIG]), name)
            if name.endswith((WEIGHTS, ".gguf"))
            else (_with_shards(store, name), name)
        )
    store = store.with_files(ASKED)
    indexes = [each for each in store.files if is_index(each)]
    if not indexes and not any(each.endswith(WEIGHTS) for each in store.files):
        raise RemoteNotFoundError(
            f"{store.place()} has no {DEFAULTS[0]}{WEIGHTS} and no index of one",
            "Give the address of a .safetensors file or of its index; a folder of the web cannot be listed.",
        )
    return (_with_shards(store, indexes[0]) if indexes else store), None


def _with_shards(store: WebStore, index: str) -> WebStore:
    """The store with the files that an index names; opening the checkpoint says which are missing."""
    size = store.files[index].size
    if size > MAX_JSON_BYTES:
        raise UnreadableFileError(f"{store.place(index)} has {size:,} bytes", "Such a file does not belong to a model.")
    named = json_object(bytes(store.fetch(index, 0, size)), store.place(index)).get("weight_map")
    names = {name for name in (named.values() if isinstance(named, dict) else ()) if isinstance(name, str)}
    good = sorted(name for name in names if name.isprintable() and not name.startswith("/") and ".." not in name)
    return store.with_files([*good[:MOST_SHARDS], CONFIG, *TOKENIZER])


def _identity(place: str, answer: Answer) -> str | None:
    """A text that another content at this place would not have; None where the server says nothing of the kind."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    etag = headers.get("etag", "")
    said = etag if etag and not etag.startswith("W/") else headers.get("last-modified", "")
    return f"{place}\n{said}\n{answer.size}" if said else None


def _refused(error: RefusedRequestError, place: str) -> Exception:
    if error.status in (401, 403):
        return TokenRejectedError(
            f"{place}: the server does not allow it (status {error.status})", "Check the address."
        )
    if error.status in (404, 410):
        return RemoteNotFoundError(f"{place} is not there", "Check the address.")
    return UnreachableError(f"{place}: the server answers with status {error.status}", "Check the address.")
