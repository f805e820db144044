"""Innocent relatives by training: siblings, stages of a run, further training, adapters, strangers. All negatives."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import (
    FORMATS,
    WIDTH,
    difference,
    family,
    log_uniform,
    shape_of,
    sharing,
    training,
    walk,
)
from modelprov.checkpoints.formats.dtypes import DType
from tests.generated import Rng, Size, apply, cast, change, combine, distance, layer_of, model, sparse


@kind(600, "negative", "same-origin", "inconclusive", "unrelated")
def independent_siblings(rng: Rng) -> Case:
    """Another finetune of the base, 0.1 to 10 times as far as the parent; any format."""
    parent, base = family(rng)
    size = max(distance(parent, base), WIDTH[0]) * log_uniform(rng, 0.1, 10)
    stored = FORMATS[int(rng.integers(3))]
    suspect = apply(base, training(base, rng, size), stored if rng.random() < 0.3 else None)
    return Case((suspect, parent, base), f"{size:.2g}")


@kind(100, "negative", "same-origin", "inconclusive", "unrelated")
def siblings_of_two_parents(rng: Rng) -> Case:
    """A third finetune beside two parents and the base, or beside two parents whose base was not given."""
    suspect, first, second, base = family(rng, 3)
    return Case((suspect, first, second, base) if rng.random() < 0.5 else (suspect, first, second))


@kind(40, "negative", "same-origin", "inconclusive", "unrelated")
def many_parents(rng: Rng) -> Case:
    """A finetune beside four others and the base."""
    return Case(tuple(family(rng, 5)))


@kind(60, "negative", "same-origin", "inconclusive")
def stage_among_the_parents(rng: Rng) -> Case:
    """The parents are two stages of one run and the base; the suspect comes after them, between them or aside."""
    _, middle, base = (run := walk(rng, rng.uniform(0.3, 1.0), 0.05, rng.uniform(0.3, 0.7))).models
    late, size = run.models[0], distance(run.models[0], base)
    which = (late, middle, base)[int(rng.integers(3))]
    return Case((apply(which, training(which, rng, size * log_uniform(rng, 0.05, 1))), late, middle, base), run.about)


@kind(80, "negative", "same-origin", "inconclusive")
def shares_with_two(rng: Rng) -> Case:
    """A finetune that shares a direction with each of two others (cosines 0.3 to 0.65)."""
    first, second, base = family(rng, 2, low=1e-4)
    a, b = rng.uniform(0.3, 0.65, 2)
    own = change(base, rng, distance(first, base), 0.5, 0.0)
    unit = float(distance(first, base) / max(distance(second, base), 1e-9))
    parts = [(float(a), difference(first, base)), (float(b) * unit, difference(second, base))]
    return Case((apply(base, combine([*parts, (math.sqrt(1 - a * a - b * b), own)])), first, second, base))


@kind(300, "negative", "same-origin", "inconclusive")
def shared_direction(rng: Rng) -> Case:
    """Siblings whose changes have a cosine of 0.1 to 0.9 (similar data), of any relative size."""
    parent, base, cosine = *family(rng, low=1e-4), rng.uniform(0.1, 0.9)
    return sharing(rng, parent, base, cosine)


@kind(150, "negative", "same-origin", "inconclusive")
def further_trained_parent(rng: Rng) -> Case:
    """A parent trained on by 0.1 % to 100 % of its distance from the base."""
    parent, base = family(rng)
    which = parent if rng.random() < 0.7 else base
    size = max(distance(parent, base), WIDTH[0]) * log_uniform(rng, 1e-3, 1)
    return Case((apply(which, training(which, rng, size)), parent, base), f"{size:.2g}")


@kind(200, "negative", "same-origin", "inconclusive")
def earlier_or_later_stage(rng: Rng) -> Case:
    """A checkpoint of the parent's own training: drift plus a random walk that is 30 to 100 % of the way."""
    return walk(rng, rng.uniform(0.3, 1.0), rng.uniform(0.0, 0.1), rng.uniform(0.1, 0.97))


@kind(100, "negative", "same-origin", "inconclusive")
def stage_with_uneven_layers(rng: Rng) -> Case:
    """A nearly straight run (random part 2 to 15 %) whose layers are at different places (standard deviation 0.15)."""
    return walk(rng, rng.uniform(0.02, 0.15), 0.2, rng.uniform(0.3, 0.7))


@kind(40, "negative", "unrelated")
def unrelated_seeds(rng: Rng) -> Case:
    """Models of one layout from different seeds; norm weights nearly the same."""
    parent, base = family(rng, dtype=DType.BF16)
    size = Size(max(layer_of(name) or 0 for name in base) + 1, *shape_of(base))
    stranger = model(rng, size)
    suspect = {name: stranger.get(name, tensor) for name, tensor in base.items() if name in stranger}
    return Case((suspect, parent, base))


@kind(150, "negative", "same-origin", "inconclusive")
def sparse_finetune(rng: Rng) -> Case:
    """1 % to 0.001 % of the elements of a parent or of the base changed; stored in any format."""
    parent, base = family(rng)
    which, share = (parent, base)[int(rng.integers(2))], log_uniform(rng, 1e-5, 1e-2)
    size = max(distance(parent, base), WIDTH[0]) * log_uniform(rng, 0.3, 10)
    suspect = apply(which, sparse(change(which, rng, size), rng, share))
    suspect["model.embed_tokens.weight"][0][0, :4] += np.float32(0.01)  # so that it never is a copy
    stored = FORMATS[int(rng.integers(3))]
    return Case((cast(suspect, stored), parent, base), f"{share:.1g} {stored}")


@kind(60, "negative", "same-origin", "inconclusive")
def low_rank_adapter(rng: Rng) -> Case:
    """A LoRA of attention on the base or on the parent: everything else is frozen."""
    parent, base = family(rng)
    which = (parent, base)[int(rng.integers(2))]
    size = max(distance(parent, base), 1e-4) * log_uniform(rng, 0.3, 3)
    return Case((apply(which, change(which, rng, size, 1.0, only=lambda name: "self_attn" in name)), parent, base))


@kind(60, "negative", "same-origin", "inconclusive")
def frozen_parts(rng: Rng) -> Case:
    """Two finetunes of one base that both froze the embeddings and the first layer."""
    base = family(rng)[-1]

    def free(name: str) -> bool:
        return layer_of(name) not in (0, None)

    first, second = (apply(base, change(base, rng, log_uniform(rng, *WIDTH), only=free)) for _ in range(2))
    for one in (first, second):
        one["model.layers.1.self_attn.q_proj.weight"][0][0, :2] += np.float32(0.01)
    second["model.layers.1.self_attn.k_proj.weight"][0][0, :2] += np.float32(0.02)
    return Case((first, second, base))
