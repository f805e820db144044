"""What must hold for whole families of merge methods, whatever the values."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType, round_bf16
from modelprov.errors import UsageError
from modelprov.recipes.methods import ARITHMETICS, METHODS, PRESETS, Inputs
from modelprov.recipes.methods.interface import Method

SHAPE = (7, 9)
Float32 = npt.NDArray[np.float32]
REQUIRED = {"weight": 0.5, "t": 0.4}
DENSE = [name for name, method in METHODS.items() if not method.random]
# Methods whose models have equal roles: swapping them (with their parameters) changes at most the rounding.
SYMMETRIC = [name for name, method in METHODS.items() if method.most is None and not method.random]


def _tensor(seed: int, size: int = 63) -> Float32:
    return round_bf16(np.random.default_rng(seed).normal(size=size).astype(np.float32))


def _inputs(method: Method, tensors: list[Float32], base: Float32 | None, arithmetic: str, **given: Any) -> Inputs:
    values = {one.name: REQUIRED.get(one.name) if one.default is None else one.default for one in method.parameters}
    values = {**values, **given}
    own = [one.name for one in method.parameters if one.per_model]
    models = [
        {key: values[key][i] if isinstance(values[key], list) else values[key] for key in own}
        for i in range(len(tensors))
    ]
    return Inputs(
        tensors=tensors,
        base=base if method.needs_base else None,
        shape=SHAPE,
        models=models,
        options={key: value for key, value in values.items() if key not in own},
        arithmetic=arithmetic,
        dtype=DType.BF16,
        out_dtype=DType.BF16,
        rng=np.random.default_rng(0),
    )


def _count(method: Method, wanted: int) -> int:
    return min(max(method.fewest, wanted), method.most or wanted)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_finite_stored_values_in_every_arithmetic(name: str, arithmetic: str) -> None:
    method = METHODS[name]
    tensors = [_tensor(i) for i in range(_count(method, 3))]
    given_density = {"density": 0.5} if any(one.name == "density" for one in method.parameters) else {}
    merged = method.merge(_inputs(method, tensors, _tensor(9), arithmetic, **given_density))
    assert merged.dtype == np.float32
    assert merged.shape == (63,)
    assert np.isfinite(merged).all()
    assert np.array_equal(merged, round_bf16(merged))


@pytest.mark.parametrize("arithmetic", ["float32", "float64", *PRESETS])
@pytest.mark.parametrize("name", METHODS)
def test_merging_equal_models_gives_that_model(name: str, arithmetic: str) -> None:
    method = METHODS[name]
    tensor = _tensor(3)
    count = _count(method, 2)
    given_weight = {"weight": 1 / count} if any(one.name == "weight" for one in method.parameters) else {}
    merged = method.merge(_inputs(method, [tensor] * count, tensor, arithmetic, **given_weight))
    rounding = 2.0**-7 if arithmetic == "mergekit-0.1.4" or name in ("karcher", "multislerp", "nuslerp") else 0
    np.testing.assert_allclose(merged, tensor, rtol=rounding, atol=0)


@pytest.mark.parametrize(
    "name", [name for name, method in METHODS.items() if method.needs_base and method.most is None]
)
def test_models_that_agree_replace_the_base_when_their_weights_sum_to_one(name: str) -> None:
    method, tensor = METHODS[name], _tensor(3)
    weight = {"weight": 0.5} if any(one.name == "weight" for one in method.parameters) else {}
    merged = method.merge(_inputs(method, [tensor, tensor], _tensor(9), "float64", **weight))
    np.testing.assert_array_equal(merged, tensor)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_the_order_of_the_models_does_not_matter_beyond_rounding(name: str) -> None:
    method = METHODS[name]
    weighted = any(one.name == "weight" for one in method.parameters)
    results = []
    for order in permutations(range(3)):
        weights = {"weight": [(0.5, 0.3, 0.2)[i] for i in order]} if weighted else {}
        inputs = _inputs(method, [_tensor(i) for i in order], _tensor(9), "float64", **weights)
        results.append(method.merge(inputs))
    for one in results[1:]:  # an exact midpoint may round either way
        np.testing.assert_allclose(one, results[0], rtol=2.0**-7, atol=0)


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.elementwise])
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@given(cut=st.integers(1, 62))
def test_an_elementwise_method_gives_the_same_bits_in_any_blocks(name: str, arithmetic: str, cut: int) -> None:
    method = METHODS[name]
    tensors, base = [_tensor(i) for i in range(_count(method, 3))], _tensor(9)
    whole = method.merge(_inputs(method, tensors, base, arithmetic))
    parts = [
        method.merge(_inputs(method, [one[block] for one in tensors], base[block], arithmetic))
        for block in (slice(0, cut), slice(cut, None))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_blocks_inside_a_method_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {}
    for name in DENSE:
        method = METHODS[name]
        inputs = _inputs(method, [_tensor(i) for i in range(_count(method, 2))], _tensor(9), "mergekit-0.1.5")
        before[name] = (method, inputs, method.merge(inputs))
    for module in ("linear", "steps", "task_vectors"):
        monkeypatch.setattr(f"modelprov.recipes.methods.{module}.BLOCK", 8)
    monkeypatch.setattr("modelprov.recipes.methods.task_vectors.SMALL_BLOCK", 8)
    for method, inputs, merged in before.values():
        np.testing.assert_array_equal(method.merge(inputs), merged)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("name", ["slerp", "nearswap"])
def test_t_zero_is_the_base(name: str, arithmetic: str) -> None:
    base = _tensor(9)
    merged = METHODS[name].merge(_inputs(METHODS[name], [_tensor(1)], base, arithmetic, t=0.0))
    np.testing.assert_array_equal(merged, base)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize(("name", "t"), [("slerp", 1.0), ("nearswap", 1e6)])
def test_a_large_t_is_the_other_model(name: str, t: float, arithmetic: str) -> None:
    other = _tensor(1)
    merged = METHODS[name].merge(_inputs(METHODS[name], [other], _tensor(9), arithmetic, t=t))
    np.testing.assert_allclose(merged, other, rtol=2.0**-7 if arithmetic == "bf16-stepwise" else 0)


@given(t=st.floats(0, 1))
def test_slerp_keeps_the_length_of_equally_long_tensors(t: float) -> None:
    base = np.random.default_rng(1).normal(size=63).astype(np.float32)
    other = np.random.default_rng(2).permutation(base)
    merged = (
        METHODS["slerp"]
        .merge(Inputs([other], base, SHAPE, [{}], {"t": t}, "float64", DType.F32, DType.F32))
        .astype(np.float64)
    )
    assert np.linalg.norm(merged) == pytest.approx(np.linalg.norm(base.astype(np.float64)), rel=1e-6)


def test_a_passthrough_is_a_copy_of_the_bits() -> None:
    tensor = np.array([1.0, -0.0, 3.3895314e38, 9.1835e-41], np.float32)
    tensor = round_bf16(tensor)
    method = METHODS["passthrough"]
    merged = method.merge(_inputs(method, [tensor], None, "mergekit-0.1.5"))
    assert merged.tobytes() == tensor.tobytes()


def test_zero_weights_give_the_base_in_the_task_vector_family() -> None:
    base = _tensor(9)
    for name in ("task_arithmetic", "ties", "breadcrumbs", "dare_ties", "della"):
        inputs = _inputs(METHODS[name], [_tensor(1), _tensor(2)], base, "float32", weight=0.0)
        np.testing.assert_array_equal(METHODS[name].merge(inputs), base, err_msg=name)


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.random])
def test_a_random_method_repeats_itself_with_the_same_seed_and_not_with_another(name: str) -> None:
    def once(seed: int) -> Float32:
        inputs = _inputs(METHODS[name], [_tensor(1), _tensor(2)], _tensor(9), "float32", density=0.5)
        return METHODS[name].merge(Inputs(**{**inputs.__dict__, "rng": np.random.default_rng(seed)}))

    np.testing.assert_array_equal(once(1), once(1))
    assert not np.array_equal(once(1), once(2))


def test_what_a_method_cannot_do_without_is_an_error_with_advice() -> None:
    ties, dare = METHODS["ties"], METHODS["dare_ties"]
    good = _inputs(ties, [_tensor(1)], _tensor(9), "float32")
    for broken in ({"base": None}, {"arithmetic": "magic"}, {"models": [{"weight": 1.0, "density": 1.5}]}):
        with pytest.raises(UsageError) as caught:
            ties.merge(Inputs(**{**good.__dict__, **broken}))
        assert caught.value.advice
    with pytest.raises(UsageError, match="random"):
        dare.merge(Inputs(**{**_inputs(dare, [_tensor(1)], _tensor(9), "float32", density=0.5).__dict__, "rng": None}))
    nuslerp, della = METHODS["nuslerp"], METHODS["della"]
    with pytest.raises(UsageError, match="sum to zero"):
        nuslerp.merge(_inputs(nuslerp, [_tensor(1), _tensor(2)], None, "float32", weight=[0.5, -0.5]))
    with pytest.raises(UsageError, match="epsilon"):
        della.merge(_inputs(della, [_tensor(1)], _tensor(9), "float32", density=0.1, epsilon=0.2))


def test_every_parameter_says_what_it_means() -> None:
    for name, method in METHODS.items():
        assert method.name == name
        assert len({one.name for one in method.parameters}) == len(method.parameters)
        assert all(one.meaning for one in method.parameters)
