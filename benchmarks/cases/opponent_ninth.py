"""What a ninth opposing expert tried: processed copies that looked trained beside their parent alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.cases.decoders import Decoder, decoder_family
from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import log_uniform
from modelprov.checkpoints.formats.dtypes import Float64, store
from modelprov.demo.writing import Float32, Weights
from tests.generated import Rng

CLEARED = frozenset({"unrelated", "same-origin", "merge", "on-line"})
WRITES = ("o_proj.weight", "down_proj.weight")


def _made(of: Weights, how: Callable[[str, Float32], Float32 | Float64], layers: bool = True) -> Weights:
    """The model with each of its matrices, or those of layers alone, made into another one."""
    return {
        name: (store(how(name, values).astype(np.float32), dtype), dtype)
        if values.ndim == 2 and ("layers" in name or not layers)
        else (values, dtype)
        for name, (values, dtype) in of.items()
    }


def _beside(rng: Rng, suspect: Weights, parent: Weights, base: Weights, about: str) -> Case:
    """With the parent alone, or with its base too."""
    return Case((suspect, parent, base)[: 2 if rng.random() < 0.7 else 3], about)


@kind(40, "positive", "inconclusive", never=CLEARED)
def copy_of_a_lower_rank(rng: Rng) -> Case:
    """The nearest matrices of a lower rank, in all layers or in one kind of one layer (LASER)."""
    parent, base = decoder_family(rng, Decoder.draw(rng), 1)
    kept, single = float(rng.uniform(0.3, 0.95)), rng.random() < 0.3

    def lower(name: str, values: Float32) -> Float32 | Float64:
        if single and "layers.1.mlp.up" not in name:
            return values
        left, sizes, right = np.linalg.svd(values.astype(np.float64), full_matrices=False)
        rank = max(1, int(kept * sizes.size))
        return np.asarray((left[:, :rank] * sizes[:rank]) @ right[:rank])

    return _beside(rng, _made(parent, lower), parent, base, f"{kept:.2f}{' of one' if single else ''}")


@kind(40, "positive", "inconclusive", never=CLEARED)
def copy_without_a_direction(rng: Rng) -> Case:
    """A direction taken out of what all layers write (abliteration), and of embeddings or not."""
    parent, base = decoder_family(rng, Decoder.draw(rng), 1)
    direction = rng.standard_normal(parent["model.embed_tokens.weight"][0].shape[1])
    direction /= np.linalg.norm(direction)
    tokens = rng.random() < 0.5

    def without(name: str, values: Float32) -> Float32 | Float64:
        if name.endswith(WRITES):
            return np.asarray(values - np.outer(direction, direction @ values))
        return np.asarray(values - np.outer(values @ direction, direction)) if tokens and "embed" in name else values

    return _beside(rng, _made(parent, without, layers=False), parent, base, "with embeddings" if tokens else "")


@kind(40, "positive", "inconclusive", never=CLEARED)
def copy_with_layers_mixed(rng: Rng) -> Case:
    """Each layer with a share of the next one, or of both beside it."""
    parent, base = decoder_family(rng, Decoder(layers=4), 1)
    share, both = log_uniform(rng, 0.02, 0.3), rng.random() < 0.5

    def mixed(name: str, values: Float32) -> Float32 | Float64:
        before, layer, after = *name.split(".")[:2], name.split(".", 3)[3]
        number = int(name.split(".")[2])
        others = [
            parent[other][0]
            for place in ((number + 1, number - 1) if both else (number + 1,))
            if (other := f"{before}.{layer}.{place}.{after}") in parent
        ]
        return values if not others else (1 - share) * values + share * np.mean(others, axis=0)

    return _beside(rng, _made(parent, mixed), parent, base, f"{share:.2f}{', both' if both else ''}")


@kind(40, "positive", "inconclusive", never=CLEARED)
def copy_that_was_pruned_and_corrected(rng: Rng) -> Case:
    """The smallest numbers set to zero, and the others corrected for drawn inputs (SparseGPT), or trained."""
    parent, base = decoder_family(rng, Decoder(layers=2, hidden=48, width=48, vocabulary=100, heads=6, groups=6), 1)
    share, corrected = float(rng.uniform(0.1, 0.6)), rng.random() < 0.5
    size = log_uniform(rng, 1e-4, 3e-3)

    def thinned(_: str, values: Float32) -> Float32 | Float64:
        kept = np.abs(values) >= np.quantile(np.abs(values), share, axis=1, keepdims=True)
        if not corrected:
            return np.where(kept, values + size * rng.standard_normal(values.shape), 0)
        inputs = rng.standard_normal((4 * values.shape[1], values.shape[1])) * np.exp(
            0.5 * rng.standard_normal(values.shape[1])
        )
        products, made = inputs.T @ inputs, np.zeros(values.shape)
        for row, own, stays in zip(made, values, kept, strict=True):
            row[stays] = np.linalg.solve(products[np.ix_(stays, stays)], products[stays] @ own)
        return made

    return _beside(rng, _made(parent, thinned), parent, base, f"{share:.2f}{', corrected' if corrected else ''}")


@kind(40, "positive", "inconclusive", never=CLEARED)
def copy_under_other_values(rng: Rng) -> Case:
    """Each number replaced by another one for each: a curve, or the nearest of 16 that no format has."""
    parent, base = decoder_family(rng, Decoder.draw(rng), 1)
    curved, bend = rng.random() < 0.5, float(rng.uniform(4, 12))
    book = np.sort(0.02 * rng.standard_normal(16))

    def other(_: str, values: Float32) -> Float32 | Float64:
        if curved:
            return np.asarray(1.02 / bend * np.tanh(bend * values))
        return np.asarray(book[np.searchsorted((book[1:] + book[:-1]) / 2, values)])

    return _beside(rng, _made(parent, other, layers=False), parent, base, f"{bend:.1f}" if curved else "16 numbers")
