"""The nouns of a checkpoint: shards, tensors, views, alignments. Data only: no reading, no naming rules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.homes import Home, LocalHome
from modelprov.checkpoints.sources.interface import Source
from modelprov.errors import CheckpointNotFoundError

MIN_MATRIX_SIDE = 16
Each = TypeVar("Each", "TensorRef", "TensorView", "AlignedTensor")


class Component(StrEnum):
    """What a tensor does in the model. The order is the order of tables and plots."""

    EMBEDDINGS = "embeddings"
    ATTENTION = "attention"
    LINEAR_ATTENTION = "linear attention"
    ROUTER = "router"
    EXPERTS = "experts"
    SHARED_EXPERT = "shared expert"
    MLP = "mlp"
    NORMS = "norms"
    HEAD = "head"
    VISION = "vision"
    MTP = "mtp"
    OTHER = "other"


BY_TOKEN = (Component.EMBEDDINGS, Component.HEAD)
"""What has a row for every token: of whatever is trained, only those of the tokens that were read change."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One weights file. `name` is its name inside the checkpoint, `header_digest` the SHA-256 of its header bytes."""

    name: str
    size: int
    header_digest: str

    @property
    def file_name(self) -> str:
        """The name without the folders that it may lie in."""
        return self.name.rpartition("/")[2]


class TensorRef(NamedTuple):
    """Where one stored tensor lies: bytes `start` to `stop` (absolute) of shard number `shard`. No data.

    A tuple, as are `TensorView` and `AlignedTensor`: there are hundreds of thousands of each, and a tuple is made in a
    third of the time that a frozen dataclass takes.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    shard: int
    start: int
    stop: int

    @property
    def count(self) -> int:  # type: ignore[override]  # nobody counts values in it
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class RefusedTensor:
    """A stored tensor whose format cannot be compared (FP8, integers, ...): listed by `inspect`, never decoded."""

    name: str
    format: str
    shape: tuple[int, ...]
    shard: int
    start: int
    stop: int

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class TokenRows:
    """Embeddings of some `tokens`, known `by` their strings or the numbers of their rows: `values` float32 [n, d]."""

    tokens: tuple[str, ...]
    by: Literal["strings", "numbers"]
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Overlaps:
    """How much the row spaces of every two of a model's matrices overlap in the residual stream, beyond chance.

    `names` are canonical; `table` float32 [k, k] is 0 by chance alone, with a standard error of 1. Rows of attention
    were taken together by `head_width` (`forensics/search/coordinates/overlaps.py`).
    """

    names: tuple[str, ...]
    head_width: int
    table: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is there of a checkpoint of which only some blocks are: the `share` of its elements, 0 to 1, and profiles.

    `starts`, `stops` int64 [b]: the bytes that are there, as places in all shards laid one after the other, `begins`
    where each shard begins there; sorted, and apart from each other. `sizes`: sums of squares of the rows and columns
    of some whole matrices by canonical name and side, float64 [n]. `seed` and `run` (elements of a block) chose the
    places; `tokenizer` is the SHA-256 of its file, where the model has one. `rows` and `overlaps` are None where it
    holds none, as in files of version 2.
    """

    begins: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    sizes: Mapping[tuple[str, str], npt.NDArray[np.float64]]
    share: float
    seed: int
    run: int
    tokenizer: str | None = None
    rows: TokenRows | None = None
    overlaps: Overlaps | None = None


@dataclass(frozen=True, slots=True)
class Packing:
    """How a tensor is stored that is decoded when it is read: the `format` by its usual name, and its `bits` a weight.

    `nearest` says whether its numbers are known to be the nearest to what they were rounded from: where scales were
    searched, or numbers moved on purpose, they are not, and nothing bounds what was there before. Where it is
    `supposed` only, the file does not say; then cells say something where all of them agree, and nothing else does.
    """

    format: str
    bits: float
    nearest: bool
    supposed: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's weights, opened by headers only.

    `label` is short and unique within a run (it appears in tables), `location` is what the user typed.
    `config` is the parsed `config.json` or None. `tensors` is in file order: by shard, then by offset; `refused` holds
    the stored tensors that are not floats we can compare, `packings` how those of `tensors` are stored that are decoded
    when they are read. `notes` says what opening left out or found odd. `folder` is
    the local folder that its files lie in, or would be written to; None where there is none. `files` has those
    beside the weights; a merge that exists only on paper has none. `fingerprint` is set where only some blocks of the
    weights are there: whatever reads others raises `NotInFingerprintError`. `adapter` says what an adapter is,
    `adapter_on` the base that its config names, or the location of the one that it was put on; None for a model of its
    own.
    """

    label: str
    location: str
    tensors: Mapping[str, TensorRef]
    shards: tuple[Shard, ...]
    source: Source
    config: Mapping[str, Any] | None = None
    revision: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, RefusedTensor] = field(default_factory=dict)
    packings: Mapping[str, Packing] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    files: Home | None = None
    fingerprint: Fingerprint | None = None
    adapter_on: str | None = None
    adapter: str | None = None

    @property
    def home(self) -> Path:
        """`folder`, for work on files beside the weights; raises `CheckpointNotFoundError` where there is none."""
        if self.folder is None:
            raise CheckpointNotFoundError(f"{self.location} is in no folder of this machine", "Download it first.")
        return self.folder

    @property
    def beside(self) -> Home | None:
        """Where files beside the weights are looked for: `files`, else the folder that they would be written to."""
        return self.files or (None if self.folder is None else LocalHome(self.folder))

    @property
    def parameters(self) -> int:
        """Number of stored elements, refused formats included (tied tensors counted once)."""
        counts = {shape: math.prod(shape) for shape in {ref.shape for ref in self.tensors.values()}}
        stored = sum({(ref.shard, ref.start, ref.stop): counts[ref.shape] for ref in self.tensors.values()}.values())
        return stored + sum(tensor.count for tensor in self.refused.values())


class TensorView(NamedTuple):
    """A contiguous part of a stored tensor: `count` elements from absolute byte `start` of `ref.shard`."""

    ref: TensorRef
    start: int
    count: int  # type: ignore[assignment]  # nobody counts values in it


class AlignedTensor(NamedTuple):
    """The same canonical tensor in every checkpoint; `views` are in the order of the checkpoints.

    `guessed` marks an alignment found by shape alone, `computed` numbers that a formula gives. `decisive` tensors may
    carry a verdict (`is_decisive`); no computed ones.
    """

    name: str
    layer: int | None
    component: Component
    expert: int | None
    shape: tuple[int, ...]
    views: tuple[TensorView, ...]
    guessed: bool = False
    computed: bool = False

    @property
    def count(self) -> int:  # type: ignore[override]  # nobody counts values in it
        """Number of elements."""
        return self.views[0].count

    @property
    def decisive(self) -> bool:
        """Whether the tensor may carry a verdict."""
        return not self.computed and is_decisive(self.component, self.shape)


@lru_cache(maxsize=4096)  # a large model asks a million times, of a few dozen shapes
def is_decisive(component: Component, shape: tuple[int, ...]) -> bool:
    """Whether a tensor may carry a verdict: a matrix of at least 16 x 16; norms, biases and other vectors never do."""
    sides = [side for side in shape if side != 1]
    return component is not Component.NORMS and len(sides) >= 2 and min(sides) >= MIN_MATRIX_SIDE


def decisive_of(tensors: Sequence[AlignedTensor]) -> list[bool]:
    """Which of many tensors are `decisive`: without a call of Python for each."""
    rules = map(is_decisive, [tensor.component for tensor in tensors], [tensor.shape for tensor in tensors])
    return [rule and not tensor.computed for rule, tensor in zip(rules, tensors, strict=True)]


def many(kind: type[Each], *columns: Iterable[Any]) -> list[Each]:
    """Tuples of this kind, field by field: without a call of Python for each, as `kind(...)` would be."""
    if len(columns) != len(kind._fields):
        raise TypeError(f"{kind.__name__} has {len(kind._fields)} fields, not {len(columns)}")
    return list(map(partial(tuple.__new__, kind), zip(*columns, strict=True)))


@dataclass(frozen=True, slots=True)
class Unaligned:
    """A canonical tensor of checkpoint number `checkpoint` that could not be compared, and why."""

    checkpoint: int
    name: str
    count: int
    reason: str
    decisive: bool = True


@dataclass(frozen=True, slots=True)
class Alignment:
    """What can be compared and what cannot; `tensors` is in the file order of the first checkpoint.

    `notes` are sentences: prefixes that were set aside, and rows that only some have.
    """

    checkpoints: tuple[Checkpoint, ...]
    tensors: tuple[AlignedTensor, ...]
    unaligned: tuple[Unaligned, ...]
    notes: tuple[str, ...] = ()

    def share(self, checkpoint: int = 0) -> float:
        """Share of the elements of checkpoint number `checkpoint` that are compared, 0 to 1."""
        total = self.checkpoints[checkpoint].parameters
        missing = sum(item.count for item in self.unaligned if item.checkpoint == checkpoint)
        return (total - missing) / total if total else 0.0

    def decisive_share(self, checkpoint: int = 0) -> float:
        """The same among the elements that may carry a verdict; 1 where there are none."""
        telling = [each.views[checkpoint] for each in self.tensors if each.decisive]
        views = {(view.ref.name, view.start): view.count for view in telling}  # a tied head is the embedding once more
        compared = sum(views.values())
        missing = sum(item.count for item in self.unaligned if item.checkpoint == checkpoint and item.decisive)
        return compared / (compared + missing) if compared + missing else 1.0
