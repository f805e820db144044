"""Which row of which model's embeddings each token of a merge's vocabulary gets, by mergekit's rule. Pure numbers.

A model that has a token keeps its own row of it. One that lacks it takes that of the only model that has it, or of the
base where that has it, else the mean of those that do; a token that none has is zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
MEAN, ZEROS = -1, -2


def own_rows(vocabulary: Mapping[str, int], theirs: Mapping[str, int], rows: int) -> Int64:
    """For each row of the vocabulary, the row of the same token in a model that has so many rows; -1 for none."""
    found = np.full(len(vocabulary), -1, np.int64)
    for token, row in vocabulary.items():
        own = theirs.get(token, -1)
        found[row] = own if own < rows else -1
    return found


def donors(own: Int64, base: int | None) -> Int64:
    """For each row, the model whose row a model takes that lacks it, or `MEAN`, or `ZEROS`.

    `own` is [models, rows] as `own_rows` gives them, `base` the number of the base among the models.
    """
    held = own >= 0
    count = held.sum(0)
    found = np.where(count == 0, ZEROS, MEAN)
    if base is not None:
        found[held[base]] = base
    return np.where(count == 1, held.argmax(0), found).astype(np.int64)


def sources(own: Int64, base: int | None) -> Sequence[Int64]:
    """For each model and row, the model that it comes from, or `MEAN`, or `ZEROS`."""
    others = donors(own, base)
    return [np.where(rows >= 0, number, others).astype(np.int64) for number, rows in enumerate(own)]
