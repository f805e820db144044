"""A commit of files to a data set of the Hub, through huggingface_hub. Reading one is `hub.py`'s."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from modelprov.checkpoints.remote.hub import HubStore, asked
from modelprov.checkpoints.remote.locations import OnHub, endpoint
from modelprov.errors import ChangedFileError, TokenRejectedError, UsageError

COMMIT = re.compile(r"[0-9a-f]{40}")
BRANCH = "main"


def commit_to(meant: OnHub, found: HubStore, contents: Mapping[str, bytes | Path], message: str) -> None:
    """Add these files, by their names in the data set, in one commit on top of the one that was `found`.

    Raises `ChangedFileError` where somebody else has committed since, `TokenRejectedError` without a token that may
    write, `UsageError` for a revision that is no branch, and what asking raises.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, errors, get_token

    place, token = f"hf://datasets/{meant.repository}", get_token()
    if COMMIT.fullmatch(meant.revision or ""):
        raise UsageError(f"{place}@{meant.revision} is a commit, which nothing can be added to", "Name a branch.")
    if token is None:
        raise TokenRejectedError(f"{place}: nobody is logged in", "Log in (`hf auth login`), or set HF_TOKEN.")

    def commit() -> object:
        added = [
            CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
            for name, content in contents.items()
        ]
        try:
            return HfApi(endpoint=endpoint(), token=token).create_commit(
                meant.repository, added, commit_message=message, repo_type="dataset",
                revision=meant.revision or BRANCH, parent_commit=found.revision,
            )  # fmt: skip
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status in (409, 412):
                raise ChangedFileError(
                    f"{place} was changed by somebody else meanwhile; nothing was added", "Run the command again."
                ) from error
            if status == 403:
                raise TokenRejectedError(
                    f"{place}: this account may not write to it", "Use a token with write access to it."
                ) from error
            raise

    asked(commit, place, True)
