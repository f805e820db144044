"""The one door to this room: what a location means, opened."""

from __future__ import annotations

from modelprov.checkpoints.homes import Home
from modelprov.checkpoints.remote.asking import CONTACT_TRIES
from modelprov.checkpoints.remote.buckets import open_bucket
from modelprov.checkpoints.remote.home import RemoteHome
from modelprov.checkpoints.remote.hub import open_hub
from modelprov.checkpoints.remote.locations import LAST_PARTS, InBucket, OnHub, OnWeb
from modelprov.checkpoints.remote.store import Store
from modelprov.checkpoints.remote.web import open_web
from modelprov.errors import RemoteNotFoundError


def remote_home(meant: OnHub | OnWeb | InBucket, contact_tries: int = CONTACT_TRIES) -> tuple[Home, str | None]:
    """The folder that is meant, and the file of it that was named, if one was.

    A Hub that does not answer is asked `contact_tries` times.

    Raises a `RemoteError` that says what went wrong.
    """
    store: Store
    if isinstance(meant, OnHub):
        store, inside = open_hub(meant, contact_tries=contact_tries), meant.inside.strip("/")
        folder, _, name = inside.rpartition("/") if inside.endswith(LAST_PARTS) else (inside, "", "")
        below = f"{folder}/" if folder else ""
        if not any(each.startswith(below) for each in store.files) or (name and below + name not in store.files):
            raise RemoteNotFoundError(f"{store.place(inside)} is not there", "Check the spelling.")
        return RemoteHome(store, below), name or None
    store, found = open_web(meant) if isinstance(meant, OnWeb) else open_bucket(meant)
    return RemoteHome(store), found
