"""How a parent's tensors are put into the suspect's coordinates: axes, and which tensor is which. Data only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float32, Float64

NUMBERS = re.compile(r"\d+")
Int64 = npt.NDArray[np.int64]


def powers_of_two(factors: Float64) -> bool:
    """Whether all are, but for signs."""
    return bool((np.abs(np.frexp(factors)[0]) == 0.5).all())


@dataclass(frozen=True, eq=False)
class Axis:
    """Entry i of both sides: entry `own[i]` of the suspect, and of the parent `theirs[i]` times `factors[i]`.

    With a `basis` [D, n] the parent's side of length D is multiplied by it instead. With `blocks` [n / d, d, d] every d
    entries of the parent, so picked, are multiplied by the block of their place: a basis inside each head.
    """

    own: Int64
    theirs: Int64
    factors: Float64 | None = None
    basis: Float32 | None = None
    blocks: Float32 | None = None

    @property
    def exact(self) -> bool:
        """Whether it keeps every bit: an order, signs and powers of two."""
        if self.basis is not None or self.blocks is not None:
            return False
        return self.factors is None or powers_of_two(self.factors)

    @property
    def idle(self) -> bool:
        """Whether it changes nothing: the first entries of both, as they are."""
        still = np.arange(self.own.size)
        kept = self.factors is None or bool((self.factors == 1).all())
        kept = kept and self.basis is None and self.blocks is None
        return kept and np.array_equal(self.own, still) and np.array_equal(self.theirs, still)


@dataclass(frozen=True, slots=True)
class PairedTensor:
    """The suspect's tensor `name` and the parent's, by canonical names, with the keys of their axes (None: as stored).

    With `norms` (the suspect's, the parent's) the gains of a norm are multiplied into the columns of either side.
    """

    name: str
    parent: str
    rows: str | None
    columns: str | None
    norms: tuple[str, str] | None = None


@dataclass(frozen=True, eq=False)
class Realignment:
    """How a parent's tensors are put into the suspect's coordinates, and which layer of it each layer is.

    `one_plus`: whether the norms of the suspect, and of the parents, were read as multiplying by 1 + weight; None where
    their configs say so.
    """

    axes: Mapping[str, Axis]
    tensors: tuple[PairedTensor, ...]
    layers: Mapping[int, int] = field(default_factory=dict)
    one_plus: tuple[bool, bool] | None = None

    @property
    def exact(self) -> bool:
        """Whether every bit is kept."""
        return all(axis.exact for axis in self.used().values()) and not any(tensor.norms for tensor in self.tensors)

    @property
    def idle(self) -> bool:
        """Whether every tensor is seen as it is stored, under its own name."""
        return self.names_alone and all(tensor.name == tensor.parent for tensor in self.tensors)

    @property
    def renamed(self) -> tuple[PairedTensor, ...]:
        """The tensors whose counterpart has another name, whatever the numbers of layers and experts."""
        return tuple(each for each in self.tensors if NUMBERS.sub("", each.name) != NUMBERS.sub("", each.parent))

    @property
    def names_alone(self) -> bool:
        """Whether every tensor is seen as it is stored, under whatever name."""
        return all(axis.idle for axis in self.used().values()) and not any(tensor.norms for tensor in self.tensors)

    def used(self) -> dict[str, Axis]:
        """The axes that tensors have."""
        keys = {key for tensor in self.tensors for key in (tensor.rows, tensor.columns) if key is not None}
        return {key: self.axes[key] for key in self.axes if key in keys}
