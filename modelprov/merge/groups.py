"""Weights that differ by tensor, as `compare` describes them in a recipe. Pure: words in, weights out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from modelprov.errors import UsageError
from modelprov.merge.recipe import Group

NUMBER = re.compile(r"\.\d+(?=\.|$)")
LAYERS = re.compile(r"layers ([\d, -]+)")
KIND = re.compile(r"(?P<kind>[^ ]+)(?: \(layers (?P<layers>[\d, -]+)\))?")
EVERYTHING = "all tensors"


@dataclass(frozen=True)
class Weighting:
    """One group: whole layers, kinds everywhere, kinds in some layers; `weights` in the order of the models."""

    weights: tuple[float, ...]
    everything: bool
    layers: frozenset[int]
    kinds: dict[str, frozenset[int] | None]

    def covers(self, layer: int | None, kind: str) -> bool:
        """Whether a tensor belongs to the group."""
        if self.everything or (layer is not None and layer in self.layers):
            return True
        inside = self.kinds.get(kind, frozenset())
        return inside is None or (layer is not None and layer in inside)


def kind_of(name: str) -> str:
    """A canonical name without layer and expert numbers."""
    return NUMBER.sub("", name)


def parse_groups(groups: Sequence[Group], locations: Sequence[str]) -> tuple[Weighting, ...]:
    """The groups of a recipe whose models lie at `locations`; raises `UsageError` for words that mean nothing."""
    return tuple(_parse(group, locations) for group in groups)


def _parse(group: Group, locations: Sequence[str]) -> Weighting:
    everything, layers, kinds = group.tensors.strip() == EVERYTHING, set[int](), dict[str, frozenset[int] | None]()
    for words in [] if everything else [part.strip() for part in group.tensors.split(";")]:
        if whole := LAYERS.fullmatch(words):
            layers |= _numbers(whole[1])
        elif found := KIND.fullmatch(words):
            kinds[found["kind"]] = frozenset(_numbers(found["layers"])) if found["layers"] else None
        else:
            raise UsageError(
                f"the recipe's group {words!r} means nothing here",
                "Write `all tensors`, `layers 0-2, 5`, or a canonical name without numbers, parted by semicolons.",
            )
    return Weighting(_weights(group, locations), everything, frozenset(layers), kinds)


def _weights(group: Group, locations: Sequence[str]) -> tuple[float, ...]:
    """By location, or by the label that `compare` gave it: the end of its path."""
    found = []
    for where in locations:
        fitting = [w for label, w in group.weights.items() if label == where or where.rstrip("/").endswith("/" + label)]
        if len(fitting) != 1:
            raise UsageError(
                f"the group {group.tensors!r} does not say the weight of {where}", "Name every model by its location."
            )
        found.append(fitting[0])
    return tuple(found)


def _numbers(text: str) -> set[int]:
    numbers: set[int] = set()
    for run in text.split(","):
        first, _, last = run.strip().partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers
