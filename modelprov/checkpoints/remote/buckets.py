"""Folders of S3, Google Cloud Storage and Azure as a `Store`, through obstore: its clients, credentials and retries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from modelprov.checkpoints.remote.http import CHANGED
from modelprov.checkpoints.remote.hub import refuse_offline
from modelprov.checkpoints.remote.locations import LAST_PARTS, InBucket, shown
from modelprov.checkpoints.remote.store import Stored
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.errors import (
    ChangedFileError,
    NoRangesError,
    RemoteNotFoundError,
    TokenRejectedError,
    UnreachableError,
    UsageError,
)

Result = TypeVar("Result")
REFUSED = re.compile(r"status code: 40[13]\b")
"""What obstore says of a list that is refused: it has no kind of its own for it."""


@dataclass(frozen=True)
class BucketStore:
    """The objects below the folder `prefix` (empty, or ending in `/`) of a bucket; `etags` are by name."""

    bucket: str
    prefix: str
    files: Mapping[str, Stored]
    etags: Mapping[str, str | None] = field(default_factory=dict)
    revision: None = None  # there are no commits

    def place(self, name: str = "") -> str:
        """See `Store`."""
        return f"{shown(self.bucket)}/{self.prefix}{name}"

    def fetch(self, name: str, start: int, stop: int) -> bytes | bytearray:
        """See `Store`; the answer must be of the object that was listed."""
        import obstore

        TRAFFIC.ask(stop - start, self.place(name))
        options: Any = {"range": (start, stop)}
        if self.etags.get(name):
            options["if_match"] = self.etags[name]
        size = self.files[name].size

        def ask() -> bytes:
            answer = obstore.get(_store(self.bucket), self.prefix + name, options=options)
            if answer.meta["size"] != size:
                raise ChangedFileError(f"{self.place(name)} has another size than when it was opened", CHANGED)
            content = bytes(answer.bytes())
            if tuple(answer.range) != (start, stop) or len(content) != stop - start:
                raise NoRangesError(f"{self.place(name)}: other bytes came than were asked for", "Download the files.")
            return content

        return _said(ask, self.place(name))

    def check_unchanged(self, names: Sequence[str]) -> None:
        """See `Store`."""
        list(TRAFFIC.pool().map(self._check, names))

    def _check(self, name: str) -> None:
        import obstore

        now = _said(lambda: obstore.head(_store(self.bucket), self.prefix + name), self.place(name))
        if (now["size"], now["e_tag"]) != (self.files[name].size, self.etags.get(name)):
            raise ChangedFileError(f"{self.place(name)} is another object than when it was opened", CHANGED)


def open_bucket(meant: InBucket) -> tuple[BucketStore, str | None]:
    """The objects below a folder of a bucket, and the name of the one that was meant, if it was one.

    Raises `UsageError` without the extra, `RemoteNotFoundError`, `TokenRejectedError` or `UnreachableError`.
    """
    refuse_offline(shown(meant.url))
    try:
        import obstore
    except ImportError as error:
        raise UsageError(
            f"{shown(meant.url)} needs obstore, which is not installed", "pip install 'modelprov[buckets]'"
        ) from error
    scheme, _, rest = meant.url.partition("://")
    host, _, path = rest.partition("/")
    name = path.rpartition("/")[2] if path.endswith(LAST_PARTS) else None
    folder = path.rpartition("/")[0] if name is not None else path
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    bucket = f"{scheme}://{host}"

    def listed() -> list[Any]:
        return [each for page in obstore.list(_store(bucket), prefix=prefix or None) for each in page]

    found = {each["path"][len(prefix) :]: each for each in _said(listed, shown(meant.url))}
    stored = {
        key: Stored(each["size"], f"{bucket}/{prefix}{key}\n{each['e_tag']}" if each["e_tag"] else None)
        for key, each in found.items()
        if key and key.isprintable()
    }
    if not stored or (name is not None and name not in stored):
        raise RemoteNotFoundError(f"nothing is at {shown(meant.url)}", "Check the spelling, and the credentials.")
    return BucketStore(bucket, prefix, stored, {key: found[key]["e_tag"] for key in stored}), name


@lru_cache(maxsize=16)
def _store(bucket: str) -> Any:
    """The client of a bucket, set up by the environment as its own programs are."""
    from obstore.store import from_url

    return from_url(bucket)


def _said(call: Callable[[], Result], place: str) -> Result:
    """What obstore answers, its errors in words."""
    from obstore import exceptions

    try:
        return call()
    except (FileNotFoundError, exceptions.NotFoundError) as error:
        raise RemoteNotFoundError(f"{place} is not there", "Check the spelling, and the credentials.") from error
    except exceptions.PreconditionError as error:
        raise ChangedFileError(f"{place} is another object than when it was opened", CHANGED) from error
    except exceptions.BaseError as error:
        refused = isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError))
        if refused or REFUSED.search(str(error)):
            raise TokenRejectedError(
                f"{place}: these credentials may not read it",
                "Set those of the store's own programs (AWS_..., GOOGLE_...).",
            ) from error
        raise UnreachableError(
            f"{place}: {str(error)[:300]}", "Check the credentials, the region and the network."
        ) from error
