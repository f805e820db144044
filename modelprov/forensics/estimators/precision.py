"""Effective precision: the coarsest format whose numbers the values are, measured. The declared format is not asked.

A file may store bf16 values as F32. Its rounding cells are then those of bf16: nothing finer ever decided these values,
and whoever takes the declared format for precision can be shown any history that is exact in float32. Sets the cells of
a sample; judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import (
    FORMATS,
    WITHIN_FLOAT32,
    DType,
    Float64,
    present,
    round_to,
    rounding_cells,
)
from modelprov.checkpoints.types import Alignment
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.thresholds import LATTICE_ELEMENTS, ON_LATTICE, REPRODUCED


@dataclass(frozen=True, slots=True)
class Precision:
    """The formats of one checkpoint, by their safetensors names: as most weights are stored, and as they show."""

    stored: str
    shows: str


MANTISSA_BITS = np.array([dtype.mantissa_bits for dtype in FORMATS])
"""By the codes of `Sample.formats`."""
SUBNORMAL = 2.0**-14
"""F16 holds numbers below this with fewer digits."""


def effective(sample: Sample) -> Sample:
    """The same elements with the formats that their values show, and the suspect's cells in those.

    Measured where the parents differ, since where they agree the suspect may only hold what they hold; with one parent
    everywhere. Cells of F16 are wider by what casting the parents to it may have lost (`_cast`).
    """
    differ = (sample.parents != sample.parents[-1]).any(axis=0) | (len(sample.parents) == 1)
    formats = np.stack(
        [
            _measured(values, declared, sample.group, differ)
            for values, declared in zip((sample.suspect, *sample.parents), sample.formats, strict=True)
        ]
    )
    if sample.given is not None:  # steps of a packed form decided these values, whatever format holds them
        formats[0] = np.where(sample.given, sample.formats[0], formats[0])
    if np.array_equal(formats, sample.formats):
        return _cast(sample)
    lower, upper = _cells(sample, formats[0])
    if sample.given is not None:
        lower, upper = np.where(sample.given, sample.lower, lower), np.where(sample.given, sample.upper, upper)
    return _cast(replace(sample, lower=lower, upper=upper, formats=formats))


def _cast(sample: Sample) -> Sample:
    """The sample with cells in which a mixture lies too if the program cast the parents to F16 before it mixed them.

    Only their smallest numbers lose digits so: other formats hold them to 2^-126, F16 to 2^-24.
    """
    chosen = sample.formats[0] == DType.F16.code
    if sample.given is not None:
        chosen &= ~sample.given
    own = np.flatnonzero(chosen)
    if not own.size:
        return sample
    parents = sample.parents[:, own]
    with np.errstate(invalid="ignore", over="ignore"):
        lost = np.abs(np.asarray(round_to(parents, DType.F16), np.float64) - parents)
    lost = np.where(np.abs(parents) < SUBNORMAL, lost, 0.0).max(axis=0)
    if not lost.any():
        return sample
    lower, upper = sample.lower.copy(), sample.upper.copy()
    lower[own] -= lost
    upper[own] += lost
    return replace(sample, lower=lower, upper=upper)


def _cells(sample: Sample, codes: npt.NDArray[np.uint8]) -> tuple[Float64, Float64]:
    """The suspect's cells in the formats that it shows, float64 [n]; both roundings where the file's was the coarser.

    bf16 numbers below 2^-17 lose digits in F16: what was rounded twice lies within half a cell of each.
    """
    lower, upper = rounding_cells(sample.suspect, codes)
    coarser = sample.upper - sample.lower > upper - lower
    below, above = sample.lower - sample.suspect, sample.upper - sample.suspect
    return np.where(coarser, lower + below, lower), np.where(coarser, upper + above, upper)


def short(sample: Sample) -> bool:
    """Whether most of the suspect holds 16-bit numbers, where every fit of a mixture allows both directions."""
    return 2 * int(np.count_nonzero(bits_of(sample.formats[0]) < DType.F32.mantissa_bits)) >= sample.elements


def bits_of(codes: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Mantissa bits of every element, by the codes of their formats [n]."""
    found = present(codes)
    if len(found) == 1:  # looked up once, not once an element
        return np.broadcast_to(MANTISSA_BITS[found[0]], codes.shape)
    return np.asarray(MANTISSA_BITS[codes])


def precisions(sample: Sample, declared: npt.NDArray[np.int64]) -> tuple[Precision, ...]:
    """What most sampled elements of each argument are stored as and show, the suspect first.

    `sample` with the formats that values show (`effective`), `declared` int64 [1 + k, tensors] the codes of the files.
    """
    elements = np.bincount(sample.group, minlength=declared.shape[1])
    return tuple(
        Precision(_commonest(np.bincount(stored, elements, len(FORMATS))), _commonest(_counts(shows)))
        for stored, shows in zip(declared, sample.formats, strict=True)
    )


def _counts(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """How many elements are in each format."""
    return np.array([np.count_nonzero(codes == code) for code in range(len(FORMATS))])


def _commonest(counts: npt.NDArray[Any]) -> str:
    return str(FORMATS[int(np.argmax(counts))])


def suspect_formats(
    sample: Sample, of_tensor: npt.NDArray[np.int64], alignment: Alignment
) -> npt.NDArray[np.int64] | None:
    """Codes of the formats whose numbers the suspect holds, int64 [t], tensor by tensor; None where they are declared.

    A tensor that was not sampled is taken to be as the finest with the same declared format in its stratum
    (`of_tensor`), else in the model; without any, as it is declared. So is one that holds a parent's numbers in F16.
    """
    declared = np.array([tensor.views[0].ref.dtype.code for tensor in alignment.tensors], np.int64)
    by_tensor, by_stratum = np.full(len(declared), -1), np.full((int(of_tensor.max(initial=0)) + 1, len(FORMATS)), -1)
    everywhere = np.full(len(FORMATS), -1)
    for code in present(sample.formats[0]):
        holding = np.bincount(sample.group[sample.formats[0] == code], minlength=len(declared)) > 0
        by_tensor[holding] = np.maximum(by_tensor[holding], MANTISSA_BITS[code])
    by_tensor[_taken(sample, declared)] = DType.F16.mantissa_bits
    np.maximum.at(by_stratum, (of_tensor, declared), by_tensor)
    np.maximum.at(everywhere, declared, by_tensor)
    found = by_tensor
    for wider in (by_stratum[of_tensor, declared], everywhere[declared], MANTISSA_BITS[declared]):
        found = np.where(found >= 0, found, wider)
    codes = np.argmax(found[:, None] == MANTISSA_BITS, axis=1)
    return None if np.array_equal(codes, declared) else codes


def _taken(sample: Sample, declared: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Bool [t]: whose sampled F16 numbers are all those of one parent in F16, which loses digits of the smallest."""
    found = np.zeros(len(declared), bool)
    if not (declared == DType.F16.code).any():
        return found
    sampled = np.bincount(sample.group, minlength=len(declared)) > 0
    for parent in sample.parents:
        other = round_to(parent, DType.F16) != sample.suspect
        found |= sampled & (np.bincount(sample.group, other, len(declared)) == 0)
    return np.asarray(found & (declared == DType.F16.code), np.bool_)


LOOK = 1 << 10
"""Numbers of a first look."""


def rounded_twice(sample: Sample) -> int | None:
    """The parent, 1 ... k, whose numbers rounded to bf16 and then to F16, or the other way, the suspect's all are.

    Rounded once to the format that the suspect shows, the smallest ones differ, or those that came to lie on a border.
    Counted among the numbers that differ from the parent's: of a model whose every other number is the parent's own,
    a few changed ones would not show in a share of all.
    """
    for number, parent in enumerate(sample.parents, 1):
        differ = sample.suspect != parent
        own, theirs = sample.suspect[differ], parent[differ]
        for formats in permutations((DType.BF16, DType.F16)):
            if np.count_nonzero(_through(theirs[:LOOK], *formats) != own[:LOOK]) > 1 + (1 - REPRODUCED) * own.size:
                continue  # more miss already than may of all
            if own.size and np.mean(_through(theirs, *formats) == own) >= REPRODUCED:
                return number
    return None


def _through(values: Float64, first: DType, then: DType) -> Float64:
    """Values rounded to one format and then to another."""
    return round_to(round_to(values, first), then)


def _measured(
    values: Float64, declared: npt.NDArray[np.uint8], group: npt.NDArray[np.int32], differ: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """The coarsest format, tensor by tensor, that holds the values; the declared one where none coarser does."""
    found = declared.copy()
    tensors, stored = int(group.max(initial=-1)) + 1, present(declared)
    for coarse in WITHIN_FLOAT32:
        if all(MANTISSA_BITS[code] <= coarse.mantissa_bits for code in stored):
            continue
        finer = (found == declared) & (bits_of(declared) > coarse.mantissa_bits)
        counted = finer & differ
        if not counted.any():
            continue
        on = np.zeros(values.size, bool)
        on[counted] = round_to(values[counted], coarse) == values[counted]
        on[counted] &= _width(values[counted], np.full(int(counted.sum()), coarse.code, np.uint8)) >= _width(
            values[counted], declared[counted]
        )  # among its smallest numbers F16 is the coarser one
        elements = np.bincount(group[counted], minlength=tensors)
        share = np.bincount(group[on], minlength=tensors) / np.maximum(elements, 1)
        share = np.where(elements >= LATTICE_ELEMENTS, share, on.sum() / counted.sum())
        found[finer & (share >= ON_LATTICE)[group]] = coarse.code
    return found


def _width(values: Float64, codes: npt.NDArray[np.uint8]) -> Float64:
    lower, upper = rounding_cells(values, codes)
    return upper - lower
