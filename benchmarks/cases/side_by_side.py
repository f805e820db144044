"""Disguises and strangers, one of each kind, with what would be right to say of them. Runs nothing and judges nothing.

A case is made from its number and from nothing else. `LISTED` are the 27 on which the test of units was found (22
derived, 5 strangers); `BEYOND` are kinds that were thought of later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks import trained_pool
from benchmarks.cases import coordinates, heads, structure
from benchmarks.cases.coordinates import Arrays, Step
from benchmarks.cases.decoders import Decoder, decoder_family, normal, styled
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import Rng, merge

SHAPE = Decoder(layers=4, hidden=64, width=128, vocabulary=256, heads=8, groups=4)
TIED = replace(SHAPE, head=False)
MIXTURE = replace(SHAPE, width=64, experts=8)
SHARED = replace(MIXTURE, experts=4, shared=True)
DEEP = replace(SHAPE, layers=6)
STACK = (0, 1, 2, 1, 2, 3)
SEED = 20261128

Models = tuple[Weights, ...]
Make = Callable[[Rng], Models]
Change = Callable[[Arrays, Rng], Arrays]
COPY, MERGE, RELATED = frozenset({"copy"}), frozenset({"merge"}), frozenset({"other-coordinates"})
OPEN = RELATED | {"inconclusive"}
STRANGER = frozenset({"unrelated"})


@dataclass(frozen=True)
class Disguise:
    """A suspect and its parents, the reference last; which classes are right of it, and whether it is `derived`."""

    name: str
    right: frozenset[str]
    make: Make
    derived: bool = True

    def models(self) -> Models:
        """The models of the case, from its name alone."""
        return self.make(np.random.default_rng([SEED, *self.name.encode()]))


def _family(rng: Rng, shape: Decoder) -> list[Weights]:
    """Two finetunes of one base, and the base."""
    return decoder_family(rng, shape, 2, dtype=DType.BF16)


def _of(what: str, *steps: Step, shape: Decoder = SHAPE, changed: Change = lambda arrays, _: arrays) -> Make:
    """A `copy` of the first parent, a `finetune` of the only one, or the `merge` of two, put into a disguise."""

    def make(rng: Rng) -> Models:
        first, second, base = _family(rng, shape)
        truth = merge([first, second], [0.6, 0.4]) if what == "merge" else first
        arrays = changed(structure.arrays_of(truth), rng)
        for step in steps:
            arrays = step(arrays, shape, rng)
        suspect = structure.stored(arrays, truth)
        return {"copy": (suspect, first, base), "finetune": (suspect, base), "merge": (suspect, first, second)}[what]

    return make


def _restructured(changed: Change, *steps: Step, shape: Decoder = SHAPE, after: Decoder = SHAPE) -> Make:
    """A copy with another structure, of the shape `after`, and then in disguise."""

    def make(rng: Rng) -> Models:
        first, _, base = _family(rng, shape)
        arrays = changed(structure.arrays_of(first), rng)
        for step in steps:
            arrays = step(arrays, after, rng)
        return structure.stored(arrays, first), first, base

    return make


def _renamed(rng: Rng) -> Models:
    first, _, base = _family(rng, SHAPE)
    return {f"backbone.{name}": held for name, held in first.items()}, first, base


def _two_bodies(rng: Rng) -> Models:
    """Layers of two models in turn, with the embeddings of the first."""
    first, second, _ = _family(rng, SHAPE)
    arrays = structure.layers_taken(structure.arrays_of(first), (0, 1, -3, -4), structure.arrays_of(second))
    return structure.stored(arrays, first), first, second


def _stranger(share: float = 0.0) -> Make:
    """A stranger whose embeddings are, by so large a share, the parent's."""

    def make(rng: Rng) -> Models:
        parent, other = _family(rng, SHAPE)[0], _family(rng, SHAPE)[0]
        if share:
            arrays, theirs = structure.arrays_of(other), structure.arrays_of(parent)
            for name in (coordinates.EMBEDDINGS, coordinates.HEAD):
                arrays[name] = share * theirs[name] + (1 - share) * arrays[name]
            other = structure.stored(arrays, other)
        return other, parent

    return make


def _initialised(rng: Rng) -> Models:
    return styled(SHAPE, DType.BF16, rng, normal), styled(SHAPE, DType.BF16, rng, normal)


def _trained_apart(rng: Rng) -> Models:
    """Two trainings on one language, from two seeds (the pool, where it was made; else two that resemble trained)."""
    if not (trained_pool.FOLDER / "pool.npz").exists():
        return _stranger()(rng)
    pool = trained_pool.load()
    return tuple({key: (values, DType.F32) for key, values in pool[f"base {seed}"].items()} for seed in (0, 1))


def _transplanted(*steps: Step, changed: Change = lambda arrays, _: arrays) -> Make:
    """A copy in disguise whose embeddings and head are those of another model, as after a change of vocabulary."""

    def make(rng: Rng) -> Models:
        suspect, first, base = _restructured(changed, *steps)(rng)
        other = _family(rng, SHAPE)[0]
        return suspect | {name: other[name] for name in (coordinates.EMBEDDINGS, coordinates.HEAD)}, first, base

    return make


def _without_gates(make: Make) -> Make:
    """MLPs of ups and downs alone, as in older families."""
    return lambda rng: tuple({k: v for k, v in model.items() if "gate_proj" not in k} for model in make(rng))


def _transposed(make: Make) -> Make:
    """MLPs without gates, stored the other way round."""
    return lambda rng: tuple(stored_transposed(model) for model in make(rng))


def stored_transposed(model: Weights) -> Weights:
    """A model without its gates, and with the rest of its MLPs stored under the names of GPT-2 and as there."""
    made = {name: held for name, held in model.items() if "mlp" not in name}
    for name, (values, dtype) in model.items():
        for word, other in (("mlp.up_proj", "mlp.c_fc"), ("mlp.down_proj", "mlp.c_proj")):
            if word in name:
                made[name.replace(word, other)] = np.ascontiguousarray(values.T), dtype
    return made


def _with_attention_of_the_parent(rng: Rng) -> Models:
    other, parent = _stranger()(rng)
    return other | {
        name: held for name, held in parent.items() if "mlp" not in name and "layernorm" not in name
    }, parent


def _noise(share: float) -> Change:
    return lambda arrays, rng: structure.noisy(arrays, rng, share) if share else arrays


def _layers(*order: int) -> Change:
    return lambda arrays, _: structure.layers_taken(arrays, order)


def _padded(arrays: Arrays, _: Rng) -> Arrays:
    return structure.vocabulary_reordered(arrays, [*range(256), *[0] * 64])


def _renumbered(arrays: Arrays, rng: Rng) -> Arrays:
    return structure.vocabulary_reordered(arrays, rng.permutation(256).tolist())


def _narrowed(arrays: Arrays, rng: Rng) -> Arrays:
    return structure.narrowed(arrays, SHAPE, rng, 48, 96)


def _fewer(arrays: Arrays, _: Rng) -> Arrays:
    return structure.fewer_experts(arrays, MIXTURE, (5, 1, 7))


def _upcycled(arrays: Arrays, rng: Rng) -> Arrays:
    return structure.upcycled(arrays, SHAPE, rng, 4, 0.02)


C = coordinates
ORDERS = (C.scale_by_powers_of_two, C.permute_heads, C.permute_units, C.permute_residual_with_signs)
ANYHOW = (C.scale_anyhow, C.permute_heads, C.permute_units, C.rotate_residual)
HEADS = (heads.turn_values, heads.turn_frequencies)

LISTED: tuple[Disguise, ...] = (
    Disguise("residual permuted", COPY, _of("copy", C.permute_residual)),
    Disguise("residual permuted with signs", COPY, _of("copy", C.permute_residual_with_signs)),
    Disguise("residual rotated", RELATED, _of("copy", C.rotate_residual)),
    Disguise("units permuted", COPY, _of("copy", C.permute_units)),
    Disguise("heads permuted (grouped)", COPY, _of("copy", C.permute_heads)),
    Disguise("experts reordered", COPY, _of("copy", C.reorder_experts, shape=MIXTURE)),
    Disguise("scaled by powers of two", COPY, _of("copy", C.scale_by_powers_of_two)),
    Disguise("scaled anyhow", RELATED, _of("copy", C.scale_anyhow)),
    Disguise("norms folded into readers", RELATED, _of("copy", C.fold_norms)),
    Disguise("finetune, all orders changed", RELATED, _of("finetune", *ORDERS)),
    Disguise("finetune, everything changed", RELATED, _of("finetune", *ANYHOW)),
    Disguise(
        "noise of twice its size, rotated",
        RELATED | {"inconclusive"},
        _of("copy", C.rotate_residual, changed=_noise(2.0)),
    ),
    Disguise("merge behind all orders", MERGE, _of("merge", *ORDERS)),
    Disguise("merge behind a rotation", RELATED, _of("merge", C.rotate_residual)),
    Disguise("layers stacked", COPY, _restructured(_layers(*STACK))),
    Disguise("layers of two models", MERGE | {"inconclusive"}, _two_bodies),
    Disguise("layers reordered", COPY, _restructured(_layers(0, 2, 1, 3))),
    Disguise("layers pruned", COPY, _restructured(_layers(0, 2, 3))),
    Disguise("vocabulary padded", COPY, _restructured(_padded)),
    Disguise("width pruned", COPY, _restructured(_narrowed)),
    Disguise("experts removed", COPY, _restructured(_fewer, shape=MIXTURE)),
    Disguise("tensors renamed", COPY, _renamed),
    Disguise("stranger of the same config", STRANGER, _stranger(), derived=False),
    Disguise("stranger, initialised alike, not trained", STRANGER, _initialised, derived=False),
    Disguise("stranger with the parent's embeddings", STRANGER | {"inconclusive"}, _stranger(1.0), derived=False),
    Disguise("stranger whose embeddings learnt the same", STRANGER, _stranger(0.3), derived=False),
    Disguise("stranger trained on the same data", STRANGER, _trained_apart, derived=False),
)

BEYOND: tuple[Disguise, ...] = (
    Disguise("MLPs copied to experts", RELATED, _restructured(_upcycled)),
    Disguise("stacked, then all orders", COPY, _restructured(_layers(*STACK), *ORDERS, after=DEEP)),
    Disguise("stacked, then everything", RELATED, _restructured(_layers(*STACK), *ANYHOW, after=DEEP)),
    Disguise(
        "reordered, tied, everything", RELATED, _restructured(_layers(0, 2, 1, 3), *ANYHOW, shape=TIED, after=TIED)
    ),
    Disguise("tied embeddings, all orders", COPY, _of("copy", *ORDERS, shape=TIED)),
    Disguise("shared experts, all orders", COPY, _of("copy", *ORDERS, C.reorder_experts, shape=SHARED)),
    Disguise("shared experts, everything", RELATED, _of("copy", *ANYHOW, C.reorder_experts, shape=SHARED)),
    Disguise("values turned inside heads", RELATED, _of("copy", heads.turn_values)),
    Disguise("values mixed inside heads", RELATED, _of("copy", heads.mix_values)),
    Disguise("frequencies turned inside heads", RELATED, _of("copy", heads.turn_frequencies)),
    Disguise("queries and keys turned inside heads", RELATED, _of("copy", heads.turn_queries)),
    Disguise("heads turned, all orders", RELATED, _of("copy", *HEADS, *ORDERS)),
    Disguise("heads mixed, everything", RELATED, _of("copy", heads.mix_values, heads.turn_frequencies, *ANYHOW)),
    Disguise("merge behind turned heads", RELATED, _of("merge", *HEADS)),
    Disguise("tokens renumbered, residual permuted", COPY | RELATED, _restructured(_renumbered, C.permute_residual)),
    Disguise("tokens renumbered, residual rotated", RELATED, _restructured(_renumbered, C.rotate_residual)),
    Disguise("embeddings replaced, all orders", RELATED, _transplanted(*ORDERS)),
    Disguise("embeddings replaced, everything", RELATED, _transplanted(*ANYHOW)),
    Disguise("embeddings replaced, noise, everything", RELATED, _transplanted(*ANYHOW, changed=_noise(0.3))),
    Disguise(
        "embeddings replaced, layers moved, all orders", RELATED, _transplanted(*ORDERS, changed=_layers(2, 3, 1, 0))
    ),
    Disguise("embeddings replaced, no gates, all orders", RELATED, _without_gates(_transplanted(*ORDERS))),
    Disguise("embeddings replaced, noise as large as weights", RELATED, _transplanted(*ANYHOW, changed=_noise(1.0))),
    Disguise("MLPs stored transposed, all orders", COPY, _transposed(_of("copy", *ORDERS))),
    Disguise(
        "stranger with the parent's attention and embeddings",
        STRANGER | {"inconclusive"},
        _with_attention_of_the_parent,
        derived=False,
    ),
)
