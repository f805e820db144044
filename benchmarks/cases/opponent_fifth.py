"""What a fifth opposing expert tried: parts of a parent at other places in a stranger, and factors near 1 in a copy."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.coordinates import (
    Step,
    permute_heads,
    permute_units,
    rotate_residual,
    scale_a_little,
    scale_anyhow,
    turn_a_little,
)
from benchmarks.cases.decoders import Decoder, decoder_family
from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import log_uniform
from benchmarks.cases.structure import arrays_of, layers_taken, stored
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import Rng, apply, change

FALSE = ACCUSATIONS | {"unrelated"}
PARTS = {"MLPs": ("mlp", "post_attention"), "gates": ("gate_proj",), "queries": ("q_proj",), "downs": ("down_proj",)}


def _moved(rng: Rng, shape: Decoder, part: str, steps: tuple[Step, ...] = ()) -> Case:
    """A stranger with the parent's `part`, no layer of it where it was, perhaps trained on since."""
    parent, base = decoder_family(rng, shape, 1, DType.BF16)
    other = decoder_family(rng, shape, 1, DType.BF16)[0]
    of = apply(parent, change(parent, rng, 5e-4)) if rng.random() < 0.5 else parent
    shift = int(rng.integers(1, shape.layers))
    arrays = layers_taken(arrays_of(of), np.roll(np.arange(shape.layers), shift).tolist())
    for step in steps:
        arrays = step(arrays, shape, rng)
    made: Weights = {
        name: held for name, held in stored(arrays, of).items() if any(word in name for word in PARTS[part])
    }
    return Case((other | made, parent, base), f"{part}, layers by {shift}")


@kind(40, "positive", "inconclusive", never=FALSE)
def part_of_a_parent_under_other_layers(rng: Rng) -> Case:
    """MLPs, or matrices of one kind, bit by bit or trained on since, each in another layer."""
    return _moved(rng, Decoder.draw(rng, experts=bool(rng.random() < 0.3)), str(rng.choice([*PARTS])))


@kind(40, "positive", "inconclusive", "other-coordinates", never=FALSE)
def mlps_of_a_parent_under_other_layers_in_disguise(rng: Rng) -> Case:
    """The MLPs of a decoder, dense or of experts, in other layers, in another order or basis and with other factors."""
    steps: tuple[Step, ...] = (permute_units, scale_anyhow, permute_heads, rotate_residual)
    chosen = steps if rng.random() < 0.5 else steps[:1]
    return _moved(rng, Decoder.draw(rng, experts=bool(rng.random() < 0.3)), "MLPs", chosen)


@kind(40, "positive", "inconclusive", "other-coordinates", never=FALSE | {"same-origin"})
def copy_with_factors_moved_a_little(rng: Rng) -> Case:
    """Factors of 0.5 to 5 % moved between what undoes each other: the same function, and near its parent everywhere."""
    shape = Decoder.draw(rng, experts=bool(rng.random() < 0.3))
    parent, base = decoder_family(rng, shape, 1)
    size = log_uniform(rng, 0.005, 0.05)
    suspect = stored(scale_a_little(arrays_of(parent), shape, rng, size), parent)
    return Case((suspect, parent, base)[: 3 if rng.random() < 0.5 else 2], f"{size:.3f}")


@kind(40, "positive", "inconclusive", never=FALSE | {"same-origin"})
def copy_with_rows_rescaled(rng: Rng) -> Case:
    """Each row of every matrix times a factor of its own, 1 to 10 % off, which nothing undoes."""
    parent, base = decoder_family(rng, Decoder.draw(rng), 1)
    size = log_uniform(rng, 0.01, 0.1)
    arrays = {
        name: values * np.exp(size * rng.standard_normal((len(values), 1))) if values.ndim > 1 else values
        for name, values in arrays_of(parent).items()
    }
    return Case((stored(arrays, parent), parent, base)[: 3 if rng.random() < 0.5 else 2], f"{size:.3f}")


@kind(40, "negative", "same-origin", "inconclusive", "on-line", never=ACCUSATIONS, unsaid=(r"times a factor",))
def relative_trained_by_little(rng: Rng) -> Case:
    """A finetune whose weights moved by 0.1 to 10 bf16 steps beside its parent: no factors explain it."""
    _, base = decoder_family(rng, Decoder.draw(rng), 1)
    size = log_uniform(rng, 1e-6, 1e-4)
    parent = apply(base, change(base, rng, 3e-4))
    return Case(
        (apply(parent, change(parent, rng, size, 0.5, 0.0)), parent, base)[: 3 if rng.random() < 0.5 else 2],
        f"{size:.2g}",
    )


@kind(40, "positive", "inconclusive", "other-coordinates", never=FALSE | {"same-origin"})
def copy_turned_a_little(rng: Rng) -> Case:
    """The residual stream rotated by so little that every weight stays near its parent's: the same function."""
    shape = Decoder.draw(rng, experts=bool(rng.random() < 0.3))
    parent, _ = decoder_family(rng, shape, 1, DType.BF16)
    size = log_uniform(rng, 0.002, 0.04)
    return Case((stored(turn_a_little(arrays_of(parent), shape, rng, size), parent), parent), f"{size:.3f}")
