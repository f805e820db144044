"""Finds the same canonical tensor in every checkpoint, and says of every other one why it cannot be compared.

Names and shapes only: no bytes are read. Nothing is dropped: each element of each checkpoint is either in an
`AlignedTensor` or in an `Unaligned` with its reason. What was assumed on the way is in the notes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

from modelprov.checkpoints.layouts.components import component_of, components_of
from modelprov.checkpoints.layouts.families import has_own_order
from modelprov.checkpoints.layouts.naming import canonical_columns, canonical_name, squeezed, tied_head
from modelprov.checkpoints.layouts.prefixes import prefixes_aside, respelled
from modelprov.checkpoints.layouts.roles import Shape, roles_of
from modelprov.checkpoints.layouts.vocabulary import common_rows, leading_rows
from modelprov.checkpoints.types import (
    AlignedTensor,
    Alignment,
    Checkpoint,
    Component,
    RefusedTensor,
    TensorView,
    Unaligned,
    is_decisive,
    many,
)
from modelprov.collector import paused
from modelprov.foreign.shown import quoted

GuessKey = tuple[int | None, Component, int | None, Shape]


@dataclass(slots=True)
class _Names:
    """One checkpoint by canonical name. `borrowed` names are views of a tensor that is listed under its own name.

    `views` and `shapes` have the same keys in the same order.
    """

    views: dict[str, TensorView]
    shapes: dict[str, Shape]
    refused: dict[str, RefusedTensor]
    borrowed: set[str] = field(default_factory=set)


@paused()
def align(checkpoints: Sequence[Checkpoint], *, whole: bool = False) -> Alignment:
    """The tensors that all checkpoints have, in the file order of the first, and everything else with its reason.

    Tensors agree by canonical name and shape (sides of length 1 aside). What is left is matched by layer, component
    and shape where that is unambiguous in every checkpoint, and marked as guessed. May find nothing at all.
    Vocabularies that differ by a few rows are cut to those that all have, unless `whole` tensors are asked for.
    """
    unaligned: list[Unaligned] = []
    named = [_names(number, checkpoint, unaligned) for number, checkpoint in enumerate(checkpoints)]
    aside = _set_aside(named)
    _tie_heads(checkpoints, named)
    notes = [] if whole else _crop_rows(checkpoints, named, unaligned)
    reasons, agreed = _Reasons(checkpoints, named), _agreed(named)
    guesses = _guess(named, agreed)
    for number, own in enumerate(named):
        if own.views.keys() <= agreed:  # as mostly: nothing is left
            continue
        matched = agreed | {names[number] for names in guesses.values()} | own.borrowed
        for name in own.views:
            if name not in matched:
                reason, shape = reasons.of(name, number) or "not matched", own.shapes[name]
                unaligned.append(Unaligned(number, name, own.views[name].count, reason, _decisive(name, shape)))
    tensors = _aligned(named, agreed, guesses)
    notes = [*_prefix_notes(checkpoints, tensors, aside), *notes]
    return Alignment(tuple(checkpoints), tuple(tensors), tuple(unaligned), tuple(notes))


def _agreed(named: Sequence[_Names]) -> set[str]:
    """The names that every checkpoint has for a tensor of the first one's shape."""
    agreed = dict(named[0].shapes) if named else {}
    for other in named[1:]:
        theirs = other.shapes
        if theirs != agreed:
            agreed = {
                name: shape
                for name, shape in agreed.items()
                if name in theirs and (theirs[name] == shape or squeezed(theirs[name]) == squeezed(shape))
            }
    return set(agreed)


def _aligned(
    named: Sequence[_Names], agreed: Collection[str], guesses: Mapping[str, Sequence[str]]
) -> list[AlignedTensor]:
    """The tensors that were matched, in the order of the first checkpoint."""
    names = [name for name in named[0].views if name in agreed or name in guesses] if named else []
    columns = []
    for number, own in enumerate(named):
        theirs = [guesses[name][number] if name in guesses else name for name in names] if guesses else names
        columns.append(list(own.views.values()) if theirs == list(own.views) else [own.views[name] for name in theirs])
    shapes = [named[0].shapes[name] for name in names]
    guessed = [name in guesses for name in names]
    views, computed = zip(*columns, strict=True), repeat(False, len(names))
    return many(AlignedTensor, names, *components_of(names, shapes), shapes, views, guessed, computed)


def _names(number: int, checkpoint: Checkpoint, unaligned: list[Unaligned]) -> _Names:
    """The checkpoint by canonical name; what can never be compared goes straight to `unaligned`."""
    views: dict[str, TensorView] = {}
    shapes: dict[str, Shape] = {}
    refused: dict[str, RefusedTensor] = {}
    names, viewed, sides = canonical_columns(checkpoint)
    if len(set(names)) == len(names) and all(map(all, set(sides))):  # none is there twice, none is empty
        views, shapes, names = dict(zip(names, viewed, strict=True)), dict(zip(names, sides, strict=True)), ()
    for name, view, shape in zip(names, viewed, sides, strict=False):
        if name in views:
            reason = f"second tensor for {name} (stored as {view.ref.name})"
            unaligned.append(Unaligned(number, name, view.count, reason, _decisive(name, shape)))
        elif view.count == 0:
            unaligned.append(Unaligned(number, name, 0, "empty", decisive=False))
        else:
            views[name], shapes[name] = view, shape
    for tensor in checkpoint.refused.values():
        name = canonical_name(tensor.name)
        refused[name] = tensor
        reason = f"stored as {tensor.format}, which cannot be compared"
        unaligned.append(Unaligned(number, name, tensor.count, reason, _decisive(name, tensor.shape)))
    return _Names(views, shapes, refused)


def _set_aside(named: Sequence[_Names]) -> tuple[str, ...]:
    """Call tensors without the prefixes that only some of the checkpoints put before them; the prefix of each."""
    aside = prefixes_aside([own.shapes for own in named])
    for own, prefix in zip(named, aside, strict=True):
        if prefix:
            own.views = {respelled(name, prefix): view for name, view in own.views.items()}
            own.shapes = {respelled(name, prefix): shape for name, shape in own.shapes.items()}
            own.refused = {respelled(name, prefix): tensor for name, tensor in own.refused.items()}
    return aside


def _prefix_notes(
    checkpoints: Sequence[Checkpoint], tensors: Sequence[AlignedTensor], aside: Sequence[str]
) -> list[str]:
    """Which names were read without what stands before them in one checkpoint and not in the first, or in that."""
    counts: Counter[tuple[int, int, str]] = Counter()
    stored = [[tensor.views[number].ref.name for tensor in tensors] for number in range(len(checkpoints))]
    others = [number for number in range(1, len(stored)) if stored[number] != stored[0]]
    for own, *names in zip(*(stored[number] for number in (0, *others)), strict=True) if others else ():
        for number, theirs in zip(others, names, strict=True):
            if theirs.endswith(f".{own}"):
                counts[number, 0, theirs.removesuffix(own)] += 1
            elif own.endswith(f".{theirs}"):
                counts[0, number, own.removesuffix(theirs)] += 1
    said = [
        f"{quoted(prefix)} before the names of {count:,} tensors of {checkpoints[holder].label} was set aside: "
        f"{checkpoints[other].label} stores them without it"
        for (holder, other, prefix), count in counts.items()
    ]
    told = {holder for holder, _, _ in counts}
    return said + [
        f"{quoted(prefix)} before the names of {checkpoints[number].label} was set aside, as names then agree"
        for number, prefix in enumerate(aside)
        if prefix and number not in told
    ]


def _tie_heads(checkpoints: Sequence[Checkpoint], named: Sequence[_Names]) -> None:
    """Where one checkpoint stores a head and another ties it to the embedding, the latter's embedding is its head."""
    heads = [roles_of(own.shapes).head for own in named]
    stored = next((head for head in heads if head is not None), None)
    if stored is None:
        return
    for checkpoint, own, head in zip(checkpoints, named, heads, strict=True):
        tied = tied_head(checkpoint) if head is None and stored not in own.refused else None
        if tied is not None:
            _, own.views[stored], own.shapes[stored] = tied
            own.borrowed.add(stored)


def _crop_rows(checkpoints: Sequence[Checkpoint], named: Sequence[_Names], unaligned: list[Unaligned]) -> list[str]:
    """Where vocabularies differ by a few rows at the end, compare the rows that all have; returns what to say of it."""
    roles = [roles_of(own.shapes) for own in named]
    notes = []
    for name in dict.fromkeys(name for role in roles for name in (role.embeddings, role.head) if name is not None):
        shapes = [own.shapes[name] for own in named if name in own.shapes]
        rows = common_rows(shapes) if len(shapes) == len(named) else None
        if rows is None:
            continue
        for number, own in enumerate(named):
            shape = own.shapes[name]
            more = shape[0] - rows
            own.views[name], own.shapes[name] = leading_rows(own.views[name], shape, rows), (rows, *shape[1:])
            if more and name not in own.borrowed:
                reason = f"rows behind the {rows:,} that all have"
                unaligned.append(Unaligned(number, name, more * shape[1], reason, _decisive(name, shape)))
        sizes = ", ".join(
            f"{shape[0]:,} in {checkpoint.label}" for checkpoint, shape in zip(checkpoints, shapes, strict=True)
        )
        notes.append(
            f"{name} has different numbers of rows ({sizes}): the first {rows:,} were compared, "
            "taken to be the same tokens in the same order"
        )
    return notes


@dataclass(frozen=True, slots=True)
class _Reasons:
    """Why a canonical name is not the same tensor everywhere."""

    checkpoints: Sequence[Checkpoint]
    named: Sequence[_Names]

    def of(self, name: str, number: int = 0) -> str | None:
        """The reason as checkpoint `number` sees it, which has `name`; None when all agree."""
        own = self.named[number].shapes[name]
        absent, refused, shapes = [], [], []
        for checkpoint, other in zip(self.checkpoints, self.named, strict=True):
            if name in other.shapes:
                shape = other.shapes[name]
                if shape != own and squeezed(shape) != squeezed(own):
                    shapes.append(f"{list(shape)} in {checkpoint.label}")
            elif name in other.refused:
                refused.append(f"stored as {other.refused[name].format} in {checkpoint.label}")
            else:
                absent.append(checkpoint.label)
        if absent:
            return f"missing in {', '.join(absent)}"
        if refused:
            return ", ".join(refused)
        return f"shape {list(own)} here, {', '.join(shapes)}" if shapes else None


def _guess(named: Sequence[_Names], done: Collection[str]) -> dict[str, list[str]]:
    """Leftover matrices that are the only one of their layer, component and shape in every checkpoint.

    A vector's shape says too little, and a name that others have too was already judged by its shape. What may hold
    its rows in an order of its own is not guessed: wrongly paired kin look like strangers.
    """
    candidates: list[dict[GuessKey, list[str]]] = []
    for own in named:
        groups: dict[GuessKey, list[str]] = defaultdict(list)
        for name, shape in own.shapes.items():
            if name in done or name in own.borrowed or has_own_order(name):
                continue
            sides = squeezed(shape)
            everywhere = all(name in other.views or name in other.refused for other in named)
            if not everywhere and len(sides) > 1:
                groups[*component_of(name, shape), sides].append(name)
        candidates.append(groups)
    if len(candidates) < 2:
        return {}
    return {
        names[0]: [groups[key][0] for groups in candidates]
        for key, names in candidates[0].items()
        if all(len(groups.get(key, ())) == 1 for groups in candidates)
    }


def _decisive(name: str, shape: Shape) -> bool:
    return is_decisive(component_of(name, shape)[1], shape)
