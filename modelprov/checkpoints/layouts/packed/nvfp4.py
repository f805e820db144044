"""NVFP4: numbers of four bits (E2M1), 16 with a scale in FP8, and a scale in FP32 for the whole matrix.

ModelOpt: `weight` [rows, columns / 2], `weight_scale` [rows, columns / 16], `weight_scale_2`, to multiply by.
compressed-tensors: `weight_packed`, `weight_scale`, `weight_global_scale`, to divide by. Both divide by the scale as it
is stored before they round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.grouped import Groups, Order
from modelprov.checkpoints.formats.scaled_codes import values
from modelprov.checkpoints.layouts.packed.microscaled import Microscaled
from modelprov.checkpoints.layouts.packed.stored import LONGEST, Found, Packed, Stored
from modelprov.checkpoints.sources.interface import Source

GROUP = 16


@dataclass(frozen=True)
class Nvfp4(Microscaled):
    """A matrix; `divides` says that the scale of all is one to divide by."""

    whole: Stored
    divides: bool

    NAME, GROUP = "NVFP4", GROUP

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        scale = values(self.scales.rows(source, begin, end), self.scales.form)
        whole = self.whole.numbers(self.whole.bytes(source, 0, 4)[None])
        with np.errstate(all="ignore"):
            scale = scale / whole if self.divides else scale * whole
        return Groups(self.codes.rows(source, begin, end), Order.LOW_FIRST, self.shape[-1], scale)


def find(found: Found) -> Iterator[Packed]:
    """All matrices that are stored so."""
    for ending, whole, divides in (("weight_packed", "global_scale", True), ("weight", "scale_2", False)):
        for name in found.ending(f"weight_{whole}"):
            codes = found.get(f"{name}{ending}", "U8", sides=2)
            scales = found.get(f"{name}weight_scale", "F8_E4M3", sides=2)
            of_all = found.get(f"{name}weight_{whole}", "F32")
            if codes is None or scales is None or of_all is None or of_all.count != 1:
                continue
            rows, columns = codes.shape[0], 2 * codes.shape[1]
            if scales.shape == (rows, columns // GROUP) and columns % GROUP == 0 and 0 < columns <= LONGEST:
                used = [f"{name}weight_packed", f"{name}weight_scale", f"{name}weight_{whole}"]
                beside = [f"{name}input_scale", f"{name}input_global_scale"]
                yield Packed(Nvfp4(f"{name}weight", (rows, columns), codes, scales, of_all, divides), (*used, *beside))
