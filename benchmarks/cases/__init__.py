"""The labelled cases of the calibration, a theme in each file; importing this fills `kinds.KINDS`. Runs nothing."""

from benchmarks.cases import (  # noqa: I001  (the order of the table)
    merges,
    precision,
    trained_merges,
    siblings,
    altered,
    reversals,
    frame_ups,
    frame_ups_lattice,
    limits,
)

__all__ = [
    "altered",
    "frame_ups",
    "frame_ups_lattice",
    "limits",
    "merges",
    "precision",
    "reversals",
    "siblings",
    "trained_merges",
]
