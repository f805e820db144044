"""How else two decoders may be read than their configs and names say. Reads nothing, tests nothing."""

from __future__ import annotations

from collections.abc import Iterator

from modelprov.checkpoints.layouts.decoder import Decoder


def other_readings(suspect: Decoder, parent: Decoder) -> Iterator[tuple[Decoder, Decoder]]:
    """The suspect's norms the other way, its gates and ups exchanged; the parent's norms, where no config tells them.

    What a suspect's config says, and its names, are its maker's words.
    """
    gated = any(place.kind == "gate" for place in suspect.places.values())
    theirs = (parent.one_plus,) if parent.told else (parent.one_plus, not parent.one_plus)
    for swapped in (False, True) if gated else (False,):
        for other in theirs:
            for plus in (suspect.one_plus, not suspect.one_plus):
                if swapped or (plus, other) != (suspect.one_plus, parent.one_plus):
                    yield (
                        suspect.read_as(one_plus=plus, swapped=swapped),
                        parent.read_as(one_plus=other, swapped=False),
                    )
