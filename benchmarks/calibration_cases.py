"""The labelled cases of the calibration: what is generated, and what a right verdict on it is. Runs nothing.

Truth is `positive` (the suspect is a merge or a copy), `negative` (it is not), or `limit`: histories that weights alone
cannot tell from a merge, kept apart and counted in the open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from modelprov.arithmetics import Arithmetic
from modelprov.checkpoints.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import (
    Change,
    Rng,
    Size,
    apply,
    cast,
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

FORMATS = (DType.BF16, DType.F16, DType.F32)
MERGES = frozenset({"merge", "merge-then-trained"})
NOT_ACCUSED = frozenset({"finetune", "inconclusive", "unrelated"})
WIDTH = 2e-5, 2e-3  # parents' distance, weight units


@dataclass(frozen=True)
class Case:
    """The suspect and its parents (the reference last), and controls."""

    models: tuple[Weights, ...]
    about: str = ""
    controls: tuple[Weights, ...] = ()


@dataclass(frozen=True)
class Kind:
    """Cases of one sort: how many, what they truly are, which classes are right."""

    make: Callable[[Rng], Case]
    cases: int
    truth: str
    expected: frozenset[str]

    @property
    def name(self) -> str:
        """The function's name in words."""
        return self.make.__name__.replace("_", " ")


KINDS: list[Kind] = []


def kind(cases: int, truth: str, *expected: str) -> Callable[[Callable[[Rng], Case]], Callable[[Rng], Case]]:
    """Put a case function on the list."""

    def register(make: Callable[[Rng], Case]) -> Callable[[Rng], Case]:
        KINDS.append(Kind(make, cases, truth, frozenset(expected)))
        return make

    return register


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def ratio(rng: Rng, low: float = 0.05, high: float = 0.95) -> float:
    """A ratio as people type it: 0.1, 0.25, 0.565."""
    return float(np.clip(round(rng.uniform(low, high), int(rng.integers(1, 4))), low, high))


def family(rng: Rng, children: int = 1, low: float = WIDTH[0], dtype: DType | None = None) -> list[Weights]:
    """Finetunes of one base, and the base last."""
    stored = dtype or FORMATS[int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
    base = model(rng, Size.draw(rng), stored, float(rng.choice([0.5, 1.0, 2.0])))
    size = log_uniform(rng, low, WIDTH[1])
    return [*(apply(base, _training(base, rng, size)) for _ in range(children)), base]


def _training(of: Weights, rng: Rng, size: float) -> Change:
    return change(of, rng, size, float(rng.choice([0.0, 0.5, 0.95])), float(rng.choice([0.0, 0.5])))


def trained(merged: Weights, parents: Sequence[Weights], rng: Rng, share: float, low_rank: float = 0.0) -> Weights:
    """The stored merge, trained by a share of the parents' distance, equally in all tensors in proportion."""
    extra = change(merged, rng, 1.0, low_rank, 0.0)
    for name in extra:
        apart = parents[0][name][0] - parents[-1][name][0]
        extra[name] = extra[name] * np.float32(share * math.sqrt(float(np.mean(np.square(apart, dtype=np.float64)))))
    return apply(merged, extra)


# --- positives: merges, exact -----------------------------------------------------------------------------------------


@kind(240, "positive", "merge")
def exact_merge(rng: Rng) -> Case:
    """Two parents, ratios 0.1 to 0.9, any arithmetic, one format."""
    parents = family(rng, low=1e-4)
    alpha, arithmetic = ratio(rng, 0.1, 0.9), Arithmetic(int(rng.integers(0, 9)))
    return Case((merge(parents, [alpha, 1 - alpha], arithmetic), *parents), f"{alpha} {arithmetic.name}")


@kind(60, "positive", "merge", "inconclusive", "finetune", "copy", "merge-then-trained")
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


@kind(60, "positive", "merge", "merge-then-trained")
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


@kind(40, "positive", "merge", "merge-then-trained", "inconclusive")
def picked_elements(rng: Rng) -> Case:
    """A merge that drops half of the task vector at random and doubles the rest (DARE): no linear recipe."""
    parents = family(rng, low=1e-4)
    kept = sparse(combine([(1.0, _difference(*parents))]), rng, 0.5)
    return Case((apply(parents[-1], combine([(1.2, kept)])), *parents))


@kind(40, "positive", "copy")
def cast_copy(rng: Rng) -> Case:
    """The bits of one parent, or those of one in another format."""
    parents = family(rng, dtype=DType.F32)
    return Case((cast(parents[int(rng.integers(2))], FORMATS[int(rng.integers(3))]), *parents))


def _difference(one: Weights, other: Weights) -> Change:
    return {name: values - other[name][0] for name, (values, _) in one.items()}


# --- positives: merges, then trained ----------------------------------------------------------------------------------


def _merge_trained(rng: Rng, share: float, low_rank: float) -> Case:
    parents = family(rng, low=1e-4)
    alpha = ratio(rng, 0.2, 0.8)
    suspect = trained(merge(parents, [alpha, 1 - alpha]), parents, rng, share, low_rank)
    return Case((suspect, *parents), f"{alpha} {share} {distance(*parents):.1g}")


@kind(60, "positive", "merge-then-trained", "merge")
def trained_half_percent(rng: Rng) -> Case:
    """0.5 % of the parents' distance: often below one rounding cell, then nothing is left of it."""
    return _merge_trained(rng, 0.005, float(rng.choice([0.0, 0.5])))


@kind(80, "positive", "merge-then-trained")
def trained_1_percent(rng: Rng) -> Case:
    """1 % of the parents' distance."""
    return _merge_trained(rng, 0.01, float(rng.choice([0.0, 0.5])))


@kind(80, "positive", "merge-then-trained")
def trained_3_percent(rng: Rng) -> Case:
    """3 % of the parents' distance, dense or half of it low-rank."""
    return _merge_trained(rng, 0.03, float(rng.choice([0.0, 0.5])))


@kind(60, "positive", "merge-then-trained", "inconclusive")
def trained_10_percent(rng: Rng) -> Case:
    """10 % of the parents' distance: recognised for ratios near a half."""
    return _merge_trained(rng, 0.1, float(rng.choice([0.0, 0.5])))


@kind(40, "positive", "inconclusive", "merge-then-trained")
def trained_30_percent(rng: Rng) -> Case:
    """30 %: the history is no longer in the weights."""
    return _merge_trained(rng, 0.3, float(rng.choice([0.0, 0.5])))


@kind(40, "positive", "merge-then-trained")
def only_some_layers_trained(rng: Rng) -> Case:
    """An exact merge, then the attention of the last layer trained by as much as the parents are apart."""
    parents = family(rng, low=2e-4)
    alpha, last = ratio(rng, 0.2, 0.8), max(layer_of(name) or 0 for name in parents[0])
    merged = merge(parents, [alpha, 1 - alpha])
    extra = change(merged, rng, distance(*parents), only=lambda name: f"layers.{last}.self_attn.q" in name)
    return Case((apply(merged, extra), *parents), f"{alpha}")


@kind(30, "positive", "merge-then-trained", "inconclusive")
def three_parents_trained(rng: Rng) -> Case:
    """0.5, 0.3 and 0.2 of three parents, trained by 1 to 3 %."""
    parents = family(rng, 2, low=2e-4)
    return Case((trained(merge(parents, [0.5, 0.3, 0.2]), parents, rng, rng.uniform(0.01, 0.03)), *parents))


# --- negatives --------------------------------------------------------------------------------------------------------


@kind(600, "negative", "finetune", "inconclusive", "unrelated")
def independent_siblings(rng: Rng) -> Case:
    """Another finetune of the base, 0.1 to 10 times as far as the parent; any format."""
    parent, base = family(rng)
    size = max(distance(parent, base), WIDTH[0]) * log_uniform(rng, 0.1, 10)
    stored = FORMATS[int(rng.integers(3))]
    suspect = apply(base, _training(base, rng, size), stored if rng.random() < 0.3 else None)
    return Case((suspect, parent, base), f"{size:.2g}")


@kind(100, "negative", "finetune", "inconclusive", "unrelated")
def siblings_of_two_parents(rng: Rng) -> Case:
    """A third finetune beside two parents and the base, or beside two parents whose base was not given."""
    suspect, first, second, base = family(rng, 3)
    return Case((suspect, first, second, base) if rng.random() < 0.5 else (suspect, first, second))


@kind(40, "negative", "finetune", "inconclusive", "unrelated")
def many_parents(rng: Rng) -> Case:
    """A finetune beside four others and the base."""
    return Case(tuple(family(rng, 5)))


@kind(60, "negative", "finetune", "inconclusive")
def stage_among_the_parents(rng: Rng) -> Case:
    """The parents are two stages of one run and the base; the suspect comes after them, between them or aside."""
    _, middle, base = (run := _walk(rng, rng.uniform(0.3, 1.0), 0.05, rng.uniform(0.3, 0.7))).models
    late, size = run.models[0], distance(run.models[0], base)
    which = (late, middle, base)[int(rng.integers(3))]
    return Case((apply(which, _training(which, rng, size * log_uniform(rng, 0.05, 1))), late, middle, base), run.about)


@kind(80, "negative", "finetune", "inconclusive")
def shares_with_two(rng: Rng) -> Case:
    """A finetune that shares a direction with each of two others (cosines 0.3 to 0.65)."""
    first, second, base = family(rng, 2, low=1e-4)
    a, b = rng.uniform(0.3, 0.65, 2)
    own = change(base, rng, distance(first, base), 0.5, 0.0)
    unit = float(distance(first, base) / max(distance(second, base), 1e-9))
    parts = [(float(a), _difference(first, base)), (float(b) * unit, _difference(second, base))]
    return Case((apply(base, combine([*parts, (math.sqrt(1 - a * a - b * b), own)])), first, second, base))


@kind(300, "negative", "finetune", "inconclusive")
def shared_direction(rng: Rng) -> Case:
    """Siblings whose changes have a cosine of 0.1 to 0.9 (similar data), of any relative size."""
    parent, base, cosine = *family(rng, low=1e-4), rng.uniform(0.1, 0.9)
    return _sharing(rng, parent, base, cosine)


def _sharing(rng: Rng, parent: Weights, base: Weights, cosine: float) -> Case:
    size, common = distance(parent, base), _difference(parent, base)
    own = change(base, rng, size, 0.5, 0.0)
    scale = log_uniform(rng, 0.2, 3)
    suspect = apply(base, combine([(scale * cosine, common), (scale * math.sqrt(1 - cosine**2), own)]))
    return Case((suspect, parent, base), f"cosine {cosine:.3f}, {scale:.2f} as far")


@kind(150, "negative", "finetune", "inconclusive")
def further_trained_parent(rng: Rng) -> Case:
    """A parent trained on by 0.1 % to 100 % of its distance from the base."""
    parent, base = family(rng)
    which = parent if rng.random() < 0.7 else base
    size = max(distance(parent, base), WIDTH[0]) * log_uniform(rng, 1e-3, 1)
    return Case((apply(which, _training(which, rng, size)), parent, base), f"{size:.2g}")


def _walk(rng: Rng, noise: float, uneven: float, time: float) -> Case:
    base, size = family(rng)[-1], log_uniform(rng, 1e-4, WIDTH[1])
    drift = change(base, rng, size * math.sqrt(1 - noise**2), 0.5, 0.3)
    early, late = (change(base, rng, size * noise, 0.5, 0.3) for _ in range(2))
    pace: dict[str, float] = {}
    for name in base:
        layer = layer_of(name)
        pace[name] = pace.get(f"{layer}", float(np.clip(time + uneven * rng.standard_normal(), 0.02, 0.98)))
        pace[f"{layer}"] = pace[name]
    suspect = apply(base, combine([(pace, drift), ({name: math.sqrt(t) for name, t in pace.items()}, early)]))
    rest = {name: math.sqrt(1 - t) for name, t in pace.items()}
    whole = {name: math.sqrt(t) for name, t in pace.items()}
    parent = apply(base, combine([(1.0, drift), (whole, early), (rest, late)]))
    about = f"noise {noise:.2f}, uneven {uneven:.2f}, time {time:.2f}"
    return Case((suspect, parent, base) if rng.random() < 0.7 else (parent, suspect, base), about)


@kind(200, "negative", "finetune", "inconclusive")
def earlier_or_later_stage(rng: Rng) -> Case:
    """A checkpoint of the parent's own training: drift plus a random walk that is 30 to 100 % of the way."""
    return _walk(rng, rng.uniform(0.3, 1.0), rng.uniform(0.0, 0.1), rng.uniform(0.1, 0.97))


@kind(100, "negative", "finetune", "inconclusive")
def stage_with_uneven_layers(rng: Rng) -> Case:
    """A nearly straight run (random part 2 to 15 %) whose layers are at different places (standard deviation 0.15)."""
    return _walk(rng, rng.uniform(0.02, 0.15), 0.2, rng.uniform(0.3, 0.7))


@kind(40, "negative", "unrelated")
def unrelated_seeds(rng: Rng) -> Case:
    """Models of one layout from different seeds; norm weights nearly the same."""
    parent, base = family(rng, dtype=DType.BF16)
    size = Size(max(layer_of(name) or 0 for name in base) + 1, *_shape(base))
    stranger = model(rng, size)
    suspect = {name: stranger.get(name, tensor) for name, tensor in base.items() if name in stranger}
    return Case((suspect, parent, base))


def _shape(of: Weights) -> tuple[int, int, int, bool, int]:
    vocabulary, hidden = of["model.embed_tokens.weight"][0].shape
    experts = sum("layers.0.mlp.experts" in name and "gate" in name for name in of)
    width = of["model.layers.0.mlp.experts.0.gate_proj.weight" if experts else "model.layers.0.mlp.gate_proj.weight"]
    return hidden, width[0].shape[0], vocabulary, "lm_head.weight" in of, experts


@kind(150, "negative", "finetune", "inconclusive")
def sparse_finetune(rng: Rng) -> Case:
    """1 % to 0.001 % of the elements of a parent or of the base changed; stored in any format."""
    parent, base = family(rng)
    which, share = (parent, base)[int(rng.integers(2))], log_uniform(rng, 1e-5, 1e-2)
    size = max(distance(parent, base), WIDTH[0]) * log_uniform(rng, 0.3, 10)
    suspect = apply(which, sparse(change(which, rng, size), rng, share))
    suspect["model.embed_tokens.weight"][0][0, :4] += np.float32(0.01)  # so that it never is a copy
    stored = FORMATS[int(rng.integers(3))]
    return Case((cast(suspect, stored), parent, base), f"{share:.1g} {stored}")


@kind(60, "negative", "finetune", "inconclusive")
def low_rank_adapter(rng: Rng) -> Case:
    """A LoRA of attention on the base or on the parent: everything else is frozen."""
    parent, base = family(rng)
    which = (parent, base)[int(rng.integers(2))]
    size = max(distance(parent, base), 1e-4) * log_uniform(rng, 0.3, 3)
    return Case((apply(which, change(which, rng, size, 1.0, only=lambda name: "self_attn" in name)), parent, base))


@kind(60, "negative", "finetune", "inconclusive")
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


@kind(120, "negative", "finetune", "inconclusive")
def rounded_to_integers(rng: Rng) -> Case:
    """Parent or base to int8 or int4 and back, or a tenth to half of it pruned."""
    parent, base = family(rng, low=5e-5)
    which = (parent, base)[int(rng.integers(2))]
    how = int(rng.integers(3))
    suspect = pruned(which, rng.uniform(0.1, 0.5)) if how == 2 else quantised(which, (8, 4)[how])
    return Case((suspect, parent, base), ("int8", "int4", "pruned")[how])


@kind(60, "negative", "finetune", "inconclusive")
def parent_rounded_to_integers(rng: Rng) -> Case:
    """A finetune of the base; the other parent is the base as int8: a distance that is only rounding."""
    suspect, base = family(rng)
    return Case((suspect, quantised(base, 8), base))


@kind(120, "negative", "inconclusive", "finetune")
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


@kind(60, "negative", "inconclusive", "finetune")
def ancestor_as_suspect(rng: Rng) -> Case:
    """The base as the suspect, two of its finetunes as parents."""
    first, second, base = family(rng, 2)
    if rng.random() < 0.5:
        base = apply(base, change(base, rng, 2e-5))
    return Case((base, first, second))


@kind(60, "negative", "finetune", "inconclusive")
def base_plus_little_noise(rng: Rng) -> Case:
    """The base or parent with noise of 1e-8 to 1e-5 in every element."""
    parent, base = family(rng)
    which, size = (parent, base)[int(rng.integers(2))], log_uniform(rng, 1e-8, 1e-5)
    suspect = apply(which, change(which, rng, size, 0.0, 0.0))
    suspect["model.embed_tokens.weight"][0][0, :4] += np.float32(0.01)  # so that it never is a copy
    return Case((suspect, parent, base), f"{size:.1g}")


@kind(60, "negative", "finetune", "inconclusive")
def parents_nearly_equal(rng: Rng) -> Case:
    """Parents that differ in a few elements, or by the last bit; the suspect is another finetune, far or near."""
    base = family(rng)[-1]
    parent = apply(base, sparse(change(base, rng, 1e-3), rng, log_uniform(rng, 1e-4, 1e-1)))
    return Case((apply(base, change(base, rng, log_uniform(rng, 2e-6, 1e-3))), parent, base))


@kind(60, "negative", "finetune", "inconclusive")
def padding_and_nan(rng: Rng) -> Case:
    """Siblings with zero rows in the embeddings, a tied head and a tensor full of NaN."""
    base = {name: tensor for name, tensor in family(rng)[-1].items() if name != "lm_head.weight"}
    base["model.embed_tokens.weight"][0][-20:] = 0
    parent, suspect = (apply(base, change(base, rng, log_uniform(rng, *WIDTH))) for _ in range(2))
    suspect["model.layers.0.self_attn.q_proj.weight"][0][:] = np.nan
    return Case((suspect, parent, base))


@kind(40, "negative", "finetune", "inconclusive")
def strangers_parent(rng: Rng) -> Case:
    """A finetune of the base; the other parent is unrelated to both."""
    suspect, base = family(rng, dtype=DType.BF16)
    size = Size(max(layer_of(name) or 0 for name in base) + 1, *_shape(base))
    return Case((suspect, model(rng, size), base) if rng.random() < 0.5 else (suspect, base, model(rng, size)))


@kind(60, "negative", "finetune", "inconclusive")
def decayed_weights(rng: Rng) -> Case:
    """The parent or base shrunk by 0.01 % to 3 % (weight decay), then trained a little."""
    parent, base = family(rng)
    which = (parent, base)[int(rng.integers(2))]
    shrink = -log_uniform(rng, 1e-4, 3e-2)
    extra = change(which, rng, max(distance(parent, base), WIDTH[0]) * log_uniform(rng, 0.01, 1))
    return Case((apply(which, combine([(shrink, {n: v for n, (v, _) in which.items()}), (1.0, extra)])), parent, base))


# --- known limits -----------------------------------------------------------------------------------------------------


@kind(60, "limit", "inconclusive", "finetune")
def straight_even_run(rng: Rng) -> Case:
    """A stage of a run that goes straight (random part 1 to 10 %) and at one pace in all layers."""
    return _walk(rng, rng.uniform(0.01, 0.1), 0.0, rng.uniform(0.2, 0.8))


@kind(60, "limit", "inconclusive", "finetune")
def almost_the_same_training(rng: Rng) -> Case:
    """Siblings whose changes have a cosine of 0.95 to 0.999."""
    parent, base = family(rng, low=1e-4)
    return _sharing(rng, parent, base, 1 - log_uniform(rng, 1e-3, 5e-2))
