"""Axes of a realignment: from paired rows, frames and factors. Pure; reads nothing, knows no layers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.checkpoints.layouts.realignment import Axis
from modelprov.forensics.search.coordinates.frame import Frame
from modelprov.forensics.search.coordinates.pairing import nearest
from modelprov.forensics.search.coordinates.scales import in_doublings
from modelprov.forensics.thresholds import HALF

Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STAYS = 0.98
"""Share of the best score from which rows are left where they are."""


def residual_axis(frame: Frame) -> Axis:
    """Of the suspect's dimensions those that the parent has."""
    if frame.basis is not None:
        return Axis(np.arange(frame.basis.shape[1]), np.zeros(0, np.int64), basis=frame.basis)
    known = np.flatnonzero(frame.order >= 0)
    signs = frame.signs[known]
    return Axis(known, frame.order[known], signs if (signs < 0).any() else None)


def paired_rows(sides: list[tuple[Float32, Float32, bool]]) -> Axis:
    """Rows of the suspect and of the parent that belong together, with the signs of those of which signs may change."""
    places, score = nearest(sides)
    count = places.size
    if count == sides[0][1].shape[0]:
        stay = sum(_cosines(first, second, signed) for first, second, signed in sides)
        if float(np.sum(stay)) >= STAYS * float(score.sum()):
            places = _exchanged(places, np.asarray(stay) < HALF * score)
    known = np.flatnonzero(places >= 0)
    chosen = places[known]
    free = [(first, second) for first, second, signed in sides if not signed]
    products = sum(((first[known] * second[chosen]).sum(axis=1) for first, second in free), np.zeros(known.size))
    signs = np.where(products < 0, -1.0, 1.0)
    return Axis(known, chosen, signs if (signs < 0).any() else None)


def _exchanged(places: Int64, moved: Bools) -> Int64:
    """All rows where they are, but for those that clearly `moved`, where these are exchanged among themselves."""
    left = np.flatnonzero(moved)
    kept = np.arange(places.size)
    if np.array_equal(np.sort(places[left]), left):
        kept[left] = places[left]
    return kept


def _cosines(first: Float32, second: Float32, signed: bool) -> Float64:
    sizes = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    found = (first * second).sum(axis=1) / np.where(sizes > 0, sizes, 1)
    return np.asarray(found if signed else np.abs(found), np.float64)


def log_sizes(own: list[Float32], theirs: list[Float32], axis: Axis) -> Float64:
    """By how many doublings paired rows of the suspect are longer than the parent's."""
    first = np.sqrt(sum(np.square(values[axis.own].astype(np.float64)).sum(axis=1) for values in own))
    second = np.sqrt(sum(np.square(values[axis.theirs].astype(np.float64)).sum(axis=1) for values in theirs))
    return in_doublings(np.asarray(first), np.asarray(second))


def along(axis: Axis, rows: Float32) -> Float32:
    """The parent's rows [m, width] as the axis picks, multiplies and mixes them, [n, width]."""
    picked = rows[axis.theirs]
    if axis.factors is not None:
        picked = picked * axis.factors[:, None].astype(np.float32)
    if axis.blocks is not None:
        runs = picked.reshape(len(axis.blocks), -1, picked.shape[1])
        picked = (axis.blocks.transpose(0, 2, 1) @ runs).reshape(picked.shape)
    return np.asarray(picked, np.float32)


def scaled(axis: Axis, by: Float64 | None) -> Axis:
    """The axis with further factors."""
    if by is None:
        return axis
    return Axis(axis.own, axis.theirs, by if axis.factors is None else axis.factors * by)
