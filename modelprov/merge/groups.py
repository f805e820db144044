"""Weights that differ by tensor, as a recipe gives them: each group of tensors, and a weight for every model. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted
from modelprov.recipes.recipe import Group
from modelprov.recipes.tensor_groups import Part, TensorGroup, describe, parse, runs_of

LISTED = 5
LONGEST = 200
"""Characters of a kind that is looked for among others like it."""


@dataclass(frozen=True)
class WeightedGroup:
    """A group of tensors, and its `weights` in the order of the models."""

    tensors: TensorGroup
    weights: tuple[float, ...]


def weighted_groups(groups: Sequence[Group], locations: Sequence[str]) -> tuple[WeightedGroup, ...]:
    """The groups of a recipe whose models lie at `locations`; raises `UsageError` for words that mean nothing."""
    return tuple(WeightedGroup(parse(group.tensors), _weights(group, locations)) for group in groups)


def _weights(group: Group, locations: Sequence[str]) -> tuple[float, ...]:
    """By location, or by the label that `compare` gave it: the end of its path."""
    used: dict[str, str] = {}
    for where in locations:
        ends = [label for label in group.weights if where.rstrip("/").endswith("/" + label)]
        fitting = [where] if where in group.weights else ends
        if len(fitting) != 1:
            raise UsageError(
                f"the group {quoted(group.tensors)} does not say the weight of {where}",
                "Name every model by its location.",
            )
        if fitting[0] in used:
            raise UsageError(
                f"the group {quoted(group.tensors)} has one weight, that of {quoted(fitting[0])}, for two models: "
                f"{used[fitting[0]]} and {where}",
                "Name every model by its location.",
            )
        used[fitting[0]] = where
    for label, weight in group.weights.items():
        if weight and label not in used:
            raise UsageError(
                f"the group {quoted(group.tensors)} gives a weight to {quoted(label)}, which is no model of the recipe",
                f"Models are {', '.join(locations)}.",
            )
    return tuple(group.weights[label] for label in used)


def refuse_idle(groups: Sequence[WeightedGroup], tensors: Collection[tuple[int | None, str]]) -> None:
    """Refuse a group with a part that means none of the tensors, or of which groups before it leave nothing.

    `tensors` are layer and kind of all that the models have. A slip in a group's words would otherwise be a merge with
    other weights, and nobody would be told.
    """
    left = set(tensors)
    layers: dict[str | None, set[int | None]] = {None: {layer for layer, _ in tensors}}
    for layer, kind in tensors:
        layers.setdefault(kind, set()).add(layer)
    for group in groups:
        for part in group.tensors.parts:
            alone = TensorGroup((part,))
            if not any(alone.covers(layer, part.kind or "") for layer in layers.get(part.kind, ())):
                raise UsageError(
                    f"the recipe's group {quoted(describe(alone))} means no tensor of its models",
                    _what_there_is(part.kind, tensors),
                )
        own = {place for place in left if group.tensors.covers(*place)}
        if not own:
            raise UsageError(
                f"every tensor of the recipe's group {quoted(describe(group.tensors))} belongs to a group before it",
                "The first group that means a tensor counts; remove one, or put it first.",
            )
        left -= own


def _what_there_is(kind: str | None, tensors: Collection[tuple[int | None, str]]) -> str:
    """The layers that the models have, or those of a kind; and the kinds most like the one that is not there."""
    kinds = sorted({own for _, own in tensors})
    if kind is None or kind in kinds:
        layers = runs_of((layer, layer) for layer, own in tensors if layer is not None and kind in (None, own))
        of = "Its models" if kind is None else quoted(kind)
        return f"{of}: {describe(TensorGroup((Part(None, layers),)))}." if layers else f"{of}: in no layer."
    like = get_close_matches(kind, kinds, LISTED, cutoff=0) if len(kind) <= LONGEST else kinds[:LISTED]
    return f"Kinds there are: {', '.join(map(quoted, like))}{', ...' if len(kinds) > len(like) else ''}."
