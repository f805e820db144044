"""Finds the same canonical tensor in every checkpoint, and says of every other one why it cannot be compared.

Names and shapes only: no bytes are read. Nothing is dropped: each element of each checkpoint is either in an
`AlignedTensor` or in an `Unaligned` with its reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.naming import HEAD, Shape, canonical_name, canonical_views, tied_head
from modelprov.checkpoints.types import (
    AlignedTensor,
    Alignment,
    Checkpoint,
    Component,
    RefusedTensor,
    TensorView,
    Unaligned,
    is_decisive,
)

GuessKey = tuple[int | None, Component, int | None, Shape]


@dataclass(slots=True)
class _Names:
    """One checkpoint by canonical name. `borrowed` names are views of a tensor that is listed under its own name."""

    views: dict[str, tuple[TensorView, Shape]]
    refused: dict[str, RefusedTensor]
    borrowed: set[str] = field(default_factory=set)


def align(checkpoints: Sequence[Checkpoint]) -> Alignment:
    """The tensors that all checkpoints have, in the file order of the first, and everything else with its reason.

    Tensors agree by canonical name and shape (sides of length 1 aside). What is left is matched by layer, component
    and shape where that is unambiguous in every checkpoint, and marked as guessed. May find nothing at all.
    """
    unaligned: list[Unaligned] = []
    named = [_names(number, checkpoint, unaligned) for number, checkpoint in enumerate(checkpoints)]
    _tie_heads(checkpoints, named)
    reasons = _Reasons(checkpoints, named)
    aligned = {name: [name] * len(named) for name in named[0].views if reasons.of(name) is None} if named else {}
    guesses = _guess(named, aligned)
    aligned |= guesses
    matched = [set(names) for names in zip(*aligned.values(), strict=True)] or [set[str]() for _ in named]
    for number, own in enumerate(named):
        for name, (view, shape) in own.views.items():
            if name not in matched[number] and name not in own.borrowed:
                reason = reasons.of(name, number) or "not matched"
                unaligned.append(Unaligned(number, name, view.count, reason, _decisive(name, shape)))
    tensors = []
    for name in named[0].views if named else ():
        if name in aligned:
            views = tuple(own.views[theirs][0] for own, theirs in zip(named, aligned[name], strict=True))
            shape = named[0].views[name][1]
            layer, component, expert = component_of(name, shape)
            tensors.append(AlignedTensor(name, layer, component, expert, shape, views, guessed=name in guesses))
    return Alignment(tuple(checkpoints), tuple(tensors), tuple(unaligned))


def _names(number: int, checkpoint: Checkpoint, unaligned: list[Unaligned]) -> _Names:
    """The checkpoint by canonical name; what can never be compared goes straight to `unaligned`."""
    views: dict[str, tuple[TensorView, Shape]] = {}
    refused: dict[str, RefusedTensor] = {}
    for name, view, shape in canonical_views(checkpoint):
        if name in views:
            reason = f"second tensor for {name} (stored as {view.ref.name})"
            unaligned.append(Unaligned(number, name, view.count, reason, _decisive(name, shape)))
        elif view.count == 0:
            unaligned.append(Unaligned(number, name, 0, "empty", decisive=False))
        else:
            views[name] = view, shape
    for tensor in checkpoint.refused.values():
        name = canonical_name(tensor.name)
        refused[name] = tensor
        reason = f"stored as {tensor.format}, which cannot be compared"
        unaligned.append(Unaligned(number, name, tensor.count, reason, _decisive(name, tensor.shape)))
    return _Names(views, refused)


def _tie_heads(checkpoints: Sequence[Checkpoint], named: Sequence[_Names]) -> None:
    """Where one checkpoint stores a head and another ties it to the embedding, the latter's embedding is its head."""
    if not any(HEAD in own.views for own in named):
        return
    for checkpoint, own in zip(checkpoints, named, strict=True):
        tied = tied_head(checkpoint) if HEAD not in own.views and HEAD not in own.refused else None
        if tied is not None:
            own.views[HEAD] = tied[1:]
            own.borrowed.add(HEAD)


@dataclass(frozen=True, slots=True)
class _Reasons:
    """Why a canonical name is not the same tensor everywhere."""

    checkpoints: Sequence[Checkpoint]
    named: Sequence[_Names]

    def of(self, name: str, number: int = 0) -> str | None:
        """The reason as checkpoint `number` sees it, which has `name`; None when all agree."""
        own = self.named[number].views[name][1]
        absent, refused, shapes = [], [], []
        for checkpoint, other in zip(self.checkpoints, self.named, strict=True):
            if name in other.views:
                shape = other.views[name][1]
                if shape != own and _squeezed(shape) != _squeezed(own):
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


def _guess(named: Sequence[_Names], aligned: Iterable[str]) -> dict[str, list[str]]:
    """Leftover matrices that are the only one of their layer, component and shape in every checkpoint.

    A vector's shape says too little, and a name that others have too was already judged by its shape.
    """
    done = set(aligned)
    candidates: list[dict[GuessKey, list[str]]] = []
    for own in named:
        groups: dict[GuessKey, list[str]] = defaultdict(list)
        for name, (_, shape) in own.views.items():
            if name in done or name in own.borrowed:
                continue
            squeezed = _squeezed(shape)
            everywhere = all(name in other.views or name in other.refused for other in named)
            if not everywhere and len(squeezed) > 1:
                groups[*component_of(name, shape), squeezed].append(name)
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


def _squeezed(shape: Shape) -> Shape:
    return tuple(side for side in shape if side != 1)
