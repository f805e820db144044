"""The base of every record that crosses a file boundary, and the machine that a record was made on. Runs nothing."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution, version
from math import isfinite
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError

from modelprov import __version__

VERSION = re.compile(r"^Version: *(\S+) *$", re.MULTILINE)
"""The line of a package's metadata; its fields stand before its description."""


class Frozen(BaseModel):
    """A small immutable record, strict about its fields; those with an alias are written and read by it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True,
        defer_build=True,  # until one is made: a run makes few of the kinds that it imports
    )  # fmt: skip


AnyFloat = Annotated[
    float,
    BeforeValidator(lambda said: float(said) if said in ("nan", "inf", "-inf") else said),
    PlainSerializer(lambda number: number if isfinite(number) else str(number), return_type=float | str),
]
"""A number as it is stored, which may be none: JSON has no NaN and no infinity, and they stand there as texts."""


def first_mistake(error: ValidationError, whole: str) -> tuple[str, str]:
    """Where a record first breaks its form, and how; `whole` is what the place is called where it has no name."""
    first = error.errors(include_url=False)[0]
    return ".".join(map(str, first["loc"])) or whole, first["msg"]


class Environment(Frozen):
    """The machine that a run needs to be repeated: versions, platform, processors, device."""

    modelprov: str
    python: str
    packages: dict[str, str]
    platform: str
    processor_count: int
    device: str


def this_machine(device: str, packages: Sequence[str]) -> dict[str, Any]:
    """The fields of an `Environment` here, with the versions of these packages; nothing is imported for it."""
    return {
        "modelprov": __version__,
        "python": platform.python_version(),
        "packages": versions(packages),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor_count": processors(),
        "device": device,
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of these packages, where installed."""
    found = {}
    for name in packages:
        try:
            text = distribution(name).read_text("METADATA") or ""
        except PackageNotFoundError:
            continue
        written = VERSION.search(text)  # `version` parses all of it as a letter: tens of milliseconds
        found[name] = version(name) if written is None else written[1]
    return found


def processors() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
