"""Names with the numbers of their layers and experts aside: what a rule says of one holds for all of its kind. Pure.

A model of a hundred thousand tensors has a few dozen kinds of names. Rules that look at words alone are asked once for
each kind, and its numbers are put back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import count

NUMBER = re.compile(r"\.([0-9]{1,6})(?=\.)")
"""As short as those of a layer or an expert (`roles.LAYER`, `roles.EXPERT`): a longer one is part of the words."""


@lru_cache(maxsize=4)  # models that are compared mostly have the same names
def kinds_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Each name with 0 in the place of every number between two points."""
    kinds = NUMBER.sub(".0", "\n".join(names)).split("\n")
    if len(kinds) != len(names):  # a name has a line break of its own, or there are no names
        kinds = [NUMBER.sub(".0", name) for name in names]
    distinct = {kind: kind for kind in set(kinds)}
    return tuple(distinct[kind] for kind in kinds)


def numbers_of(names: Sequence[str]) -> list[int]:
    """The numbers of all names, in their order."""
    return list(map(int, NUMBER.findall("\n".join(names))))


def counted(kind: str) -> tuple[str, int]:
    """A kind of name with its numbers counted from 0, and how many there are: what a rule makes of one says which."""
    numbers = count()
    return NUMBER.sub(lambda _: f".{next(numbers)}", kind), next(numbers)
