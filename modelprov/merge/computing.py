"""Computes elements of a planned tensor: reads the models' bytes, merges them, gives stored bytes. Keeps nothing.

Weighted sums go through one compiled loop (`weighted_sums`); every other method gets float32 arrays and its parameters.
`only_finite` refuses infinities and NaN that the merge itself made: what is to be written must not hold them, while a
checkpoint that holds them can still be told to be what a recipe makes.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.called import called
from modelprov.checkpoints.formats.dtypes import WITHIN_FLOAT32, DType, decode, decode_single, pack_into
from modelprov.engines.local import leave_if_stopped
from modelprov.engines.turns import in_turns
from modelprov.errors import InvalidCheckpointError, NonFiniteOutputError, UnsupportedFormatError
from modelprov.merge.fused import any_nonfinite
from modelprov.merge.planned import MergePlan, Piece, Planned
from modelprov.merge.weighted_sums import WeightedSums, arithmetic_of
from modelprov.native import for_merging
from modelprov.recipes.methods.interface import THREADS, Inputs, MergeBlock, Whole
from modelprov.recipes.methods.reused import Reused

READ = 1 << 18  # elements of each model that are read at a time: small enough to stay in the processor's cache
HOLDING = 4  # float32 copies of a tensor that a method may make beside its inputs
HOLDING_IN_PASSES = 10  # the same of a block: small things count there, such as the places that counting makes
Bytes = npt.NDArray[np.uint8]


class Computer:
    """Computes the tensors of one plan; safe to use from many threads, each of which has buffers of its own."""

    def __init__(self, plan: MergePlan, *, only_finite: bool = False) -> None:
        self.plan = plan
        self._only_finite = only_finite
        self._own = threading.local()
        self._reused = Reused()
        self._sums = WeightedSums(plan, READ)
        self._options = plan.recipe.modelprov

    def elements(self, tensor: Planned, first: int, count: int, out: memoryview) -> None:
        """Fill `out` with the stored bytes of elements `first` to `first + count`."""
        size = DType(tensor.format).size
        for piece in tensor.pieces:
            start, stop = max(first, piece.first), min(first + count, piece.first + piece.count)
            for at in range(start, stop, READ):
                m = min(READ, stop - at)
                place = (at - first) * size
                self._block(tensor, piece, at - piece.first, m, out[place : place + m * size])

    def whole(self, tensor: Planned, out: memoryview) -> None:
        """Fill `out` with the stored bytes of the whole tensor, as methods need that look at all of it.

        Where passes give its bits it is passed over in memory: what is made of a block stays in the cache.
        """
        count, passes, block = elements_of(tensor), self.plan.method.passes, self.block(tensor)
        values, size = self._values(tensor, 0, count), DType(tensor.format).size
        if passes is None or not 0 < block < count:
            inputs = self._inputs(tensor, values)
            self._stored(tensor, lambda: self.plan.method.merge(inputs), out)
        else:

            def blocks(start: int) -> Iterator[tuple[int, Inputs]]:
                for first in range(start, count, block):
                    yield first, self._inputs(tensor, [one[first : first + block] for one in values])

            merge_block = passes.look(Whole(self._about(tensor), count, blocks))
            for first, inputs in blocks(0):
                part = out[first * size : (first + block) * size]
                self._stored(tensor, partial(merge_block, first, inputs), part)
        self._check_finite(tensor, 0, np.frombuffer(out, np.uint8), [])

    def block(self, tensor: Planned) -> int:
        """Elements of a block of a tensor whose method can look at it in passes; 0 where only all at once will do."""
        passes = self.plan.method.passes
        return 0 if passes is None else passes.block(self._about(tensor))

    def look(self, tensor: Planned, threads: int) -> MergeBlock:
        """Pass over a tensor, so many blocks side by side; what merges its blocks then."""
        passes, block, count = self.plan.method.passes, self.block(tensor), elements_of(tensor)
        if passes is None:
            raise ValueError(f"{self.plan.method.name} makes no passes")

        def loaded(first: int) -> Inputs:
            leave_if_stopped()
            return self._inputs(tensor, self._values(tensor, first, min(block, count - first), again=True))

        def blocks(start: int) -> Iterator[tuple[int, Inputs]]:
            for first in range(start, count, block):
                yield first, loaded(first)

        def spread(prepare: Callable[[int, Inputs], Any], add: Callable[[Any], None]) -> None:
            in_turns(-(-count // block), lambda n: prepare(n * block, loaded(n * block)), add, threads)

        return passes.look(Whole(self._about(tensor), count, blocks, spread if threads > 1 else None, threads))

    def looked(self, tensor: Planned, merge_block: MergeBlock, first: int, count: int, out: memoryview) -> None:
        """Fill `out` with the stored bytes of one block, by what `look` gave."""
        inputs = self._inputs(tensor, self._values(tensor, first, count, again=True))
        self._stored(tensor, lambda: merge_block(first, inputs), out)
        self._check_finite(tensor, first, np.frombuffer(out, np.uint8), [])

    def held(self, tensor: Planned) -> int:
        """Bytes that looking at a tensor takes beside its blocks."""
        passes = self.plan.method.passes
        return 0 if passes is None else passes.held(self._about(tensor), elements_of(tensor))

    def kept(self, tensor: Planned) -> int:
        """Bytes that are held after looking, until the tensor is merged."""
        passes = self.plan.method.passes
        return 0 if passes is None else passes.kept(self._about(tensor), elements_of(tensor))

    def needed(self, tensor: Planned, *, block: int = 0) -> int:
        """Bytes of memory to compute a tensor whole, or a block of so many elements."""
        if not block:
            return elements_of(tensor) * 4 * (len(tensor.inputs) + HOLDING)
        return (
            min(block, elements_of(tensor))
            * (2 if self.plan.arithmetic == "float64" else 1)
            * 4
            * (2 * len(tensor.inputs) + HOLDING_IN_PASSES)
        )

    def _stored(self, tensor: Planned, merge: Callable[[], npt.NDArray[np.float32]], out: memoryview) -> None:
        """Fill `out` with the stored bytes of what a method merges; the values are lost."""
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is said in words, with its place
            merged = np.ascontiguousarray(merge().ravel(), np.float32)
        library, filled = for_merging(), np.frombuffer(out, np.uint8)
        if library is not None and tensor.format == DType.BF16:
            library.pack_bf16(merged, filled)
        else:
            pack_into(merged, DType(tensor.format), filled)

    def _values(self, tensor: Planned, first: int, count: int, *, again: bool = False) -> list[npt.NDArray[np.float32]]:
        """Elements of every model's tensor, in memory that is used `again` or not."""
        arrays = []
        for number in range(len(tensor.inputs)):
            values = self._reused.array(f"of model {number}", count) if again else np.empty(count, np.float32)
            for piece in tensor.pieces:
                start, stop = max(first, piece.first), min(first + count, piece.first + piece.count)
                if start < stop:
                    place = values[start - first : stop - first]
                    self._load(tensor, piece, number, start - piece.first, place)
            arrays.append(values)
        return arrays

    def _about(self, tensor: Planned) -> Inputs:
        """The inputs of a tensor without values."""
        return self._inputs(tensor, [np.empty(0, np.float32) for _ in tensor.inputs])

    def _block(self, tensor: Planned, piece: Piece, first: int, count: int, out: memoryview) -> None:
        arithmetic = arithmetic_of(self.plan, tensor, piece)
        if arithmetic is not None:
            read = self._sums.fill(arithmetic, tensor, piece, first, count, out)
            self._check_finite(tensor, piece.first + first, np.frombuffer(out, np.uint8), read)
            return
        if self.copies(tensor, piece):
            self.plan.read(tensor.inputs_of(piece)[0], piece.views[0], first, out)
            return
        arrays = []
        for number in range(len(piece.views)):
            values = self._reused.array(f"of model {number}", count)
            self._load(tensor, piece, number, first, values)
            arrays.append(values)
        inputs = self._inputs(tensor, arrays, piece)
        self._stored(tensor, lambda: self.plan.method.merge(inputs), out)
        self._check_finite(tensor, piece.first + first, np.frombuffer(out, np.uint8), [])

    def _check_finite(self, tensor: Planned, first: int, made: Bytes, inputs: Sequence[tuple[Bytes, DType]]) -> None:
        """Refuse a number that is not finite where every input (stored bytes and format; empty: all finite) is.

        `first` is the place in the tensor of the first element that was `made`.
        """
        dtype = DType(tensor.format)
        if not self._only_finite or not any_nonfinite(made, dtype):
            return
        values = decode(made, dtype)
        ours = ~np.isfinite(values)
        for raw, stored in inputs:
            ours &= np.isfinite(decode(raw, stored))
        if ours.any():
            at = int(np.argmax(ours))
            raise NonFiniteOutputError(
                f"{tensor.name} would be {values[at]} at element {first + at:,}, where every model is finite",
                f"The result does not fit into {dtype}: correct the weights of the recipe, or store it in a format of "
                f"larger range ({called('out_dtype', 'bfloat16')} or float32). Nothing was written.",
            )

    def copies(self, tensor: Planned, piece: Piece) -> bool:
        """Whether a copy of the stored bytes is the answer."""
        scales = [one.get("scale", None) for one in piece.settings.models]
        same = str(piece.views[0].ref.dtype) == tensor.format and self.plan.compute_in in (
            None,
            piece.views[0].ref.dtype,
        )
        return self.plan.method.name == "passthrough" and same and scales == [1.0]

    def _inputs(self, tensor: Planned, arrays: Sequence[npt.NDArray[np.float32]], piece: Piece | None = None) -> Inputs:
        """What a method gets: these values and the settings of a piece (the first)."""
        base = arrays[-1] if self.plan.uses_base else None
        seed = hashlib.blake2b(f"{self._options.seed}|{tensor.name}".encode(), digest_size=16).digest()
        stored = {view.ref.dtype for one in ([piece] if piece else tensor.pieces) for view in one.views}
        piece = piece or tensor.pieces[0]
        return Inputs(
            tensors=list(arrays[:-1] if base is not None else arrays),
            base=base,
            shape=tensor.shape,
            models=[dict(one) for one in piece.settings.models],
            options=dict(piece.settings.options),
            arithmetic=self.plan.arithmetic,
            dtype=self.plan.compute_in or piece.views[-1].ref.dtype,
            out_dtype=DType(tensor.format),
            held=stored.pop() if len(stored) == 1 else None,
            rng=np.random.default_rng(np.frombuffer(seed, np.uint32)) if self.plan.method.random else None,
            threads=self.plan.recipe.modelprov.threads or THREADS,
        )

    def _load(self, tensor: Planned, piece: Piece, number: int, first: int, out: npt.NDArray[np.float32]) -> None:
        """Fill `out` with elements of one model's part of a piece, which have to be finite."""
        view, checkpoint = piece.views[number], (piece.inputs or tensor.inputs)[number]
        dtype, library = view.ref.dtype, for_merging()
        buffer = self._raw(READ * dtype.size)
        for at in range(0, len(out), READ):
            values = out[at : at + READ]
            raw = buffer[: len(values) * dtype.size]
            self.plan.read(checkpoint, view, first + at, raw.data)
            if library is not None and dtype in WITHIN_FLOAT32:
                finite = library.load(raw, dtype.code, values)
            else:
                if dtype in WITHIN_FLOAT32:
                    decode_single(raw, dtype, values)
                else:
                    values[:] = decode(raw, dtype)
                finite = bool(np.isfinite(values).all())
            if not finite:
                label = self.plan.checkpoints[tensor.inputs[number]].label
                raise InvalidCheckpointError(
                    f"{tensor.name} of {label} holds values that are not finite", "Repair or download it again."
                )

    def _raw(self, size: int) -> Bytes:
        """A buffer of the calling thread."""
        held: Bytes | None = getattr(self._own, "raw", None)
        if held is None or len(held) < size:
            held = self._own.raw = np.empty(size, np.uint8)
        return held


def check_formats(plan: MergePlan) -> None:
    """Raise `UnsupportedFormatError` for a tensor in a format that its merge cannot be computed from."""
    computer = Computer(plan)
    for tensor in plan.tensors:
        for piece in tensor.pieces:
            wide = next((view.ref.name for view in piece.views if view.ref.dtype is DType.F64), None)
            if wide is not None and not (plan.elementwise and computer.copies(tensor, piece)):
                raise UnsupportedFormatError(
                    f"{wide} is stored as F64, which {plan.method.name} cannot merge exactly",
                    "Convert it to F32 first.",
                )


def elements_of(tensor: Planned) -> int:
    """Elements of a merged tensor."""
    return sum(piece.count for piece in tensor.pieces)
