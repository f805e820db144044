"""How queries, keys, values and outputs of two layers belong together: by rows, or by heads in bases of their own.

Of a group's values any basis will do, if the outputs that read them are in its inverse; of queries and keys likewise,
as far as positions leave them free. What no basis changes is the space that a group's rows span, and the product of
both sides: values (or keys) give the basis, outputs (or queries) must agree in it. Pure; reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.checkpoints.layouts.realignment import Axis
from modelprov.forensics.search.coordinates import scales
from modelprov.forensics.search.coordinates.axes import log_sizes, paired_rows, scaled
from modelprov.forensics.search.coordinates.pairing import Int64, assigned
from modelprov.forensics.thresholds import CLOSER

WIDTHS = (8, 16, 32, 64, 80, 96, 112, 128, 192, 256)
"""Widths of heads that are tried, the smallest first, where no config says how wide they are."""
PLAINER = 1.5  # times the remainder of any basis, up to which an orthogonal one is taken
SINGULAR = 1e4
NOTHING = 1e-9
"""Of the squares, that rows may leave and tell all the same: sums alone are rounded, and a basis would fit that."""
Rows = tuple[Float32, Float32]
"""The suspect's rows, and the parent's in the residual frame."""


def attention_axes(sides: Mapping[str, Rows], head_width: int | None) -> dict[str, Axis]:
    """The axis of each of q, k, v and o (its columns, as rows) that both layers have."""
    axes = {kind: paired_rows([(*rows, False)]) for kind, rows in sides.items()}
    logs = {kind: log_sizes([rows[0]], [rows[1]], axes[kind]) for kind, rows in sides.items()}
    for reader, shared in (("q", "k"), ("o", "v")):
        if reader not in axes or shared not in axes:
            continue
        told = np.mean([explained(sides[kind], axes[kind]) for kind in (reader, shared)])
        bases = _bases(sides[shared], sides[reader], head_width, float(told))
        if bases is not None:
            axes[shared], axes[reader] = bases
        elif scales.balanced(logs[shared], logs[reader]):
            axes |= {kind: scaled(axes[kind], scales.factors(logs[kind])) for kind in (reader, shared)}
    return axes


def explained(rows: Rows, axis: Axis) -> float:
    """The share of the suspect's squares that the parent's paired rows explain, each times the best factor."""
    first, second = rows[0][axis.own].astype(np.float64), rows[1][axis.theirs].astype(np.float64)
    sizes = np.square(second).sum(axis=1)
    shared = np.square((first * second).sum(axis=1)) / np.where(sizes > 0, sizes, 1)
    return float(shared.sum() / max(float(np.square(first).sum()), 1e-30))


def _bases(shared: Rows, reader: Rows, head_width: int | None, told: float) -> tuple[Axis, Axis] | None:
    """Axes of the side that a group shares and of its reader, where bases of heads tell clearly more than rows do."""
    rows = [side.shape[0] for side in (*shared, *reader)]
    if 1 - told <= NOTHING:
        return None
    for width in (head_width,) if head_width else WIDTHS:
        if any(count % width for count in rows) or rows[2] % rows[0] or rows[3] % rows[1] or rows[0] > rows[1]:
            continue
        found = _of_width(shared, reader, width)
        if found is not None and found.explained - told > CLOSER * (1 - told):
            return found.shared, found.reader
    return None


@dataclass(frozen=True, eq=False)
class _Heads:
    shared: Axis
    reader: Axis
    explained: float


def _of_width(shared: Rows, reader: Rows, width: int) -> _Heads | None:
    """Groups paired by the space of their rows, with the basis between them, and their readers' heads in it."""
    first, second = (_blocks(side, width) for side in shared)
    readers = [_blocks(side, width) for side in reader]
    places = assigned(_spaces(first, second))
    per = [len(heads) // len(groups) for heads, groups in zip(readers, (first, second), strict=True)]
    if (places < 0).any() or per[0] > per[1]:
        return None
    bases: list[Float64] = []
    inverses: list[Float64] = []
    order: list[int] = []
    left: list[tuple[float, float]] = []
    for group, there in enumerate(places):
        own = readers[0][group * per[0] : (group + 1) * per[0]]
        theirs = readers[1][there * per[1] : (there + 1) * per[1]]
        fitted = _basis(first[group], second[there], own, theirs)
        if fitted is None:
            return None
        bases.append(fitted.basis.T)
        inverses += [np.asarray(np.linalg.inv(fitted.basis), np.float64)] * per[0]
        order += [int(there) * per[1] + int(head) for head in fitted.heads]
        left.append(fitted.left)
    share = 1 - np.sum(left, axis=0) / [max(float(np.square(side[0]).sum()), 1e-30) for side in (shared, reader)]
    return _Heads(_axis(places, bases, width), _axis(order, inverses, width), float(share.mean()))


def _axis(order: Sequence[int] | Int64, blocks: list[Float64], width: int) -> Axis:
    theirs = (np.asarray(order, np.int64)[:, None] * width + np.arange(width)).ravel()
    return Axis(np.arange(theirs.size), theirs, blocks=np.stack(blocks).astype(np.float32))


def _blocks(rows: Float32, width: int) -> Float64:
    return rows.astype(np.float64).reshape(-1, width, rows.shape[1])


def _spaces(first: Float64, second: Float64) -> Float32:
    """How much of each group's rows lies in the space of each of the other's, [groups, groups'], 0 to 1."""
    own, theirs = (np.stack([np.linalg.qr(block.T)[0].T for block in side]) for side in (first, second))
    width = own.shape[1]
    products = own.reshape(-1, own.shape[2]) @ theirs.reshape(-1, theirs.shape[2]).T
    squares = np.square(products).reshape(len(own), width, len(theirs), -1)
    return np.asarray(squares.sum(axis=(1, 3)) / width, np.float32)


@dataclass(frozen=True, eq=False)
class _Fit:
    """B with first = B second and, head by head, own = B^-T theirs: which head is which, the squares left of both."""

    basis: Float64
    heads: Int64
    left: tuple[float, float]


def _basis(first: Float64, second: Float64, own: Float64, theirs: Float64) -> _Fit | None:
    """The basis of one group and the heads of its readers; an orthogonal one where that explains about as much."""
    found: _Fit | None = None
    for made in (np.linalg.lstsq(second.T, first.T, rcond=None)[0].T, _polar(first @ second.T)):
        basis = np.asarray(made, np.float64)
        if not np.isfinite(basis).all() or np.linalg.cond(basis) > SINGULAR:
            continue
        turned = np.linalg.inv(basis).T @ theirs
        products = np.einsum("adh,bdh->ab", own, turned)
        sizes = np.linalg.norm(own, axis=(1, 2))[:, None] * np.linalg.norm(turned, axis=(1, 2))
        heads = assigned((products / np.where(sizes > 0, sizes, 1)).astype(np.float32))
        left = float(np.square(first - basis @ second).sum()), float(np.square(own - turned[heads]).sum())
        if found is None or sum(left) <= PLAINER * sum(found.left):
            found = _Fit(basis, heads, left)
    return found


def _polar(product: Float64) -> Float64:
    left, _, right = np.linalg.svd(product)
    return np.asarray(left @ right, np.float64)
