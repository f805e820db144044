"""Innocent models that were rounded, shrunk, padded or given in the wrong role. All negatives."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import WIDTH, family, log_uniform, ratio, shape_of, trained
from modelprov.checkpoints.formats.dtypes import DType
from tests.generated import (
    Rng,
    Size,
    apply,
    change,
    combine,
    distance,
    layer_of,
    merge,
    model,
    pruned,
    quantised,
    sparse,
)


@kind(120, "negative", "same-origin", "inconclusive")
def rounded_to_integers(rng: Rng) -> Case:
    """Parent or base to int8 or int4 and back, or a tenth to half of it pruned."""
    parent, base = family(rng, low=5e-5)
    which = (parent, base)[int(rng.integers(2))]
    how = int(rng.integers(3))
    suspect = pruned(which, rng.uniform(0.1, 0.5)) if how == 2 else quantised(which, (8, 4)[how])
    return Case((suspect, parent, base), ("int8", "int4", "pruned")[how])


@kind(60, "negative", "same-origin", "inconclusive")
def parent_rounded_to_integers(rng: Rng) -> Case:
    """A finetune of the base; the other parent is the base as int8: a distance that is only rounding."""
    suspect, base = family(rng)
    return Case((suspect, quantised(base, 8), base))


@kind(120, "negative", "inconclusive", "same-origin")
def roles_exchanged(rng: Rng) -> Case:
    """The merge handed in as a parent, one of its parents as the suspect; exact, or trained by 1 to 30 %."""
    parents = family(rng, low=1e-4)
    alpha = ratio(rng, 0.2, 0.8)
    child = merge(parents, [alpha, 1 - alpha])
    if rng.random() < 0.5:
        child = trained(child, parents, rng, log_uniform(rng, 0.01, 0.3))
    first, second = parents if rng.random() < 0.5 else parents[::-1]
    others = (child, second) if rng.random() < 0.5 else (second, child)
    return Case((first, *others), f"{alpha}")


@kind(60, "negative", "inconclusive", "same-origin")
def ancestor_as_suspect(rng: Rng) -> Case:
    """The base as the suspect, two of its finetunes as parents."""
    first, second, base = family(rng, 2)
    if rng.random() < 0.5:
        base = apply(base, change(base, rng, 2e-5))
    return Case((base, first, second))


@kind(60, "negative", "same-origin", "inconclusive")
def base_plus_little_noise(rng: Rng) -> Case:
    """The base or parent with noise of 1e-8 to 1e-5 in every element."""
    parent, base = family(rng)
    which, size = (parent, base)[int(rng.integers(2))], log_uniform(rng, 1e-8, 1e-5)
    suspect = apply(which, change(which, rng, size, 0.0, 0.0))
    suspect["model.embed_tokens.weight"][0][0, :4] += np.float32(0.01)  # so that it never is a copy
    return Case((suspect, parent, base), f"{size:.1g}")


@kind(60, "negative", "same-origin", "inconclusive")
def parents_nearly_equal(rng: Rng) -> Case:
    """Parents that differ in a few elements, or by the last bit; the suspect is another finetune, far or near."""
    base = family(rng)[-1]
    parent = apply(base, sparse(change(base, rng, 1e-3), rng, log_uniform(rng, 1e-4, 1e-1)))
    return Case((apply(base, change(base, rng, log_uniform(rng, 2e-6, 1e-3))), parent, base))


@kind(60, "negative", "same-origin", "inconclusive")
def padding_and_nan(rng: Rng) -> Case:
    """Siblings with zero rows in the embeddings, a tied head and a tensor full of NaN."""
    base = {name: tensor for name, tensor in family(rng)[-1].items() if name != "lm_head.weight"}
    base["model.embed_tokens.weight"][0][-20:] = 0
    parent, suspect = (apply(base, change(base, rng, log_uniform(rng, *WIDTH))) for _ in range(2))
    suspect["model.layers.0.self_attn.q_proj.weight"][0][:] = np.nan
    return Case((suspect, parent, base))


@kind(40, "negative", "same-origin", "inconclusive")
def strangers_parent(rng: Rng) -> Case:
    """A finetune of the base; the other parent is unrelated to both."""
    suspect, base = family(rng, dtype=DType.BF16)
    size = Size(max(layer_of(name) or 0 for name in base) + 1, *shape_of(base))
    return Case((suspect, model(rng, size), base) if rng.random() < 0.5 else (suspect, base, model(rng, size)))


@kind(60, "negative", "same-origin", "inconclusive")
def decayed_weights(rng: Rng) -> Case:
    """The parent or base shrunk by 0.01 % to 3 % (weight decay), then trained a little."""
    parent, base = family(rng)
    which = (parent, base)[int(rng.integers(2))]
    shrink = -log_uniform(rng, 1e-4, 3e-2)
    extra = change(which, rng, max(distance(parent, base), WIDTH[0]) * log_uniform(rng, 0.01, 1))
    return Case((apply(which, combine([(shrink, {n: v for n, (v, _) in which.items()}), (1.0, extra)])), parent, base))
