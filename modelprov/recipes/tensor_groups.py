"""Words for groups of tensors, and what they mean: `describe` and `parse` are inverses. Pure; knows no checkpoint.

Whoever finds a recipe says with them which tensors have which weights (`layers 0-2, 5; model.norm.weight`), whoever
makes one follows them. A group is one or more parts, parted by semicolons:

    all tensors                            every tensor
    layers 0-2, 5                          every tensor of these layers
    outside the layers                     every tensor of no layer
    KIND                                   this kind, wherever it is
    KIND (layers 0-2, 5)                   this kind in these layers
    KIND (outside the layers)              this kind where it is in no layer

A kind is a canonical name without its numbers; one that is not plain (spaces, semicolons, what does not print) stands
in quotation marks, as JSON writes text. Layers are those of the text model.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted

MOST_LAYERS = 1_000_000
"""No name of a tensor has a layer with more digits (`checkpoints.layouts.components`)."""
NUMBER = re.compile(r"\.\d+(?=\.|$)")
RUN = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
WORDS_OF_PART = re.compile(r'\s*(?:"(?:[^"\\]|\\.)*")?[^;]*')
EVERYTHING = "all tensors"
OUTSIDE = "outside the layers"
LAYERS = re.compile(r"layers ([\d, -]+)")
KIND = re.compile(rf'(?P<kind>"(?:[^"\\]|\\.)*"|[^ ]+)(?P<where> \((?:layers (?P<layers>[\d, -]+)|{OUTSIDE})\))?')
PLAIN = re.compile(r'[^\s;"][^\s;]*')
ADVICE = "Write `all tensors`, `layers 0-2, 5`, or a canonical name without numbers, parted by semicolons."

Runs = tuple[tuple[int, int], ...]
"""Layers as ranges, first and last included: ascending, and never two that touch."""


def runs_of(ranges: Iterable[tuple[int, int]]) -> Runs:
    """The same layers in ascending ranges that do not touch; ranges may overlap and come in any order."""
    runs: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if runs and first <= runs[-1][1] + 1:
            runs[-1] = runs[-1][0], max(runs[-1][1], last)
        else:
            runs.append((first, last))
    return tuple(runs)


@dataclass(frozen=True)
class Part:
    """Tensors of one kind (None: of any), in some layers (None: wherever they are; `()`: in no layer)."""

    kind: str | None
    layers: Runs | None


@dataclass(frozen=True)
class TensorGroup:
    """Every tensor that one of the parts means."""

    parts: tuple[Part, ...]

    def covers(self, layer: int | None, kind: str) -> bool:
        """Whether a tensor of this layer (None: of no layer) and this kind belongs to the group."""
        return any(_holds(places, layer) for places in (self._places.get(None), self._places.get(kind)) if places)

    @cached_property
    def _places(self) -> dict[str | None, tuple[bool, bool, Runs]]:
        """By kind: whether it is meant everywhere, whether outside the layers, and the layers it is meant in."""
        by_kind: dict[str | None, list[Runs | None]] = {}
        for part in self.parts:
            by_kind.setdefault(part.kind, []).append(part.layers)
        return {
            kind: (None in found, () in found, runs_of(run for runs in found if runs for run in runs))
            for kind, found in by_kind.items()
        }


def _holds(places: tuple[bool, bool, Runs], layer: int | None) -> bool:
    everywhere, outside, runs = places
    if everywhere or layer is None:
        return everywhere or outside
    at = bisect_right(runs, (layer, MOST_LAYERS)) - 1
    return at >= 0 and runs[at][0] <= layer <= runs[at][1]


def kind_of(name: str) -> str:
    """A canonical name without layer and expert numbers."""
    return NUMBER.sub("", name)


def group_of(members: Collection[int], layers: Sequence[int | None], kinds: Sequence[str]) -> TensorGroup:
    """The group that holds exactly `members` of the tensors with these layers and kinds, each pair of them once.

    In as few words as may be: everything, whole layers, then kinds.
    """
    if len(members) == len(layers):
        return TensorGroup((Part(None, None),))
    inside = set(members)
    by_layer: dict[int | None, set[int]] = {}
    for tensor, layer in enumerate(layers):
        by_layer.setdefault(layer, set()).add(tensor)
    whole = [layer for layer, own in by_layer.items() if layer is not None and own <= inside]
    rest = inside - {tensor for layer in whole for tensor in by_layer[layer]}
    parts = [Part(None, _each(whole))] if whole else []
    found: dict[str, list[int | None]] = {}
    for tensor in sorted(rest):
        found.setdefault(kinds[tensor], []).append(layers[tensor])
    elsewhere = {kinds[tensor] for tensor, layer in enumerate(layers) if layer is not None and tensor not in inside}
    for kind, own in found.items():
        numbered = [layer for layer in own if layer is not None]
        if numbered:
            parts.append(Part(kind, _each(numbered)))
        if None in own:  # in the layers the same kind may belong to another group
            parts.append(Part(kind, () if numbered or kind in elsewhere else None))
    return TensorGroup(tuple(parts))


def describe(group: TensorGroup) -> str:
    """The group in words, from which `parse` makes the same group."""
    return "; ".join(_described(part) for part in group.parts)


def parse(words: str) -> TensorGroup:
    """The group that is meant by words; raises `UsageError` for words that mean nothing."""
    parts, at = [], 0
    while at <= len(words):
        found = WORDS_OF_PART.match(words, at)
        said = found[0] if found is not None else ""
        parts.append(_parsed(said.strip()))
        at += len(said) + 1
    return TensorGroup(tuple(parts))


def _described(part: Part) -> str:
    where = OUTSIDE if part.layers == () else f"layers {_listed(part.layers)}" if part.layers else ""
    if part.kind is None:
        return where or EVERYTHING
    kind = part.kind if PLAIN.fullmatch(part.kind) and part.kind.isprintable() else json.dumps(part.kind)
    return f"{kind} ({where})" if where else kind


def _parsed(words: str) -> Part:
    if words in (EVERYTHING, OUTSIDE):
        return Part(None, None if words == EVERYTHING else ())
    if found := LAYERS.fullmatch(words):
        return Part(None, _layers(found[1], words))
    found = KIND.fullmatch(words)
    kind = _unquoted(found["kind"]) if found is not None else None
    if found is None or kind is None:
        raise UsageError(f"the recipe's group {quoted(words)} means nothing here", ADVICE)
    if found["where"] is None:
        return Part(kind, None)
    return Part(kind, _layers(found["layers"], words) if found["layers"] else ())


def _unquoted(kind: str) -> str | None:
    if len(kind) < 2 or kind[0] != '"' or kind[-1] != '"':
        return kind
    try:
        return str(parse_json(kind))
    except JsonError:
        return None


def _layers(text: str, words: str) -> Runs:
    ranges = []
    for run in text.split(","):
        found = RUN.fullmatch(run.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not first <= last < MOST_LAYERS:
            raise UsageError(
                f"{quoted(run.strip())} in the group {quoted(words)} is no range of layers", "Write them like 0-2, 5."
            )
        ranges.append((first, last))
    return runs_of(ranges)


def _each(layers: Iterable[int]) -> Runs:
    return runs_of((layer, layer) for layer in layers)


def _listed(runs: Runs | None) -> str:
    """0, 1, 2, 5 as `0-2, 5`."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs or ())
