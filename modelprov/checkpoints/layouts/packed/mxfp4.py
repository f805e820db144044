"""MXFP4: numbers of four bits (E2M1), 32 with a power of two. As gpt-oss stores experts, and compressed-tensors.

gpt-oss: `…_blocks` [experts, rows, groups, 16] and `…_scales` [experts, rows, groups]; in the BF16 release the same
experts are [experts, columns, rows], so they are turned when they are read. compressed-tensors: `weight_packed` [rows,
columns / 2] and `weight_scale` [rows, groups], bytes both. OCP Microscaling Formats, version 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Bytes, Float32
from modelprov.checkpoints.formats.grouped import Groups, Order, unpack
from modelprov.checkpoints.formats.scaled_codes import scales_of
from modelprov.checkpoints.layouts.packed.microscaled import Microscaled
from modelprov.checkpoints.layouts.packed.stored import LONGEST, Found, Packed, Stored
from modelprov.checkpoints.sources.interface import Source

GROUP = 32


@dataclass(frozen=True)
class Mxfp4(Microscaled):
    """A matrix of rows as they are stored."""

    NAME, GROUP = "MXFP4", GROUP

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        scale = _powers(self.scales.rows(source, begin, end))
        return Groups(self.codes.rows(source, begin, end), Order.LOW_FIRST, self.shape[-1], scale)


@dataclass(frozen=True)
class TurnedMxfp4(Mxfp4):
    """A stack [experts, columns, rows] of which each expert is stored as rows of groups."""

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`: unit n is column n % columns of expert n // columns."""
        experts, columns, rows = self.shape
        codes = np.empty((end - begin, rows), np.uint8)
        scale = np.empty((end - begin, rows), np.float32)
        stored = Stored(self.codes.shard, self.codes.start, (experts * rows, columns // 2), "U8")
        powers = Stored(self.scales.shard, self.scales.start, (experts * rows, columns // GROUP), "U8")
        at = begin
        while at < end:
            expert, first = divmod(at, columns)
            last = min(columns, first + end - at)
            left, right = first // GROUP, -(-last // GROUP)
            own = (expert * rows, (expert + 1) * rows)
            held = unpack(stored.columns(source, left * GROUP // 2, right * GROUP // 2, own), 4)
            made = slice(at - begin, at - begin + last - first)
            codes[made] = held[:, first - left * GROUP : last - left * GROUP].T
            by = _powers(powers.columns(source, left, right, own))
            scale[made] = by.T[np.arange(first, last) // GROUP - left]
            at += last - first
        return Groups(codes, Order.BYTES, rows, scale)


def find(found: Found) -> Iterator[Packed]:
    """All matrices and stacks that are stored so."""
    for name in found.ending("_blocks"):
        codes, scales = found.get(f"{name}_blocks", "U8", sides=4), found.get(f"{name}_scales", "U8", sides=3)
        if codes is None or scales is None or codes.shape != (*scales.shape, GROUP // 2) or not codes.count:
            continue
        experts, rows, groups = scales.shape
        if rows <= LONGEST:
            turned = (experts, groups * GROUP, rows)
            yield Packed(TurnedMxfp4(name, turned, codes, scales), (f"{name}_blocks", f"{name}_scales"))
    for name in found.ending("weight_packed"):
        codes, scales = found.get(f"{name}weight_packed", "U8"), found.get(f"{name}weight_scale", "U8", "F8_E8M0")
        if codes is None or scales is None or len(codes.shape) not in (2, 3) or not codes.count:
            continue
        shape = (*codes.shape[:-1], 2 * codes.shape[-1])
        if scales.shape == (*shape[:-1], shape[-1] // GROUP) and shape[-1] % GROUP == 0 and shape[-1] <= LONGEST:
            flat = (codes.count // codes.shape[-1], codes.shape[-1])
            made = Mxfp4(
                f"{name}weight", shape, Stored(codes.shard, codes.start, flat, codes.form),
                Stored(scales.shard, scales.start, (flat[0], scales.shape[-1]), scales.form),
            )  # fmt: skip
            yield Packed(made, (f"{name}weight_packed", f"{name}weight_scale"))


def _powers(raw: Bytes) -> Float32:
    """Powers of two by their exponents."""
    return scales_of(raw, "F8_E8M0").astype(np.float32)
