"""What a second opposing expert tried: copies with something in the way of the numbers, innocents with a common part.

Who is innocent is not accused; what is a copy, or mostly one, is not cleared (docs/adr/0017).
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import family
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from tests.generated import Rng, Size, apply, change, layer_of, model

SIZE = Size(layers=4, hidden=64, width=128, vocabulary=256)
CLEARED = frozenset({"unrelated", "same-origin"})


def _copied(of: Weights) -> Weights:
    return {name: (values.copy(), dtype) for name, (values, dtype) in of.items()}


@kind(20, "positive", "inconclusive", "copy", never=CLEARED | {"merge"})
def copy_with_giants(rng: Rng) -> Case:
    """A row or two of giant numbers in every matrix: the raw correlation is theirs."""
    parent, base = family(rng, 1, 2e-4)
    suspect = _copied(parent)
    for values, dtype in suspect.values():
        if values.ndim == 2:
            rows = rng.choice(len(values), int(rng.integers(1, 3)), replace=False)
            giants = rng.uniform(2, 8) * rng.standard_normal(values[rows].shape)
            values[rows] = store(giants.astype(np.float32), dtype)
    return Case((suspect, parent, base) if rng.random() < 0.5 else (suspect, parent))


@kind(20, "positive", "inconclusive", never=CLEARED | {"merge"})
def copy_one_step_off(rng: Rng) -> Case:
    """Every number of every matrix one bf16 step up or down."""
    parent, base = family(rng, 1, 2e-4, DType.BF16)
    suspect = _copied(parent)
    for values, _ in suspect.values():
        if values.ndim == 2:
            bits = values.view(np.uint32)
            bits += (rng.choice([-1, 1], values.shape) << 16).astype(np.uint32)
    return Case((suspect, parent, base) if rng.random() < 0.5 else (suspect, parent))


@kind(20, "positive", "inconclusive", never=CLEARED)
def copy_beside_decoys(rng: Rng) -> Case:
    """The parent's tensors flat, under names of their own; random ones of one layer under the parent's names."""
    parent = family(rng, 1, 2e-4)[0]
    own = model(rng, SIZE, DType.BF16)
    decoys = {
        name: (np.resize(own["model.embed_tokens.weight"][0], values.shape), dtype)
        for name, (values, dtype) in parent.items()
        if layer_of(name) in (0, None)
    }
    flat = {f"store.{number}": (values.ravel(), dtype) for number, (values, dtype) in enumerate(parent.values())}
    return Case((decoys | flat, parent))


@kind(20, "negative", "inconclusive", "same-origin", "unrelated", never=ACCUSATIONS)
def two_models_on_one_tower(rng: Rng) -> Case:
    """A public part of 30 to 88 % of each, and language models of their own sizes beside it."""
    tower = {f"vision_tower.{name}": tensor for name, tensor in model(rng, SIZE, DType.BF16).items()}
    hidden = int(rng.choice([32, 48, 96]))
    own, other = (
        {f"language_model.{name}": tensor for name, tensor in model(rng, size, DType.BF16).items()}
        for size in (Size(2, hidden, 2 * hidden, 160), Size(2, hidden + 16, 2 * hidden, 160))
    )
    return Case((own | tower, other | tower))


@kind(20, "negative", "inconclusive", "same-origin", never=ACCUSATIONS)
def parts_with_rows_carried_on(rng: Rng) -> Case:
    """S trained two layers and a few rows; P is S with the other layers trained and those rows carried on beyond S."""
    base = model(rng, SIZE, DType.BF16)
    suspect = apply(base, change(base, rng, 5e-4, only=lambda name: layer_of(name) in (0, 1)))
    rows, name = rng.choice(256, int(rng.integers(2, 12)), replace=False), "model.embed_tokens.weight"
    trained = base[name][0][rows] + 5e-4 * rng.standard_normal((len(rows), 64))
    suspect[name][0][rows] = store(trained.astype(np.float32), DType.BF16)
    dtype = DType.F32 if rng.random() < 0.5 else DType.BF16
    planted = apply(suspect, change(suspect, rng, 5e-4, only=lambda name: layer_of(name) in (2, 3)), dtype)
    weight = float(rng.choice([1.5, 2.0, 3.0]))
    beyond = weight * suspect[name][0][rows] - (weight - 1) * base[name][0][rows]
    planted[name][0][rows] = store(beyond.astype(np.float32), dtype)
    return Case((suspect, planted, base), f"{dtype}, {weight}")
