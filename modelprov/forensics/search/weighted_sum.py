"""A weighted sum of parents, tensor by tensor: what the search tries, and finds. Data only; the recipe is elsewhere.

What is found becomes a `recipes.recipe.Recipe`, which says the same of files (`judging.found_recipe`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.recipes.arithmetics import DESCRIPTIONS, Arithmetic


@dataclass(frozen=True, eq=False)
class WeightedSum:
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
