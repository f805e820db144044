"""Merges and copies to the bit: what has to be found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import FORMATS, difference, family, ratio
from benchmarks.cases.planting import mixture
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.arithmetics import Arithmetic
from tests.generated import Rng, apply, cast, combine, distance, layer_of, merge, sparse


@kind(240, "positive", "merge")
def exact_merge(rng: Rng) -> Case:
    """Two parents, ratios 0.1 to 0.9, any arithmetic, one format."""
    parents = family(rng, low=1e-4)
    alpha, arithmetic = ratio(rng, 0.1, 0.9), Arithmetic(int(rng.integers(0, 9)))
    return Case((merge(parents, [alpha, 1 - alpha], arithmetic), *parents), f"{alpha} {arithmetic.name}")


@kind(60, "positive", "merge", "inconclusive", "same-origin", "copy", "on-line")
def extreme_merge(rng: Rng) -> Case:
    """Ratios of 0.02 to 0.1 and 0.9 to 0.98, any distance: often only a few bits differ from one parent."""
    parents = family(rng)
    alpha = ratio(rng, 0.02, 0.1)
    alpha = alpha if rng.random() < 0.5 else round(1 - alpha, 3)
    return Case((merge(parents, [alpha, 1 - alpha], Arithmetic(int(rng.integers(0, 9)))), *parents), f"{alpha}")


@kind(60, "positive", "merge")
def close_parents(rng: Rng) -> Case:
    """Exact float32 merges of bf16 parents 2e-5 to 1e-4 apart: most elements are equal."""
    parents = family(rng, dtype=DType.BF16)
    while distance(*parents) > 1e-4:
        parents = family(rng, dtype=DType.BF16)
    alpha = ratio(rng, 0.2, 0.8)
    return Case((merge(parents, [alpha, 1 - alpha]), *parents), f"{alpha} {distance(*parents):.1g}")


@kind(60, "positive", "merge", "on-line")
def mixed_formats(rng: Rng) -> Case:
    """Parents in F32, the merge stored in BF16 or F16; or parents in BF16 and the merge in F32."""
    first, stored = ((DType.F32, DType.BF16), (DType.F32, DType.F16), (DType.BF16, DType.F32))[int(rng.integers(3))]
    parents = family(rng, low=1e-4, dtype=first)
    alpha = ratio(rng, 0.1, 0.9)
    return Case((merge(parents, [alpha, 1 - alpha], dtype=stored), *parents), f"{alpha} {first} {stored}")


@kind(60, "positive", "merge")
def three_parents(rng: Rng) -> Case:
    """Two finetunes and their base."""
    parents = family(rng, 2, low=1e-4)
    first, second = sorted(round(float(x), 2) for x in rng.uniform(0.1, 0.9, 2))
    weights = [first, max(round(second - first, 2), 0.05)]
    weights.append(round(1 - sum(weights), 2))
    arithmetic = Arithmetic(int(rng.integers(0, 8)))
    return Case((merge(parents, weights, arithmetic), *parents), f"{weights} {arithmetic.name}")


@kind(40, "positive", "merge")
def by_layer(rng: Rng) -> Case:
    """A gradient: every layer its own ratio; what is outside the layers 0.5."""
    parents = family(rng, low=2e-4)
    steps = [round(float(x), 2) for x in np.linspace(0.2, 0.8, 5)]

    def weights(name: str) -> Sequence[float]:
        layer = layer_of(name)
        alpha = 0.5 if layer is None else steps[layer]
        return (alpha, 1 - alpha)

    return Case((merge(parents, weights), *parents))


@kind(40, "positive", "merge")
def by_component(rng: Rng) -> Case:
    """One ratio for attention, another for the rest."""
    parents = family(rng, low=2e-4)
    attention, rest = ratio(rng, 0.1, 0.9), ratio(rng, 0.1, 0.9)

    def weights(name: str) -> Sequence[float]:
        alpha = attention if "self_attn" in name else rest
        return (alpha, 1 - alpha)

    return Case((merge(parents, weights), *parents), f"{attention} {rest}")


@kind(40, "positive", "inconclusive")
def whole_layers(rng: Rng) -> Case:
    """Every layer whole from one parent or the other: the same files as after training in stages, so not called."""
    parents = family(rng, low=5e-5)
    return Case((merge(parents, lambda name: (1.0, 0.0) if (layer_of(name) or 0) % 2 else (0.0, 1.0)), *parents))


@kind(40, "positive", "merge")
def bystander(rng: Rng) -> Case:
    """A merge of the first parent and the base; another finetune is named too."""
    first, second, base = family(rng, 2, low=1e-4)
    alpha = ratio(rng, 0.1, 0.9)
    return Case((merge([first, base], [alpha, 1 - alpha]), first, second, base), f"{alpha}")


@kind(40, "positive", "merge")
def without_base(rng: Rng) -> Case:
    """A merge of two finetunes; their base is not among the parents."""
    parents = family(rng, 2, low=1e-4)[:2]
    alpha = ratio(rng, 0.1, 0.9)
    return Case((merge(parents, [alpha, 1 - alpha], Arithmetic(int(rng.integers(0, 9)))), *parents), f"{alpha}")


@kind(30, "positive", "merge", "inconclusive")
def extrapolated(rng: Rng) -> Case:
    """A task vector scaled by 1.5; in F32 the parent lies between just as exactly, which is said."""
    parents = family(rng, low=1e-4)
    return Case((merge(parents, [1.5, -0.5], Arithmetic.FLOAT32_DELTA), *parents))


@kind(40, "positive", "merge", "on-line", "inconclusive")
def picked_elements(rng: Rng) -> Case:
    """A merge that drops half of the task vector at random and doubles the rest (DARE): no linear recipe."""
    parents = family(rng, low=1e-4)
    kept = sparse(combine([(1.0, difference(*parents))]), rng, 0.5)
    return Case((apply(parents[-1], combine([(1.2, kept)])), *parents))


@kind(40, "positive", "copy")
def cast_copy(rng: Rng) -> Case:
    """The bits of one parent, or those of one in another format."""
    parents = family(rng, dtype=DType.F32)
    return Case((cast(parents[int(rng.integers(2))], FORMATS[int(rng.integers(3))]), *parents))


@kind(40, "positive", "merge")
def with_a_file_made_from_it(rng: Rng) -> Case:
    """A merge of two finetunes, given with the base and a continuation Z = w S + (1 - w) B of the merge, in F32.

    S is on the line of Z and B too, exactly; the recipe of the true parents needs neither.
    """
    first, second, base = family(rng, 2, 1e-4, DType.BF16)
    a, w = round(float(rng.uniform(0.2, 0.8)), 2), float(rng.choice([1.5, 2.0, 3.0]))
    suspect = merge([first, second], [a, 1 - a])
    parents = [first, second, mixture([(w, suspect), (1 - w, base)], DType.F32), base]
    rng.shuffle(parents)
    return Case((suspect, *parents), f"{a} w {w}")
