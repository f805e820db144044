"""What the summary may claim: an order in time, a whole where only a part was compared, a share that nobody measured.

The class may be right and the sentence still say more than weights show; both are errors here.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import WIDTH, difference, family, log_uniform
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from tests.generated import Rng, apply, change, combine, distance, layer_of, merge

ORDER = (r"trained onwards from", r"was trained from", r"descends from")
NO_SHARE = (r"[Nn]o share of",)
WHOLE = (r"every weight compared", r"^(?!.*\d ?%).*\bis a copy\b", r"\ba copy: every weight")
"""A copy of a part whose summary gives no share in percent, or says `every weight`."""


def _common(rng: Rng, base: Weights, share: float) -> tuple[Weights, Weights]:
    """Two finetunes of one base that share this part of their change, of any size."""
    size = log_uniform(rng, 1e-4, WIDTH[1])
    common = change(base, rng, size, 0.5, 0.3)
    made = []
    for _ in range(2):
        scale = log_uniform(rng, 0.3, 3)
        own = change(base, rng, size, float(rng.choice([0.0, 0.5])), 0.3)
        made.append(apply(base, combine([(scale * np.sqrt(share), common), (scale * np.sqrt(1 - share), own)])))
    return made[0], made[1]


@kind(120, "negative", "same-origin", "inconclusive", never=ACCUSATIONS, unsaid=ORDER)
def siblings_and_who_came_first(rng: Rng) -> Case:
    """Two finetunes of one base, trained apart or on overlapping data; alleged: the sibling and the base.

    Neither was trained from the other, so "trained onwards from" the sibling is false. As of the base it is true, but
    the weights do not show the order.
    """
    base = family(rng)[-1]
    share = float(rng.choice([0.0, 0.1, 0.3, 0.5, 0.7, 0.85]))
    first, second = _common(rng, base, share)
    return Case((first, second, base), f"shared {share}")


@kind(80, "negative", "same-origin", "inconclusive", never=ACCUSATIONS, unsaid=ORDER)
def siblings_without_their_base(rng: Rng) -> Case:
    """The same with the sibling alone, or with two siblings: a single parent shows kinship and no direction."""
    base = family(rng)[-1]
    first, second = _common(rng, base, float(rng.choice([0.0, 0.3, 0.7])))
    if rng.random() < 0.5:
        return Case((first, second))
    return Case((first, second, apply(base, change(base, rng, log_uniform(rng, *WIDTH)))))


@kind(60, "negative", "same-origin", "inconclusive", never=ACCUSATIONS, unsaid=ORDER)
def parent_as_suspect(rng: Rng) -> Case:
    """The base is accused of coming from its own finetune, which alone is given."""
    finetune, base = family(rng, 1, 1e-4)
    return Case((base, finetune))


@kind(60, "negative", "same-origin", "inconclusive", never=ACCUSATIONS)
def finetune_of_one_given(rng: Rng) -> Case:
    """A finetune and its base alone: kin, in whatever direction."""
    return Case(tuple(family(rng, 1)))


@kind(60, "positive", "inconclusive", "merge", "on-line", never=frozenset({"unrelated", "copy"}), unsaid=NO_SHARE)
def merge_against_one_parent(rng: Rng) -> Case:
    """A merge of two finetunes of which one alone is given: it may not be said that nothing else is in it."""
    first, second, _ = family(rng, 2, 2e-4)
    alpha = round(float(rng.uniform(0.3, 0.7)), 2)
    return Case((merge([first, second], [alpha, 1 - alpha]), first), f"{alpha}")


def _tower(rng: Rng, of: Weights, share: float) -> Weights:
    """Tensors that no parent has, `share` of the whole then."""
    dtype = next(iter(of.values()))[1]
    size = sum(values.size for values, _ in of.values())
    width, made = 64, {}
    blocks = max(1, round(size * share / (1 - share) / (4 * width * width)))
    for block in range(blocks):
        for name in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"):
            values = 0.02 * rng.standard_normal((width, width), dtype=np.float32)
            made[f"model.visual.blocks.{block}.{name}.weight"] = store(values.astype(np.float32), dtype), dtype
    return made


@kind(80, "positive", "copy", "inconclusive", never=frozenset({"unrelated", "merge"}), unsaid=WHOLE)
def frozen_model_with_a_new_tower(rng: Rng) -> Case:
    """A language model taken over to the bit, with a tower of its own that is 20 to 57 % of the weights.

    "A copy" is true of what can be compared; the summary has to say how much that is.
    """
    parent, base = family(rng, 1, 1e-4)
    share = float(rng.choice([0.2, 0.35, 0.45, 0.5, 0.57]))
    parents = (parent, base) if rng.random() < 0.5 else (parent,)
    return Case((parent | _tower(rng, parent, share), *parents), f"tower {share}")


@kind(60, "negative", "same-origin", "inconclusive", never=ACCUSATIONS, unsaid=ORDER)
def sibling_with_a_new_tower(rng: Rng) -> Case:
    """A sibling with such a tower, 30 to 80 % of the weights."""
    suspect, parent, base = family(rng, 2, 1e-4)
    share = float(rng.choice([0.3, 0.6, 0.8]))
    return Case((suspect | _tower(rng, suspect, share), parent, base), f"tower {share}")


@kind(60, "positive", "merge", "inconclusive", "copy", "on-line", never=frozenset({"unrelated"}), unsaid=WHOLE)
def part_of_a_merge_compared(rng: Rng) -> Case:
    """An exact merge, or a copy, of which the parents hold 10 to 90 % of the matrices alone."""
    parent, base = family(rng, 1, 2e-4)
    copied = rng.random() < 0.5
    suspect = dict(parent) if copied else merge([parent, base], [0.6, 0.4])
    share = float(rng.choice([0.1, 0.3, 0.45, 0.55, 0.7, 0.9]))
    matrices = [name for name in parent if layer_of(name) is not None and parent[name][0].ndim == 2]
    lost = set(rng.choice(matrices, round(len(matrices) * (1 - share)), replace=False).tolist())
    kept = [{name: tensor for name, tensor in model.items() if name not in lost} for model in (parent, base)]
    return Case((suspect, *kept), f"{'copy' if copied else 'merge'}, {share} of the matrices")


@kind(60, "negative", "inconclusive", "same-origin", never=ACCUSATIONS | {"unrelated"})
def one_part_taken_over(rng: Rng) -> Case:
    """Embeddings or one layer are the parent's to the bit, everything else is a finetune of its own: no copy."""
    suspect, parent, base = family(rng, 2, 2e-4)
    part = None if rng.random() < 0.5 else 0
    made = {name: parent[name] if layer_of(name) == part else tensor for name, tensor in suspect.items()}
    return Case((made, parent, base), f"part {part}, {distance(parent, base):.1g}")


@kind(40, "negative", "same-origin", "inconclusive", never=ACCUSATIONS, unsaid=ORDER)
def sibling_further_along(rng: Rng) -> Case:
    """The parent's change is 0.9 to 1.5 times in the suspect, which was trained on the same data and more: no order."""
    parent, base = family(rng, 1, 2e-4, DType.BF16)
    own = change(base, rng, distance(parent, base) * float(rng.uniform(0.3, 1.0)), 0.5, 0.3)
    suspect = apply(base, combine([(float(rng.uniform(0.9, 1.3)), difference(parent, base)), (1.0, own)]))
    return Case((suspect, parent, base))
