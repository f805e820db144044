"""Looks for a suspect among parents in other coordinates, and makes the views that a comparison then runs on.

The one door to this room: it calls the others in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.decoder import Decoder, decoder_of
from modelprov.checkpoints.layouts.realigned import parent_view, suspect_view
from modelprov.checkpoints.layouts.realignment import Realignment
from modelprov.checkpoints.types import Alignment, Checkpoint, Unaligned, is_decisive
from modelprov.forensics.search.coordinates.kinship import HERE, Depth, Kinship, LayerTest, kinship
from modelprov.forensics.search.coordinates.undoing import undo


@dataclass(frozen=True, eq=False)
class Found:
    """What was found of the parent that agrees best, argument number `parent`; `realignment` where it is related.

    `tests` are those of every layer then, else of those that were looked at. `doubts` are controls, strangers at their
    places, whose units agree as well. `undone` is False where it is related, and undoing would have read too much.
    """

    parent: int
    kinship: Kinship
    tests: tuple[LayerTest, ...]
    realignment: Realignment | None
    doubts: tuple[str, ...] = ()
    undone: bool = True


Hear = Callable[[int], None]


def look(
    checkpoints: Sequence[Checkpoint], seed: int, on_bytes: Hear = lambda _: None, given: Realignment | None = None,
    depth: Depth = HERE, most: int | None = None,
) -> Found | None:  # fmt: skip
    """The test of the first checkpoint against each of the others, and what is undone for the one it is related to.

    `depth` says how much the test reads; nothing is undone where the matrices of both, which are read for it, have more
    bytes than `most`. A realignment that is `given` takes the place of what would be found; the test does not depend on
    it. None where no two of them are decoders whose units can be paired. Of equals the last counts. Raises what reading
    raises.
    """
    decoders = [decoder_of(checkpoint) for checkpoint in checkpoints]
    suspect = decoders[0]
    best: tuple[int, Kinship] | None = None
    for number, parent in enumerate(decoders[1:], 1):
        found = kinship(suspect, parent, seed, on_bytes, depth) if suspect is not None and parent is not None else None
        if found is not None and (best is None or _rank(found) >= _rank(best[1])):
            best = number, found
    if best is None or suspect is None:
        return None
    number, found = best
    parent = decoders[number]
    if not found.related or parent is None:
        return Found(number, found, found.tests, None)
    if given is not None:
        return Found(number, found, found.tests, given)
    if most is not None and _bytes(checkpoints[0]) + _bytes(checkpoints[number]) > most:
        return Found(number, found, found.tests, None, undone=False)
    read_as = found.read_as or (suspect, parent)
    undone = undo(found, *read_as, seed, on_bytes)
    plus = read_as[0].one_plus, read_as[1].one_plus
    as_told = plus == (suspect.one_plus, parent.one_plus)
    realignment = replace(undone.realignment, one_plus=None if as_told else plus)
    return Found(number, replace(found, tokens=undone.tokens), undone.tests, realignment)


def _bytes(checkpoint: Checkpoint) -> int:
    return sum(ref.stop - ref.start for ref in checkpoint.tensors.values())


def _rank(found: Kinship) -> tuple[bool, float]:
    return found.related, round(found.score, 3)


def views(checkpoints: Sequence[Checkpoint], realignment: Realignment) -> tuple[Checkpoint, ...]:
    """The suspect without what has no counterpart, and every other checkpoint in its coordinates."""
    decoders = [decoder_of(checkpoint) for checkpoint in checkpoints]
    return tuple(
        _view(checkpoint, decoder, realignment, bool(number))
        for number, (checkpoint, decoder) in enumerate(zip(checkpoints, decoders, strict=True))
    )


def _view(checkpoint: Checkpoint, decoder: Decoder | None, realignment: Realignment, theirs: bool) -> Checkpoint:
    if decoder is None:
        return replace(checkpoint, tensors={}, refused={})
    make = parent_view if theirs else suspect_view
    plus = decoder.one_plus if realignment.one_plus is None else realignment.one_plus[theirs]
    return make(checkpoint, decoder.held, realignment, float(plus))


def of_originals(aligned: Alignment, checkpoints: Sequence[Checkpoint], realignment: Realignment) -> Alignment:
    """The alignment of views as one of the checkpoints themselves: what no view holds is not compared, and why.

    A format that cannot be compared, and a second tensor of one name, are among it: views take neither.
    """
    decoder = decoder_of(checkpoints[0])
    seen = {tensor.name: tensor.count for tensor in aligned.tensors}
    folded = {tensor.norms[0] for tensor in realignment.tensors if tensor.norms}
    left = list(align(checkpoints[:1]).unaligned)
    for place in decoder.places.values() if decoder else ():
        missing = place.view.count - seen.get(place.name, 0)
        if missing:
            _, component, _ = component_of(place.name, place.shape)
            reason = (
                "folded into what reads it" if place.name in folded else "no counterpart was found in other coordinates"
            )
            left.append(Unaligned(0, place.name, missing, reason, is_decisive(component, place.shape)))
    return Alignment(tuple(checkpoints), aligned.tensors, tuple(left), aligned.notes)
