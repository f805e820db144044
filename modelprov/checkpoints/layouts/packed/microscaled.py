"""What MXFP4 and NVFP4 share: numbers of four bits (E2M1), a byte of scale for each group of a row."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

from modelprov.checkpoints.formats.four_bit_floats import E2M1
from modelprov.checkpoints.formats.grouped import CodeBook
from modelprov.checkpoints.layouts.packed.stored import InUnits, Stored


@dataclass(frozen=True)
class Microscaled(InUnits, ABC):
    """A matrix in groups of `GROUP` numbers; whose the scales are and what they stand for, the forms say."""

    codes: Stored
    scales: Stored

    NAME: ClassVar[str]
    GROUP: ClassVar[int]

    @property
    def format(self) -> str:
        """See `InUnits`."""
        return self.NAME

    @property
    def bits(self) -> float:
        """See `InUnits`."""
        return 4 + 8 / self.GROUP

    @property
    def book(self) -> CodeBook:
        """See `InUnits`."""
        return E2M1
