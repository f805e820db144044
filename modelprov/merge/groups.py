"""Weights that differ by tensor, as a recipe gives them: each group of tensors, and a weight for every model. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted
from modelprov.recipes.recipe import Group
from modelprov.recipes.tensor_groups import TensorGroup, parse


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
    found = []
    for where in locations:
        ends = [weight for label, weight in group.weights.items() if where.rstrip("/").endswith("/" + label)]
        fitting = [group.weights[where]] if where in group.weights else ends
        if len(fitting) != 1:
            raise UsageError(
                f"the group {quoted(group.tensors)} does not say the weight of {where}",
                "Name every model by its location.",
            )
        found.append(fitting[0])
    return tuple(found)
