"""What the processor adds, heard by tests: a device that does something around every block, in small blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from modelprov.forensics.sums.kernels import cpu
from modelprov.forensics.sums.kernels.interface import Device

Real = Callable[..., Any]
BLOCK = 64 << 10
PROCESSOR = "modelprov.forensics.sums.kernels.choose.processor"
"""What to put `processor_with` in the place of."""


def processor_with(act: Callable[..., Any]) -> Callable[..., Device]:
    """`cpu.processor`, whose kernels are `act`, called with the real one and what that is to be given."""

    def acting(real: Real) -> Real:
        return lambda *given: act(real, *given)

    def made(why: str = "") -> Device:
        device = cpu.processor(why)
        pieces = device.by_pieces
        return replace(
            device, block=BLOCK, kernel=acting(device.kernel), by_pieces=None if pieces is None else acting(pieces)
        )

    return made
