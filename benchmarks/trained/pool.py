"""Where trained families lie, a file each, and how they are read back. Trains nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

State = dict[str, np.ndarray]
Pool = dict[str, State]
"""Checkpoints of a family by name, as stored: float32 arrays of numbers that their format holds."""


def kept_at(folder: Path, number: int) -> Path:
    """Where a family lies in the pool."""
    return folder / f"family-{number:02d}.npz"


def load(folder: Path, number: int) -> Pool:
    """A family of the pool."""
    pool: Pool = {}
    with np.load(kept_at(folder, number)) as stored:
        for key in stored.files:
            model, name = key.split("|")
            pool.setdefault(model, {})[name] = stored[key]
    return pool
