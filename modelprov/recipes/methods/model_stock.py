"""Model Stock: between the base and the mean of the models, as far as their angle says (Jang et al. 2024, 2403.19522).

    t = N cos / (1 + (N - 1) cos),   merged = t mean + (1 - t) base

cos is the mean cosine between the N task vectors; of the whole tensor, or of each row with `filter_wise`.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from modelprov.recipes.methods import steps
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, MergeBlock, Method, Parameter, Passes, Whole
from modelprov.recipes.methods.steps import Real, Steps, based, rows_block, stored
from modelprov.recipes.methods.torch_steps import TorchSteps
from modelprov.recipes.methods.totals import length, reproducible, total


def merge(inputs: Inputs) -> Float32:
    """Task vectors at right angles give the base, parallel ones the mean. A zero task vector has cosine 0."""
    step = steps_of(inputs)
    tensors, base = based(inputs, step)
    return _merged(tensors, base, _rows(inputs), inputs, step)


def _merged(tensors: list[Real], base: Real, rows: int, inputs: Inputs, step: Steps) -> Float32:
    deltas = [step(tensor - base).reshape(rows, -1) for tensor in tensors]
    norms = [step.norm(delta) for delta in deltas]
    dots = [step.dot(deltas[i], deltas[j]) for i, j in combinations(range(len(deltas)), 2)]
    return _between(tensors, base, _ratio(norms, dots, step), inputs, step)


def look(whole: Whole) -> MergeBlock:
    """The angles in one pass; with `filter_wise` every row has its own, and blocks are whole rows."""
    about, step = whole.about, steps_of(whole.about)
    if _by_rows(about):
        width = whole.count // _rows(about)
        return lambda _first, inputs: _merged(*based(inputs, step), len(inputs.tensors[0]) // width, inputs, step)
    pairs = list(combinations(range(len(about.models)), 2))
    norms, dots = [length(step) for _ in about.models], [total(step, whole.count) for _ in pairs]
    for _, block in whole.blocks(0):
        tensors, base = based(block, step)
        deltas = [step(tensor - base) for tensor in tensors]
        for norm, delta in zip(norms, deltas, strict=True):
            norm.add(delta)
        for dot, (i, j) in zip(dots, pairs, strict=True):
            dot.add(step(deltas[i] * deltas[j]))
    t = _ratio([norm.result()[None] for norm in norms], [dot.result()[None] for dot in dots], step)
    return lambda _first, inputs: _between(*based(inputs, step), t, inputs, step)


def _block(about: Inputs) -> int:
    step = steps_of(about)
    if not _by_rows(about):
        return steps.BLOCK if reproducible(step) else 0
    return 0 if isinstance(step, TorchSteps) else rows_block((1, math.prod(about.shape[1:])))


def _by_rows(inputs: Inputs) -> bool:
    return bool(inputs.options.get("filter_wise", False)) and len(inputs.shape) > 1


def _rows(inputs: Inputs) -> int:
    return inputs.shape[0] if _by_rows(inputs) else 1


def _between(tensors: list[Real], base: Real, t: Real, inputs: Inputs, step: Steps) -> Float32:
    """The point at share `t` [rows, 1] between the base and the mean of the models."""
    shaped = [tensor.reshape(len(t), -1) for tensor in tensors]
    mean = shaped[0]
    for tensor in shaped[1:]:
        mean = step(mean + tensor)
    mean = step(mean / step.exact(len(shaped)))
    return stored(step(step(t * mean) + step(step(1 - t) * base.reshape(len(t), -1))), inputs.out_dtype)


def _ratio(norms: list[Real], dots: list[Real], step: Steps) -> Real:
    """The interpolation ratio [rows, 1] from lengths of the task vectors and dot products of their pairs."""
    cosines = [
        np.clip(step.divide(dot, step(norms[i] * norms[j])), -1, 1)
        for dot, (i, j) in zip(dots, combinations(range(len(norms)), 2), strict=True)
    ]
    n = len(norms)
    cosine = step(sum(cosines) / step.exact(len(cosines)))
    return step.divide(step(step.exact(n) * cosine), step(1 + step(step.exact(n - 1) * cosine)))


METHOD = Method(
    "model_stock",
    needs_base=True,
    elementwise=False,
    random=False,
    parameters=(Parameter("filter_wise", False, False, "one ratio for each row instead of each tensor"),),
    merge=merge,
    fewest=2,
    passes=Passes(_block, look),
)
