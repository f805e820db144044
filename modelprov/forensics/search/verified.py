"""What `verify` gives back: whether a checkpoint is what a recipe makes, and of what that was found. Data only."""

from __future__ import annotations

from typing import Any, Literal

from modelprov import __version__
from modelprov.forensics.search.reproduce import Verification
from modelprov.records import Frozen
from modelprov.savable import Page

SCHEMA_VERSION = "1.0"


class Compared(Frozen):
    """A checkpoint that was read: where, and the digest of a sample of it."""

    label: str
    location: str
    sampled_digest: str


class Verified(Verification, Page):
    """What was found, and of what: the suspect, the recipe with the name of its file, and the models that it names.

    `recipe` is that of the file as plain data; `digest_covers` says what the digests are of; `started` is when.
    """

    tool: Literal["modelprov verify"] = "modelprov verify"
    schema_version: str = SCHEMA_VERSION
    modelprov: str = __version__
    started: str
    suspect: Compared
    recipe_file: str
    recipe: dict[str, Any]
    arithmetic: str
    inputs: tuple[Compared, ...]
    digest_covers: str
    notes: tuple[str, ...]
