"""The base of every record that crosses a file boundary, and the one of a machine. Runs nothing."""

from __future__ import annotations

from math import isfinite
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError


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
