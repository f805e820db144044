"""How near the entries of a library are to each other, every pair: kinship and which of it chance explains. No verdict.

Entries that share places are laid side by side once, so that hundreds of them cost a few products of matrices. Kinship
and its chance are those of `ranking.py`, the finds among all pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.checkpoints.plan import Int64
from modelprov.checkpoints.types import Checkpoint
from modelprov.forensics.identify.places import MOST, Numbers, held
from modelprov.forensics.identify.ranking import discoveries
from modelprov.forensics.sampling.blocks import RUN
from modelprov.forensics.sampling.runs import KEY, Segments, spread, take, values_of
from modelprov.forensics.thresholds import FALSE_DISCOVERIES, KIN, MINIMUM_ELEMENTS

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Kinship:
    """Of e entries, pair by pair [e, e]: shared `elements`, `correlation` of raw weights, `apart`, `chance`, `kin`.

    `apart` is the root mean square of their difference over that of the weights; `equal` the share of equal numbers,
    of kin only. `chance` and `kin` as in `ranking.py`: finds among all pairs, whose correlation is at least `KIN`.
    """

    elements: Int64
    correlation: Float64
    apart: Float64
    equal: Float64
    chance: Float64
    kin: Mask

    @property
    def comparable(self) -> Mask:
        """Which pairs share enough weights."""
        found: Mask = (self.elements >= MINIMUM_ELEMENTS) & ~np.eye(len(self.elements), dtype=bool)
        return found


def kinship(entries: Sequence[Checkpoint]) -> Kinship:
    """Measure every pair of fingerprints at the places that both hold. Raises what reading raises."""
    count = len(entries)
    elements = np.zeros((count, count), np.int64)
    correlation, equal, z = (np.zeros((count, count)) for _ in range(3))
    apart = np.full((count, count), np.inf)
    sides = list(_groups(entries))
    for members, values, there, tensor, run in sides:
        own = np.ix_(members, members)
        elements[own], correlation[own], apart[own], z[own] = _measured(values, there, tensor, run)
    kin = _kin(elements, correlation, z)
    chance = _chance(z)
    for members, values, there, *_ in sides:
        for first, second in np.argwhere(np.triu(kin[np.ix_(members, members)], 1)).tolist():
            both = there[first] & there[second]
            same = float((values[first][both] == values[second][both]).mean())
            equal[members[first], members[second]] = equal[members[second], members[first]] = same
    return Kinship(elements, correlation, apart, equal, chance, kin)


def _chance(z: Float64) -> Float64:
    from scipy.special import ndtr

    return np.asarray(ndtr(-z))


def _kin(elements: Int64, correlation: Float64, z: Float64) -> Mask:
    """Finds among all pairs that share enough, and correlate enough."""
    upper = np.triu(elements >= MINIMUM_ELEMENTS, 1)
    found = np.zeros(elements.shape, bool)
    found[upper] = discoveries(_chance(z[upper]), FALSE_DISCOVERIES)
    found &= correlation >= KIN
    return found | found.T


def _groups(entries: Sequence[Checkpoint]) -> Iterator[tuple[Int64, Float32, Mask, Int64, Int64]]:
    """Entries that share places, and their values side by side: members [g], values and where they are [g, n].

    Last of all numbers of tensors and runs [n], in order.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    numbers = Numbers()
    own = [held(entry, numbers) for entry in entries]
    own = [take(each, np.argsort(each.key, kind="stable")) for each in own]
    keys, column = np.unique(np.concatenate([each.key for each in own]), return_inverse=True)
    row = np.repeat(np.arange(len(own)), [len(each.key) for each in own])
    table = csr_matrix((np.ones(len(row), np.int32), (row, column)), (len(own), len(keys)))
    shared = (table @ table.T) * RUN >= MINIMUM_ELEMENTS
    _, label = connected_components(shared, directed=False)
    for each in np.unique(label).tolist():
        members = np.flatnonzero(label == each)
        if len(members) > 1:
            yield (members, *_beside([entries[at] for at in members.tolist()], [own[at] for at in members.tolist()]))


def _beside(entries: Sequence[Checkpoint], own: Sequence[Segments]) -> tuple[Float32, Mask, Int64, Int64]:
    """The values of these entries at the places that two of them hold."""
    keys, times = np.unique(np.concatenate([each.key for each in own]), return_counts=True)
    keys = keys[times > 1]
    most = max(1, MOST // (len(entries) * RUN))
    if len(keys) > most:  # evenly over all tensors
        keys = keys[np.linspace(0, len(keys) - 1, most).astype(int)]
    counts = np.zeros(len(keys), np.int64)
    for segments in own:
        chosen = take(segments, np.isin(segments.key, keys))
        np.maximum.at(counts, np.searchsorted(keys, chosen.key), chosen.count)
    ends = np.cumsum(np.r_[0, counts])
    values = np.zeros((len(entries), int(ends[-1])), np.float32)
    there = np.zeros(values.shape, bool)
    for number, (entry, segments) in enumerate(zip(entries, own, strict=True)):
        chosen = take(segments, np.isin(segments.key, keys))
        place = np.searchsorted(keys, chosen.key)
        whole = chosen.count == counts[place]
        chosen, place = take(chosen, whole), place[whole]
        index = spread(ends[place], chosen.count)
        found = values_of(entry, chosen)[0]
        finite = np.isfinite(found)
        values[number, index] = np.where(finite, found, 0)
        there[number, index] = finite
    return values, there, np.repeat(keys // KEY, counts), np.repeat(np.arange(len(keys)), counts)


def _measured(values: Float32, there: Mask, tensor: Int64, run: Int64) -> tuple[Int64, Float64, Float64, Float64]:
    """Elements, correlation, distance and standard score of every pair [g, g], tensor by tensor, run by run."""
    count = len(values)
    elements, inner, square, plain, size, spreads = (np.zeros((count, count)) for _ in range(6))
    for stretch in _stretches(tensor):
        mask = there[:, stretch].astype(np.float32)
        raw = values[:, stretch].astype(np.float64)
        mean = raw.sum(axis=1) / np.maximum(mask.sum(axis=1, dtype=np.float64), 1)
        centred = (raw - mean[:, None]) * mask
        both = mask @ mask.T
        elements += both
        square += (centred**2) @ mask.T
        plain += raw @ raw.T
        size += (raw**2) @ mask.T
        begins = np.flatnonzero(np.r_[True, np.diff(run[stretch]) != 0])
        for low, high in zip(begins, np.r_[begins[1:], centred.shape[1]], strict=True):
            product = centred[:, low:high] @ centred[:, low:high].T
            inner += product
            spreads += product**2
    scale = np.sqrt(square * square.T)
    correlation = np.divide(inner, scale, out=np.zeros_like(inner), where=scale > 0)
    z = np.divide(inner, np.sqrt(spreads), out=np.zeros_like(inner), where=spreads > 0)
    difference = np.maximum(size + size.T - 2 * plain, 0)
    total = (size + size.T) / 2
    apart = np.sqrt(np.divide(difference, total, out=np.full_like(total, np.inf), where=total > 0))
    return elements.astype(np.int64), correlation, apart, z


def _stretches(number: Int64) -> Iterator[slice]:
    """Where each stretch of one number lies."""
    begins = np.flatnonzero(np.r_[True, number[1:] != number[:-1]]) if len(number) else np.empty(0, np.int64)
    for first, last in zip(begins, np.r_[begins[1:], len(number)], strict=True):
        yield slice(int(first), int(last))
