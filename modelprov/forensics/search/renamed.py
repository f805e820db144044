"""Pairs the tensors of two models by their numbers where their names are others. Counts nothing.

A recipe's output is held against a file that way: bits are bits under any name, and no pairing makes them equal.
"""

from __future__ import annotations

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.realignment import Realignment
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.forensics.search.coordinates.looking import look, views
from modelprov.progress import Progress


def by_numbers(models: tuple[Checkpoint, ...], seed: int, progress: Progress) -> Realignment | None:
    """What pairs the tensors of both as they are stored; None where names do so, or nothing is found.

    What stands in another order or scale too is left to whoever gives an alignment: it is not the same file. Raises
    what reading raises.
    """
    named = align(models, whole=True)
    if not both_hold_others(named):
        return None
    progress.stage("pairing tensors by their numbers")
    found = look(models, seed, progress.advance)
    realignment = None if found is None else found.realignment
    if realignment is None or not realignment.names_alone:
        return None
    paired = align(views(models, realignment), whole=True)
    return realignment if paired.decisive_share() > named.decisive_share() else None


def both_hold_others(alignment: Alignment) -> bool:
    """Whether each of two models holds matrices that the other has not, as where names are others."""
    return {each.checkpoint for each in alignment.unaligned if each.decisive} == {0, 1}


def in_words(realignment: Realignment) -> list[str]:
    """How many tensors are paired under other names, with an example; nothing where none is."""
    other = realignment.renamed
    return [
        f"names are other than the recipe's, and {len(other):,} tensors were paired by their numbers, such as "
        f"{tensor.name} with {tensor.parent}"
        for tensor in other[:1]
    ]
