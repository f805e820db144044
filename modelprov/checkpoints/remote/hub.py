"""A repository of the Hub at one commit, as a `Store`: resolution, token and endpoint are huggingface_hub's.

The commit, all names and sizes come from one request; a file's location from another when it is first read, and again
when it has expired. The token goes to the endpoint and nowhere else.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar
from urllib.parse import urljoin, urlsplit

from modelprov.checkpoints.remote.asking import CONTACT_TRIES, File, fetch, retried
from modelprov.checkpoints.remote.http import CHANGED, Address, BrokenAnswerError, RefusedRequestError
from modelprov.checkpoints.remote.locations import OnHub, endpoint
from modelprov.checkpoints.remote.store import Stored
from modelprov.errors import (
    ChangedFileError,
    GatedError,
    OfflineError,
    PrivateError,
    RemoteNotFoundError,
    TokenRejectedError,
    UnreachableError,
)
from modelprov.foreign.shown import quoted

TIMEOUT = 30.0
SHA256 = re.compile(r"[0-9a-f]{64}")
Result = TypeVar("Result")


class HubStore:
    """The files of `repository` at `commit`; its `kind` is model or dataset."""

    def __init__(
        self, repository: str, commit: str, files: Mapping[str, Stored], hub: str, kind: str = "model"
    ) -> None:
        self._repository, self._commit, self._files, self._hub = repository, commit, dict(files), hub
        self._kind = kind
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._known: dict[str, Address] = {}

    def __reduce__(self) -> tuple[type[HubStore], tuple[str, str, dict[str, Stored], str, str]]:
        """Locations stay behind: they expire, and may be this account's alone."""
        return HubStore, (self._repository, self._commit, self._files, self._hub, self._kind)

    @property
    def files(self) -> Mapping[str, Stored]:
        """See `Store`."""
        return self._files

    @property
    def revision(self) -> str:
        """See `Store`."""
        return self._commit

    def place(self, name: str = "") -> str:
        """See `Store`."""
        kind = "datasets/" if self._kind == "dataset" else ""
        return f"hf://{kind}{self._repository}@{self._commit[:12]}" + (f"/{name}" if name else "")

    def fetch(self, name: str, start: int, stop: int) -> bytes | bytearray:
        """See `Store`."""
        file = File(self.place(name), self._files[name].size, lambda old: self._address(name, old), renewable=True)
        try:
            return fetch(file, start, stop)
        except RefusedRequestError as error:
            raise_refused(error.status, "", self.place(name), error)

    def check_unchanged(self, names: Sequence[str]) -> None:
        """Nothing can change: a commit is what it is, and every location was asked for by it."""

    def _address(self, name: str, old: Address | None) -> Address:
        """Where a file can be had now; asked again where `old` is what is known."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            known = self._known.get(name)
            if known is None or known == old:
                known = self._known[name] = self._resolved(name)
            return known

    def _resolved(self, name: str) -> Address:
        from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

        url = hf_hub_url(self._repository, name, repo_type=self._kind, revision=self._commit, endpoint=self._hub)
        token = get_token()
        found = asked(
            lambda: get_hf_file_metadata(url, token=token or False, timeout=TIMEOUT, endpoint=self._hub),
            self.place(name),
            token is not None,
        )
        stored, etag = self._files[name], found.etag or ""
        moved = found.commit_hash not in (None, self._commit)
        other = SHA256.fullmatch(etag) and stored.identity is not None and SHA256.fullmatch(stored.identity)
        if moved or found.size not in (None, stored.size) or (other and etag != stored.identity):
            raise ChangedFileError(f"{self.place(name)} is no longer what it was when it was opened", CHANGED)
        location = urljoin(url, found.location)
        own = urlsplit(location)[:2] == urlsplit(self._hub)[:2]
        return Address(location, {"Authorization": f"Bearer {token}"} if own and token else {})


def open_hub(meant: OnHub, kind: str = "model", contact_tries: int = CONTACT_TRIES) -> HubStore:
    """The repository of this kind (or dataset) at the commit that its revision (by default the main branch) is now.

    Where nobody answers, it is asked for `contact_tries` times.

    Raises `OfflineError`, `GatedError`, `PrivateError`, `RemoteNotFoundError`, `TokenRejectedError` or
    `UnreachableError`.
    """
    from huggingface_hub import HfApi, get_token

    hub, place = endpoint(), f"{meant.repository}" + (f"@{meant.revision}" if meant.revision else "")
    refuse_offline(place)
    token = get_token()
    found = asked(
        lambda: HfApi(endpoint=hub, token=token or False).repo_info(
            meant.repository, repo_type=kind, revision=meant.revision, files_metadata=True, timeout=TIMEOUT
        ),
        place,
        token is not None,
        contact_tries,
    )
    files = {
        each.rfilename: Stored(each.size, (each.lfs.sha256 if each.lfs is not None else None) or each.blob_id)
        for each in found.siblings or ()
        if type(each.size) is int and each.rfilename.isprintable()
    }
    if not found.sha or not (files or kind == "dataset"):  # a data set may be new
        raise UnreachableError(f"{hub} does not say which files {place} has", "Is HF_ENDPOINT a mirror of the Hub?")
    return HubStore(meant.repository, found.sha, files, hub, kind)


def offline() -> bool:
    """Whether the user asked for nothing but what is on this machine (`HF_HUB_OFFLINE`)."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def refuse_offline(place: str) -> None:
    """Raise `OfflineError` where nothing may be asked."""
    if offline():
        raise OfflineError(
            f"{place} is not on this machine, and HF_HUB_OFFLINE is set",
            f"Unset it, or download the model where there is a network: `hf download {place.partition('@')[0]}`.",
        )


def asked(call: Callable[[], Result], place: str, with_token: bool, contact_tries: int = CONTACT_TRIES) -> Result:
    """What huggingface_hub answers; asked again where that may help, and its errors in words."""

    def once() -> Any:
        from huggingface_hub import errors

        try:
            return call()
        except errors.OfflineModeIsEnabled as error:
            raise OfflineError(f"{place}: HF_HUB_OFFLINE is set", "Unset it, or download the model.") from error
        except errors.GatedRepoError as error:
            raise _gated(place) from error
        except errors.RevisionNotFoundError as error:
            raise RemoteNotFoundError(f"{place}: there is no such revision", "Check the spelling.") from error
        except errors.EntryNotFoundError as error:
            raise RemoteNotFoundError(f"{place} is not there", "Check the spelling.") from error
        except errors.RepositoryNotFoundError as error:
            raise _not_shown(place, with_token) from error
        except errors.HFValidationError as error:
            raise RemoteNotFoundError(f"{place} is no name of a repository", "Write org/name.") from error
        except errors.HfHubHTTPError as error:
            response = getattr(error, "response", None)
            headers = dict(response.headers) if response is not None else {}
            status = response.status_code if response is not None else 0
            refused = RefusedRequestError(status, headers, place)
            if status in (401, 403):
                raise_refused(status, headers.get("x-error-message", ""), place, error)
            raise refused from error
        except (errors.HTTPError, OSError) as error:
            raise BrokenAnswerError(f"{type(error).__name__}: {str(error)[:200]}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnreachableError(
                f"{place}: {endpoint()} answers something that the Hub would not", "Is HF_ENDPOINT a mirror of the Hub?"
            ) from error

    try:
        found: Result = retried(once, place, contact_tries)
    except RefusedRequestError as error:
        raise_refused(error.status, "", place, error)
    return found


def raise_refused(status: int, said: str, place: str, error: Exception) -> NoReturn:
    """A refusal in words."""
    more = f": {quoted(said)}" if said else ""
    if status == 401:
        raise TokenRejectedError(
            f"{place}: the token is not accepted{more}", "Log in again (`hf auth login`), or correct or unset HF_TOKEN."
        ) from error
    if status == 403:
        raise TokenRejectedError(
            f"{place}: this account may not read it{more}",
            "Use a token with read access to it (`hf auth login`, or HF_TOKEN).",
        ) from error
    if status in (404, 410):
        raise RemoteNotFoundError(f"{place} is not there", "Check the spelling.") from error
    raise UnreachableError(f"{place}: the server answers with status {status}", "Check the address.") from error


def _gated(place: str) -> GatedError:
    return GatedError(
        f"{place} is gated: its owner asks for an agreement first",
        f"Agree on {endpoint()}/{place.removeprefix('hf://').partition('@')[0]}, and log in (`hf auth login`, or "
        "HF_TOKEN).",
    )


def _not_shown(place: str, with_token: bool) -> PrivateError | RemoteNotFoundError:
    if with_token:
        return RemoteNotFoundError(
            f"{place} is not on {endpoint()}, or not for this account", "Check the spelling, and which token is used."
        )
    return PrivateError(
        f"{place} is not on {endpoint()}, or it is private",
        "Check the spelling; for a private model log in (`hf auth login`, or HF_TOKEN).",
    )
