"""What a tensor does in the model, by its canonical name and shape: the table of roles, applied to one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from modelprov.checkpoints.layouts.numbered import counted, kinds_of, numbers_of
from modelprov.checkpoints.layouts.roles import COMPONENTS, EXPERT, LAYER, MTP, NORM, ROUTER, VISION, vocabulary_role
from modelprov.checkpoints.types import Component

Place = tuple[int | None, Component, int | None]
"""Layer, component and expert."""


def component_of(name: str, shape: tuple[int, ...]) -> Place:
    """Layer, component and expert of the canonical tensor `name`; None where there is none.

    Vision and MTP blocks count their own layers, so they get none: a layer is one of the text model. Norm weights,
    biases and every other vector are norms, except a router's.
    """
    expert = int(found[1]) if (found := EXPERT.search(name)) else None
    if VISION.match(name):
        return None, Component.VISION, expert
    if MTP.search(name):
        return None, Component.MTP, expert
    layer = int(found[1]) if (found := LAYER.search(name)) else None
    if ROUTER.search(name):
        return layer, Component.ROUTER, expert
    if sum(side != 1 for side in shape) < 2 or NORM.search(name):
        return layer, Component.NORMS, expert
    if role := vocabulary_role(name):
        return layer, role, expert
    for component, words in COMPONENTS:
        if words.search(name):
            return layer, component, expert
    return layer, Component.OTHER, expert


def components_of(
    names: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> tuple[list[int | None], list[Component], list[int | None]]:
    """Layers, components and experts of many tensors: what `component_of` says, asked once for each kind of them.

    It looks at words and at shapes, and copies numbers.
    """
    forms, numbers = list(zip(kinds_of(tuple(names)), shapes, strict=True)), numbers_of(names)
    rules = {}
    for form in set(forms):
        name, many = counted(form[0])
        rules[form] = (*component_of(name, form[1]), many)
    layers: list[int | None] = []
    experts: list[int | None] = []
    at = 0
    for layer, _, expert, many in map(rules.__getitem__, forms):
        layers.append(None if layer is None else numbers[at + layer])
        experts.append(None if expert is None else numbers[at + expert])
        at += many
    return layers, [rules[form][1] for form in forms], experts


@lru_cache(maxsize=4)  # models that are compared mostly have the same names
def layers_of(names: tuple[str, ...]) -> frozenset[int]:
    """The layers that canonical names are of."""
    return frozenset(layer for layer in components_of(names, [()] * len(names))[0] if layer is not None)
