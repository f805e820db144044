"""One family of finetunes whose changes are large enough to bend, and merges of it by any method. In memory, seeded."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.demo.writing import Weights
from modelprov.forensics.search.methods.find import FoundMethod, find
from modelprov.forensics.search.methods.random_masks import Thinned, thinned
from modelprov.forensics.search.methods.whole import Wholes
from modelprov.recipes.gradients import resolve
from modelprov.recipes.methods import METHODS, Inputs
from modelprov.recipes.methods.interface import THREADS
from tests.generated import Size, apply, change, layer_of, model
from tests.memory import checkpoint

LAYERS = 4


@functools.cache
def family(
    dtype: DType = DType.BF16, children: int = 2, distance: float = 2e-3, seed: int = 1, hidden: int = 32
) -> tuple[Weights, ...]:
    """Finetunes of one base, and the base."""
    rng = np.random.default_rng(seed)
    base = model(rng, Size(LAYERS, hidden, 64, 160), dtype)
    return (*(apply(base, change(base, rng, distance)) for _ in range(children)), base)


def merged(
    method: str, models: list[Weights], base: Weights | None = None, *,
    each: dict[str, list[Any]] | None = None, options: dict[str, Any] | None = None,
    arithmetic: str = "mergekit-0.1.5", dtype: DType | None = None, seed: int = 0, threads: int = THREADS,
) -> Weights:  # fmt: skip
    """What the method makes of these models; `each` lists a value (or gradient) for each, `options` may be so too."""
    known, rng = METHODS[method], np.random.default_rng(seed)
    made: Weights = {}
    for name, (values, stored) in models[0].items():
        layer = layer_of(name)
        position = layer / (LAYERS - 1) if layer is not None else 0.0
        given = {key: resolve(name, value, position) for key, value in (options or {}).items()}
        out = known.merge(
            Inputs(
                tensors=[one[name][0].ravel() for one in models],
                base=None if base is None else base[name][0].ravel(),
                shape=values.shape,
                models=[
                    {p.name: resolve(name, (each or {}).get(p.name, [p.default] * len(models))[at], position)
                     for p in known.parameters if p.per_model}
                    for at in range(len(models))
                ],
                options={p.name: given.get(p.name, p.default) for p in known.parameters if not p.per_model},
                arithmetic=arithmetic,
                dtype=dtype or stored,
                out_dtype=stored,
                rng=np.random.default_rng(rng.integers(1 << 32)),
                threads=threads,
            )
        )  # fmt: skip
        made[name] = np.asarray(out, np.float32).reshape(values.shape), stored
    return made


def search(suspect: Weights, *parents: Weights) -> FoundMethod | None:
    """What the search alone finds."""
    labels = ("S", *(f"P{number}" for number in range(1, len(parents) + 1)))
    opened = [checkpoint(label, weights) for label, weights in zip(labels, (suspect, *parents), strict=True)]
    return find(Wholes(align(opened), 0, 512 << 20))


def thinned_by(*models: Weights) -> Thinned | None:
    """What the search for random masks alone finds, the base last."""
    opened = [checkpoint(f"model {number}", one) for number, one in enumerate(models)]
    wholes = Wholes(align(opened), 0, 512 << 20)
    loaded = [whole for row in wholes.decisive if (whole := wholes.load(row)) is not None]
    return thinned(lambda: iter(loaded), loaded[0])


def negatives(seed: int = 3) -> list[tuple[str, Callable[[], Weights]]]:
    """Suspects of the same family that no merge method made."""
    first, second, base = family()
    rng = np.random.default_rng(seed)

    def picked() -> Weights:
        return {
            name: (np.where(rng.random(values.shape) < 0.5, values, second[name][0]), dtype)
            for name, (values, dtype) in first.items()
        }

    def rounded() -> Weights:
        made: Weights = {}
        for name, (values, dtype) in first.items():
            step = np.float32(np.abs(values).max() / 127)
            made[name] = (np.round(values / step) * step).astype(np.float32), dtype
        return apply(made, {name: np.zeros_like(values) for name, (values, _) in made.items()})

    return [
        ("a sibling", lambda: apply(base, change(base, rng, 2e-3))),
        ("a child of the first", lambda: apply(first, change(first, rng, 3e-4))),
        ("a noisy copy", lambda: apply(first, change(first, rng, 1e-4, low_rank=0, uneven=0))),
        ("elements picked from both", picked),
        ("an int8 copy", rounded),
    ]
