"""Another structure with the same content: layers, width, units, heads, experts and rows cut, copied and reordered.

Every function takes a decoder's arrays by name and returns those of the derived model, in float64; none of them trains.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.cases.coordinates import EMBEDDINGS, HEAD, WRITES, Arrays
from benchmarks.cases.decoders import Decoder
from modelprov.checkpoints.formats.dtypes import store
from modelprov.demo.writing import Weights
from tests.generated import Rng


def arrays_of(model: Weights) -> Arrays:
    """The model's numbers."""
    return {name: values.astype(np.float64) for name, (values, _) in model.items()}


def stored(arrays: Arrays, like: Weights) -> Weights:
    """Rounded once to the format of another model."""
    own = next(iter(like.values()))[1]
    return {name: (store(values.astype(np.float32), own), own) for name, values in arrays.items()}


def layers_taken(arrays: Arrays, order: Sequence[int], others: Arrays | None = None) -> Arrays:
    """Layer i of the result is layer `order[i]`; a negative number -1 - j is layer j of the `others`."""
    made = {name: values for name, values in arrays.items() if not name.startswith("model.layers.")}
    for place, taken in enumerate(order):
        source, number = (arrays, taken) if taken >= 0 else (others or {}, -1 - taken)
        for name, values in source.items():
            if name.startswith(f"model.layers.{number}."):
                made[name.replace(f".{number}.", f".{place}.", 1)] = values
    return made


def narrowed(arrays: Arrays, shape: Decoder, rng: Rng, hidden: int, width: int) -> Arrays:
    """Only some dimensions of the residual stream and some units of each MLP or expert."""
    dimensions = np.sort(rng.choice(shape.hidden, hidden, replace=False))
    made = {}
    for name, values in arrays.items():
        if values.ndim == 1 or name.endswith(WRITES):
            made[name] = values[dimensions]
        else:
            made[name] = values[:, dimensions]
    for layer in range(shape.layers):
        for place in shape.places(layer):
            units = np.sort(rng.choice(shape.width, width, replace=False))
            for part in ("gate", "up"):
                made[f"{place}.{part}_proj.weight"] = made[f"{place}.{part}_proj.weight"][units]
            made[f"{place}.down_proj.weight"] = made[f"{place}.down_proj.weight"][:, units]
    return made


def fewer_experts(arrays: Arrays, shape: Decoder, kept: Sequence[int]) -> Arrays:
    """Only these experts, numbered anew, and their rows of the router."""
    made = {name: values for name, values in arrays.items() if ".experts." not in name}
    for layer in range(shape.layers):
        mlp = f"model.layers.{layer}.mlp."
        made[f"{mlp}gate.weight"] = arrays[f"{mlp}gate.weight"][list(kept)]
        for number, source in enumerate(kept):
            for part in ("gate", "up", "down"):
                made[f"{mlp}experts.{number}.{part}_proj.weight"] = arrays[f"{mlp}experts.{source}.{part}_proj.weight"]
    return made


def upcycled(arrays: Arrays, shape: Decoder, rng: Rng, experts: int, noise: float) -> Arrays:
    """Every MLP copied to so many experts, each changed by `noise` of its size, with a router from nothing."""
    made = {name: values for name, values in arrays.items() if ".mlp." not in name}
    for layer in range(shape.layers):
        mlp = f"model.layers.{layer}.mlp."
        made[f"{mlp}gate.weight"] = 0.02 * rng.standard_normal((experts, shape.hidden))
        for number in range(experts):
            for part in ("gate", "up", "down"):
                values = arrays[f"{mlp}{part}_proj.weight"]
                change = noise * values.std() * rng.standard_normal(values.shape)
                made[f"{mlp}experts.{number}.{part}_proj.weight"] = values + change
    return made


def noisy(arrays: Arrays, rng: Rng, share: float) -> Arrays:
    """Every matrix with noise of `share` of its own size added."""
    return {
        name: values if values.ndim == 1 else values + share * values.std() * rng.standard_normal(values.shape)
        for name, values in arrays.items()
    }


def vocabulary_reordered(arrays: Arrays, order: Sequence[int]) -> Arrays:
    """Row i of embeddings and head is row `order[i]`; more rows or fewer than there were."""
    return {name: values[list(order)] if name in (EMBEDDINGS, HEAD) else values for name, values in arrays.items()}


def grafted(arrays: Arrays, donor: Arrays) -> Arrays:
    """Embeddings and head of another model: a perfect frame, and nothing else in common."""
    return arrays | {name: donor[name] for name in (EMBEDDINGS, HEAD) if name in donor}
