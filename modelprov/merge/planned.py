"""What a planned merge is: which bytes of which model make each tensor of the output. Types only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.types import Checkpoint, TensorView
from modelprov.merge.settings import Settings
from modelprov.recipes.methods.interface import Method
from modelprov.recipes.recipe import DTYPES, Recipe


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive elements of an output tensor, from element `first`: one view for each of its inputs.

    `inputs` are the checkpoints that the views are of, where they are not those of the tensor: a model that lacks rows
    of the vocabulary takes those of another.
    """

    first: int
    count: int
    views: tuple[TensorView, ...]
    settings: Settings
    inputs: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """Bytes that are taken as they are."""

    checkpoint: int
    shard: int
    start: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One tensor of the output: merged from `pieces` of the checkpoints numbered `inputs`, or copied.

    `format` is its safetensors dtype. The base comes last among the inputs when the method uses one.
    """

    name: str
    format: str
    shape: tuple[int, ...]
    size: int
    inputs: tuple[int, ...] = ()
    pieces: tuple[Piece, ...] = ()
    copy: Copy | None = None

    def inputs_of(self, piece: Piece) -> tuple[int, ...]:
        """The checkpoints that the views of a piece are of."""
        return piece.inputs or self.inputs


@dataclass(frozen=True, eq=False)
class MergePlan:
    """A merge, ready to be computed. `layout` is the checkpoint whose names, order, config and side files it takes.

    `notes` are sentences: what was copied or left out, by which rule. `opened` are the models as they lie on disk, also
    where `checkpoints` have the rows of another vocabulary; `tokenizer` is a tokenizer.json that no model has,
    `config` a config.json that stands in for that of the layout.
    """

    recipe: Recipe
    method: Method
    arithmetic: str
    checkpoints: tuple[Checkpoint, ...]
    layout: int
    uses_base: bool
    tensors: tuple[Planned, ...]
    notes: tuple[str, ...]
    layers: tuple[int, ...] | None = None
    opened: tuple[Checkpoint, ...] = ()
    tokenizer: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None

    @property
    def bytes(self) -> int:
        """Bytes of all tensors of the output."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def compute_in(self) -> DType | None:
        """The format that the recipe computes in; None for the stored one."""
        return DTYPES[self.recipe.dtype] if self.recipe.dtype else None

    def read(self, number: int, view: TensorView, first: int, out: memoryview) -> None:
        """Fill `out` with the bytes of a view of one model from the element `first` on; raises what reading raises."""
        start = view.start + first * view.ref.dtype.size
        self.checkpoints[number].source.read_into(view.ref.shard, start, out)

    @property
    def models(self) -> tuple[Checkpoint, ...]:
        """The models as they were opened, for digests."""
        return self.opened or self.checkpoints

    @property
    def elementwise(self) -> bool:
        """Whether any block of a tensor can be computed alone."""
        return self.method.elementwise and not self.method.random
