"""Weights that differ by tensor, as `compare` describes them in a recipe. Pure: words in, weights out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted
from modelprov.merge.recipe import Group

NUMBER = re.compile(r"\.\d+(?=\.|$)")
RUN = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
MOST_LAYERS = 10_000
LAYERS = re.compile(r"layers ([\d, -]+)")
KIND = re.compile(r"(?P<kind>[^ ]+)(?: \(layers (?P<layers>[\d, -]+)\))?")
EVERYTHING = "all tensors"


@dataclass(frozen=True)
class Weighting:
    """One group: whole layers, kinds everywhere, kinds in some layers; `weights` in the order of the models.

    Layers are bits of one number, bit n for layer n: ranges cost nothing, however many a foreign recipe names.
    """

    weights: tuple[float, ...]
    everything: bool
    layers: int
    kinds: dict[str, int | None]

    def covers(self, layer: int | None, kind: str) -> bool:
        """Whether a tensor belongs to the group."""
        if self.everything or (layer is not None and self.layers >> layer & 1):
            return True
        inside = self.kinds.get(kind, 0)
        return inside is None or (layer is not None and bool(inside >> layer & 1))


def kind_of(name: str) -> str:
    """A canonical name without layer and expert numbers."""
    return NUMBER.sub("", name)


def parse_groups(groups: Sequence[Group], locations: Sequence[str]) -> tuple[Weighting, ...]:
    """The groups of a recipe whose models lie at `locations`; raises `UsageError` for words that mean nothing."""
    return tuple(_parse(group, locations) for group in groups)


def _parse(group: Group, locations: Sequence[str]) -> Weighting:
    everything, layers, kinds = group.tensors.strip() == EVERYTHING, 0, dict[str, int | None]()
    for words in [] if everything else [part.strip() for part in group.tensors.split(";")]:
        if whole := LAYERS.fullmatch(words):
            layers |= _layers(whole[1], words)
        elif found := KIND.fullmatch(words):
            kinds[found["kind"]] = _layers(found["layers"], words) if found["layers"] else None
        else:
            raise UsageError(
                f"the recipe's group {quoted(words)} means nothing here",
                "Write `all tensors`, `layers 0-2, 5`, or a canonical name without numbers, parted by semicolons.",
            )
    return Weighting(_weights(group, locations), everything, layers, kinds)


def _weights(group: Group, locations: Sequence[str]) -> tuple[float, ...]:
    """By location, or by the label that `compare` gave it: the end of its path."""
    found = []
    for where in locations:
        fitting = [w for label, w in group.weights.items() if label == where or where.rstrip("/").endswith("/" + label)]
        if len(fitting) != 1:
            raise UsageError(
                f"the group {quoted(group.tensors)} does not say the weight of {where}",
                "Name every model by its location.",
            )
        found.append(fitting[0])
    return tuple(found)


def _layers(text: str, words: str) -> int:
    layers = 0
    for run in text.split(","):
        found = RUN.fullmatch(run.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not first <= last < MOST_LAYERS:
            raise UsageError(
                f"{quoted(run.strip())} in the group {quoted(words)} is no range of layers", "Write them like 0-2, 5."
            )
        layers |= (1 << last + 1) - (1 << first)
    return layers
