"""A copy of which one matrix was changed slightly: that all others are the same is said, no mean hides it."""

from __future__ import annotations

import numpy as np

from tests.forensics.methods.making import family
from tests.generated import store
from tests.memory import judge


def test_matrices_that_are_the_same_are_counted_beside_the_mean() -> None:
    parent, other, _ = family(hidden=64)
    name = "model.layers.2.mlp.down_proj.weight"
    values, dtype = parent[name]
    noise = np.random.default_rng(1).normal(0, 0.01, values.shape).astype(np.float32)
    found = judge({**parent, name: (store(values * (1 + noise), dtype), dtype)}, parent, other)
    matrices = sum(values.ndim == 2 for values, _ in parent.values())
    assert found.verdict.rule == "near-copy"
    assert f"{matrices - 1} of its {matrices} matrices are the same bit for bit, and over all" in found.verdict.summary
