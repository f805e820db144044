"""NuSLERP: slerp with weights, of tensors or of task vectors, as one vector or per row or column (mergekit's variant).

    t = w_2 / (w_1 + w_2),   merged = (sin((1-t) a) x + sin(t a) y) / sin(a),   a the angle between x and y

With a base model, x and y are differences from it and the base is added back. Parallel vectors: the straight line.
"""

from __future__ import annotations

import numpy as np

from modelprov.errors import UsageError
from modelprov.native import for_merging
from modelprov.recipes.methods import steps
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.combining import blended
from modelprov.recipes.methods.interface import (
    Float32,
    Inputs,
    MergeBlock,
    Method,
    Parameter,
    Passes,
    Whole,
    in_one_block,
    weights_doubt,
)
from modelprov.recipes.methods.reused import Reused
from modelprov.recipes.methods.steps import SMALL_BLOCK, Real, Steps, directions, placed, rows_block
from modelprov.recipes.methods.torch_steps import TorchSteps
from modelprov.recipes.methods.totals import length, reproducible, total, unit_products

SMALLEST = 1e-8
_OWN = Reused()


def merge(inputs: Inputs) -> Float32:
    """Two tensors (or task vectors), flattened to one vector unless `nuslerp_flatten: false`.

    Then, as measured in mergekit, there is one angle for every row of a matrix, and with `nuslerp_row_wise: true` one
    for every column. Raises `UsageError` where the weights sum to zero.
    """
    step = steps_of(inputs)
    weights = [float(model["weight"]) for model in inputs.models]
    if abs(sum(weights)) < SMALLEST:
        raise UsageError("the weights of nuslerp sum to zero", "Give weights with another sum.")
    if _whole(inputs) and isinstance(step, TorchSteps) and reproducible(step) and for_merging() is not None:
        return in_one_block(look, inputs)
    (first, second), base = directions(inputs, step)
    whole, columns = _whole(inputs), _columns(inputs)
    shape = (1, -1) if whole else (inputs.shape[0], -1) if columns else (-1, inputs.shape[-1])
    x, y = first.reshape(shape), second.reshape(shape)
    if columns:
        x, y = np.ascontiguousarray(x.T), np.ascontiguousarray(y.T)
    u, v = (step.divide(rows, step.norm(rows, columns)) for rows in (x, y))
    merged = _great_circle(x, y, step.dot(u, v, columns), _share(inputs), step)
    return placed((merged.T if columns else merged).reshape(-1), base, inputs, step)


def look(whole: Whole) -> MergeBlock:
    """The lengths in one pass, the angle in a second one; angles of rows are those of a block of whole rows."""
    about, step = whole.about, steps_of(whole.about)
    if not _whole(about):
        return lambda _first, inputs: merge(inputs)
    lengths = [length(step) for _ in range(2)]

    def add_squares(vectors: list[Real]) -> None:
        for norm, vector in zip(lengths, vectors, strict=True):
            norm.add(vector)

    whole.each(lambda _, block: directions(block, step)[0], add_squares)
    norms = [norm.result() for norm in lengths]
    cosine = total(step, whole.count)

    def products(_first: int, block: Inputs) -> Real:
        x, y = directions(block, step)[0]
        return unit_products(x, y, norms, step, _OWN.array("products", len(x)))

    whole.each(products, cosine.add)
    found = cosine.result()[None]

    factors, divisor = _line(found, _share(about), step)

    def merge_block(_first: int, inputs: Inputs) -> Float32:
        (x, y), base = directions(inputs, step)
        made = None if base is not None else blended(x, y, factors, divisor, about.out_dtype, step)
        if made is not None:
            return made
        merged = _great_circle(x[None], y[None], found, _share(inputs), step)
        return placed(merged.reshape(-1), base, inputs, step)

    return merge_block


def _block(about: Inputs) -> int:
    step = steps_of(about)
    if _whole(about):
        if not reproducible(step):
            return 0
        return min(steps.BLOCK, SMALL_BLOCK) if isinstance(step, TorchSteps) else steps.BLOCK  # others add by the block
    return 0 if isinstance(step, TorchSteps) or _columns(about) else rows_block(about.shape)


def _whole(inputs: Inputs) -> bool:
    return bool(inputs.options.get("nuslerp_flatten", True)) or len(inputs.shape) < 2


def _columns(inputs: Inputs) -> bool:
    return bool(inputs.options.get("nuslerp_row_wise", False)) and not _whole(inputs)


def _share(inputs: Inputs) -> float:
    weights = [float(model["weight"]) for model in inputs.models]
    return weights[1] / sum(weights)


def _factors(cosine: Real, t: float, step: Steps) -> tuple[tuple[Real, Real], Real]:
    """The sines of the shares of the angles whose cosines are given, and of the angles."""
    angle = step.arccosine(np.clip(cosine, -1, 1))
    first, second = (step.sine(step(angle * step.exact(share))) for share in (1 - t, t))
    return (first, second), step.sine(angle)


def _line(cosine: Real, t: float, step: Steps) -> tuple[tuple[Real, Real], Real | None]:
    """Factors of two vectors, the cosine [1, 1] of whose angle is given, and what their sum is divided by."""
    factors, sine = _factors(cosine, t, step)
    if abs(float(sine.item())) < SMALLEST:
        return (step.exact(1 - t), step.exact(t)), None
    return factors, sine


def _great_circle(x: Real, y: Real, cosine: Real, t: float, step: Steps) -> Real:
    """The point at share `t` between the rows of `x` and `y` [rows, n], the cosines of whose angles are [rows, 1]."""
    (first, second), sine = _factors(cosine, t, step)
    curved = step.divide(step(step(first * x) + step(second * y)), sine)
    parallel = np.abs(sine) < SMALLEST
    if not parallel.any():
        return curved
    straight = step(step(x * step.exact(1 - t)) + step(y * step.exact(t)))
    return np.where(parallel, straight, curved)


METHOD = Method(
    "nuslerp",
    needs_base=False,
    elementwise=False,
    random=False,
    parameters=(
        Parameter("weight", None, True, "factor of this model; only the ratio of the two counts"),
        Parameter("nuslerp_flatten", True, False, "one angle for the whole tensor"),
        Parameter("nuslerp_row_wise", False, False, "one angle a column instead of one a row (as mergekit does)"),
    ),
    merge=merge,
    optional_base=True,
    fewest=2,
    most=2,
    doubt=weights_doubt("always", SMALLEST),
    passes=Passes(_block, look),
)
