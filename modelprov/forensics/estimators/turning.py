"""Whether the rows of a matrix were turned together, as a rotation of what they read turns them. Judges nothing.

A rotation leaves the products of rows with one another as they were; whatever else moves rows as far moves these too.
"""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.types import MIN_MATRIX_SIDE
from modelprov.forensics.thresholds import ROW_STAYED


def products_moved(suspect: Float64, parent: Float64) -> float | None:
    """How far the products of rows [n, m] with one another moved, over how far such a change moves them by itself.

    About 1 where the change has nothing to do with the rows, 0 where all rows were turned; with D = S - P it is
    |SS' - PP'| over the square root of 2 times |PD'|. Rows that were drawn anew or put elsewhere, as new tokens are,
    are left out: of few among many dimensions all stand at right angles, before and after. None where nothing else
    changed, or of fewer than `MIN_MATRIX_SIDE` rows, whose products may stay by chance.
    """
    stayed = np.linalg.norm(suspect - parent, axis=1) <= ROW_STAYED * np.linalg.norm(parent, axis=1)
    suspect, parent = suspect[stayed], parent[stayed]
    if len(parent) < MIN_MATRIX_SIDE:
        return None
    usual = float(np.sqrt(2) * np.linalg.norm(parent @ (suspect - parent).T))
    return float(np.linalg.norm(suspect @ suspect.T - parent @ parent.T)) / usual if usual > 0 else None
