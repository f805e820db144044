"""NearSwap and Arcee Fusion: one model's elements taken into another. Proposes merges; judges none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from modelprov.forensics.search.methods.remake import ALL, VARIANTS, Made
from modelprov.forensics.search.methods.whole import Whole

TRIED = 0.3  # of the estimate, around which distances are tried


def nearswap(looks: Sequence[Whole]) -> Iterator[Made]:
    """NearSwap of any two parents: beyond the distance t every element moves by t."""
    look = looks[0]
    for base, other in permutations(range(len(look.parents)), 2):
        value, (delta,) = look.vectors(base, (other,))
        moved = value * np.sign(delta)
        far = np.abs(delta) > 2 * np.quantile(np.abs(moved), 0.5)
        if (moved < -4 * look.half).mean() > 0.01 or (moved > np.abs(delta) + 4 * look.half).mean() > 0.01:
            continue
        if far.sum() < 50:
            continue
        estimate = float(np.median(moved[far]))
        for t in _typed(estimate):
            for arithmetic, dtype in VARIANTS:
                yield Made("nearswap", (other,), base, options={"t": t}, arithmetic=arithmetic, dtype=dtype)


def _typed(estimate: float) -> list[float]:
    """Numbers of one and of two digits near an estimate, nearest first."""
    if estimate <= 0:
        return []
    power = 10.0 ** np.floor(np.log10(estimate))
    found = [
        float(f"{digits * power * scale:.2g}")
        for scale, numbers in ((1.0, range(1, 11)), (0.1, range(10, 100)))
        for digits in numbers
        if abs(digits * power * scale / estimate - 1) <= TRIED
    ]
    return sorted(dict.fromkeys(found), key=lambda number: abs(number / estimate - 1))


def arcee_fusion(looks: Sequence[Whole]) -> Iterator[Made]:
    """Arcee Fusion of any two parents: nothing to estimate."""
    look = looks[0]
    for base, other in permutations(range(len(look.parents)), 2):
        one, two = (look.parents[parent] == look.suspect for parent in (base, other))
        if (one | two).mean() < 0.5:
            continue
        for arithmetic, dtype in ALL:
            yield Made("arcee_fusion", (other,), base, arithmetic=arithmetic, dtype=dtype)
