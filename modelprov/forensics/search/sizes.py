"""Sizes of the rows and columns of one model's matrices: sums of squares, each matrix read once. Compares none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from modelprov.checkpoints.formats.dtypes import FORMATS, Bytes, DType, Float64, decode, finite_or_zero
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.plan import Plan, plan_segments
from modelprov.checkpoints.reading import Reader, Sources
from modelprov.checkpoints.types import AlignedTensor, Alignment, Checkpoint, Component, TensorView
from modelprov.engines.local import InOrder, run_tasks
from modelprov.forensics.sampling.segments import decoded
from modelprov.forensics.search.formulas import without_formulas
from modelprov.native import native

PIECE = 1 << 20
"""Elements that are added up at once, in whole rows: part of what the last bits of a sum are."""
READERS = (
    (re.compile(r"\.self_attn\.[qkv]_proj\.weight$"), ("input_layernorm.weight",)),
    (
        re.compile(r"\.mlp\.(?:gate|(?:experts\.\d+\.|shared_expert\.)?(?:gate|up)_proj)\.weight$"),
        ("pre_feedforward_layernorm.weight", "post_attention_layernorm.weight"),
    ),
    (re.compile(r"\.mlp\.(?:c_fc|fc1|fc_in)\.weight$"), ("post_attention_layernorm.weight", "ln_2.weight")),
)
"""Which norm a matrix reads from; its gains belong to the matrix, since they can be moved there."""
Sides = Mapping[str, Float64]
"""Sums of squares [n] of "rows" and of "columns"."""
Key = tuple[TensorView, tuple[int, ...], TensorView | None]
Weights = tuple[Float64 | None, Float64 | None]


@dataclass(eq=False)
class OwnSizes:
    """Those of one model, under whatever alignment they are asked for; what was read once is kept.

    `on_bytes` hears of what is read, from any of the `threads`. Raises what reading raises.
    """

    checkpoint: Checkpoint
    threads: int = 1
    on_bytes: Callable[[int], None] = lambda _: None
    _known: dict[Key, Sides] = field(default_factory=dict)

    @cached_property
    def alignment(self) -> Alignment:
        """The model aligned by itself: what it has wherever it stands."""
        return without_formulas(align((self.checkpoint,)))

    def by_name(self, chosen: Sequence[int]) -> dict[tuple[str, str], Float64]:
        """The sizes of tensors of its own alignment, float64 [n], by canonical name and side."""
        names = [self.alignment.tensors[number].name for number in chosen]
        found = self.of(self.alignment, 0, chosen)
        return {(name, side): sums for name, sides in zip(names, found, strict=True) for side, sums in sides.items()}

    def of(self, alignment: Alignment, place: int, chosen: Sequence[int]) -> list[Sides]:
        """The sizes of the chosen tensors [rows, columns], where the model is checkpoint number `place`."""
        tensors = tuple(tensor._replace(views=(tensor.views[place],)) for tensor in alignment.tensors)
        own = replace(alignment, checkpoints=(self.checkpoint,), tensors=tensors)
        by_name = {tensor.name: number for number, tensor in enumerate(tensors)}
        norms = {number: _norm_of(tensors[number], by_name) for number in chosen}
        keys = [_key(tensors[number], None if norm is None else tensors[norm]) for number, norm in norms.items()]
        missing = {number: norms[number] for number, key in zip(chosen, keys, strict=True) if key not in self._known}
        if missing:
            read = dict(zip(missing, self._read(own, missing), strict=True))
            self._known |= {key: read[number] for number, key in zip(chosen, keys, strict=True) if number in read}
        return [self._known[key] for key in keys]

    def _read(self, own: Alignment, norms: Mapping[int, int | None]) -> list[Sides]:
        """Those of the tensors of an alignment of this model alone that are the keys, each with its norm."""
        gains = self._gains(own, sorted({norm for norm in norms.values() if norm is not None}))
        plan = _in_rows(own, list(norms))
        found = {number: {"rows": np.zeros(own.tensors[number].shape[0])} for number in norms}
        for number, sides in found.items():
            sides["columns"] = np.zeros(own.tensors[number].shape[1])
        sources = Sources((self.checkpoint,), "buffered")

        def add(block: int, columns: Sequence[Float64]) -> None:
            for position, sums in enumerate(columns, int(plan.bounds[block])):
                found[int(plan.tensor[position])]["columns"] += sums

        in_order = InOrder(add)

        def make_worker() -> Callable[[int], None]:
            reader = Reader(plan, sources)

            def work(block: int) -> None:
                span, loaded, columns = plan.block(block), reader.load(block), list[Float64]()
                for position, start in zip(range(span.start, span.stop), loaded.start[0].tolist(), strict=True):
                    number, dtype = int(plan.tensor[position]), FORMATS[int(plan.dtype[0, position])]
                    sides, norm = found[number], norms[number]
                    width = len(sides["columns"])
                    first, count = int(plan.first[position]) // width, int(plan.count[position]) // width
                    raw = loaded.buffers[0][start : start + count * width * dtype.size]
                    weights = (None, None) if norm is None else _weights(gains[norm], own.tensors[number], first, count)
                    rows = sides["rows"][first : first + count]
                    columns.append(_sums_of_squares(raw, dtype, weights, rows, width))
                in_order.put(block, columns)
                self.on_bytes(int(plan.sizes[:, span].sum()))

            return work

        try:
            run_tasks(plan.blocks, make_worker, self.threads)
        finally:
            sources.close()
        self.checkpoint.source.check_unchanged()
        return list(found.values())

    def _gains(self, own: Alignment, norms: Sequence[int]) -> dict[int, Float64]:
        """What norms multiply by, squared."""
        plan = _in_rows(own, norms)
        found = {}
        for position, (values,) in decoded((self.checkpoint,), plan, self.on_bytes):
            found[int(plan.tensor[position])] = np.square(finite_or_zero(values))
        return found


def _key(tensor: AlignedTensor, norm: AlignedTensor | None) -> Key:
    return tensor.views[0], tensor.shape, None if norm is None else norm.views[0]


def _norm_of(tensor: AlignedTensor, by_name: Mapping[str, int]) -> int | None:
    """The norm that a matrix reads from, if it is one of the known names."""
    if tensor.component is Component.HEAD:
        return by_name.get("model.norm.weight")
    for reader, norms in READERS:
        if found := reader.search(tensor.name):
            block = tensor.name[: found.start() + 1]
            return next((by_name[block + norm] for norm in norms if block + norm in by_name), None)
    return None


def _in_rows(alignment: Alignment, chosen: Sequence[int]) -> Plan:
    """Whole tensors in pieces of whole rows; vectors in one."""
    segments = []
    for number in chosen:
        tensor = alignment.tensors[number]
        width = tensor.shape[-1]
        step = max(1, PIECE // width) * width if len(tensor.shape) > 1 else tensor.count
        segments += [(number, first, min(step, tensor.count - first)) for first in range(0, tensor.count, step)]
    columns = np.array(segments, np.int64).reshape(-1, 3)
    return plan_segments(alignment, columns[:, 0], columns[:, 1], columns[:, 2], 4 * PIECE)


def _weights(gains: Float64, tensor: AlignedTensor, first: int, count: int) -> tuple[Float64 | None, Float64 | None]:
    """What the squares of `count` rows from the `first` are multiplied by: by column, or by row if stored that way."""
    rows, columns = tensor.shape
    if gains.size == columns:
        return gains, None
    return None, gains[first : first + count] if gains.size == rows else None


def _sums_of_squares(raw: Bytes, dtype: DType, weights: Weights, by_row: Float64, columns: int) -> Float64:
    """Fill `by_row` [rows] with sums of squares of stored rows, and return those of their `columns`."""
    library = native()
    if library is not None and columns > 1:  # numpy adds a single column up in another order
        by_column = np.zeros(columns)
        library.squares(raw, dtype.code, *weights, by_row, by_column)
        return by_column
    squares = np.square(finite_or_zero(decode(raw, dtype))).reshape(-1, columns)
    if weights[0] is not None:
        squares *= weights[0]
    if weights[1] is not None:
        squares *= weights[1][:, None]
    by_row[:] = squares.sum(axis=1)
    return np.asarray(squares.sum(axis=0), np.float64)
