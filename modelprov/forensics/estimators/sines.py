"""Whether a matrix is a table of sines for positions, which a formula gives and no training. Judges nothing else."""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.thresholds import SINES_COLUMNS, SINES_LEFT, SINES_REACH, SINES_TURNING

STRIDES = 8  # steps in the length of the table, so long that a smooth curve that was learnt bends otherwise


def is_table_of_sines(table: Float64) -> bool:
    """Whether every column of float64 [positions, width] is sin(w t + p), of any w and p, and the largest reach 1.

    A sine is what satisfies x(t - k) + x(t + k) = 2 cos(w k) x(t) for every t and k (A. Vaswani et al. 2017, 3.5, in
    whatever order of sines and cosines). Asked at a stride of an eighth of the table; the quotient is fitted.
    """
    stride = max(1, len(table) // STRIDES)
    if len(table) < 3 * stride or not np.isfinite(table).all():
        return False
    if abs(float(np.abs(table).max()) - 1) > SINES_REACH:
        return False
    turns = (np.diff(np.sign(table), axis=0) != 0).sum(axis=0) >= 2
    if turns.mean() < SINES_TURNING:
        return False
    middle, around = table[stride:-stride], table[: -2 * stride] + table[2 * stride :]
    size = (middle**2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = around - middle * np.where(size > 0, (middle * around).sum(axis=0) / size, 0.0)
    explained = np.sqrt((left**2).mean(axis=0)) <= SINES_LEFT * np.sqrt((table**2).mean(axis=0))
    return bool(explained.mean() >= SINES_COLUMNS)
