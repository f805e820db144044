"""Whether what a few directions changed in a matrix is a stretching of what it writes: columns, whole. Judges nothing.

Rows show what was done to what a matrix reads; a direction of what it writes goes through all rows of a column.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from modelprov.checkpoints.types import Alignment
from modelprov.forensics.estimators.projection import is_stretched
from modelprov.forensics.sampling.matrices import ROWS, Rows, read_matrices

MATRICES, COLUMNS = 3, 64
"""Looked at, and columns of each."""


def columns_projected(alignment: Alignment, names: Iterable[str], budget: int) -> tuple[tuple[bool | None, ...], ...]:
    """Matrix by matrix, whether the suspect's columns are each parent's, stretched along directions of what they write.

    Of the first of these `names` that a `budget` of elements of each checkpoint allows.

    Raises what reading raises.
    """
    shapes = {tensor.name: tensor.shape for tensor in alignment.tensors}
    found = []
    for name in list(names)[:MATRICES]:
        rows, columns = shapes[name]
        budget -= rows * columns
        if budget < 0:
            break
        parts = [Rows(name, first, min(ROWS, rows - first)) for first in range(0, rows, ROWS)]
        read = {}
        for matrix, part in zip(read_matrices(alignment, parts), parts, strict=True):
            read[part.first] = matrix.values[:, :, :COLUMNS], matrix.widths[:, :COLUMNS]
        values = np.concatenate([read[part.first][0] for part in parts], axis=1)
        widths = np.concatenate([read[part.first][1] for part in parts])
        found.append(tuple(is_stretched(values[0].T, parent.T, widths.T) for parent in values[1:]))
    return tuple(found)
