"""The frame between two residual streams, from what both models' embeddings say of the same tokens. Decides nothing.

Where one embedding is the other in an orthogonal basis, the polar factor of their product is that basis. A frame that
is nearly a permutation with signs is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.forensics.search.coordinates.pairing import Int64, assigned
from modelprov.forensics.thresholds import FRAME_CERTAIN, FRAME_PERMUTED

ROUGH = 1e-6
"""Smallest over largest eigenvalue of a Gram matrix in float32 that says anything."""


@dataclass(frozen=True, eq=False)
class Frame:
    """How the parent's residual dimensions (d) become the suspect's (d').

    `order` [d'] gives each of the suspect's dimensions the parent's, -1 for none, and `signs` [d'] its sign; a rotated
    frame has a `basis` [d, d'] instead. `cosine` is the mean cosine of the embeddings of the same tokens in it.
    """

    kind: Literal["same", "permuted", "rotated"]
    order: Int64
    signs: Float64
    basis: Float32 | None
    cosine: float | None

    def turned(self, columns: Float32) -> Float32:
        """A matrix [n, d] whose columns are the parent's dimensions, with the suspect's: [n, d']."""
        if self.basis is not None:
            return columns @ self.basis
        made = columns[:, self.order] * self.signs.astype(np.float32)
        made[:, self.order < 0] = 0
        return np.asarray(made, np.float32)


def same(dimensions: int) -> Frame:
    """The frame of a model that was left in its own coordinates."""
    return Frame("same", np.arange(dimensions), np.ones(dimensions), None, None)


def find_frame(parent: Float32, suspect: Float32, *, roughly: bool = False) -> Frame:
    """The frame from embeddings [tokens, d] and [tokens, d'] of the same tokens; tokens should outnumber dimensions.

    Found `roughly`, in half the time, it may be off where the tokens hardly reach.
    """
    first, second = (values - values.mean(axis=0) for values in (parent, suspect))
    product = second.T @ first  # [d', d], the largest matrix of a test
    cosines = product / (_lengths(second)[:, None] * _lengths(first))
    order = _permutation(cosines, FRAME_CERTAIN)
    if order is None:
        factor = _roughly_polar(product.T) if roughly else _polar(first, second)
        polar = np.ascontiguousarray(factor.T, np.float32)
        order = _permutation(polar, FRAME_PERMUTED)
        if order is None:
            basis = np.ascontiguousarray(polar.T)
            return replace(turning(basis), cosine=_cosine(first @ basis, second))
        cosines = polar
    signs = np.where(cosines[np.arange(len(order)), order] < 0, -1.0, 1.0)
    still = parent.shape[1] == len(order) and np.array_equal(order, np.arange(len(order))) and (signs > 0).all()
    found = Frame("same" if still else "permuted", order, signs, None, None)
    return Frame(found.kind, order, signs, None, _cosine(found.turned(first.astype(np.float32)), second))


def _polar(first: Float32, second: Float32) -> Float64:
    """The orthogonal matrix [d, d'] that brings the first nearest to the second."""
    left, _, right = np.linalg.svd(first.T.astype(np.float64) @ second.astype(np.float64), full_matrices=False)
    return np.asarray(left @ right, np.float64)


def _roughly_polar(product: Float32) -> Float64:
    """The same of the product [d, d'] of both, from eigenvectors; its smallest singular values count as larger."""
    if product.shape[0] < product.shape[1]:
        return np.asarray(_roughly_polar(product.T).T)
    values, vectors = np.linalg.eigh((product.T @ product).astype(np.float64))
    values = np.maximum(values, max(ROUGH * float(values[-1]), 1e-30))
    return np.asarray(product @ ((vectors / np.sqrt(values)) @ vectors.T), np.float64)


def turning(basis: Float32) -> Frame:
    """The frame of a basis [d, d'], in which no dimension is another one."""
    return Frame("rotated", np.full(basis.shape[1], -1), np.ones(basis.shape[1]), basis, None)


def _permutation(cosines: Float32, least: float) -> Int64 | None:
    """The parent's dimension of each of the suspect's, from cosines [d', d]; None where their mean is below `least`.

    No assignment has a larger mean than the largest of each row: where these do not reach it, none is looked for.
    """
    sizes = np.abs(cosines)
    most = np.sort(sizes.max(axis=1, initial=0))[-min(sizes.shape) :]
    if not most.size or most.mean() < least:
        return None
    order = assigned(sizes)
    matched = np.flatnonzero(order >= 0)
    return None if sizes[matched, order[matched]].mean() < least else order


def _lengths(values: Float32) -> Float32:
    """Those of the columns; 1 of columns of zeros."""
    lengths = np.sqrt(np.einsum("ij,ij->j", values, values, dtype=np.float64))
    return np.where(lengths > 0, lengths, 1).astype(np.float32)


def told_by(frame: Frame, parent: Float32, suspect: Float32) -> Frame:
    """A frame that was found otherwise, with what the embeddings [tokens, d] and [tokens, d'] say in it."""
    first, second = (values - values.mean(axis=0) for values in (parent, suspect))
    return replace(frame, cosine=_cosine(frame.turned(first), second))


def _cosine(first: Float32, second: Float32) -> float:
    """Mean cosine of the rows."""
    sizes = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(((first * second).sum(axis=1) / np.where(sizes > 0, sizes, 1)).mean())
