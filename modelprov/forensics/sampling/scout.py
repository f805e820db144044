"""Chooses and loads a small seeded sample: contiguous runs of elements from every layer and kind of tensor.

The positions depend on the seed, the canonical names and the shapes alone, so they are the same for every checkpoint
whatever its shards, and for every run. Fits nothing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64, present
from modelprov.checkpoints.layouts.decoded import cells_at
from modelprov.checkpoints.layouts.numbered import kinds_of
from modelprov.checkpoints.plan import Plan, plan_segments
from modelprov.checkpoints.sources.interface import each_of
from modelprov.checkpoints.types import Alignment
from modelprov.forensics.sampling.sample import Sample, from_formats
from modelprov.forensics.sampling.segments import decoded_at_once
from modelprov.recipes.tensor_groups import kind_of

RUN = 1024  # elements read in one piece
BLOCK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Strata:
    """The tensors sorted into strata (same layer, same kind of tensor): `of_tensor` int64 [t], a name a stratum.

    Strata are numbered in the order of their first tensors.
    """

    of_tensor: npt.NDArray[np.int64]
    names: tuple[str, ...]
    layers: tuple[int | None, ...]
    kinds: tuple[str, ...]


def stratify(alignment: Alignment) -> Strata:
    """Sort tensors by layer and kind; the kind is the canonical name without layer and expert numbers."""
    forms = kinds_of(tuple([tensor.name for tensor in alignment.tensors]))
    kinds = {form: kind_of(form) for form in set(forms)}  # asked once for each: it takes the numbers away
    index: dict[tuple[int | None, str], int] = {}
    own = zip([tensor.layer for tensor in alignment.tensors], map(kinds.__getitem__, forms), strict=True)
    rows = [index.setdefault(stratum, len(index)) for stratum in own]
    names = tuple(kind if layer is None else f"layer {layer}: {kind}" for layer, kind in index)
    return Strata(np.array(rows, np.int64), names, tuple(layer for layer, _ in index), tuple(kind for _, kind in index))


def plan_sample(alignment: Alignment, strata: Strata, elements: int, seed: int) -> Plan:
    """Plan to read about `elements` elements of each checkpoint, spread evenly over the strata, in file order."""
    members = defaultdict(list)
    for tensor, stratum in enumerate(strata.of_tensor.tolist()):
        members[stratum].append(tensor)
    per_stratum = max(RUN, elements // max(len(members), 1) // RUN * RUN)
    chosen: list[tuple[int, int, int]] = []
    for tensors in members.values():
        chosen += _runs(alignment, tensors, per_stratum, seed)
    chosen.sort()
    columns = np.array(chosen, np.int64).reshape(-1, 3)
    return plan_segments(alignment, columns[:, 0], columns[:, 1], columns[:, 2], BLOCK_BYTES)


def _runs(alignment: Alignment, tensors: list[int], elements: int, seed: int) -> list[tuple[int, int, int]]:
    """Choose (tensor, first, count) runs of one stratum: tensors in seeded order, then places in each."""
    keyed = []
    for tensor in tensors:
        one = alignment.tensors[tensor]
        digest = hashlib.blake2b(f"{seed}|{one.name}|{one.shape}".encode(), digest_size=16).digest()
        keyed.append((digest, tensor))
    keyed.sort()
    wanted = max(1, elements // RUN)
    each = -(-wanted // len(keyed))
    runs: list[tuple[int, int, int]] = []
    for digest, tensor in keyed:
        if len(runs) >= wanted:
            break
        count = alignment.tensors[tensor].count
        places = max(1, -(-count // RUN))
        rng = np.random.default_rng(np.frombuffer(digest, np.uint32))
        drawn = rng.choice(places, min(places, each, wanted - len(runs)), replace=False).tolist()
        runs += [(tensor, place * RUN, min(RUN, count - place * RUN)) for place in drawn]
    return runs


def load_sample(alignment: Alignment, plan: Plan) -> Sample:
    """Read and decode the planned runs; `group` is the tensor's row in the alignment. Non-finite elements are left out.

    Raises what reading raises.
    """
    values = decoded_at_once(alignment.checkpoints, plan)
    formats = np.empty(values.shape, np.uint8)
    for row, codes in zip(formats, plan.dtype.astype(np.uint8), strict=True):
        row[:] = codes[0] if len(present(codes)) == 1 else np.repeat(codes, plan.count)
    group = np.repeat(plan.tensor.astype(np.int32), plan.count)
    return from_formats(values, formats, group, suspect_cells(alignment, plan))


def suspect_cells(alignment: Alignment, plan: Plan) -> tuple[Float64, Float64, npt.NDArray[np.bool_]] | None:
    """The cells of the planned runs of a suspect that was decoded from a packed form: bounds, and where they hold.

    None where it was not. Raises what reading raises.
    """
    suspect = alignment.checkpoints[0]
    if not any(packing.nearest for packing in suspect.packings.values()):
        return None
    lower, upper = np.full((2, int(plan.count.sum())), np.nan)
    given = np.zeros(lower.size, bool)
    ends = np.cumsum(plan.count)
    places = list(zip(plan.shard[0].tolist(), plan.start[0].tolist(), plan.count.tolist(), strict=True))
    read = each_of(lambda place: cells_at(suspect.source, *place), places, suspect.source)
    for end, (_, _, count), found in zip(ends.tolist(), places, read, strict=True):
        if found is not None:
            own = slice(end - count, end)
            lower[own], upper[own] = found
            given[own] = True
    return lower, upper, given
