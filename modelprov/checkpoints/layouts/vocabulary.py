"""Rows of embeddings and heads, one for each token: a vocabulary that grew keeps its first rows. Shapes only."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.checkpoints.layouts.roles import Shape
from modelprov.checkpoints.types import TensorView

FEW_ROWS, FEW_SHARE = 16, 8
"""What may be added: so many rows, or one for every so many that were there (padding, new tokens)."""


def common_rows(shapes: Sequence[Shape]) -> int | None:
    """The rows that matrices [vocabulary, width] of these shapes share, if only a few more differ; else None."""
    if len({shape[1:] for shape in shapes}) != 1 or any(len(shape) != 2 for shape in shapes):
        return None
    rows = sorted(shape[0] for shape in shapes)
    more = rows[-1] - rows[0]
    return rows[0] if 0 < more <= max(FEW_ROWS, rows[0] // FEW_SHARE) and more < rows[0] else None


def leading_rows(view: TensorView, shape: Shape, rows: int) -> TensorView:
    """The view of the first rows of a matrix."""
    return TensorView(view.ref, view.start, view.count // shape[0] * rows)
