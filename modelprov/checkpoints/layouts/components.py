"""What a tensor does in the model, by its canonical name and shape: the table of roles, applied to one tensor."""

from __future__ import annotations

from modelprov.checkpoints.layouts.roles import COMPONENTS, EXPERT, LAYER, MTP, NORM, ROUTER, VISION, vocabulary_role
from modelprov.checkpoints.types import Component


def component_of(name: str, shape: tuple[int, ...]) -> tuple[int | None, Component, int | None]:
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
