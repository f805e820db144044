"""The linear method bit by bit: every arithmetic against its steps written out in numpy, and where it divides."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from modelprov.checkpoints.formats.dtypes import DType, round_to
from modelprov.recipes.arithmetics import Arithmetic
from modelprov.recipes.methods import linear
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Inputs
from modelprov.recipes.methods.linear import METHOD, arithmetic_of, merge

Float32 = npt.NDArray[np.float32]
WEIGHTS = (0.7, 0.4, -0.3)
DTYPES = (DType.BF16, DType.F16, DType.F32)


def tensors(dtype: DType = DType.F32, count: int = 3, size: int = 37) -> list[Float32]:
    rng = np.random.default_rng(7)
    return [round_to(rng.normal(size=size), dtype).astype(np.float32) for _ in range(count)]


def inputs(given: list[Float32], weights: tuple[float, ...], arithmetic: str, **more: Any) -> Inputs:
    return Inputs(
        tensors=given, base=None, shape=given[0].shape, models=[{"weight": weight} for weight in weights],
        arithmetic=arithmetic, **{"dtype": DType.F32, "out_dtype": DType.F32, **more},
    )  # fmt: skip


def rounded(values: Any, dtype: DType) -> Float32:
    return round_to(np.asarray(values, np.float64), DType.F32 if dtype is DType.F64 else dtype).astype(np.float32)


def plain(given: list[Float32], weights: tuple[float, ...], normalize: bool) -> Float32:
    """Each product and each sum rounded to float32."""
    total = np.zeros_like(given[0])
    for number, (tensor, weight) in enumerate(zip(given, weights, strict=True)):
        product = tensor * np.float32(weight)
        total = product if number == 0 else total + product
    divisor = np.float32(0)
    for weight in weights:
        divisor = divisor + np.float32(weight)
    return total / divisor if normalize else total


def fused(given: list[Float32], weights: tuple[float, ...], normalize: bool) -> Float32:
    """Acc = fma(tensor, weight, acc), from exact fractions."""
    total = given[0] * np.float32(weights[0])
    for tensor, weight in zip(given[1:], weights[1:], strict=True):
        exact = [Fraction(float(t)) * Fraction(float(np.float32(weight))) + Fraction(float(a))
                 for t, a in zip(tensor, total, strict=True)]  # fmt: skip
        total = np.array([nearest(value) for value in exact], np.float32)
    divisor = np.float32(0)
    for weight in weights:
        divisor = divisor + np.float32(weight)
    return total / divisor if normalize else total


def nearest(value: Fraction) -> np.float32:
    """The float32 nearest to a fraction: the neighbours of its double, compared exactly."""
    around = np.float32(float(value))
    tried = (np.nextafter(around, np.float32(-np.inf)), around, np.nextafter(around, np.float32(np.inf)))
    return min(tried, key=lambda one: (abs(Fraction(float(one)) - value), int(np.float32(one).view(np.uint32)) & 1))


def stepwise(given: list[Float32], weights: tuple[float, ...], normalize: bool, dtype: DType) -> Float32:
    """Weights and products rounded to the format, sums kept in float32 and rounded at the end, then the division."""
    own = [rounded(np.float32(weight), dtype) for weight in weights]
    total = np.zeros_like(given[0])
    divisor = np.float32(0)
    for tensor, weight in zip(given, own, strict=True):
        total = total + rounded(rounded(tensor, dtype) * weight, dtype)
        divisor = np.float32(divisor + weight)
    total = rounded(total, dtype)
    return rounded(total / rounded(divisor, dtype), dtype) if normalize else total


@pytest.mark.parametrize("out", [*DTYPES, DType.F64])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("arithmetic", "oracle"), [("float32", plain), ("float32-fused", fused)])
def test_float32_is_rounded_after_every_step_and_stored_once(
    arithmetic: str, oracle: Any, normalize: bool, out: DType
) -> None:
    given = tensors()
    merged = merge(inputs(given, WEIGHTS, arithmetic, options={"normalize": normalize}, out_dtype=out))
    assert merged.dtype == np.float32
    np.testing.assert_array_equal(merged, rounded(oracle(given, WEIGHTS, normalize), out))


@pytest.mark.parametrize("out", [*DTYPES, DType.F64])
@pytest.mark.parametrize("normalize", [True, False])
def test_float64_is_rounded_once(normalize: bool, out: DType) -> None:
    given = tensors()
    exact = sum(w * t.astype(np.float64) for w, t in zip(WEIGHTS, given, strict=True))
    expected = rounded(exact / sum(WEIGHTS) if normalize else exact, out)
    merged = merge(inputs(given, WEIGHTS, "float64", options={"normalize": normalize}, out_dtype=out))
    np.testing.assert_allclose(merged, expected, rtol=2.0**-23 if out in (DType.F32, DType.F64) else 0)
    weights = (0.5, 0.25, 0.5)  # whose share, 0.4, no float32 holds: single weights would show
    merged = merge(inputs(given, weights, "float64", out_dtype=out))
    shares = np.array(weights) / sum(weights)
    np.testing.assert_array_equal(
        merged, rounded(sum(w * t.astype(np.float64) for w, t in zip(shares, given, strict=True)), out)
    )


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("arithmetic", ["bf16-stepwise", "mergekit-0.1.4"])
def test_sixteen_bits_are_rounded_at_every_step_and_divided_at_the_end(
    arithmetic: str, normalize: bool, dtype: DType
) -> None:
    given = tensors()  # finer than the format: they are cast to it first
    one = inputs(given, (0.6, 0.5, 0.2), arithmetic, options={"normalize": normalize}, dtype=dtype, out_dtype=dtype)
    np.testing.assert_array_equal(merge(one), stepwise(given, (0.6, 0.5, 0.2), normalize, dtype))


def test_stepwise_results_may_be_stored_in_another_format() -> None:
    given = tensors(DType.BF16)
    one = inputs(given, WEIGHTS, "mergekit-0.1.4", dtype=DType.BF16, out_dtype=DType.F16)
    np.testing.assert_array_equal(merge(one), rounded(stepwise(given, WEIGHTS, True, DType.BF16), DType.F16))


@pytest.mark.parametrize("dtype", [*DTYPES, DType.F64])
@pytest.mark.parametrize("arithmetic", ["mergekit-0.1.4", "mergekit-0.1.5"])
def test_the_programs_cast_to_the_recipes_format_before_they_compute(arithmetic: str, dtype: DType) -> None:
    given = tensors()
    merged = merge(inputs(given, (0.5, 0.5, 1.0), arithmetic, dtype=dtype))
    cast = [rounded(one, dtype) for one in given]
    np.testing.assert_array_equal(merged, merge(inputs(cast, (0.5, 0.5, 1.0), arithmetic, dtype=dtype)))
    if dtype in (DType.BF16, DType.F16):
        assert not np.array_equal(merged, merge(inputs(given, (0.5, 0.5, 1.0), arithmetic, dtype=DType.F32)))


@pytest.mark.parametrize("arithmetic", ["float32", "float32-fused", "float64"])
def test_the_explicit_arithmetics_take_the_values_as_they_are(arithmetic: str) -> None:
    given = tensors()
    for dtype in (DType.BF16, DType.F16):
        np.testing.assert_array_equal(
            merge(inputs(given, WEIGHTS, arithmetic, dtype=dtype)), merge(inputs(given, WEIGHTS, arithmetic))
        )


@pytest.mark.parametrize(
    ("arithmetic", "dtype", "expected"),
    [
        ("float64", DType.BF16, Arithmetic.FLOAT64),
        ("mergekit-0.1.5", DType.F64, Arithmetic.FLOAT64),
        ("mergekit-0.1.5", DType.BF16, Arithmetic.FLOAT32_FUSED),
        ("mergekit-0.1.5", DType.F32, Arithmetic.FLOAT32_FUSED),
        ("float32-fused", DType.BF16, Arithmetic.FLOAT32_FUSED),
        ("float32", DType.BF16, Arithmetic.FLOAT32),
        ("mergekit-0.1.4", DType.F32, Arithmetic.FLOAT32),
        ("mergekit-0.1.4", DType.BF16, Arithmetic.STEPWISE),
        ("mergekit-0.1.4", DType.F16, Arithmetic.STEPWISE),
        ("bf16-stepwise", DType.F32, Arithmetic.STEPWISE),
    ],
)
def test_a_name_and_a_format_choose_the_arithmetic(arithmetic: str, dtype: DType, expected: Arithmetic) -> None:
    one = inputs(tensors(), WEIGHTS, arithmetic, dtype=dtype)
    assert arithmetic_of(one, steps_of(one)) is expected


@pytest.mark.parametrize("arithmetic", ["float32", "float32-fused", "float64", "bf16-stepwise", "mergekit-0.1.5"])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("block", [1, 8, 36, 37, 38])
def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, arithmetic: str, normalize: bool, block: int) -> None:
    one = inputs(tensors(), WEIGHTS, arithmetic, options={"normalize": normalize}, out_dtype=DType.BF16)
    whole = merge(one)
    monkeypatch.setattr(linear, "BLOCK", block)
    np.testing.assert_array_equal(merge(one), whole)


def test_weights_are_divided_by_their_sum_unless_the_recipe_says_not() -> None:
    given = [np.full(5, value, np.float32) for value in (1.0, 3.0)]
    assert merge(inputs(given, (1.0, 3.0), "float32")).tolist() == [2.5] * 5
    assert merge(inputs(given, (1.0, 3.0), "float32", options={"normalize": True})).tolist() == [2.5] * 5
    assert merge(inputs(given, (1.0, 3.0), "float32", options={"normalize": False})).tolist() == [10.0] * 5
    assert merge(inputs(given[:1], (2.0,), "float32", options={"normalize": False})).tolist() == [2.0] * 5
    assert merge(inputs([np.zeros(0, np.float32)] * 2, (1.0, 3.0), "float32")).shape == (0,)


def test_the_method_says_what_it_needs_and_which_weights_it_cannot_divide_by() -> None:
    assert (METHOD.name, METHOD.needs_base, METHOD.elementwise, METHOD.random) == ("linear", False, True, False)
    weight, normalize = METHOD.parameters
    assert (weight.name, weight.default, weight.per_model) == ("weight", None, True)
    assert (normalize.name, normalize.default, normalize.per_model) == ("normalize", True, False)
    opposed = [{"weight": 1.0}, {"weight": -1.0}]
    assert METHOD.doubt(opposed, {"normalize": True})
    assert not METHOD.doubt(opposed, {"normalize": False})
