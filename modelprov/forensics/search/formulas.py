"""Marks the tensors of an alignment that a formula gives: they are in every model of a design, and decide nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from modelprov.checkpoints.plan import plan_segments
from modelprov.checkpoints.types import AlignedTensor, Alignment
from modelprov.forensics.estimators.sines import is_table_of_sines
from modelprov.forensics.sampling.blocks import partial
from modelprov.forensics.sampling.segments import decoded_at_once

POSITIONS = re.compile(r"(?:^|[._])(?:pos|position|positional|positions|wpe|pe|cos_cached|sin_cached)(?:[._]|$)")
LARGEST = 1 << 24
"""Elements of a table that is read for this: 16,384 positions of 1,024 dimensions."""
NOTE = "{name} is a table of sines for positions: the same in every model of that design, so that it decides nothing"


def without_formulas(alignment: Alignment) -> Alignment:
    """The alignment with tables of sines marked as computed, and said in its notes.

    Reads the suspect's tensors that are named after positions; of fingerprints, which hold parts, none is known.
    Raises what reading raises.
    """
    if partial(alignment.checkpoints):
        return alignment
    asked = {number: each for number, each in enumerate(alignment.tensors) if _may_be(each)}
    found = {number: each._replace(computed=True) for number, each in asked.items() if _is(alignment, number)}
    if not found:
        return alignment
    tensors = tuple(found.get(number, each) for number, each in enumerate(alignment.tensors))
    notes = (*alignment.notes, *(NOTE.format(name=each.name) for each in found.values()))
    return replace(alignment, tensors=tensors, notes=notes)


def _may_be(tensor: AlignedTensor) -> bool:
    return (
        tensor.decisive
        and sum(side != 1 for side in tensor.shape) == 2
        and tensor.shape[-1] != 1
        and tensor.count <= LARGEST
        and POSITIONS.search(tensor.name) is not None
    )


def _is(alignment: Alignment, number: int) -> bool:
    """Whether the suspect's tensor is such a table."""
    tensor, suspect = alignment.tensors[number], alignment.checkpoints[:1]
    own = replace(alignment, checkpoints=suspect, tensors=(tensor._replace(views=tensor.views[:1]),))
    plan = plan_segments(own, np.zeros(1, np.int64), np.zeros(1, np.int64), np.array([tensor.count]), 8 << 20)
    return is_table_of_sines(decoded_at_once(suspect, plan)[0].reshape(-1, tensor.shape[-1]))
