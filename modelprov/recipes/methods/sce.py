"""SCE: select, calculate, erase (Wan et al. 2024, FuseChat, arXiv 2408.07990).

keep the elements where the models' task vectors vary most (`select_topk`: share of those that vary at all)
w_i = mean(delta_i^2) / sum_j mean(delta_j^2)      over the tensor
vote on signs with the plain sum; merged = base + sum w_i delta_i / sum w_i over what agrees
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from modelprov.recipes.methods import steps
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, MergeBlock, Method, Parameter, Passes, Whole
from modelprov.recipes.methods.selection import Kept, kept
from modelprov.recipes.methods.steps import FLOAT64, Mask, Real, Steps, based, stored
from modelprov.recipes.methods.torch_steps import TorchSteps
from modelprov.recipes.methods.totals import Sizes


def merge(inputs: Inputs) -> Float32:
    """Weights come from what the selection left; task vectors that are all zero give the base."""
    step = steps_of(inputs)
    deltas, base = _deltas(inputs, step)
    topk = _topk(inputs)
    if topk < 1:
        spread = step.variance(deltas)
        deltas = _chosen(deltas, step.top(spread, int(topk * np.count_nonzero(spread))), step)
    return _fused(deltas, base, [step.mean(step(delta * delta)) for delta in deltas], inputs, step)


def look(whole: Whole) -> MergeBlock:
    """How many elements vary, which of them do so most, by counting, then the mean squares of what is left."""
    about, step = whole.about, steps_of(whole.about)
    selection: Kept | None = None
    if _topk(about) < 1:

        def spreads() -> Iterator[list[Real]]:
            for _, block in whole.blocks(0):
                yield [step.variance(_deltas(block, step)[0])]

        varying = sum(np.count_nonzero(spread) for (spread,) in spreads())
        (selection,) = kept(spreads, [(0, int(_topk(about) * varying))], whole.count, step)

    def left(first: int, deltas: list[Real]) -> list[Real]:
        if selection is None:
            return deltas
        return _chosen(deltas, selection.mask(step.variance(deltas), first), step)

    squares = [Sizes() for _ in about.models]
    for first, block in whole.blocks(0):
        for each, delta in zip(squares, left(first, _deltas(block, step)[0]), strict=True):
            each.add(step(delta * delta))
    sizes = [step(np.array([each.result()]) / whole.count) for each in squares]

    def merge_block(first: int, inputs: Inputs) -> Float32:
        deltas, base = _deltas(inputs, step)
        return _fused(left(first, deltas), base, sizes, inputs, step)

    return merge_block


def _block(about: Inputs) -> int:
    """Torch selects without sorting, and numpy adds float64 numbers, in orders that no blocks give."""
    step = steps_of(about)
    return 0 if step is FLOAT64 or isinstance(step, TorchSteps) else steps.BLOCK


def _deltas(inputs: Inputs, step: Steps) -> tuple[list[Real], Real]:
    tensors, base = based(inputs, step)
    return [step(tensor - base) for tensor in tensors], base


def _topk(inputs: Inputs) -> float:
    return float(inputs.options.get("select_topk", 1.0))


def _chosen(deltas: list[Real], chosen: Mask, step: Steps) -> list[Real]:
    return [step(np.where(chosen, delta, 0)) for delta in deltas]


def _fused(deltas: list[Real], base: Real, sizes: list[Real], inputs: Inputs, step: Steps) -> Float32:
    """The base and the changes that agree, by the mean squares `sizes` of the task vectors."""
    total = step.add(sizes)
    weights = [step.divide(size, total) for size in sizes]
    positive = step.add(deltas) >= 0
    agreeing = [np.where(positive, delta > 0, delta < 0) for delta in deltas]
    parts = step.add(agree * weight for agree, weight in zip(agreeing, weights, strict=True))
    changes = (np.where(agree, step(delta * w), 0) for agree, delta, w in zip(agreeing, deltas, weights, strict=True))
    return stored(step(base + step.divide(step.add(changes), parts)), inputs.out_dtype)


METHOD = Method(
    "sce",
    needs_base=True,
    elementwise=False,
    random=False,
    parameters=(
        Parameter("select_topk", 1.0, False, "share of the elements that vary, those of largest variance", 0, 1),
    ),
    merge=merge,
    passes=Passes(_block, look),
)
