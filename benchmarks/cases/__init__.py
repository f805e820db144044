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
    frame_ups_fine,
    frame_ups_methods,
    disguises,
    strangers,
    methods,
    headlines,
    opponent,
    limits,
)

__all__ = [
    "altered",
    "disguises",
    "frame_ups",
    "frame_ups_fine",
    "frame_ups_lattice",
    "frame_ups_methods",
    "headlines",
    "limits",
    "merges",
    "methods",
    "opponent",
    "precision",
    "reversals",
    "siblings",
    "strangers",
    "trained_merges",
]
