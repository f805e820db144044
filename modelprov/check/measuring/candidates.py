"""Which models the weights are compared with: those that the card declares and those that the user named, opened.

A name in a card is text of somebody else: it is looked up as a name (a folder below where one is, or the local Hugging
Face cache), never as a path that leads elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from modelprov.called import called
from modelprov.check.interface import ITSELF, Candidate, Claims
from modelprov.check.read_claims import CARD, MAX_CARD, read_claims
from modelprov.checkpoints.labels import unique_labels
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote.locations import canonical
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import CheckpointNotFoundError, ModelprovError, UsageError
from modelprov.progress import SILENT, Progress, tell

CACHE_PREFIX = "models--"


def open_candidates(
    folder: Path,
    claims: Claims,
    given: Sequence[str],
    missing: dict[str, str],
    model: str = "",
    progress: Progress = SILENT,
) -> tuple[list[Candidate], list[tuple[Candidate, Checkpoint]]]:
    """Every declared base model and every model that the user named; `missing` says by label what is not opened.

    `model` is the location of the model, whose files beside the weights are in `folder`. `progress` hears which folder
    was taken for a model in the card because it has its name: it may be another's.

    Raises `UsageError` for a candidate that the user named and that is not there, or for one name of two places.
    """
    named = _named(given, [one.value for one in claims.base_models])
    wanted = {one.value.casefold() for one in claims.base_models}
    labels = unique_labels([name.rstrip("/") for name in named])
    candidates, opened = [], []
    for (name, place), label in zip(named.items(), labels, strict=True):
        declared = name.casefold() in wanted
        checkpoint, why = None, ITSELF
        if not _is_same(place, folder) and not (model and canonical(place) == canonical(model)):
            checkpoint, why = _opened(name, place, label, declared)
        if checkpoint is None:
            missing[label] = why
            candidates.append(Candidate(name, label, None, declared))
            continue
        if declared and place == name and Path(name).is_dir():
            elsewhere = called("candidates", f"{name}=PATH")
            tell(progress, f"the card's {name} is taken to be the folder ./{name}; if it is another: {elsewhere}")
        card = _card(checkpoint)
        licence = card.license.value if card.license is not None else None
        scores = tuple(one for one in card.scores if one.model is None)
        bases = tuple(one.value for one in card.base_models)
        candidates.append(Candidate(name, label, place, declared, licence, scores, bases))
        opened.append((candidates[-1], checkpoint))
    return candidates, opened


def _card(checkpoint: Checkpoint) -> Claims:
    """What the checkpoint's own card says, wherever it lies; of one that is elsewhere, the card alone."""
    files = checkpoint.files
    if checkpoint.folder is not None or files is None:
        return read_claims(checkpoint.home)
    with TemporaryDirectory(prefix="modelprov-") as folder:
        if files.has(CARD):
            (Path(folder) / CARD).write_bytes(files.read(CARD, MAX_CARD))
        return read_claims(Path(folder))


def open_controls(given: Sequence[str], taken: Sequence[str]) -> list[Checkpoint]:
    """The controls, with labels that no candidate has; raises `UsageError` for one that is not there."""
    labels = unique_labels([*taken, *given])[len(taken) :]
    try:
        return [open_checkpoint(place, label) for place, label in zip(given, labels, strict=True)]
    except CheckpointNotFoundError as error:
        raise UsageError(f"the control is not there: {error.message}", error.advice) from error


def _named(given: Sequence[str], declared: Sequence[str]) -> dict[str, str]:
    """Place by name; declared names that nobody placed are their own place."""
    named: dict[str, str] = {}
    for one in given:
        name, place = name_and_place(one)
        name = _as_declared(name, declared)
        if named.setdefault(name, place) != place:
            raise UsageError(f"the candidate {name} is given as {named[name]} and as {place}", "Keep one of them.")
    known = {name.casefold() for name in named}
    return named | {name: name for name in declared if name.casefold() not in known}


def _as_declared(name: str, declared: Sequence[str]) -> str:
    """The name as the card writes it: in other letters, or of a cached repository its org/name."""
    parts = next((part.split("--")[1:] for part in PurePath(name).parts if part.startswith(CACHE_PREFIX)), None)
    whole = "/".join(parts) if parts else name
    return next((one for one in declared if one.casefold() == whole.casefold()), name)


def name_and_place(given: str) -> tuple[str, str]:
    """`NAME=CKPT`, or a place that is its own name."""
    name, equals, place = given.partition("=")
    return (name, place) if equals and name and place else (given, given)


def _opened(name: str, place: str, label: str, declared: bool) -> tuple[Checkpoint | None, str]:
    by_card = declared and place == name
    if by_card and (PurePath(name).is_absolute() or ".." in PurePath(name).parts or name.startswith(("~", "."))):
        return None, f"{name} is a path in the card, not a name; say where it is: --candidates {name}=PATH"
    try:
        return open_checkpoint(place, label, near=by_card), ""  # whom to ask is not for a card to say
    except CheckpointNotFoundError as error:
        if not by_card:
            raise UsageError(f"the candidate {place} is not there: {error.message}", error.advice) from error
        return None, f"{name} is not on this machine; say where it is: --candidates {name}=PATH"
    except ModelprovError as error:
        return None, error.message


def _is_same(place: str, folder: Path) -> bool:
    try:
        return os.path.samefile(place, folder)
    except (OSError, ValueError):
        return False
