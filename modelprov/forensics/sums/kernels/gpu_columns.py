"""Which numbers a GPU writes for a run of elements, and which of them are whose. No torch, no Triton."""

from __future__ import annotations

from functools import cache

import numpy as np

from modelprov.forensics.sums.moments import FIRST_PAIR, RECIPES, Int64, layout

CHECKPOINTS = 4
"""More checkpoints than this are the processor's."""

# A row holds the columns of four checkpoints, (suspect, first, second, reference): 14 Gram sums, 6 of the jackknife,
# the counts of `moments.py` (6, 6 pairs, 8 recipes), and whether float32 was not enough. Fewer leave some unwritten.
GRAM, JACKKNIFE, COUNTS, FLAG, COLUMNS = 0, 14, 20, 40, 41


@cache
def columns(n: int) -> tuple[Int64, Int64]:
    """Which columns of a row are the sums and the counts of `layout(n)`."""
    here = [0, *range(1, n - 1), 3]
    fixed = {pair: c for c, pair in enumerate(zip(*np.triu_indices(5), strict=True))}
    z = [*here, 4]
    sums = [fixed[z[i], z[j]] for i in range(n + 1) for j in range(i, n + 1)][:-1]
    sums += range(JACKKNIFE, JACKKNIFE + 3 * (n - 2))
    pairs = layout(4).pairs
    counts = [*range(FIRST_PAIR), *(FIRST_PAIR + pairs.index((here[i], here[j])) for i, j in layout(n).pairs)]
    counts += range(layout(4).recipe, layout(4).recipe + RECIPES)
    return np.array(sums), COUNTS + np.array(counts)
