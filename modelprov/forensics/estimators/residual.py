"""What a suspect holds beyond the best mixture of its parents, in one matrix: its size, its rank, what it resembles.

Least squares in the matrix itself, so that a ratio that varies from layer to layer leaves nothing. Rounding leaves
noise of one twelfth of the squared width of each cell, which is taken off. Judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.thresholds import ABOVE_ROUNDING, LOW_RANK, LOW_RANK_ENERGY

CLEARLY = 1e-6  # of all that is left: eigenvalues are far more exact


@dataclass(frozen=True, eq=False)
class Residual:
    """`left` float64 [rows, columns]: the suspect minus the best mixture.

    Sums of squares: `energy` of that, `noise` of rounding alone, `distance` of the parents' deltas (of one parent: of
    its centred weights). `basis` float64 [k - 1, n]: orthonormal directions of the deltas.
    """

    left: Float64
    energy: float
    noise: float
    distance: float
    basis: Float64

    @property
    def changed(self) -> bool:
        """Whether there is clearly more than rounding."""
        return self.energy > ABOVE_ROUNDING * self.noise and self.energy > 0

    @property
    def beyond(self) -> float:
        """Sum of squares beyond rounding."""
        return max(self.energy - self.noise, 0.0)

    def likeness(self, reference: Float64, other: Float64) -> tuple[float, float]:
        """Product of what is left with another model's own part, and that part's sum of squares.

        The own part is the model minus the reference, both float64 [rows, columns], less what the deltas explain.
        """
        own = (other - reference).ravel()
        own = own - (self.basis @ own) @ self.basis
        return float(self.left.ravel() @ own), float(own @ own)


def residual(values: Float64, widths: Float64) -> Residual:
    """Take the best mixture off `values` float64 [1 + k, rows, columns], the suspect first and the reference last."""
    reference = values[-1]
    deltas = (values[1:-1] - reference).reshape(len(values) - 2, reference.size)
    left = (values[0] - reference).ravel()
    basis = np.zeros((0, left.size))
    if len(deltas) and deltas.any():
        basis = np.linalg.qr(deltas.T)[0].T
        basis = basis if np.isfinite(basis).all() else np.nan_to_num(basis)
        left = left - (basis @ left) @ basis
    distance = float(np.square(deltas).sum() / len(deltas)) if len(deltas) else float(reference.var() * reference.size)
    noise = float(np.square(widths).sum() / 12)
    return Residual(left.reshape(reference.shape), float(left @ left), noise, distance, basis)


def rank_of(found: Residual) -> int | None:
    """The number of directions that hold all of what is left but one hundredth and rounding; None if they are many.

    Many are more than a quarter of the smaller side: then the rank is no lower than that of any trained change.
    Rounding counts twice, once for the mixture and once for the sum. Exact singular values, from the smaller side's
    Gram matrix.
    """
    matrix = found.left if found.left.shape[0] <= found.left.shape[1] else found.left.T
    most = int(LOW_RANK * len(matrix))
    allowed = 2 * found.noise + (1 - LOW_RANK_ENERGY) * found.beyond
    some = matrix[: len(matrix) // 2]  # what no few directions hold of some rows, they do not hold of all
    part = some @ some.T
    if most < len(part) and float(np.trace(part)) - _most_of(part, most) > allowed + CLEARLY * found.energy:
        return None  # most matrices, for a quarter of the time
    gram = matrix @ matrix.T
    if found.energy - _most_of(gram, most) > allowed + CLEARLY * found.energy:
        return None  # most matrices, for a hundredth of the time
    squares = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0)
    after = found.energy - np.cumsum(squares[:most])
    enough = np.flatnonzero(after <= allowed)
    return int(enough[0]) + 1 if enough.size else None


def _most_of(gram: Float64, count: int) -> float:
    """A bound on the sum of the `count` largest eigenvalues, from the sums of all of them and of their squares.

    The eigenvalues among them vary about their own mean and so do the rest, which only adds to the sum of squares.
    """
    n, total, squares = len(gram), float(np.trace(gram)), float(np.square(gram).sum())
    return total * count / n + float(np.sqrt(count * (n - count) / n * max(squares - total**2 / n, 0.0)))
