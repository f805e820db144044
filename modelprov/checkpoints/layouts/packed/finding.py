"""The checkpoint with every packed matrix as plain floats: asks each form's finder. Reads small tensors only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modelprov.checkpoints.layouts.decoded import with_decoded
from modelprov.checkpoints.layouts.packed import (
    awq,
    awq_rows,
    compressed,
    four_bits,
    gptq,
    hqq,
    mlx,
    mxfp4,
    nvfp4,
    torchao,
)
from modelprov.checkpoints.layouts.packed.stored import SMALL, Found, Packed, stored_of
from modelprov.checkpoints.types import Checkpoint

FINDERS = (
    compressed.find, four_bits.find, mxfp4.find, nvfp4.find, mlx.find, hqq.find, awq.find, awq_rows.find, gptq.find,
    torchao.find,
)  # fmt: skip
SIGNS = (
    "weight_packed", ".qweight", four_bits.STATE + "nf4", four_bits.STATE + "fp4", "_blocks", "weight_scale_2",
    ".biases", ".W_q", torchao.CODES,
)  # fmt: skip
"""Endings of names, one of which every packed form has."""
TELLING = ("weight_shape", f"{four_bits.STATE}nf4", f"{four_bits.STATE}fp4", ".shape", ".axis")
"""Endings of the names of small tensors that say how others are stored."""


def _sign(name: str) -> bool:
    return name.endswith(SIGNS)


def with_packed(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with its packed matrices as plain floats, and what they were stored in out of the tensors.

    What does not fit together stays, refused by its name. Raises what reading raises.
    """
    if not checkpoint.refused or not any(map(_sign, (*checkpoint.refused, *checkpoint.tensors))):
        return checkpoint
    stored = stored_of([*checkpoint.tensors.values(), *checkpoint.refused.values()])
    small = [name for name in stored if name.endswith(TELLING) and stored[name].count * stored[name].width <= SMALL]
    ranges = [(own.shard, own.start, own.start + own.count * own.width) for own in map(stored.__getitem__, small)]
    held = {
        small[place]: np.frombuffer(bytes(piece), np.uint8) for place, piece in checkpoint.source.read_ranges(ranges)
    }
    checkpoint.source.close()
    found = Found(stored, checkpoint.config or {}, held, checkpoint.metadata)
    by_name: dict[str, Packed] = {}
    for find in FINDERS:
        for packed in find(found):
            taken = packed.tensor.name in stored and packed.tensor.name in checkpoint.tensors
            if not taken:
                by_name.setdefault(packed.tensor.name, packed)
    if not by_name:
        return checkpoint
    used = {name for packed in by_name.values() for name in packed.used} - set(by_name)
    decoded = with_decoded(checkpoint, [packed.tensor for packed in by_name.values()])
    return replace(
        decoded,
        tensors={name: ref for name, ref in decoded.tensors.items() if name not in used},
        refused={name: tensor for name, tensor in decoded.refused.items() if name not in used},
    )
