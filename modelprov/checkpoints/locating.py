"""What a location means: a path here, a copy in the local Hugging Face cache, or an address. Opens no weights."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from modelprov.checkpoints.adapters.joining import holds_adapter
from modelprov.checkpoints.files import unreadable
from modelprov.checkpoints.homes import Home, LocalHome
from modelprov.checkpoints.remote.locations import InBucket, OnHub, OnWeb, is_remote, parse, shown
from modelprov.checkpoints.shards import shards_of
from modelprov.errors import (
    CheckpointNotFoundError,
    MissingShardError,
    OfflineError,
    PrivateError,
    RemoteError,
    RemoteNotFoundError,
)


def located(location: str, near: bool) -> tuple[Home, str | None]:
    """The folder meant by `location`, and the file of it that was named, if one was; what is here comes first."""
    path = path_here(location)
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
        return _remote(meant, contact_tries=1)  # perhaps a path that was mistyped: nobody waits for tries at that
    except OfflineError as error:
        raise missing from error
    except RemoteError as error:
        here = f"{location!r}: no such folder is here, nor in the local Hugging Face cache"
        unknown = isinstance(error, RemoteNotFoundError | PrivateError) and "@" not in location
        hub = "and the Hub has no such repository, or it is private" if unknown else f"on the Hub: {error.message}"
        raise type(error)(f"{here}; {hub}", error.advice) from error


def _remote(meant: OnHub | OnWeb | InBucket, **settings: int) -> tuple[Home, str | None]:
    from modelprov.checkpoints.remote.door import remote_home  # HTTP is loaded when something is elsewhere

    return remote_home(meant, **settings)


def path_here(location: str) -> Path | None:
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
            shards_of(home, None, [])
        return home
    # LocalEntryNotFoundError is an OSError and HFValidationError a ValueError, in every version of the library.
    except (OSError, ValueError, CheckpointNotFoundError, MissingShardError) as error:
        failure = error
    command = f"hf download {repository}" + (f" --revision {revision}" if revision else "")
    raise CheckpointNotFoundError(
        f"{location!r} is neither a local path nor in the local Hugging Face cache",
        f"Download it first: `{command}`. (HF_HUB_OFFLINE keeps it from being read on the Hub.)",
    ) from failure
