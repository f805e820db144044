"""Strangers that look alike: the negatives for whatever sees through other coordinates. Right is `unrelated`.

Suspect and parents have one layout and one way of initialising, from different seeds; whatever agrees between them
(norms, spectra, sorted values, constant tensors, a tokenizer's frequencies) does so in all such models.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import decoders
from benchmarks.cases.coordinates import EMBEDDINGS, HEAD
from benchmarks.cases.decoders import Decoder, Style, decoder_family, styled
from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import training
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.weights import random_weights
from modelprov.demo.writing import Weights
from tests.generated import Rng, apply, quantised


def _strangers(rng: Rng, style: Style | None = None) -> tuple[Decoder, list[Weights]]:
    """A stranger, a parent and its base, each of the two lines from nothing; the base may be withheld."""
    shape, dtype = Decoder.draw(rng, experts=bool(rng.random() < 0.2)), (DType.BF16, DType.F32)[int(rng.random() < 0.3)]
    suspect, base = (
        styled(shape, dtype, rng, style) if style else random_weights(shape.specs(dtype), rng) for _ in range(2)
    )
    parent = apply(base, training(base, rng, float(10 ** rng.uniform(-4, -2.7))))
    return shape, [suspect, parent, base][: 2 if rng.random() < 0.3 else 3]


@kind(120, "negative", "unrelated")
def strangers_of_one_generator(rng: Rng) -> Case:
    """Rows of unequal size, norms nearly the same."""
    return Case(tuple(_strangers(rng)[1]))


@kind(120, "negative", "unrelated")
def strangers_of_one_initialisation(rng: Rng) -> Case:
    """Normal with one deviation, or even within one bound; norms 1."""
    return Case(tuple(_strangers(rng, decoders.normal if rng.random() < 0.5 else decoders.even)[1]))


@kind(120, "negative", "unrelated")
def strangers_with_heavy_tails(rng: Rng) -> Case:
    """Rows and columns of unequal size and columns far out: sorted norms of any two correlate above 0.99."""
    return Case(tuple(_strangers(rng, decoders.heavy_tailed)[1]))


@kind(80, "negative", "unrelated")
def strangers_with_one_spectrum(rng: Rng) -> Case:
    """Singular values that fall by one law, or are all the same (orthogonal initialisation)."""
    return Case(tuple(_strangers(rng, decoders.power_law if rng.random() < 0.5 else decoders.orthogonal)[1]))


@kind(60, "negative", "unrelated")
def strangers_rounded_to_integers(rng: Rng) -> Case:
    """Both int8, int4 or ternary: few levels, so that sorted values and many bits are the same."""
    bits = int(rng.choice([0, 4, 8]))
    models = _strangers(rng, None if bits else decoders.ternary)[1]
    return Case(tuple(quantised(model, bits) for model in models) if bits else tuple(models), f"int{bits}")


@kind(60, "negative", "unrelated", "inconclusive")
def strangers_nearly_constant(rng: Rng) -> Case:
    """Outputs zero and gates near 1, as left by initialising: the same bits in all such models."""
    return Case(tuple(_strangers(rng, decoders.nearly_constant)[1]))


@kind(60, "negative", "unrelated", "inconclusive")
def strangers_with_one_table(rng: Rng) -> Case:
    """The same table of sines for positions, to the bit, as every model of that design has it."""
    shape, models = _strangers(rng)
    angles = np.arange(128)[:, None] / 10_000 ** (np.arange(shape.hidden)[None, :] / shape.hidden)
    for model in models:
        stored = model[EMBEDDINGS][1]
        model["model.embed_positions.weight"] = store(np.sin(angles).astype(np.float32), stored), stored
    return Case(tuple(models))


@kind(120, "negative", "unrelated")
def strangers_with_one_tokenizer(rng: Rng) -> Case:
    """Embeddings with one geometry of tokens, each model in a basis of its own, and norms by the token's frequency.

    So are independent models of one corpus. A basis that fits the embeddings well is found then, and says nothing.
    """
    shape, models = _strangers(rng)
    rank, sizes = 24, np.exp(0.4 * rng.standard_normal((shape.vocabulary, 1)))
    tokens = rng.standard_normal((shape.vocabulary, rank))
    share = float(rng.uniform(0.3, 0.9))
    makers: dict[bool, np.ndarray] = {}
    for place, model in enumerate(models):
        line = makers.setdefault(place > 0, rng.standard_normal((rank, shape.hidden)) / np.sqrt(rank))
        for name in (EMBEDDINGS, HEAD) if HEAD in model else (EMBEDDINGS,):
            values, stored = model[name]
            made = sizes * (np.sqrt(share) * 0.02 * tokens @ line + np.sqrt(1 - share) * values)
            model[name] = store(made.astype(np.float32), stored), stored
    return Case(tuple(models), f"{share:.2f}")


@kind(60, "negative", "inconclusive", never=ACCUSATIONS | {"unrelated"})
def grafted_embeddings(rng: Rng) -> Case:
    """A stranger that took over the parent's embeddings, and nothing else: a part was reused, the model is another."""
    _, (suspect, parent, *base) = _strangers(rng)
    return Case((suspect | {EMBEDDINGS: parent[EMBEDDINGS]}, parent, *base))


@kind(60, "negative", "unrelated", "inconclusive")
def grafted_embeddings_in_another_basis(rng: Rng) -> Case:
    """The same, the embeddings in another order of dimensions or rotated: a perfect frame, and no unit that matches."""
    shape, (suspect, parent, *base) = _strangers(rng)
    q, _ = np.linalg.qr(rng.standard_normal((shape.hidden, shape.hidden)))
    basis = np.eye(shape.hidden)[:, rng.permutation(shape.hidden)] if rng.random() < 0.5 else q
    values, stored = parent[EMBEDDINGS]
    turned = store((values.astype(np.float64) @ basis).astype(np.float32), stored)
    return Case((suspect | {EMBEDDINGS: (turned, stored)}, parent, *base))


@kind(60, "negative", "unrelated", "inconclusive")
def stranger_beside_a_family(rng: Rng) -> Case:
    """Three parents of one family, the suspect of another with the same layout."""
    shape = Decoder.draw(rng)
    dtype = DType.BF16 if rng.random() < 0.7 else DType.F32
    return Case((random_weights(shape.specs(dtype), rng), *decoder_family(rng, shape, 2, dtype)))
