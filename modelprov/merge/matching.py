"""Finds a tensor of one model in another, whatever the spelling and however experts are stored. Reads nothing.

The output of a merge is laid out as its base (or first model). A tensor that another model stores alike is one piece;
one that it stores differently (experts fused here, one by one there) is matched part by part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.naming import canonical_name, canonical_views, squeezed, tied_head
from modelprov.checkpoints.layouts.prefixes import prefixes_aside, respelled
from modelprov.checkpoints.layouts.roles import LAYER, Roles, Shape, may_be_head, roles_of, vocabulary_role
from modelprov.checkpoints.types import Checkpoint, Component, TensorRef, TensorView
from modelprov.recipes.tensor_groups import kind_of

Part = tuple[str, TensorView, Shape]


class ShapeMismatch(Exception):  # noqa: N818  (internal: the planner turns it into words)
    """The same canonical tensor with another shape."""

    def __init__(self, name: str, shape: Shape) -> None:
        super().__init__(name)
        self.name, self.shape = name, shape


class Catalogue:
    """One checkpoint by canonical name, and which of its tensors a merge has used so far."""

    def __init__(self, checkpoint: Checkpoint, number: int, prefix: str = "") -> None:
        """`prefix` is what is set aside in canonical names (`prefixes_aside`)."""
        self.checkpoint, self.number, self.prefix = checkpoint, number, prefix
        self.canonical = {name: respelled(canonical_name(name), prefix) for name in checkpoint.tensors}
        self.stored: dict[str, TensorRef] = {}
        for name, ref in checkpoint.tensors.items():
            self.stored.setdefault(self.canonical[name], ref)
        self._used: set[str] = set()
        self._used_parts: set[str] = set()

    @cached_property
    def parts(self) -> dict[str, Part]:
        """Canonical parts by name: fused tensors split."""
        found: dict[str, Part] = {}
        for part in self._views():
            found.setdefault(part[0], part)
        return found

    @cached_property
    def parts_of(self) -> dict[str, list[Part]]:
        """The canonical parts of every stored tensor, in the order of their bytes."""
        found: dict[str, list[Part]] = {}
        for part in self._views():
            found.setdefault(part[1].ref.name, []).append(part)
        return found

    @cached_property
    def roles(self) -> Roles:
        """The embeddings and the head, by canonical name."""
        return roles_of({name: ref.shape for name, ref in self.stored.items()})

    @cached_property
    def layers(self) -> int:
        """Number of layers of the text model."""
        return max((layer + 1 for layer, _ in self.places.values() if layer is not None), default=0)

    @cached_property
    def places(self) -> dict[str, tuple[int | None, Component]]:
        """Layer and component of every stored tensor, by its stored name."""
        return {
            name: component_of(self.canonical[name], ref.shape)[:2] for name, ref in self.checkpoint.tensors.items()
        }

    @property
    def kinds(self) -> set[tuple[int | None, str]]:
        """Layer and kind of every canonical part, and of a head that is tied to the embeddings."""
        found = {(self.places[name][0], kind_of(part)) for name, parts in self.parts_of.items() for part, _, _ in parts}
        tied = tied_head(self.checkpoint)
        return found if tied is None else found | {(None, kind_of(tied[0]))}

    def whole(self, name: str, shape: Shape) -> TensorView | None:
        """The stored tensor of this canonical name, if it has this shape (sides of length 1 aside)."""
        ref = self.stored.get(name)
        if ref is None or (ref.shape != shape and squeezed(ref.shape) != squeezed(shape)):
            return None
        self._used.add(ref.name)
        return TensorView(ref, ref.start, ref.count)

    def part(self, name: str, shape: Shape) -> TensorView | None:
        """The part of this canonical name; None if there is none, `ShapeMismatch` if it has another shape."""
        found = self.parts.get(name)
        if found is None and may_be_head(name):
            tied = tied_head(self.checkpoint)
            alike = tied is not None and (vocabulary_role(name) is not None or tied[2] == shape)
            found = tied if alike else None
        if found is None:
            return None
        if squeezed(found[2]) != squeezed(shape):
            raise ShapeMismatch(name, found[2])
        self._used_parts.add(found[0])
        return found[1]

    def rows(self, name: str) -> tuple[TensorView, Shape] | None:
        """The part of this canonical name, or the embeddings that a head is tied to, whatever shape it has."""
        tied = tied_head(self.checkpoint) if may_be_head(name) else None
        found = self.parts.get(name, tied)
        if found is None:
            return None
        self._used_parts.add(found[0])
        return found[1], found[2]

    def _views(self) -> Iterator[Part]:
        return ((respelled(name, self.prefix), view, shape) for name, view, shape in canonical_views(self.checkpoint))

    def mark(self, ref: TensorRef) -> None:
        """Count a stored tensor as used."""
        self._used.add(ref.name)

    def unused(self) -> list[TensorRef]:
        """Stored tensors of which something was not used, in file order."""
        left = [ref for ref in self.checkpoint.tensors.values() if ref.name not in self._used and ref.count]
        if not left or not self._used_parts:
            return left
        return [
            ref
            for ref in left
            if any(name not in self._used_parts for name, _, _ in self.parts_of.get(ref.name, [("", None, ())]))
        ]


def catalogues_of(checkpoints: Sequence[Checkpoint]) -> list[Catalogue]:
    """A catalogue of each, in which names agree whatever prefix some put before them."""
    plain = [Catalogue(checkpoint, number) for number, checkpoint in enumerate(checkpoints)]
    if all(catalogue.stored.keys() == plain[0].stored.keys() for catalogue in plain):
        return plain
    aside = prefixes_aside([{name: shape for name, _, shape in canonical_views(one)} for one in checkpoints])
    return [
        Catalogue(own.checkpoint, own.number, prefix) if prefix else own
        for own, prefix in zip(plain, aside, strict=True)
    ]


def in_layer(name: str, layer: int) -> str:
    """The same name in another layer (text models: the first number after `layers.`)."""
    found = LAYER.search(name)
    return name if found is None else f"{name[: found.start(1)]}{layer}{name[found.end(1) :]}"
