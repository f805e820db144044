"""What a fifth opposing expert tried: parts of a parent, moved to other places in a stranger."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.coordinates import (
    Step,
    permute_heads,
    permute_units,
    rotate_residual,
    scale_anyhow,
)
from benchmarks.cases.decoders import Decoder, decoder_family
from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
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
