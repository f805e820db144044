"""Which of two layers' parts of unknown kinds, and norms, are each other's: by their names alone. Reads no bytes."""

from __future__ import annotations

from collections.abc import Container

from modelprov.checkpoints.layouts.decoder import Decoder, Place


def namesakes(
    own: Decoder, theirs: Decoder, layer: int, there: int, paired: Container[str]
) -> list[tuple[Place, Place]]:
    """What is not `paired` yet of a layer, and its namesake in the parent's layer `there`; experts are left out."""
    found = []
    for place in own.in_layer(layer):
        if place.name in paired or place.kind not in ("norm", "other") or place.expert is not None:
            continue
        counterpart = _namesake(place, own, theirs, layer, there)
        if counterpart is not None and len(counterpart.shape) == len(place.shape):
            found.append((place, counterpart))
    return found


def _namesake(place: Place, own: Decoder, theirs: Decoder, layer: int, there: int) -> Place | None:
    """What has the same name; else the only part of the same last words, kind and shape that has none of its own."""
    same = theirs.places.get(place.name.replace(f".{layer}.", f".{there}.", 1))
    if same is not None:
        return same
    alike = [
        each
        for each in theirs.in_layer(there)
        if (_last_words(each), each.kind, each.shape) == (_last_words(place), place.kind, place.shape)
        and each.name.replace(f".{there}.", f".{layer}.", 1) not in own.places
    ]
    return alike[0] if len(alike) == 1 else None


def _last_words(place: Place) -> list[str]:
    """Such as k_norm and weight."""
    return place.name.split(".")[-2:]
