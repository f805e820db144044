"""Weighted sums of a planned tensor's elements, from stored bytes to stored bytes in one compiled loop (`fused`).

Only where that loop computes exactly what the recipe says; everything else is `computing`'s.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import WITHIN_FLOAT32, DType
from modelprov.merge.fused import Scratch, weighted
from modelprov.merge.planned import MergePlan, Piece, Planned
from modelprov.recipes.arithmetics import DESCRIPTIONS, OF_DIFFERENCES, OF_TWO, UNDIVIDED, Arithmetic

LARGE = 1 << 30  # bytes of a merge from which on a faster loop is worth the second that it takes to load
Bytes = npt.NDArray[np.uint8]
BY_NAME = {one.name: arithmetic for arithmetic, one in DESCRIPTIONS.items()}
UNNORMALISED = (*OF_DIFFERENCES, *UNDIVIDED, *OF_TWO)


class WeightedSums:
    """Those of one plan; safe to use from many threads, each of which has buffers of its own.

    At most `longest` elements are asked for at a time.
    """

    def __init__(self, plan: MergePlan, longest: int) -> None:
        self._plan, self._longest = plan, longest
        self._own = threading.local()
        self._large = plan.bytes > LARGE
        models, wanted = plan.recipe.models, plan.recipe.modelprov.reference
        self._reference = next((n for n, one in enumerate(models) if one.model == wanted), len(models) - 1)
        """Which of the models differences are taken from: the one that the recipe names, else the last."""

    def fill(
        self, arithmetic: Arithmetic, tensor: Planned, piece: Piece, first: int, count: int, out: memoryview
    ) -> list[tuple[Bytes, DType]]:
        """Fill `out` with stored bytes of `count` elements of a piece from `first` on; what was read of each model."""
        views, inputs = piece.views, piece.inputs or tensor.inputs
        order = list(range(len(views)))
        if arithmetic in OF_DIFFERENCES:
            order.append(order.pop(self._reference))
        formats = [view.ref.dtype for view in views]
        weights = np.array([piece.settings.models[row]["weight"] for row in range(len(views))], np.float64)
        raw, scratch = self._buffers(len(views))
        for row, view in enumerate(views):
            self._plan.read(inputs[row], view, first, raw[row].data[: count * view.ref.dtype.size])
        target = np.frombuffer(out, np.uint8)
        direct = target.ctypes.data % 8 == 0
        filled = target if direct else np.empty(len(target), np.uint8)
        weighted(
            int(arithmetic), raw, formats, weights, np.array(order, np.int64), DType(tensor.format), scratch,
            filled, large=self._large,
        )  # fmt: skip
        held = [(raw[n, : count * view.ref.dtype.size], view.ref.dtype) for n, view in enumerate(views)]
        if not direct:
            target[:] = filled
        return held

    def _buffers(self, models: int) -> tuple[Bytes, Scratch]:
        """Buffers of the calling thread for so many models."""
        held: tuple[Bytes, Scratch] | None = getattr(self._own, "buffers", None)
        if held is None or len(held[0]) != models:
            held = self._own.buffers = (np.empty((models, self._longest * 4), np.uint8), Scratch(models))
        return held


def arithmetic_of(plan: MergePlan, tensor: Planned, piece: Piece) -> Arithmetic | None:
    """The arithmetic of the compiled loop, where it computes exactly what the recipe says."""
    out, compute_in = DType(tensor.format), plan.compute_in
    stored = {view.ref.dtype for view in piece.views}
    if plan.method.name != "linear" or not {out, *stored} <= set(WITHIN_FLOAT32):
        return None
    name, normalise = plan.arithmetic, bool(piece.settings.options["normalize"])
    same = stored == {out}
    if name not in BY_NAME:  # a preset
        computed = compute_in or (out if same else None)
        kept = computed is DType.F32 or (same and computed is out)
        if not kept or not normalise:
            return None
        if name == "mergekit-0.1.5":
            return Arithmetic.FLOAT32_FUSED
        return Arithmetic.FLOAT32 if computed is DType.F32 else Arithmetic.STEPWISE if out is DType.BF16 else None
    arithmetic = BY_NAME[name]
    if arithmetic is Arithmetic.FLOAT64:
        return None if normalise and not _sums_to_one(piece) else arithmetic
    return arithmetic if normalise or arithmetic in UNNORMALISED else None


def _sums_to_one(piece: Piece) -> bool:
    return abs(sum(float(one["weight"]) for one in piece.settings.models) - 1.0) < 1e-12
