"""Puts a plan together, tensor by tensor, and keeps account of what was merged, copied and left out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from modelprov.called import called
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.naming import tied_head
from modelprov.checkpoints.layouts.roles import vocabulary_role
from modelprov.checkpoints.types import Checkpoint, Component, RefusedTensor, TensorRef, TensorView
from modelprov.errors import MergeError, UsageError
from modelprov.foreign.shown import quoted
from modelprov.merge.checking import uses_base, without_torch
from modelprov.merge.dequantised import dequantised
from modelprov.merge.groups import refuse_idle, weighted_groups
from modelprov.merge.matching import Catalogue, ShapeMismatch, catalogues_of, in_layer
from modelprov.merge.planned import Copy, MergePlan, Piece, Planned
from modelprov.merge.settings import Settings, settings_of, varies
from modelprov.merge.stretches import Role, Stretch, stretches_of
from modelprov.merge.vocabularies import fitted
from modelprov.recipes.methods.interface import PRESETS, Method
from modelprov.recipes.recipe import DTYPES, Recipe
from modelprov.recipes.tensor_groups import kind_of

BEFORE_LAYERS = (Component.EMBEDDINGS, Component.VISION)


class Assembly:
    """Builds one `MergePlan`."""

    def __init__(self, recipe: Recipe, method: Method, arithmetic: str, checkpoints: tuple[Checkpoint, ...]) -> None:
        self.recipe, self.method, self.arithmetic, self.checkpoints = recipe, method, arithmetic, checkpoints
        self.catalogues = dict(zip(recipe.locations, catalogues_of(checkpoints), strict=True))
        self.uses_base = uses_base(recipe, method)
        self.stretches = stretches_of(recipe, method, self.catalogues)
        self.layout = self.catalogues[recipe.base_model] if recipe.base_model else self.stretches[0].layout.catalogue
        self.missing = recipe.modelprov.missing
        self.groups = weighted_groups(recipe.modelprov.groups, self._order(self.stretches[0]))
        if self.groups and (method.name != "linear" or recipe.slices):
            raise UsageError("groups of weights go with linear merges of whole models only", "Use filters instead.")
        if self.groups:
            refuse_idle(self.groups, {place for own in self.catalogues.values() for place in own.kinds})
        self.varies = varies(recipe)
        self.constant: dict[int, Settings] = {}
        self.tensors: list[Planned] = []
        self.taken: dict[str, str] = {}
        self.rules: dict[str, list[tuple[str, int]]] = defaultdict(list)

    def plan(self) -> MergePlan:
        """Every tensor of the output, in the order of the layout's files."""
        last = len(self.stretches) - 1
        for number, stretch in enumerate(self.stretches):
            for ref in stretch.layout.catalogue.checkpoint.tensors.values():
                self._place(ref, stretch, first=number == 0, last=number == last)
        self._stored_head(self.stretches[-1])
        for tensor in self.layout.checkpoint.refused.values():
            self._copy(tensor, self.layout, f"in a format that is not computed with ({tensor.format})")
        self._leftovers()
        layers = self._source_layers()
        notes = tuple(
            f"{quoted(catalogue.prefix)} before the names of {catalogue.checkpoint.label} was set aside"
            for catalogue in self.catalogues.values()
            if catalogue.prefix
        )
        notes += tuple(_sentence(rule, members) for rule, members in self.rules.items())
        notes += tuple(said for checkpoint in self.checkpoints for said in dequantised(checkpoint))
        notes += without_torch(self.method, self.arithmetic)
        return MergePlan(
            self.recipe, self.method, self.arithmetic, self.checkpoints, self.layout.number, self.uses_base,
            tuple(self.tensors), notes, layers,
        )  # fmt: skip

    def _order(self, stretch: Stretch) -> list[str]:
        return [role.source.model for role in stretch.roles]

    def _place(self, ref: TensorRef, stretch: Stretch, *, first: bool, last: bool) -> None:
        """Merge, copy or leave out one tensor of the layout of a stretch."""
        name = stretch.layout.catalogue.canonical[ref.name]
        layer, component = stretch.layout.catalogue.places[ref.name]
        if ref.count == 0:
            return self._copy(ref, stretch.layout.catalogue, "empty")
        if layer is None:
            before = component in BEFORE_LAYERS
            if not (first if before else last):
                return None
            position = 0.0  # as measured in mergekit: head and last norm have the first number of a gradient too
        else:
            inside = layer - stretch.layout.first_layer
            if not 0 <= inside < stretch.length:
                return None
            position = inside / (stretch.length - 1) if stretch.length > 1 else 1.0
        output = ref.name if layer is None else in_layer(ref.name, stretch.first + layer - stretch.layout.first_layer)
        self._take(output, stretch.layout)
        settings = self._settings(ref, position, stretch)
        grouped, rule = self._grouped(name, layer, settings), self.recipe.modelprov.vocabulary
        other = fitted(name, stretch.roles, grouped, rule, based=self.uses_base)
        shape = ref.shape if other is None else other.shape
        if other is None:
            pieces, absent = self._pieces(ref, name, layer, stretch, settings)
            if absent:
                return self._absent(ref, output, stretch, absent)
        else:
            pieces = other.pieces
            stretch.layout.catalogue.mark(ref)
            self.rules[other.rule].append((ref.name, math.prod(shape)))
        dtype = self._dtype(ref, name)
        inputs = tuple(role.catalogue.number for role in stretch.roles)
        self.tensors.append(Planned(output, str(dtype), shape, math.prod(shape) * dtype.size, inputs, pieces))
        return None

    def _settings(self, ref: TensorRef, position: float, stretch: Stretch) -> Settings:
        """What a recipe says of a tensor."""
        sources = [role.source for role in stretch.roles]
        found = self.constant.get(stretch.first)
        if found is None:
            of_models = sources[:-1] if self.uses_base else sources
            found = settings_of(ref.name, position, self.method, self.recipe, stretch.piece, of_models)
            if not self.varies:
                self.constant[stretch.first] = found
        return found

    def _stored_head(self, stretch: Stretch) -> None:
        """A head that others store and the layout ties to its embeddings is merged with those, as in any order."""
        if stretch.layout.catalogue.roles.head is not None or tied_head(stretch.layout.catalogue.checkpoint) is None:
            return
        for role in stretch.roles:
            head = role.catalogue.roles.head
            if head is not None:
                self._place(role.catalogue.stored[head], replace(stretch, layout=role), first=False, last=True)
                return

    def _pieces(
        self, ref: TensorRef, name: str, layer: int | None, stretch: Stretch, settings: Settings
    ) -> tuple[tuple[Piece, ...], list[Role]]:
        """The pieces of a tensor, or the models that lack it."""
        names = [self._theirs(name, layer, stretch, role) for role in stretch.roles]
        views = [
            role.catalogue.whole(own, ref.shape) if not self.groups else None
            for role, own in zip(stretch.roles, names, strict=True)
        ]
        if None not in views:
            return (Piece(0, ref.count, tuple(view for view in views if view is not None), settings),), []
        pieces: list[Piece] = []
        lacking: set[int] = set()
        at = 0
        for part, view, shape in stretch.layout.catalogue.parts_of[ref.name]:
            found: list[TensorView] = []
            for number, role in enumerate(stretch.roles):
                try:
                    one = role.catalogue.part(self._theirs(part, layer, stretch, role), shape)
                except ShapeMismatch as error:
                    raise self._other_shape(part, shape, stretch.layout, role, error) from error
                if one is None:
                    lacking.add(number)
                else:
                    found.append(one)
            own_settings = self._grouped(part, layer, settings)
            pieces.append(Piece(at, view.count, tuple(found), own_settings))
            at += view.count
        return tuple(pieces), [stretch.roles[number] for number in sorted(lacking)]

    @staticmethod
    def _theirs(name: str, layer: int | None, stretch: Stretch, role: Role) -> str:
        shift = role.first_layer - stretch.layout.first_layer
        return name if layer is None or not shift else in_layer(name, layer + shift)

    def _grouped(self, name: str, layer: int | None, settings: Settings) -> Settings:
        for group in self.groups:
            if group.tensors.covers(layer, kind_of(name)):
                models = zip(settings.models, group.weights, strict=True)
                found = Settings(tuple(own | {"weight": weight} for own, weight in models), settings.options)
                if doubt := self.method.doubt(found.models, found.options):
                    raise UsageError(f"{self.method.name}: {doubt} (the group of {name})", "Correct the recipe.")
                return found
        return settings

    def _dtype(self, ref: TensorRef, name: str) -> DType:
        """The format a merged tensor is stored in."""
        kept = self._kept(ref, name)
        if kept is not None:
            return DTYPES[kept]
        if self.method.stores_float32 and self.arithmetic in PRESETS:
            return DType.F32
        wanted = self.recipe.out_dtype or self.recipe.dtype
        dtype = DTYPES[wanted] if wanted else ref.dtype
        if dtype is not ref.dtype:
            self.rules[f"stored as {ref.dtype}, written as {dtype}"].append((ref.name, ref.count))
        return dtype

    def _kept(self, ref: TensorRef, name: str) -> str | None:
        """What `stored_as` says of a tensor, or of its first part when it is fused."""
        kinds = self.recipe.modelprov.stored_as
        if not kinds:
            return None
        parts = self.layout.parts_of.get(ref.name, [])
        return kinds.get(kind_of(name)) or (kinds.get(kind_of(parts[0][0])) if parts else None)

    def _absent(self, ref: TensorRef, output: str, stretch: Stretch, absent: Sequence[Role]) -> None:
        """A tensor of the layout that some models lack: the rule of `missing`."""
        lacking = ", ".join(dict.fromkeys(role.catalogue.checkpoint.label for role in absent))
        alone = len(absent) == len(stretch.roles) - 1
        if self.missing == "drop":
            self.rules[f"missing in {lacking}: left out, as the recipe says"].append((ref.name, ref.count))
        elif self.missing == "copy" or (alone and self.missing == "base"):
            where = stretch.layout.catalogue.checkpoint.label
            rule = f"missing in {lacking}: copied from {where}"
            self._copy(ref, stretch.layout.catalogue, rule, output)
        else:
            raise MergeError(f"{ref.name} is missing in {lacking}", _choices())

    def _copy(self, ref: TensorRef | RefusedTensor, owner: Catalogue, rule: str, output: str | None = None) -> None:
        name = output or ref.name
        if isinstance(ref, TensorRef):
            owner.mark(ref)
        if output is None:
            self.taken[name] = owner.checkpoint.label
        stored = str(ref.dtype) if isinstance(ref, TensorRef) else ref.format
        copy = Copy(owner.number, ref.shard, ref.start)
        self.tensors.append(Planned(name, stored, ref.shape, ref.stop - ref.start, copy=copy))
        self.rules[rule].append((ref.name, ref.count))

    def _take(self, name: str, role: Role) -> None:
        if name in self.taken:
            raise MergeError(
                f"two tensors would be called {name} (from {self.taken[name]} and {role.catalogue.checkpoint.label})",
                "The models spell their names differently; give slices from one kind of model.",
            )
        self.taken[name] = role.catalogue.checkpoint.label

    def _leftovers(self) -> None:
        """What a model has and nothing used."""
        for catalogue in self.catalogues.values():
            label = catalogue.checkpoint.label
            for ref in catalogue.unused():
                if self.recipe.slices:
                    layered = catalogue.places[ref.name][0] is not None
                    rule = (
                        "in layers that no slice takes"
                        if layered
                        else "outside the layers, where the first and last slice decide"
                    )
                    self.rules[f"{rule}: left out ({label})"].append((ref.name, ref.count))
                elif self.missing == "drop":
                    self.rules[f"only in {label}: left out, as the recipe says"].append((ref.name, ref.count))
                elif self.missing == "copy" and ref.name not in self.taken:
                    self._copy(ref, catalogue, f"only in {label}: copied from it")
                elif self.missing != "copy":
                    where = self.layout.checkpoint.label
                    raise MergeError(f"{ref.name} is in {label} and missing in {where}", _choices())
            if catalogue is not self.layout:
                for tensor in catalogue.checkpoint.refused.values():
                    if tensor.name not in self.layout.checkpoint.refused:
                        rule = f"only in {label}, in a format that is not computed with: left out"
                        self.rules[rule].append((tensor.name, tensor.count))

    def _source_layers(self) -> tuple[int, ...] | None:
        """For each layer of the output, its number in the layout model; None when nothing moved."""
        if not self.recipe.slices:
            return None
        return tuple(one.layout.first_layer + n for one in self.stretches for n in range(one.length))

    def _other_shape(
        self, name: str, shape: tuple[int, ...], layout: Role, role: Role, error: ShapeMismatch
    ) -> MergeError:
        here, there = layout.catalogue.checkpoint.label, role.catalogue.checkpoint.label
        what = f"{name} is {list(shape)} in {here} and {list(error.shape)} in {there}"
        if vocabulary_role(name) is not None and shape[1:] == error.shape[1:]:
            rows, longer = min(shape[0], error.shape[0]), here if shape[0] > error.shape[0] else there
            return MergeError(
                f"{what}: the vocabularies differ by {abs(shape[0] - error.shape[0]):,} rows",
                "Row i must mean the same token in both; no row is cut off or made up unasked. Resize one model to the "
                f"other's tokenizer first (transformers: `model.resize_token_embeddings({rows})` for {longer}, if its "
                "last rows are padding), or state a rule: `modelprov: {vocabulary: crop}` leaves those rows out, "
                "`{vocabulary: pad}` keeps them.",
            )
        return MergeError(what, "Only models of one architecture and size can be merged; see `modelprov inspect`.")


def _sentence(rule: str, members: Sequence[tuple[str, int]]) -> str:
    some = ", ".join(name for name, _ in members[:2]) + (", ..." if len(members) > 2 else "")
    tensors = "1 tensor" if len(members) == 1 else f"{len(members):,} tensors"
    return f"{tensors} ({sum(count for _, count in members):,} elements) {rule}: {some}"


def _choices() -> str:
    return (
        "Say what to do: `modelprov: {missing: copy}` takes it over, `{missing: drop}` leaves it out "
        f"({called('missing')})."
    )
