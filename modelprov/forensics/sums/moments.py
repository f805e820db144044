"""Counts and sums that add up: all that a pass over the weights leaves behind. Pure arrays; reads nothing.

For n checkpoints X_0 (the suspect) ... X_{n-1} (the reference) the columns are

* counts: `elements` (finite in every checkpoint), `nonfinite`, `blocks` (runs of 4,096 elements), `all_equal`,
  `parents_agree` (all but the suspect hold the same bits), `between` (the suspect is not outside the parents' range),
  one column for each pair of checkpoints that hold the same bits, and 8 columns for candidate recipes;
* sums: the Gram matrix of z = (X_0 - R, ..., X_{n-2} - R, R, 1) with R the reference, upper triangle by rows without
  the last entry (that is `elements`), then for each parent i that is not the reference the sums over blocks b of
  a_b**2, a_b*c_b, c_b**2 with a_b = <u_i, u_i>_b and c_b = <u_i, v>_b: a block jackknife that adds up.

Raw products are rebuilt from these without cancellation (the other way round would cancel).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

BLOCK = 4096
RECIPES = 8
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

ELEMENTS, NONFINITE, BLOCKS, ALL_EQUAL, PARENTS_AGREE, BETWEEN = range(6)
FIRST_PAIR = 6


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column is what, for `n` checkpoints."""

    n: int

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs (i, j), i < j, in column order."""
        return tuple((i, j) for i in range(self.n) for j in range(i + 1, self.n))

    @property
    def counts(self) -> int:
        """Number of count columns."""
        return FIRST_PAIR + self.n * (self.n - 1) // 2 + RECIPES

    @property
    def recipe(self) -> int:
        """First of the recipe columns."""
        return FIRST_PAIR + self.n * (self.n - 1) // 2

    @property
    def gram(self) -> int:
        """Number of Gram columns: the upper triangle of an (n + 1) x (n + 1) matrix less its last entry."""
        return (self.n + 1) * (self.n + 2) // 2 - 1

    @property
    def sums(self) -> int:
        """Number of sum columns."""
        return self.gram + 3 * (self.n - 2)


@lru_cache
def layout(n: int) -> Layout:
    """The layout for `n` checkpoints, n >= 2."""
    return Layout(n)


@dataclass(frozen=True, slots=True)
class Moments:
    """Counts int64 [..., C] and sums float64 [..., F] of one or many pieces of the weights.

    `a + b` is the moments of both together, `Moments.empty(n)` the identity, and any grouping gives the same answer.
    Leading axes hold many pieces at once (a row a tensor).
    """

    n: int
    counts: Int64
    sums: Float64

    @staticmethod
    def empty(n: int, *shape: int) -> Moments:
        """Moments of nothing, for `n` checkpoints and leading axes `shape`."""
        columns = layout(n)
        return Moments(n, np.zeros((*shape, columns.counts), np.int64), np.zeros((*shape, columns.sums)))

    def __add__(self, other: Moments) -> Moments:
        if self.n != other.n:
            raise ValueError(f"moments of {self.n} and of {other.n} checkpoints do not add")
        return Moments(self.n, self.counts + other.counts, self.sums + other.sums)

    def __getitem__(self, rows: int | slice | npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Moments:
        """The moments of the rows selected by a numpy index over the first axis."""
        return Moments(self.n, np.asarray(self.counts[rows]), np.asarray(self.sums[rows]))

    def total(self) -> Moments:
        """All rows added up."""
        return Moments(
            self.n,
            self.counts.reshape(-1, self.counts.shape[-1]).sum(axis=0),
            self.sums.reshape(-1, self.sums.shape[-1]).sum(axis=0),
        )

    @property
    def elements(self) -> int:
        """Finite elements."""
        return int(self.counts[ELEMENTS])

    def count(self, column: int) -> int:
        """One count of a single piece."""
        return int(self.counts[column])

    def equal(self, i: int, j: int) -> int:
        """Elements where checkpoints i and j hold the same bits."""
        i, j = min(i, j), max(i, j)
        return int(self.counts[FIRST_PAIR + layout(self.n).pairs.index((i, j))])

    def recipe(self, slot: int) -> int:
        """Elements that candidate recipe number `slot` reproduces bit for bit."""
        return int(self.counts[layout(self.n).recipe + slot])

    def gram(self) -> Float64:
        """Symmetric (n + 1) x (n + 1) Gram of (deltas..., reference, ones) of a single piece."""
        size = self.n + 1
        full = np.zeros((size, size))
        rows, columns = np.triu_indices(size)
        full[rows, columns] = np.append(self.sums[: layout(self.n).gram], self.counts[ELEMENTS])
        return full + np.triu(full, 1).T

    def jackknife(self, parent: int) -> tuple[float, float, float]:
        """Sums over blocks of a**2, a*c, c**2 for parent number `parent`, 1 <= parent <= n - 2."""
        start = layout(self.n).gram + 3 * (parent - 1)
        a, b, c = self.sums[start : start + 3]
        return float(a), float(b), float(c)

    def squared_distance(self, i: int, j: int) -> float:
        """Sum of (X_i - X_j)**2 of a single piece."""
        gram = self.gram()
        last = self.n - 1
        if i == j:
            return 0.0
        if last in (i, j):
            other = i if j == last else j
            return float(gram[other, other])
        return float(max(gram[i, i] - 2 * gram[i, j] + gram[j, j], 0.0))

    def correlation(self, i: int, j: int) -> float | None:
        """Mean-centred correlation of the raw weights of checkpoints i and j; None without variance."""
        count = self.elements
        if count < 2:
            return None
        gram, size, last = self.gram(), self.n + 1, self.n - 1
        select = np.zeros((2, size))
        for row, which in enumerate((i, j)):
            select[row, last] = 1.0
            if which != last:
                select[row, which] = 1.0
        centred = gram - np.outer(gram[:, size - 1], gram[size - 1]) / count
        product = select @ centred @ select.T
        scale = product[0, 0] * product[1, 1]
        if not scale > 0:
            return None
        return float(np.clip(product[0, 1] / np.sqrt(scale), -1.0, 1.0))

    def correlations(self, i: int, j: int) -> tuple[Float64, Float64]:
        """`correlation` of every row at once, and its elements, float64 [rows]; NaN without variance."""
        n, last = self.n, self.n - 1
        elements = self.counts[:, ELEMENTS].astype(np.float64)
        upper = [(a, b) for a in range(n + 1) for b in range(a, n + 1)]

        def column(a: int, b: int) -> Float64:
            return np.asarray(self.sums[:, upper.index((min(a, b), max(a, b)))], np.float64)

        def parts(which: int) -> list[int]:
            return [last] if which == last else [which, last]

        def product(a: int, b: int) -> Float64:
            raw = sum(column(p, q) for p in parts(a) for q in parts(b))
            mean_a, mean_b = sum(column(p, n) for p in parts(a)), sum(column(q, n) for q in parts(b))
            return np.asarray(raw - mean_a * mean_b / elements, np.float64)

        with np.errstate(invalid="ignore", divide="ignore"):
            scale = np.sqrt(product(i, i) * product(j, j))
            return np.clip(np.where(scale > 0, product(i, j) / scale, np.nan), -1, 1), elements
