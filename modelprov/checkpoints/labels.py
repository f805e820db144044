"""Short names for checkpoints in tables and plots. Pure text: nothing is opened here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from modelprov.checkpoints.layouts.files import FINGERPRINT, WEIGHTS
from modelprov.checkpoints.remote.locations import name_of

MAX_LABEL = 40


def default_label(location: str) -> str:
    """The last part of a path (a file without its ending), or the name of a repository, at most 40 characters."""
    return _shorten(_parts(location)[-1])


def unique_labels(locations: Sequence[str], labels: Sequence[str | None] = ()) -> tuple[str, ...]:
    """One distinct label for each location: those given, else the last part of the path.

    Paths that end alike get as many parents as tell them apart (`a/model`, `b/model`); what is still the same gets a
    number (`model (2)`), so that a checkpoint may be compared with itself.
    """
    chosen = [*labels, *[None] * (len(locations) - len(labels))]
    parts = [_parts(location) for location in locations]
    depth = [1] * len(locations)

    def current() -> list[str]:
        return [
            label if label is not None else "/".join(part[-deep:])
            for label, part, deep in zip(chosen, parts, depth, strict=True)
        ]

    for _ in range(max(map(len, parts), default=0)):
        names = Counter(current())
        clashing = [i for i, name in enumerate(current()) if names[name] > 1 and chosen[i] is None]
        deeper = [i for i in clashing if depth[i] < len(parts[i]) and _differ(parts, clashing)]
        if not deeper:
            break
        for i in deeper:
            depth[i] += 1
    taken: set[str] = set()
    result = []
    for name in map(_shorten, current()):
        number, distinct = 1, name
        while distinct in taken:
            number += 1
            distinct = f"{name} ({number})"
        taken.add(distinct)
        result.append(distinct)
    return tuple(result)


def _differ(parts: Sequence[Sequence[str]], numbers: Sequence[int]) -> bool:
    return len({tuple(parts[i]) for i in numbers}) > 1


def _parts(location: str) -> tuple[str, ...]:
    """The parts of a path that mean something to a reader; cache folders and commit hashes do not."""
    if (named := name_of(location)) is not None:
        location = named
    path = Path(location)
    if location.count("/") == 1 and "@" in location and not path.exists():
        path = Path(location.rsplit("@", 1)[0])
    if path.name in {"", "..", "."}:
        path = path.resolve()
    parts = [part for part in path.parts if part not in {"/", "."}] or [location]
    for ending in (WEIGHTS, FINGERPRINT):
        parts[-1] = parts[-1].removesuffix(ending) or parts[-1]
    cached = [part for part in parts if part.startswith("models--")]
    if cached and "snapshots" in parts:
        return tuple(cached[-1].split("--")[1:])
    return tuple(re.sub(r"[^\w.+@()-]", "_", part) for part in parts)


def _shorten(label: str) -> str:
    half = (MAX_LABEL - 1) // 2
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1 - half]}…{label[-half:]}"
