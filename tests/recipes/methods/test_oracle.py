"""Every method against an independent float64 oracle, in float64 exactly and in float32 to its precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.methods import METHODS, Inputs
from tests.recipes.methods import oracle

SHAPE = (12, 17)
Array = npt.NDArray[np.float64]
TOLERANCE = {"float64": 3e-7, "float32": 1e-5, "float32-fused": 1e-5, "mergekit-0.1.4": 1e-5, "mergekit-0.1.5": 1e-5}


def _data(count: int = 3) -> tuple[Array, list[Array]]:
    rng = np.random.default_rng(5)
    base = rng.normal(size=SHAPE).ravel().astype(np.float32)
    changed = [(base + rng.normal(size=base.size) * 0.4).astype(np.float32).astype(np.float64) for _ in range(count)]
    return base.astype(np.float64), changed


def _run(name: str, arithmetic: str, base: Array | None, tensors: list[Array], **given: Any) -> Any:
    method = METHODS[name]
    own = {one.name for one in method.parameters if one.per_model}
    defaults = {one.name: one.default for one in method.parameters}
    values = {**defaults, **given}
    models = [
        {key: values[key][i] if isinstance(values[key], list) else values[key] for key in own}
        for i in range(len(tensors))
    ]
    return method.merge(
        Inputs(
            tensors=[one.astype(np.float32) for one in tensors],
            base=None if base is None else base.astype(np.float32),
            shape=SHAPE,
            models=models,
            options={key: value for key, value in values.items() if key not in own},
            arithmetic=arithmetic,
            dtype=DType.F32,
            out_dtype=DType.F32,
            rng=np.random.default_rng(1) if method.random else None,
        )
    )


def _by_lines(x: Array, y: Array, t: float, axis: int) -> Array:
    merged = np.empty_like(x)
    for line in oracle.lines(x, SHAPE, axis):
        merged[line] = oracle.slerp(x[line], y[line], t, 2.0)
    return merged


B, T = _data()
W = [0.6, 0.3, 0.25]
D = [one - B for one in T]
DENSITY, GAMMA = [0.5, 0.7, 0.9], [0.05, 0.02, 0.0]
N = len(B)
KEPT = [oracle.keep_largest(d, 0, int(p * N)) for d, p in zip(D, DENSITY, strict=True)]
CRUMBS = [oracle.keep_largest(d, int(g * N), int(p * N)) for d, p, g in zip(D, DENSITY, GAMMA, strict=True)]
TWO = [0.6, 0.3]
CASES: dict[str, tuple[str, Callable[[str], Any], Callable[[], Array]]] = {
    "linear": ("linear", lambda a: _run("linear", a, None, T, weight=W), lambda: oracle.linear(T, W, True)),
    "linear, sum": (
        "linear",
        lambda a: _run("linear", a, None, T, weight=W, normalize=False),
        lambda: oracle.linear(T, W, False),
    ),
    "slerp": ("slerp", lambda a: _run("slerp", a, B, T[:1], t=0.3), lambda: oracle.slerp(B, T[0], 0.3, 0.9995)),
    "slerp, parallel": (
        "slerp",
        lambda a: _run("slerp", a, B, [B * 1.5], t=0.7),
        lambda: oracle.slerp(B, B * 1.5, 0.7, 0.9995),
    ),
    "nuslerp": (
        "nuslerp",
        lambda a: _run("nuslerp", a, None, T[:2], weight=TWO),
        lambda: oracle.slerp(T[0], T[1], 1 / 3, 2.0),
    ),
    "nuslerp of task vectors": (
        "nuslerp",
        lambda a: _run("nuslerp", a, B, T[:2], weight=TWO),
        lambda: B + oracle.slerp(D[0], D[1], 1 / 3, 2.0),
    ),
    "nuslerp, rows": (
        "nuslerp",
        lambda a: _run("nuslerp", a, None, T[:2], weight=TWO, nuslerp_flatten=False),
        lambda: _by_lines(T[0], T[1], 1 / 3, 1),
    ),
    "nuslerp, columns": (
        "nuslerp",
        lambda a: _run("nuslerp", a, None, T[:2], weight=TWO, nuslerp_flatten=False, nuslerp_row_wise=True),
        lambda: _by_lines(T[0], T[1], 1 / 3, 0),
    ),
    "multislerp": (
        "multislerp",
        lambda a: _run("multislerp", a, None, T, weight=W),
        lambda: oracle.multislerp(T, W, None),
    ),
    "multislerp of task vectors": (
        "multislerp",
        lambda a: _run("multislerp", a, B, T, weight=W),
        lambda: oracle.multislerp(T, W, B),
    ),
    "karcher": ("karcher", lambda a: _run("karcher", a, None, T, max_iter=50, tol=1e-7), lambda: oracle.karcher(T)),
    "task_arithmetic": (
        "task_arithmetic",
        lambda a: _run("task_arithmetic", a, B, T, weight=W, **{"lambda": 0.7}),
        lambda: oracle.combine(B, D, W, 0.7, False, False),
    ),
    "task_arithmetic, mean": (
        "task_arithmetic",
        lambda a: _run("task_arithmetic", a, B, T, weight=W, normalize=True),
        lambda: oracle.combine(B, D, W, 1.0, False, True),
    ),
    "ties": (
        "ties",
        lambda a: _run("ties", a, B, T, weight=W, density=DENSITY, **{"lambda": 1.3}),
        lambda: oracle.combine(B, KEPT, W, 1.3, True, True),
    ),
    "breadcrumbs": (
        "breadcrumbs",
        lambda a: _run("breadcrumbs", a, B, T[:2], weight=TWO, density=DENSITY, gamma=GAMMA),
        lambda: oracle.combine(B, CRUMBS[:2], TWO, 1.0, False, False),
    ),
    "breadcrumbs_ties": (
        "breadcrumbs_ties",
        lambda a: _run("breadcrumbs_ties", a, B, T[:2], weight=TWO, density=DENSITY, gamma=GAMMA),
        lambda: oracle.combine(B, CRUMBS[:2], TWO, 1.0, True, False),
    ),
    "model_stock": ("model_stock", lambda a: _run("model_stock", a, B, T), lambda: oracle.model_stock(B, T)),
    "model_stock, rows": (
        "model_stock",
        lambda a: _run("model_stock", a, B, T, filter_wise=True),
        lambda: np.concatenate([oracle.model_stock(B[i], [t[i] for t in T]) for i in oracle.lines(B, SHAPE, 1)]),
    ),
    "sce": ("sce", lambda a: _run("sce", a, B, T), lambda: oracle.sce(B, T, 1.0)),
    "sce, selected": ("sce", lambda a: _run("sce", a, B, T, select_topk=0.4), lambda: oracle.sce(B, T, 0.4)),
    "nearswap": ("nearswap", lambda a: _run("nearswap", a, B, T[:1], t=0.1), lambda: oracle.nearswap(B, T[0], 0.1)),
    "arcee_fusion": (
        "arcee_fusion",
        lambda a: _run("arcee_fusion", a, B, T[:1]),
        lambda: oracle.arcee_fusion(B, T[0], SHAPE),
    ),
    "passthrough": ("passthrough", lambda a: _run("passthrough", a, None, T[:1], scale=0.7), lambda: 0.7 * T[0]),
}


@pytest.mark.parametrize("arithmetic", TOLERANCE)
@pytest.mark.parametrize("case", CASES)
def test_a_method_equals_its_formula_in_float64(case: str, arithmetic: str) -> None:
    _, ours, theirs = CASES[case]
    np.testing.assert_allclose(ours(arithmetic), theirs(), rtol=0, atol=TOLERANCE[arithmetic] * np.abs(B).max())


@pytest.mark.parametrize("case", CASES)
def test_stepwise_bf16_stays_near_the_formula(case: str) -> None:
    name, ours, theirs = CASES[case]
    if name in ("arcee_fusion", "sce", "breadcrumbs", "breadcrumbs_ties", "ties"):
        wrong = np.abs(ours("bf16-stepwise") - theirs()) > 0.05  # equal sizes at the cut and signs near zero may differ
        assert wrong.mean() < 0.05
    else:
        np.testing.assert_allclose(ours("bf16-stepwise"), theirs(), rtol=0, atol=0.06)


@pytest.mark.parametrize(
    ("name", "vote", "normalize"),
    [("dare_linear", 0, 0), ("dare_ties", 1, 0), ("della", 1, 1), ("della_linear", 0, 0)],
)
def test_a_random_method_with_its_own_mask_equals_the_formula(name: str, vote: bool, normalize: bool) -> None:
    def one(i: int) -> Array:
        """The thinned task vector of model i alone: what the engine combines."""
        rng = np.random.default_rng(1)
        for _ in range(i):
            rng.random(SHAPE, np.float32)
        method = METHODS["dare_linear" if name.startswith("dare") else "della_linear"]
        options = {"normalize": False, "rescale": True, "lambda": 1.0}
        given = {"weight": 1.0, "density": 0.5, "epsilon": 0.2}
        tensors, base = [T[i].astype(np.float32)], B.astype(np.float32)
        merged = method.merge(Inputs(tensors, base, SHAPE, [given], options, "float64", DType.F32, DType.F32, rng))
        return merged - B

    deltas = [one(i) for i in range(3)]
    for delta, whole in zip(deltas, D, strict=True):
        assert 0.3 < (delta != 0).mean() < 0.7
        assert np.abs(delta).sum() == pytest.approx(np.abs(whole).sum(), rel=1e-5)
    ours = _run(name, "float64", B, T, weight=W, density=0.5, epsilon=0.2)
    np.testing.assert_allclose(ours, oracle.combine(B, deltas, W, 1.0, vote, normalize), rtol=0, atol=1e-5)


def test_every_method_has_an_oracle_here() -> None:
    seen = {name for name, _, _ in CASES.values()} | {"dare_linear", "dare_ties", "della", "della_linear"}
    assert seen == set(METHODS)
