"""A recipe: which parents, in which proportions, in which arithmetic, tensor by tensor. Data and its words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.forensics.sampling.scout import Strata
from modelprov.recipes.arithmetics import DESCRIPTIONS, Arithmetic


@dataclass(frozen=True, eq=False)
class Recipe:
    """Weights of the k parents for every stratum, float64 [strata, k], the reference last, and how they are combined.

    `order` is the order in which the program adds the parents (it matters to the last bit of fused arithmetic).
    """

    arithmetic: Arithmetic
    order: tuple[int, ...]
    weights: npt.NDArray[np.float64]

    @property
    def pieces(self) -> int:
        """Number of different weightings."""
        return len(np.unique(self.weights, axis=0))

    def arithmetic_name(self, labels: tuple[str, ...]) -> str:
        """Name of the arithmetic, with the order of the parents where that shows in the bits."""
        description = DESCRIPTIONS[self.arithmetic]
        if not description.ordered:
            return description.name
        return f"{description.name} ({' then '.join(labels[parent] for parent in self.order)})"


def describe_strata(strata: Strata, members: list[int]) -> str:
    """Name a group of strata readably: all, whole layers, or kinds with their layers."""
    if len(members) == len(strata.names):
        return "all tensors"
    inside = set(members)
    by_layer: dict[int | None, set[int]] = {}
    for stratum, layer in enumerate(strata.layers):
        by_layer.setdefault(layer, set()).add(stratum)
    whole = [layer for layer, own in by_layer.items() if layer is not None and own <= inside]
    rest = inside - {stratum for layer in whole for stratum in by_layer[layer]}
    parts = [f"layers {_ranges(whole)}"] if whole else []
    kinds: dict[str, list[int | None]] = {}
    for stratum in sorted(rest):
        kinds.setdefault(strata.kinds[stratum], []).append(strata.layers[stratum])
    for kind, layers in kinds.items():
        numbered = [layer for layer in layers if layer is not None]
        parts.append(f"{kind} (layers {_ranges(numbered)})" if numbered else kind)
    return "; ".join(parts)


def _ranges(numbers: list[int]) -> str:
    """0, 1, 2, 5 as `0-2, 5`."""
    runs: list[list[int]] = []
    for value in sorted(numbers):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
