"""Whether the rows of a matrix were turned together, as a rotation of what they read turns them. Judges nothing.

A rotation leaves the products of rows with one another as they were; whatever else moves rows as far moves these too.
"""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64

FEWEST = 16


def products_moved(suspect: Float64, parent: Float64) -> float | None:
    """How far the products of rows [n, m] with one another moved, over how far such a change moves them by itself.

    About 1 where the change has nothing to do with the rows, 0 where all rows were turned; with D = S - P it is
    |SS' - PP'| over the square root of 2 times |PD'|. None where nothing changed, or of fewer than `FEWEST` rows, whose
    products may stay by chance.
    """
    if len(parent) < FEWEST:
        return None
    usual = float(np.sqrt(2) * np.linalg.norm(parent @ (suspect - parent).T))
    return float(np.linalg.norm(suspect @ suspect.T - parent @ parent.T)) / usual if usual > 0 else None
