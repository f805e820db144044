"""Merges that are no line: TIES, DARE, DELLA, SLERP and others of two finetunes, made by `modelprov.merge`.

Both finetunes are in the suspect, so `same-origin` (which names one of them, with exit code 0) is an error, and so are
`copy` and `unrelated`. To name a merge, the line that a curve stays near, or to stay open is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import family, ratio
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.recipes.methods import METHODS, Inputs
from tests.generated import Rng, cast

OPEN = ("inconclusive", "on-line", "merge")
FALSE = frozenset({"same-origin", "copy", "unrelated"})
DENIED = (r"[Nn]o share of",)


def merged(
    method: str, models: list[Weights], base: Weights | None, rng: Rng,
    each: dict[str, Any] | None = None, options: dict[str, Any] | None = None,
) -> Weights:  # fmt: skip
    """The merge as the package's method makes it, in float32, stored as the first model is; masks from `rng`."""
    known = METHODS[method]
    own = {parameter.name: parameter.default for parameter in known.parameters if parameter.per_model} | (each or {})
    overall = {p.name: p.default for p in known.parameters if not p.per_model} | (options or {})
    per_model = [
        {name: value[place] if isinstance(value, list) else value for name, value in own.items()}
        for place in range(len(models))
    ]
    made: Weights = {}
    for name, (values, dtype) in models[0].items():
        out = known.merge(
            Inputs(
                tensors=[model[name][0].ravel() for model in models],
                base=None if base is None else base[name][0].ravel(),
                shape=values.shape,
                models=per_model,
                options=overall,
                dtype=DType.F32,
                out_dtype=dtype,
                rng=np.random.default_rng(rng.integers(1 << 32)),
            )
        )
        made[name] = np.asarray(out, np.float32).reshape(values.shape), dtype
    return made


def _of_two(rng: Rng, make: Callable[[Weights, Weights, Weights], tuple[Weights, str]]) -> Case:
    """Parents: both finetunes and their base, or the finetunes alone."""
    first, second, base = family(rng, 2, 2e-4)
    suspect, about = make(first, second, base)
    alone = rng.random() < 0.5
    return Case((suspect, first, second) if alone else (suspect, first, second, base), f"{about}, {2 + (not alone)}")


def _task_vectors(rng: Rng, *methods: str, **settings: Any) -> Case:
    method = str(rng.choice(methods))
    weights = [ratio(rng, 0.4, 1.0), ratio(rng, 0.4, 1.0)]
    density = float(rng.choice([0.3, 0.5, 0.7, 0.9]))
    each = {"weight": weights, "density": density} | settings

    def make(first: Weights, second: Weights, base: Weights) -> tuple[Weights, str]:
        return merged(method, [first, second], base, rng, each), f"{method} {weights} {density}"

    return _of_two(rng, make)


@kind(60, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def ties(rng: Rng) -> Case:
    """The larger changes of both, by vote."""
    return _task_vectors(rng, "ties")


@kind(60, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def dare(rng: Rng) -> Case:
    """A random share of both changes, enlarged, with a vote or without."""
    return _task_vectors(rng, "dare_linear", "dare_ties")


@kind(60, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def della(rng: Rng) -> Case:
    """A share of both changes, the larger ones more probably, with a vote or without."""
    return _task_vectors(rng, "della", "della_linear", epsilon=0.08)


@kind(40, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def breadcrumbs(rng: Rng) -> Case:
    """The smallest and the largest changes dropped, with a vote or without."""
    return _task_vectors(rng, "breadcrumbs", "breadcrumbs_ties")


@kind(40, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def task_arithmetic_beyond(rng: Rng) -> Case:
    """Both task vectors added to the base; the weights do not sum to 1 and the base's share may be negative."""
    return _task_vectors(rng, "task_arithmetic")


@kind(40, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def sce(rng: Rng) -> Case:
    """The elements that vary most, weighted by their energy."""
    share = float(rng.choice([0.2, 0.5, 1.0]))

    def make(first: Weights, second: Weights, base: Weights) -> tuple[Weights, str]:
        return merged("sce", [first, second], base, rng, options={"select_topk": share}), f"{share}"

    return _of_two(rng, make)


@kind(60, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def nearswap(rng: Rng) -> Case:
    """The first finetune, moved all the way to the second where they are near, and little where they are far."""
    t = float(rng.choice([2e-5, 5e-5, 1e-4, 3e-4]))

    def make(first: Weights, second: Weights, _: Weights) -> tuple[Weights, str]:
        return merged("nearswap", [second], first, rng, options={"t": t}), f"t {t}"

    return _of_two(rng, make)


@kind(60, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def slerp(rng: Rng) -> Case:
    """Along the arc between the two: longer than the chord, so off the line by a known amount."""
    t = ratio(rng, 0.2, 0.8)

    def make(first: Weights, second: Weights, _: Weights) -> tuple[Weights, str]:
        return merged("slerp", [second], first, rng, options={"t": t}), f"t {t}"

    return _of_two(rng, make)


@kind(40, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def other_arcs(rng: Rng) -> Case:
    """The arcs of nuslerp, multislerp and karcher, and model_stock's way back to the base."""
    method = str(rng.choice(["nuslerp", "multislerp", "karcher", "model_stock"]))
    share = ratio(rng, 0.3, 0.7)

    def make(first: Weights, second: Weights, base: Weights) -> tuple[Weights, str]:
        each = {"weight": [share, 1 - share]} if method in ("nuslerp", "multislerp") else {}
        return merged(
            method, [first, second], base if method == "model_stock" else None, rng, each
        ), f"{method} {share}"

    return _of_two(rng, make)


@kind(60, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def hidden_second_parent(rng: Rng) -> Case:
    """A linear merge of two finetunes and the base, of which only the first finetune and the base are given.

    What is beside their line is the hidden parent's part, not training: to call it that, or a finetune, is false.
    """
    first, second, base = family(rng, 2, 2e-4)
    a = ratio(rng, 0.3, 0.7)
    b = round(float(rng.choice([0.05, 0.1, 0.2, 0.3])), 2)
    made: Weights = {}
    for name, (values, _) in base.items():
        reference = values.astype(np.float64)
        total = reference + a * (first[name][0] - reference) + b * (second[name][0] - reference)
        made[name] = total.astype(np.float32), DType.F32

    return Case((cast(made, next(iter(base.values()))[1]), first, base), f"{a} and hidden {b}")


@kind(60, "positive", *OPEN, never=FALSE, unsaid=DENIED)
def finer_parents(rng: Rng) -> Case:
    """SLERP, NearSwap, TIES, DARE of two F32 finetunes, stored in bf16 or F32: finer parents alone are no frame-up."""
    models = family(rng, 2, 1e-3, DType.F32)
    first, second, base = models
    stored = DType.BF16 if rng.random() < 0.7 else DType.F32
    method = str(rng.choice(["slerp", "nearswap", "ties", "dare_linear"]))
    if method in ("slerp", "nearswap"):
        t = ratio(rng, 0.2, 0.8) if method == "slerp" else float(rng.choice([2e-4, 5e-4]))
        suspect = merged(method, [second], first, rng, options={"t": t})
    else:
        suspect = merged(method, [first, second], base, rng, {"weight": [0.7, 0.5], "density": 0.5})
    return Case((cast(suspect, stored), *models), f"{method} {stored}")
