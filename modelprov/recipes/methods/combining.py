"""How thinned task vectors become a change of the base: weights, sign vote, division, lambda. Element by element."""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import WITHIN_FLOAT32, DType
from modelprov.native import for_merging
from modelprov.recipes.methods.interface import Float32, Inputs
from modelprov.recipes.methods.steps import Real, Steps, compiled, stored

SMALLEST = 1e-8


def moved(
    base: Real, deltas: list[Real] | Real, inputs: Inputs, vote: bool, step: Steps, out: Float32 | None = None
) -> Float32:
    """The base [n] plus its task vectors (models, n), thinned, by the weights and options of `inputs`.

    In `out` [n] where that is given and compiled loops compute.
    """
    weights: Real = np.array([step(float(model["weight"])) for model in inputs.models], step.working)
    scale, normalize = float(inputs.options.get("lambda", 1.0)), bool(inputs.options.get("normalize", False))
    library = for_merging() if step.working is np.float32 else None
    if inputs.out_dtype in WITHIN_FLOAT32 and (library is not None or compiled(step, len(base))):
        out = np.empty(len(base), np.float32) if out is None else out
        codes = step.dtype.code, inputs.out_dtype.code
        rows = deltas if isinstance(deltas, np.ndarray) else np.stack(deltas)
        if library is not None:
            library.moved(np.ascontiguousarray(base), rows, weights, vote, normalize, scale, *codes, out)
            return out
        from modelprov.recipes.methods.loops import fill_moved

        fill_moved(base, rows, weights, vote, normalize, scale, *codes, out)
        return out
    change = _combined(list(deltas), weights, normalize, vote, step)
    if scale != 1:
        change = step(change * step.exact(scale))
    return stored(step(base + change), inputs.out_dtype)


def blended(
    x: Real, y: Real, factors: tuple[Real, Real], divisor: Real | None, dtype: DType | None, step: Steps
) -> Float32 | None:
    """Two tensors [n] times their factors [1], added, and divided by a `divisor` [1] that is not 0, each step rounded.

    The last result is rounded to `dtype`. None where no loop in C does it.
    """
    library = for_merging() if step.working is np.float32 and dtype in WITHIN_FLOAT32 else None
    if library is None or dtype is None:
        return None
    out = np.empty(x.size, np.float32)
    numbers = float(factors[0].item()), float(factors[1].item())
    by = 0.0 if divisor is None else float(divisor.item())
    a, b = (np.ascontiguousarray(row, np.float32).reshape(-1) for row in (x, y))
    library.blended(a, b, numbers, by, step.dtype.code, dtype.code, out)
    return out


def _combined(deltas: list[Real], weights: Real, normalize: bool, vote: bool, step: Steps) -> Real:
    """The weighted sum of task vectors [n], after the vote and the division, where asked for."""
    weighted = [step(delta * weight) for delta, weight in zip(deltas, weights, strict=True)]
    if not vote:
        total = step.add(weighted)
        return step.divide(total, _not_tiny(step.add(list(weights)))) if normalize else total
    positive = step.add(weighted) >= 0
    agreeing = [np.where(positive, one > 0, one < 0) for one in weighted]
    total = step.add(np.where(agree, one, 0) for agree, one in zip(agreeing, weighted, strict=True))
    if not normalize:
        return total
    parts = step.add(agree * weight for agree, weight in zip(agreeing, weights, strict=True))
    return step(total / _not_tiny(parts))


def _not_tiny(divisor: Real) -> Real:
    """The divisor, 1 where it is next to nothing."""
    return np.where(np.abs(divisor) < SMALLEST, np.ones_like(divisor), divisor)
