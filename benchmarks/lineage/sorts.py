"""The list of sorts of cases: how each is made, how many the small and the large set hold, and a case from its number.

Case `number` of a sort is made from the seed (SEED, sort, number) and from nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from benchmarks.lineage import decidable
from benchmarks.lineage.labels import Made
from modelprov.checkpoints.formats.dtypes import encode_single
from tests.generated import Rng

SEED = 20261201
VERSION = 1
"""Rises where a case of a number becomes another; answers of another version are not counted."""
Make = Callable[[Rng, int], Made]


@dataclass(frozen=True)
class Sort:
    """Cases of one sort; `group` is its theme, `small` and `large` how many each set holds."""

    name: str
    group: str
    make: Make
    small: int
    large: int


@dataclass(frozen=True)
class Identity:
    """Which case: a sort and a number."""

    sort: str
    number: int

    def __str__(self) -> str:
        return f"{self.sort} {self.number}"


SORTS: dict[str, Sort] = {}


def add(group: str, name: str, make: Make, small: int, large: int) -> None:
    """Put a sort on the list; its name is taken once."""
    assert name not in SORTS, name
    SORTS[name] = Sort(name, group, make, small, large)


def sort(group: str, small: int, large: int) -> Callable[[Make], Make]:
    """Put a function on the list under its name in words."""

    def register(make: Make) -> Make:
        add(group, make.__name__.replace("_", " "), make, small, large)
        return make

    return register


def made(case: Identity) -> Made:
    """The models and the label of a case."""
    rng = np.random.default_rng([SEED, crc32(case.sort.encode()), case.number])
    return decidable.of(SORTS[case.sort].make(rng, case.number))


def cases(size: str) -> Iterator[Identity]:
    """All cases of the `small` or the `large` set, sort after sort."""
    for name, told in SORTS.items():
        for number in range(getattr(told, size)):
            yield Identity(name, number)


def digest(case: Made) -> str:
    """SHA-256 over formats, names, shapes and stored bytes of all models, in order; at last how it is packed."""
    found = hashlib.sha256()
    for model in case.models:
        for name, (values, dtype) in model.items():
            found.update(f"{name} {dtype} {values.shape}\n".encode())
            found.update(bytes(encode_single(values, dtype)))
        found.update(b"\n")
    found.update(case.form.encode())
    return found.hexdigest()
