"""A weighted sum of parents, tensor by tensor: what the search tries, and finds. Data only; the recipe is elsewhere.

What is found becomes a `recipes.recipe.Recipe`, which says the same of files (`judging.found_recipe`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.recipes.arithmetics import DESCRIPTIONS, OF_DIFFERENCES, Arithmetic


def distinct(weights: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The different rows of weights [strata, k], in order, and which of them each stratum has, int64 [strata].

    Mostly there is one, which takes no sort to see.
    """
    if len(weights) and (weights == weights[0]).all():
        return weights[:1], np.zeros(len(weights), np.int64)
    rows, which = np.unique(weights, axis=0, return_inverse=True)
    return rows, which.ravel()


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """Weights of the k parents for every stratum, float64 [strata, k], the reference last, and how they are combined.

    `order` is the order in which the program adds the parents (it matters to the last bit of fused arithmetic), without
    those that it leaves out. Differences are taken from the last of them, which need not be the reference.
    """

    arithmetic: Arithmetic
    order: tuple[int, ...]
    weights: npt.NDArray[np.float64]

    @property
    def steps(self) -> npt.NDArray[np.int64]:
        """The order of all k parents, int64 [k], -1 behind it for those that are left out."""
        missing = self.weights.shape[1] - len(self.order)
        return np.array([*self.order, *[-1] * missing], np.int64)

    @property
    def pieces(self) -> int:
        """Number of different weightings."""
        return len(distinct(self.weights)[0])

    def arithmetic_name(self, labels: tuple[str, ...]) -> str:
        """Name of the arithmetic, with the order of the parents or what differences are of, where that is not plain."""
        description = DESCRIPTIONS[self.arithmetic]
        if description.ordered:
            return f"{description.name} ({' then '.join(labels[parent] for parent in self.order)})"
        if self.arithmetic in OF_DIFFERENCES and self.order[-1] != len(labels) - 1:
            return f"{description.name} (from {labels[self.order[-1]]})"
        return description.name
