"""How a stored tensor is seen in another layout: its parts there, or why that cannot be told. Data only.

No family's names are here; rows and columns are numbers of what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.layouts.roles import Shape

Int64 = npt.NDArray[np.int64]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True, eq=False)
class Part:
    """A tensor of another layout, made of a matrix that begins `offset` elements into the stored tensor.

    `stored` are that matrix's rows and columns, `rows` the rows (`turned`: the columns) that are taken, in this order.
    """

    name: str
    shape: Shape
    offset: int
    stored: tuple[int, int]
    rows: Int64
    turned: bool = False


@dataclass(frozen=True)
class Reading:
    """What a stored tensor is in another layout, in words, its parts there, or why it cannot be told (`open`)."""

    layout: str
    parts: tuple[Part, ...] = ()
    open: str = ""
    wanted: str = ""
    """Where it is open, a name that another model has if it matters."""
    forced: bool = False
    """Whether the parts have the tensor's own name, so that neither name nor shape need show that it is meant."""


@dataclass(frozen=True)
class Geometry:
    """What is known of a model: dimensions of a head, every number that is said, and its `model_type` ("": nothing)."""

    widths: frozenset[int]
    kind: str = ""
    vision: frozenset[int] = frozenset()
    """The same as `widths`, of the part that sees."""

    def width(self, *rows: int, vision: bool = False) -> int | str:
        """Dimensions of a head that divide all of these numbers of rows, or why they are not known."""
        widths = self.vision if vision else self.widths
        if not widths:
            return "nothing says how many heads there are"
        if len(widths) > 1:
            return f"heads of {' and of '.join(map(str, sorted(widths)))} dimensions are said"
        (width,) = widths
        return f"heads of {width} dimensions do not divide it" if any(own % width for own in rows) else width


@lru_cache(maxsize=256)
def span(first: int, count: int, step: int = 1) -> Int64:
    """So many numbers from the first."""
    return first + step * np.arange(count)
