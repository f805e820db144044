"""The engine of the task-vector methods (Ilharco et al. 2023, arXiv 2212.04089); which elements they keep: `sparsify`.

    delta_i = t_i - base  ->  sparsify  ->  w_i delta_i  ->  optional sign vote  ->  sum
    ->  optional division by the sum of the weights that took part  ->  times lambda  ->  + base

The sign vote (Yadav et al. 2023) drops, at each element, what points against the sign of the weighted sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import WITHIN_FLOAT32, DType
from modelprov.errors import UsageError
from modelprov.recipes.arithmetics import Arithmetic, evaluate
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.combining import moved
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Parameter
from modelprov.recipes.methods.sparsify import bernoulli, by_rank, magnitude, rank_doubt, rescaled, without_outliers
from modelprov.recipes.methods.steps import BLOCK, FLOAT64, Mask, Real, Steps, based, stored
from modelprov.recipes.methods.task_vector_passes import Look, by_chance, by_magnitude, in_passes, keeps_nothing

Sparsify = Callable[[Real, Inputs, dict[str, Any], Steps], Real]
SMALL_BLOCK = 1 << 15


def merge(inputs: Inputs, sparsifier: Sparsify | None, vote: bool) -> Float32:
    """The merged tensor; everything after the sparsifier runs in blocks of elements."""
    step = steps_of(inputs)
    tensors, base = based(inputs, step)
    weights: Real = np.array([step(float(model["weight"])) for model in inputs.models], step.working)
    normalize = bool(inputs.options.get("normalize", False))
    scale = float(inputs.options.get("lambda", 1.0))
    if sparsifier is None and not vote and not normalize and scale == 1 and step is not FLOAT64:
        return _plain_sum(inputs, tensors, base, weights, step)
    deltas = [step(tensor - base) for tensor in tensors]
    if sparsifier is not None:
        deltas = [sparsifier(delta, inputs, model, step) for delta, model in zip(deltas, inputs.models, strict=True)]
    merged: Real = np.empty(len(base), np.float64 if inputs.out_dtype is None else np.float32)
    for at in range(0, len(base), BLOCK):
        block = slice(at, at + BLOCK)
        merged[block] = moved(base[block], [delta[block] for delta in deltas], inputs, vote, step)
    return merged  # float64 only for who asks for it, not for what is stored


def _plain_sum(inputs: Inputs, tensors: list[Real], base: Real, weights: Real, step: Steps) -> Float32:
    """The base + sum of weight * delta, compiled, in blocks that stay in the processor's cache."""
    arithmetic = Arithmetic.FLOAT32_DELTA if step.dtype is DType.F32 else Arithmetic.STEPWISE_DELTA
    if inputs.arithmetic == "float32-fused":
        arithmetic = Arithmetic.FLOAT32_DELTA_FUSED
    out_dtype = inputs.out_dtype
    direct = step.dtype is DType.F32 and out_dtype in WITHIN_FLOAT32
    code = (out_dtype if direct and out_dtype else step.dtype).code
    rows = [*tensors, base]
    factors = np.append(weights.astype(np.float64), 0.0)
    order = np.arange(len(rows))
    merged = np.empty(len(base), np.float32)
    parents = np.empty((len(rows), min(SMALL_BLOCK, len(base))), np.float32)
    for at in range(0, len(base), SMALL_BLOCK):
        out = merged[at : at + SMALL_BLOCK]
        for parent, row in zip(parents, rows, strict=True):
            parent[: len(out)] = row[at : at + SMALL_BLOCK]
        evaluate(int(arithmetic), parents[:, : len(out)], factors, order, code, out)
    return merged if direct else stored(merged, inputs.out_dtype)


def _magnitude(delta: Real, _inputs: Inputs, model: dict[str, Any], step: Steps) -> Real:
    return step(np.where(magnitude(delta, model.get("density", 1.0), step), delta, 0))


def _without_outliers(delta: Real, inputs: Inputs, model: dict[str, Any], step: Steps) -> Real:
    density, gamma = model["density"], model["gamma"]
    if keeps_nothing(inputs, model, len(delta)):
        return np.zeros_like(delta)
    return step(np.where(without_outliers(delta, density, gamma, step), delta, 0))


def _bernoulli(delta: Real, inputs: Inputs, model: dict[str, Any], step: Steps) -> Real:
    return _thinned(delta, bernoulli(delta, model["density"], _generator(inputs)), inputs, step)


def _by_rank(delta: Real, inputs: Inputs, model: dict[str, Any], step: Steps) -> Real:
    mask = by_rank(delta, inputs.shape, model["density"], model["epsilon"], _generator(inputs))
    return _thinned(delta, mask, inputs, step)


def _thinned(delta: Real, mask: Mask, inputs: Inputs, step: Steps) -> Real:
    if inputs.options.get("rescale", True):
        return rescaled(delta, mask, step)
    return step(np.where(mask, delta, 0))


def _generator(inputs: Inputs) -> np.random.Generator:
    if inputs.rng is None:
        raise UsageError("a random merge method needs a random generator", "Give a seed.")
    return inputs.rng


def _doubt(models: Sequence[Mapping[str, Any]], _options: Mapping[str, Any]) -> str:
    for model in models:
        if "epsilon" in model and model["density"] < 1:
            doubt = rank_doubt(model["density"], model["epsilon"])
            if doubt:
                return doubt
    return ""


def _method(
    name: str, sparsifier: Sparsify | None, *, vote: bool, normalize: bool, parameters: tuple[Parameter, ...] = ()
) -> Method:
    return Method(
        name,
        needs_base=True,
        elementwise=sparsifier is None,
        random=sparsifier in (_bernoulli, _by_rank),
        parameters=(
            Parameter("weight", None, True, "factor of this model's task vector"),
            *parameters,
            Parameter("normalize", normalize, False, "divide by the sum of the weights that took part"),
            Parameter("lambda", 1.0, False, "factor of the merged task vector"),
        ),
        merge=lambda inputs: merge(inputs, sparsifier, vote),
        doubt=_doubt,
        passes=None if sparsifier is None else in_passes(_LOOKS[sparsifier], vote),
    )


_DENSITY = Parameter("density", 1.0, True, "share of this model's task vector that is kept", low=0, high=1)
_GAMMA = Parameter("gamma", 0.01, True, "share of the largest changes that is dropped", low=0, high=1)
_EPSILON = Parameter("epsilon", 0.15, True, "how far the probability to be kept departs from density", low=0, high=1)
_RESCALE = Parameter("rescale", True, False, "enlarge what is kept to the L1 norm of the whole task vector")

_LOOKS: dict[Sparsify, Look] = {
    _magnitude: by_magnitude, _without_outliers: by_magnitude, _bernoulli: by_chance, _by_rank: by_chance,
}  # fmt: skip

TASK_VECTOR_METHODS = (
    _method("task_arithmetic", None, vote=False, normalize=False),
    _method("ties", _magnitude, vote=True, normalize=True, parameters=(_DENSITY,)),
    _method("dare_linear", _bernoulli, vote=False, normalize=False, parameters=(_DENSITY, _RESCALE)),
    _method("dare_ties", _bernoulli, vote=True, normalize=False, parameters=(_DENSITY, _RESCALE)),
    _method("della", _by_rank, vote=True, normalize=True, parameters=(_DENSITY, _EPSILON, _RESCALE)),
    _method("della_linear", _by_rank, vote=False, normalize=False, parameters=(_DENSITY, _EPSILON, _RESCALE)),
    _method("breadcrumbs", _without_outliers, vote=False, normalize=False, parameters=(_DENSITY, _GAMMA)),
    _method("breadcrumbs_ties", _without_outliers, vote=True, normalize=False, parameters=(_DENSITY, _GAMMA)),
)
