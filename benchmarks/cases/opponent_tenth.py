"""What a tenth opposing expert tried: other conventions for the same function, and directions made weaker or stronger.

Gains that are stored less one (Gemma's way), gates and ups under each other's names, spectra that were edited.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.cases import coordinates
from benchmarks.cases.coordinates import Arrays, Step
from benchmarks.cases.decoders import Decoder, decoder_family, normal, styled
from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import training
from benchmarks.cases.structure import arrays_of, stored
from modelprov.checkpoints.formats.dtypes import DType, Float64, store
from modelprov.demo.writing import Float32, Weights
from tests.generated import Rng, apply

CLEARED = frozenset({"unrelated", "same-origin", "merge", "on-line"})
FOUND = ("copy", "other-coordinates", "inconclusive")
ORDERS: tuple[Step, ...] = (
    coordinates.permute_heads, coordinates.permute_units, coordinates.permute_residual_with_signs,
)  # fmt: skip
EVERYTHING: tuple[Step, ...] = (
    coordinates.rotate_residual, coordinates.scale_anyhow, coordinates.permute_heads, coordinates.permute_units,
)  # fmt: skip
DISGUISES: tuple[tuple[Step, ...], ...] = (
    ORDERS, (coordinates.rotate_residual,), (coordinates.rotate_residual, coordinates.scale_anyhow), EVERYTHING,
)  # fmt: skip
UNDER = {
    "gate_proj": "up_proj", "up_proj": "gate_proj", "q_proj": "k_proj", "k_proj": "v_proj", "v_proj": "o_proj",
    "o_proj": "q_proj",
}  # fmt: skip
WRITES = ("o_proj.weight", "down_proj.weight")


def _disguised(rng: Rng, parent: Weights, shape: Decoder) -> Arrays:
    arrays = arrays_of(parent)
    for step in DISGUISES[int(rng.integers(len(DISGUISES)))]:
        arrays = step(arrays, shape, rng)
    return arrays


def _beside(rng: Rng, suspect: Weights, parent: Weights, base: Weights, about: str = "") -> Case:
    """With the parent alone, or with its base too."""
    return Case((suspect, parent, base)[: 2 if rng.random() < 0.7 else 3], about)


def _less_one(arrays: Arrays) -> Arrays:
    return {name: values - 1 if values.ndim == 1 else values for name, values in arrays.items()}


@kind(40, "positive", *FOUND, never=CLEARED)
def copy_with_gains_less_one(rng: Rng) -> Case:
    """In other coordinates, for a program that multiplies by 1 + gain: what a rotation leaves of gains is 0."""
    shape = Decoder.draw(rng)
    parent, base = decoder_family(rng, shape, 1)
    return _beside(rng, stored(_less_one(_disguised(rng, parent, shape)), parent), parent, base)


@kind(40, "negative", "unrelated", "inconclusive", never=ACCUSATIONS | {"same-origin", "on-line"})
def strangers_with_gains_less_one(rng: Rng) -> Case:
    """Trained apart, for programs that multiply by 1 + gain, or the one for such a program and the other not."""
    shape, dtype = Decoder.draw(rng), DType.BF16
    models = []
    for _ in range(2):
        drawn = styled(shape, dtype, rng, normal)
        arrays = arrays_of(apply(drawn, training(drawn, rng, 1e-2)))
        models.append(stored(_less_one(arrays) if rng.random() < 0.7 else arrays, drawn))
    return Case(tuple(models))


@kind(40, "positive", *FOUND, never=CLEARED)
def copy_with_names_exchanged(rng: Rng) -> Case:
    """Gates and ups under each other's names, for a program that reads them so; projections of attention too or not."""
    shape = Decoder(layers=int(rng.integers(2, 4)), heads=8, groups=8)
    parent, base = decoder_family(rng, shape, 1)
    arrays = _disguised(rng, parent, shape) if rng.random() < 0.8 else arrays_of(parent)
    attention = rng.random() < 0.5

    def other(name: str) -> str:
        parts = name.split(".")
        if len(parts) > 5 and (attention or "mlp" in name):
            parts[-2] = UNDER.get(parts[-2], parts[-2])
        return ".".join(parts)

    suspect = stored({other(name): values for name, values in arrays.items()}, parent)
    return _beside(rng, suspect, parent, base, "attention too" if attention else "")


@kind(40, "positive", "copy", never=CLEARED | {"other-coordinates"})
def copy_with_a_few_exchanged(rng: Rng) -> Case:
    """Two or three units of each MLP in each other's places, or dimensions of the residual stream: no bit is lost."""
    shape = Decoder.draw(rng)
    parent, base = decoder_family(rng, shape, 1)
    arrays, few, units = arrays_of(parent), int(rng.integers(2, 4)), rng.random() < 0.6

    def exchanged(size: int) -> list[int]:
        order, chosen = np.arange(size), rng.choice(size, few, replace=False)
        order[chosen] = np.roll(chosen, 1)
        return order.tolist()

    if not units:
        arrays = coordinates.turned(arrays, np.eye(shape.hidden)[:, exchanged(shape.hidden)])
    for layer in range(shape.layers if units else 0):
        (place,), order = shape.places(layer), exchanged(shape.width)
        arrays |= {
            f"{place}.{part}_proj.weight": arrays[f"{place}.{part}_proj.weight"][order] for part in ("gate", "up")
        }
        arrays[f"{place}.down_proj.weight"] = arrays[f"{place}.down_proj.weight"][:, order]
    return _beside(rng, stored(arrays, parent), parent, base, f"{few} {'units' if units else 'dimensions'}")


@kind(40, "positive", "inconclusive", never=CLEARED)
def copy_with_directions_stretched(rng: Rng) -> Case:
    """Singular values made smaller or larger, the last or the first ones or all; or a direction weakened in writes."""
    parent, base = decoder_family(rng, Decoder.draw(rng), 1)
    way, factor = int(rng.integers(4)), float(rng.choice([0.3, 0.7, 0.9, 1.1, 1.3]))
    direction = rng.standard_normal(parent["model.embed_tokens.weight"][0].shape[1])
    direction /= np.linalg.norm(direction)

    def written(name: str, values: Float32) -> Float64:
        if not name.endswith(WRITES):
            return values.astype(np.float64)
        return np.asarray(values - (1 - factor) * np.outer(direction, direction @ values))

    def stretched(sizes: Float64) -> Float64:
        place = np.arange(sizes.size) / sizes.size
        if way == 1:
            return np.where(place > 0.8, factor * sizes, sizes)
        if way == 2:
            return np.where(place < 0.1, factor * sizes, sizes)
        return np.asarray(sizes[0] * (sizes / sizes[0]) ** (1 + (factor - 1) / 5))

    made = _made(parent, written if way == 0 else lambda _, values: _spectrum(values, stretched))
    return _beside(rng, made, parent, base, f"{way}, {factor}")


def _spectrum(values: Float32, stretched: Callable[[Float64], Float64]) -> Float64:
    left, sizes, right = np.linalg.svd(values.astype(np.float64), full_matrices=False)
    return np.asarray((left * stretched(sizes)) @ right)


def _made(of: Weights, how: Callable[[str, Float32], Float64]) -> Weights:
    """The model with each matrix of its layers made into another one."""
    return {
        name: (store(how(name, values).astype(np.float32), dtype), dtype)
        if values.ndim == 2 and "layers" in name
        else (values, dtype)
        for name, (values, dtype) in of.items()
    }
