"""Descendants in other coordinates: positives, for which the all-clear `unrelated` is the error.

Each computes the same function as a copy, a finetune or a merge of the parents; only the order, basis or scale of
inner quantities was changed, which costs nothing and trains nothing. To find the disguise and say so is right; so is
any careful answer. To accuse of another act than the true one is an error as well.
"""

from __future__ import annotations

from benchmarks.cases import coordinates
from benchmarks.cases.coordinates import Step, disguised
from benchmarks.cases.decoders import Decoder, decoder_family
from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import ratio, training
from modelprov.checkpoints.formats.dtypes import DType
from tests.generated import Rng, apply, merge

CAREFUL = ("inconclusive", "other-coordinates", "same-origin", "copy", "merge", "on-line")
FALSE = {"copy": ACCUSATIONS - {"copy"}, "finetune": ACCUSATIONS, "merge": frozenset({"copy"})}


def _descendant(rng: Rng, steps: tuple[Step, ...], experts: bool = False) -> Case:
    """A copy, a finetune by 1e-4 to 2e-3 or a merge, disguised; its parents, of which the base may be withheld."""
    shape = Decoder.draw(rng, experts)
    parent, base = decoder_family(rng, shape)
    what = ("copy", "finetune", "merge")[int(rng.integers(3))]
    suspect = parent
    if what == "finetune":
        suspect = apply(parent, training(parent, rng, float(10 ** rng.uniform(-4, -2.7))))
    elif what == "merge":
        alpha = ratio(rng, 0.2, 0.8)
        suspect = merge([parent, base], [alpha, 1 - alpha])
    stored = DType.F32 if rng.random() < 0.2 else None
    suspect = disguised(suspect, shape, rng, steps, stored)
    parents = (parent,) if what != "merge" and rng.random() < 0.25 else (parent, base)
    about = f"{what} of {len(parents)}, {next(iter(suspect.values()))[1]}, {shape.layers} layers of {shape.hidden}"
    return Case((suspect, *parents), about, never=FALSE[what])


@kind(60, "positive", *CAREFUL)
def permuted_residual(rng: Rng) -> Case:
    """The dimensions of the residual stream in another order: every bit is kept, at another place."""
    return _descendant(rng, (coordinates.permute_residual,))


@kind(60, "positive", *CAREFUL)
def permuted_residual_with_signs(rng: Rng) -> Case:
    """The same with half of the dimensions negated."""
    return _descendant(rng, (coordinates.permute_residual_with_signs,))


@kind(60, "positive", *CAREFUL)
def rotated_residual(rng: Rng) -> Case:
    """The residual stream in a random orthogonal basis, the norms' gains folded away; rounded anew."""
    return _descendant(rng, (coordinates.rotate_residual,))


@kind(60, "positive", *CAREFUL)
def permuted_units(rng: Rng) -> Case:
    """The units of the MLPs in another order: embeddings and attention stay at their places."""
    return _descendant(rng, (coordinates.permute_units,))


@kind(40, "positive", *CAREFUL)
def permuted_heads(rng: Rng) -> Case:
    """The heads in another order."""
    return _descendant(rng, (coordinates.permute_heads,))


@kind(40, "positive", *CAREFUL)
def reordered_experts(rng: Rng) -> Case:
    """The experts under other numbers."""
    return _descendant(rng, (coordinates.reorder_experts,), experts=True)


@kind(40, "positive", *CAREFUL)
def scaled_by_powers_of_two(rng: Rng) -> Case:
    """Powers of two between norm and reader, values and output, up and down, queries and keys: mantissas stay."""
    return _descendant(rng, (coordinates.scale_by_powers_of_two,))


@kind(40, "positive", *CAREFUL)
def scaled_anyhow(rng: Rng) -> Case:
    """Any factors at the same places, rounded anew."""
    return _descendant(rng, (coordinates.scale_anyhow,))


@kind(60, "positive", *CAREFUL)
def all_orders_changed(rng: Rng) -> Case:
    """Residual stream with signs, heads, units and experts in other orders, and powers of two: all bits are kept."""
    experts = bool(rng.random() < 0.3)
    steps = (
        coordinates.scale_by_powers_of_two,
        coordinates.permute_heads,
        coordinates.permute_units,
        coordinates.permute_residual_with_signs,
        *((coordinates.reorder_experts,) if experts else ()),
    )
    return _descendant(rng, steps, experts)


@kind(60, "positive", *CAREFUL)
def everything_changed(rng: Rng) -> Case:
    """Rotated, rescaled anyhow, heads, units and experts in other orders."""
    experts = bool(rng.random() < 0.3)
    steps = (
        coordinates.rotate_residual,
        coordinates.scale_anyhow,
        coordinates.permute_heads,
        coordinates.permute_units,
        *((coordinates.reorder_experts,) if experts else ()),
    )
    return _descendant(rng, steps, experts)


@kind(40, "positive", *CAREFUL)
def embeddings_left_alone(rng: Rng) -> Case:
    """Only units and heads, and powers of two at them: embeddings untouched, as a lazy evader leaves them."""
    steps = (coordinates.permute_heads, coordinates.permute_units, coordinates.scale_by_powers_of_two)
    return _descendant(rng, steps)
