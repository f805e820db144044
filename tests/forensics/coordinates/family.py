"""A small family and its disguises, for the tests beside: made once, from one seed. Judges nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from benchmarks.cases import coordinates, structure
from benchmarks.cases.coordinates import Arrays
from benchmarks.cases.decoders import Decoder as Shape
from benchmarks.cases.decoders import decoder_family, even, heavy_tailed, normal, power_law, styled
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.decoder import Decoder, decoder_of
from modelprov.demo.writing import Weights
from modelprov.forensics.search.coordinates.kinship import Kinship, kinship
from tests.generated import Rng
from tests.memory import checkpoint

SHAPE = Shape(layers=4, hidden=64, width=128, vocabulary=256, heads=8, groups=4)
MIXTURE = replace(SHAPE, width=64, experts=8)
DEEP = replace(SHAPE, layers=6)
Made = Callable[[Arrays, Rng], Arrays]


@dataclass(frozen=True)
class Family:
    """Two finetunes and their base, and a stranger of the same shape."""

    first: Weights
    second: Weights
    base: Weights
    stranger: Weights


@cache
def family(experts: bool = False, seed: int = 1) -> Family:
    rng = np.random.default_rng(seed)
    shape = MIXTURE if experts else SHAPE
    first, second, base = decoder_family(rng, shape, 2, dtype=DType.BF16)
    return Family(first, second, base, decoder_family(rng, shape, 1, dtype=DType.BF16)[0])


def decoder(label: str, weights: Weights) -> Decoder:
    found = decoder_of(checkpoint(label, weights))
    assert found is not None
    return found


def kin_of(suspect: Weights, parent: Weights) -> Kinship:
    found = kinship(decoder("S", suspect), decoder("P", parent), seed=0)
    assert found is not None
    return found


def _steps(*steps: coordinates.Step, shape: Shape = SHAPE) -> Made:
    def made(arrays: Arrays, rng: Rng) -> Arrays:
        for step in steps:
            arrays = step(arrays, shape, rng)
        return arrays

    return made


_ORDERS = (
    coordinates.scale_by_powers_of_two,
    coordinates.permute_heads,
    coordinates.permute_units,
    coordinates.permute_residual_with_signs,
)
_STACKED = (0, 1, 2, 1, 2, 3)

KEEPING_BITS: dict[str, Made] = {
    "nothing": lambda arrays, _: arrays,
    "residual permuted": _steps(coordinates.permute_residual),
    "residual permuted with signs": _steps(coordinates.permute_residual_with_signs),
    "units permuted": _steps(coordinates.permute_units),
    "heads permuted": _steps(coordinates.permute_heads),
    "powers of two": _steps(coordinates.scale_by_powers_of_two),
    "all orders": _steps(*_ORDERS),
}
ROUNDED: dict[str, Made] = {
    "residual rotated": _steps(coordinates.rotate_residual),
    "scaled anyhow": _steps(coordinates.scale_anyhow),
    "everything": _steps(
        coordinates.scale_anyhow, coordinates.permute_heads, coordinates.permute_units, coordinates.rotate_residual
    ),
    "half noise": lambda arrays, rng: structure.noisy(arrays, rng, 0.5),
    "twice its size in noise": lambda arrays, rng: structure.noisy(arrays, rng, 2.0),
    "noise, then permuted": lambda arrays, rng: _steps(*_ORDERS)(structure.noisy(arrays, rng, 1.0), rng),
    "noise, then rotated": lambda arrays, rng: coordinates.rotate_residual(
        structure.noisy(arrays, rng, 1.0), SHAPE, rng
    ),
}
STRUCTURE: dict[str, Made] = {
    "width pruned": lambda arrays, rng: structure.narrowed(arrays, SHAPE, rng, 48, 96),
    "layers pruned": lambda arrays, _: structure.layers_taken(arrays, (0, 2, 3)),
    "layers reordered": lambda arrays, _: structure.layers_taken(arrays, (0, 2, 1, 3)),
    "depth upscaled": lambda arrays, _: structure.layers_taken(arrays, _STACKED),
    "upscaled and permuted": lambda arrays, rng: _steps(*_ORDERS, shape=DEEP)(
        structure.layers_taken(arrays, _STACKED), rng
    ),
    "vocabulary extended": lambda arrays, _: structure.vocabulary_reordered(arrays, [*range(256), *[0] * 64]),
    "vocabulary cut": lambda arrays, _: structure.vocabulary_reordered(arrays, range(200)),
    "upcycled": lambda arrays, rng: structure.upcycled(arrays, SHAPE, rng, 4, 0.02),
}
OF_EXPERTS: dict[str, Made] = {
    "experts reordered": _steps(coordinates.reorder_experts, shape=MIXTURE),
    "experts removed": lambda arrays, _: structure.fewer_experts(arrays, MIXTURE, (5, 1, 7)),
    "all orders": _steps(*_ORDERS, coordinates.reorder_experts, shape=MIXTURE),
    "rotated": _steps(coordinates.reorder_experts, coordinates.rotate_residual, shape=MIXTURE),
}


def made(name: str, how: dict[str, Made], of: Weights, seed: int = 7) -> Weights:
    """A model in the disguise of this name."""
    rng = np.random.default_rng(seed)
    return structure.stored(how[name](structure.arrays_of(of), rng), of)


STYLES = (normal, even, heavy_tailed, power_law)


def strangers(seed: int) -> list[Weights]:
    """Models of one shape that share nothing, in several styles of initialising."""
    rng = np.random.default_rng(seed)
    return [styled(SHAPE, DType.BF16, rng, style) for style in STYLES]
