"""Embeddings and heads of models whose vocabularies have different numbers of rows, by the rule that a recipe states.

Row i means the same token in every model: whoever states the rule says so. `crop` leaves out what not every model has.
`pad` keeps every row: a model that lacks it takes the base's, or else that of the first model that has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from modelprov.checkpoints.layouts.roles import Shape, vocabulary_role
from modelprov.checkpoints.types import TensorView
from modelprov.merge.planned import Piece
from modelprov.merge.settings import Settings
from modelprov.merge.stretches import Role


@dataclass(frozen=True)
class Fitted:
    """The shape of the output's tensor, its pieces, and the sentence that says what was done."""

    shape: Shape
    pieces: tuple[Piece, ...]
    rule: str


def fitted(name: str, roles: Sequence[Role], settings: Settings, rule: str, *, based: bool) -> Fitted | None:
    """A tensor of the vocabulary that has other numbers of rows in some models; None for any other tensor.

    `based` says that the last of the roles is the base.
    """
    if rule == "error" or vocabulary_role(name) is None:
        return None
    found = [role.catalogue.rows(name) for role in roles]
    held = [each for each in found if each is not None]
    shapes = [shape for _, shape in held]
    if len(held) < len(roles) or len(set(shapes)) == 1 or len({shape[1:] for shape in shapes}) > 1:
        return None
    rows = [shape[0] for shape in shapes]
    width = math.prod(shapes[0][1:])
    ends = [min(rows)] if rule == "crop" else sorted(set(rows))
    pieces, start = [], 0
    for end in ends:
        having = [number for number, count in enumerate(rows) if count >= end]
        donor = len(roles) - 1 if based and len(roles) - 1 in having else having[0]
        chosen = [number if number in having else donor for number in range(len(roles))]
        views = tuple(_part(held[number][0], start * width, (end - start) * width) for number in chosen)
        inputs = tuple(roles[number].catalogue.number for number in chosen)
        pieces.append(Piece(start * width, (end - start) * width, views, settings, inputs))
        start = end
    said = "cropped" if rule == "crop" else "rows that a model lacks taken from one that has them, kept"
    shape = (ends[-1], *shapes[0][1:])
    return Fitted(shape, tuple(pieces), f"of {min(rows):,} to {max(rows):,} rows: {said}, as the recipe says")


def _part(view: TensorView, first: int, count: int) -> TensorView:
    return TensorView(view.ref, view.start + first * view.ref.dtype.size, count)
