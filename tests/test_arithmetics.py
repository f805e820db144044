"""Every arithmetic against exact rationals rounded where the program rounds, and against torch doing the same."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.arithmetics import DESCRIPTIONS, MEANS, OF_DIFFERENCES, OF_TWO, Arithmetic, evaluate, in_units

Float32 = npt.NDArray[np.float32]
BF16, F16, F32, _ = DType
STORED = [BF16, F16, F32]
FORMATS = {BF16: (7, -126), F16: (10, -14), F32: (23, -126), DType.F64: (52, -1022)}
"""Mantissa bits and smallest normal exponent."""
HIGHEST = {BF16: 127, F16: 15, F32: 127, DType.F64: 1023}
WEIGHTS = {2: [0.565, 0.435], 3: [0.5, 0.3, 0.2]}
UNNORMALISED = {2: [0.7, 0.6], 3: [1.0, 0.4, 0.3]}


def nearest(value: Fraction, dtype: DType) -> Fraction:
    """The number of a format that is nearest to an exact one, ties to even; `OverflowError` beyond its range."""
    if value == 0:
        return value
    bits, smallest = FORMATS[dtype]
    exponent = abs(value.numerator).bit_length() - value.denominator.bit_length()
    exponent += (abs(value) >= Fraction(2) ** (exponent + 1)) - (abs(value) < Fraction(2) ** exponent)
    unit = Fraction(2) ** (max(exponent, smallest) - bits)
    rounded = round(value / unit) * unit  # Python rounds fractions half to even
    if abs(rounded) >= Fraction(2) ** (HIGHEST[dtype] + 1):
        raise OverflowError
    return rounded


def exactly(  # noqa: PLR0912
    arithmetic: Arithmetic, values: list[Fraction], given: list[float], order: tuple[int, ...], dtype: DType
) -> Fraction:
    """One merged element from its definition in `DESCRIPTIONS`, in exact rationals."""

    def single(value: Fraction) -> Fraction:
        return nearest(value, F32)

    def store(value: Fraction) -> Fraction:
        return nearest(value, dtype)

    last = order[-1]  # what differences are taken from
    weights = [single(Fraction(w)) for w in given]
    fused = arithmetic in (Arithmetic.FLOAT32_FUSED, Arithmetic.FLOAT32_DELTA_FUSED)
    total = Fraction(0)
    if arithmetic in (Arithmetic.FLOAT32, Arithmetic.FLOAT32_FUSED):
        for j in order:
            product = values[j] * weights[j]
            total = single(total + (product if fused else single(product)))
        whole = Fraction(0)
        for j in order:
            whole = single(whole + weights[j])
        return store(single(total / whole))
    if arithmetic in (Arithmetic.FLOAT32_DELTA, Arithmetic.FLOAT32_DELTA_FUSED):
        if fused and len(order) == 2:
            first = order[0]
            return store(single(values[last] + single(values[first] - values[last]) * weights[first]))
        for j in order:
            if j != last:
                product = single(values[j] - values[last]) * weights[j]
                total = single(total + (product if fused else single(product)))
        return store(single(values[last] + total))
    if arithmetic is Arithmetic.FLOAT64:
        for j in order:
            total = nearest(total + nearest(values[j] * Fraction(given[j]), DType.F64), DType.F64)
        return store(total)
    if arithmetic is Arithmetic.FLOAT32_LERP:
        first, second = order
        delta = single(values[first] - values[second])
        if weights[first] < Fraction(1, 2):
            return store(single(values[second] + single(delta * weights[first])))
        return store(single(values[first] - single(delta * single(1 - weights[first]))))
    if arithmetic is Arithmetic.TORCH_LERP:
        start, end = (values[j] for j in order)
        weight = weights[order[1]]
        if abs(weight) < Fraction(1, 2):
            return store(single(start + weight * single(end - start)))
        return store(single(end + single(weight - 1) * single(end - start)))
    coarse = [store(weight) for weight in weights]
    if arithmetic in (Arithmetic.TORCH_DELTA, Arithmetic.TORCH_DELTA_SUM, Arithmetic.TORCH_DELTA_ALPHA):
        apart = arithmetic is Arithmetic.TORCH_DELTA_SUM
        total = Fraction(0) if apart else values[last]
        for j in order:
            if j != last:
                delta = store(single(values[j] - values[last]))
                if arithmetic is Arithmetic.TORCH_DELTA_ALPHA:
                    total = store(single(total + delta * coarse[j]))
                else:
                    total = store(single(total + store(single(delta * weights[j]))))
        return store(single(values[last] + total)) if apart else total
    if arithmetic in MEANS:
        step = store if arithmetic is Arithmetic.TORCH_MEAN else single
        ratios = [single(Fraction(weight / max(given))) for weight in given]
        whole = Fraction(0)
        for j in order:
            total, whole = step(single(total + step(single(values[j] * ratios[j])))), single(whole + ratios[j])
        return store(single(total / whole))
    if arithmetic is Arithmetic.TORCH_ALPHA_FROM_ZERO:
        for j in order:
            total = store(single(total + values[j] * coarse[j]))
        return total
    if arithmetic in (Arithmetic.TORCH_SUM, Arithmetic.TORCH_ALPHA):
        total = store(single(values[order[0]] * weights[order[0]]))
        for j in order[1:]:
            if arithmetic is Arithmetic.TORCH_ALPHA:
                total = store(single(total + values[j] * coarse[j]))
            else:
                total = store(single(total + store(single(values[j] * weights[j]))))
        return total
    if arithmetic is Arithmetic.STEPWISE_DELTA:
        for j in order:
            if j != last:
                total = single(total + store(store(single(values[j] - values[last])) * coarse[j]))
        return store(single(values[last] + store(total)))
    for j in order:
        total = single(total + store(single(values[j] * coarse[j])))
    if arithmetic is Arithmetic.STEPWISE_UNNORMALISED:
        return store(total)
    whole = Fraction(0)
    for j in order:
        whole = single(whole + coarse[j])
    return store(single(store(total) / store(whole)))


def merged(
    arithmetic: Arithmetic, parents: npt.ArrayLike, weights: list[float], dtype: DType, order: tuple[int, ...] = ()
) -> Float32:
    """What the compiled function gives."""
    rows = np.ascontiguousarray(parents, np.float32)
    out = np.full(rows.shape[1], np.nan, np.float32)
    sequence = np.array(order or range(len(rows)), np.int64)
    evaluate(int(arithmetic), rows, np.array(weights, np.float64), sequence, dtype.code, out)
    return out


def parents_in(dtype: DType, k: int, count: int, seed: int = 0) -> Float32:
    """A base and relatives as a format holds them; every seventh element is the same in all."""
    import torch

    rng = np.random.default_rng(seed)
    base = rng.normal(0, 0.02, count)
    rows = np.stack([base + rng.normal(0, 0.002, count) for _ in range(k - 1)] + [base])
    rows[:, ::7] = rows[-1, ::7]
    kind = {BF16: torch.bfloat16, F16: torch.float16, F32: torch.float32}[dtype]
    return torch.from_numpy(rows).float().to(kind).float().numpy()


CASES = [
    pytest.param(arithmetic, dtype, k, weights, id=f"{DESCRIPTIONS[arithmetic].name}-{dtype}-{k}-{kind}")
    for arithmetic in Arithmetic
    for dtype in STORED
    for k in (2, 3)
    for kind, weights in (("normalised", WEIGHTS[k]), ("unnormalised", UNNORMALISED[k]))
    if arithmetic not in OF_TWO or (k == 2 and kind == "normalised")
]


@pytest.mark.parametrize(("arithmetic", "dtype", "k", "weights"), CASES)
def test_an_arithmetic_rounds_exactly_where_it_says(
    arithmetic: Arithmetic, dtype: DType, k: int, weights: list[float]
) -> None:
    pytest.importorskip("torch")
    parents = parents_in(dtype, k, 60)
    for order in (tuple(range(k)), tuple(range(k))[::-1]):
        found = merged(arithmetic, parents, weights, dtype, order)
        for column, value in zip(parents.T.tolist(), found.tolist(), strict=True):
            assert Fraction(value) == exactly(arithmetic, [Fraction(one) for one in column], weights, order, dtype)


def test_interpolation_starts_from_the_nearer_end() -> None:
    pytest.importorskip("torch")
    parents = parents_in(BF16, 2, 200)
    for weight in (0.25, 0.499, 0.5, 0.75):
        found = merged(Arithmetic.FLOAT32_LERP, parents, [weight, 1 - weight], F32)
        for column, value in zip(parents.T.tolist(), found.tolist(), strict=True):
            right = exactly(
                Arithmetic.FLOAT32_LERP, [Fraction(one) for one in column], [weight, 1 - weight], (0, 1), F32
            )
            assert Fraction(value) == right


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("which", ["float32", "float32-delta", "stepwise", "stepwise unnormalised", "stepwise delta"])
def test_torch_computes_the_same_bits_step_by_step(which: str, k: int, dtype: DType) -> None:
    torch = pytest.importorskip("torch")
    kind = {BF16: torch.bfloat16, F16: torch.float16, F32: torch.float32}[dtype]
    parents = parents_in(dtype, k, 20_000, seed=k)
    rows = torch.from_numpy(parents.copy())
    stored = rows.to(kind)
    weights = UNNORMALISED[k]
    single = torch.tensor(weights, dtype=torch.float32)
    coarse = torch.tensor(weights, dtype=kind)
    if which == "float32":
        arithmetic, total, whole = Arithmetic.FLOAT32, rows[0] * single[0], single[0]
        for j in range(1, k):
            total, whole = total + rows[j] * single[j], whole + single[j]
        result = (total / whole).to(kind)
    elif which == "float32-delta":
        arithmetic, total = Arithmetic.FLOAT32_DELTA, torch.zeros(20_000)
        for j in range(k - 1):
            total = total + (rows[j] - rows[-1]) * single[j]
        result = (rows[-1] + total).to(kind)
    elif which == "stepwise delta":
        arithmetic, steps = Arithmetic.STEPWISE_DELTA, torch.zeros(20_000)
        for j in range(k - 1):
            steps = steps + ((stored[j] - stored[-1]) * coarse[j]).float()
        result = stored[-1] + steps.to(kind)
    else:
        steps, whole = torch.zeros(20_000), torch.tensor(0.0)
        for j in range(k):
            steps, whole = steps + (stored[j] * coarse[j]).float(), whole + coarse[j].float()
        result, arithmetic = steps.to(kind), Arithmetic.STEPWISE_UNNORMALISED
        if which == "stepwise":
            result, arithmetic = result / whole.to(kind), Arithmetic.STEPWISE
    np.testing.assert_array_equal(merged(arithmetic, parents, weights, dtype), result.float().numpy())


def by_hand(arithmetic: Arithmetic, tensors: Any, weights: list[float]) -> Any:
    """What a person writes in torch: the parents times Python numbers, the reference last."""
    import torch

    (first, *others), (weight, *rest) = tensors, weights
    if arithmetic is Arithmetic.TORCH_LERP:
        return torch.lerp(first, others[0], rest[0])
    if arithmetic is Arithmetic.TORCH_DELTA:
        total = base = tensors[-1]
        for tensor, factor in zip(tensors[:-1], weights[:-1], strict=True):
            total = total + factor * (tensor - base)
        return total
    if arithmetic is Arithmetic.TORCH_DELTA_ALPHA:
        total = base = tensors[-1]
        for tensor, factor in zip(tensors[:-1], weights[:-1], strict=True):
            total = total.add(tensor - base, alpha=factor)
        return total
    if arithmetic is Arithmetic.TORCH_DELTA_SUM:
        deltas = [factor * (one - tensors[-1]) for one, factor in zip(tensors[:-1], weights[:-1], strict=True)]
        return tensors[-1] + sum(deltas)
    if arithmetic is Arithmetic.TORCH_ALPHA_FROM_ZERO:
        total = torch.zeros_like(first)
        for tensor, factor in zip(tensors, weights, strict=True):
            total.add_(tensor, alpha=factor)
        return total
    total = weight * first
    for tensor, factor in zip(others, rest, strict=True):
        alpha = arithmetic is Arithmetic.TORCH_ALPHA
        total = total.add(tensor, alpha=factor) if alpha else total + factor * tensor
    return total


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("weights", [*WEIGHTS.values(), [0.3, 0.7], [0.9, 0.1], [0.7, 0.2, 0.1]], ids=str)
@pytest.mark.parametrize(
    "arithmetic",
    [
        Arithmetic.TORCH_SUM, Arithmetic.TORCH_DELTA, Arithmetic.TORCH_ALPHA, Arithmetic.TORCH_LERP,
        Arithmetic.TORCH_ALPHA_FROM_ZERO, Arithmetic.TORCH_DELTA_ALPHA, Arithmetic.TORCH_DELTA_SUM,
    ],
)  # fmt: skip
def test_a_merge_written_by_hand_in_torch_has_the_bits_of_its_arithmetic(
    arithmetic: Arithmetic, weights: list[float], dtype: DType
) -> None:
    """Torch itself is the oracle, in whole vectors of 32 elements; a rest it may compute otherwise."""
    torch = pytest.importorskip("torch")
    if len(weights) == 3 and arithmetic in OF_TWO:
        pytest.skip("of two parents only")
    kind = {BF16: torch.bfloat16, F16: torch.float16, F32: torch.float32}[dtype]
    parents = parents_in(dtype, len(weights), 1 << 16, seed=3)
    right = by_hand(arithmetic, [torch.from_numpy(row.copy()).to(kind) for row in parents], weights)
    assert right.dtype is kind
    np.testing.assert_array_equal(merged(arithmetic, parents, weights, dtype), right.float().numpy())


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_a_mean_in_torch_has_the_bits_of_its_arithmetic(k: int, dtype: DType) -> None:
    torch = pytest.importorskip("torch")
    kind = {BF16: torch.bfloat16, F16: torch.float16, F32: torch.float32}[dtype]
    parents = parents_in(dtype, k, 1 << 14, seed=5)
    tensors = [torch.from_numpy(row.copy()).to(kind) for row in parents]
    for weights in ([1 / k] * k, [1.0] * k):
        stepwise = merged(Arithmetic.TORCH_MEAN, parents, weights, dtype)
        np.testing.assert_array_equal(stepwise, (sum(tensors) / k).float().numpy())
        once = merged(Arithmetic.FLOAT32_MEAN, parents, weights, dtype)
        single = (sum(tensor.float() for tensor in tensors) / k).to(kind)
        np.testing.assert_array_equal(once, single.float().numpy())


def test_units_of_weights_are_multiples_of_the_largest() -> None:
    found = in_units(np.array([[0.0, 0.25, -0.5], [0.2, 0.2, 0.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(found, [[0, 0.5, -1], [1, 1, 0], [0, 0, 0]])


def test_fusing_changes_some_bits_and_the_c_library_agrees_which() -> None:
    """`fmaf` of the C library is the third witness of the fused arithmetic."""
    ctypes = pytest.importorskip("ctypes")
    from ctypes.util import find_library

    pytest.importorskip("torch")
    if find_library("m") is None:
        pytest.skip("no C mathematics library to ask")
    fmaf = ctypes.CDLL(find_library("m")).fmaf
    fmaf.restype, fmaf.argtypes = ctypes.c_float, [ctypes.c_float] * 3
    parents = parents_in(F32, 2, 5000)
    first, second = (np.float32(w) for w in WEIGHTS[2])
    right = [fmaf(b, second, np.float32(a * first)) for a, b in parents.T]
    fused = merged(Arithmetic.FLOAT32_FUSED, parents, WEIGHTS[2], F32)
    np.testing.assert_array_equal(fused, np.array(right, np.float32))
    plain = merged(Arithmetic.FLOAT32, parents, WEIGHTS[2], F32)
    assert 0.05 < (fused != plain).mean() < 0.95


def test_the_order_of_the_parents_shows_in_the_bits_where_the_description_says_so() -> None:
    pytest.importorskip("torch")
    parents = parents_in(F32, 2, 5000)
    for arithmetic, description in DESCRIPTIONS.items():
        if arithmetic not in (*OF_TWO, *OF_DIFFERENCES):  # these tell the reference by the order
            one = merged(arithmetic, parents, WEIGHTS[2], F32, (0, 1))
            other = merged(arithmetic, parents, WEIGHTS[2], F32, (1, 0))
            assert np.array_equal(one, other) is not description.ordered


def unchanged(values: Float32, dtype: DType) -> Float32:
    """Values as stored: the merge of one parent with weight 1."""
    return merged(Arithmetic.FLOAT32, values[None], [1.0], dtype)


def test_every_half_and_every_midpoint_between_halves_is_rounded_as_torch_and_numpy_round() -> None:
    torch = pytest.importorskip("torch")
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    middle = (halves[1:] + halves[:-1]) / 2  # exact in float32
    values = np.concatenate([halves, *(np.nextafter(middle, np.float32(to)) for to in (-np.inf, np.inf)), middle])
    values = np.concatenate([values, np.array([65519.996, 65520, 65536, 1e30, 3.4e38, 1e-9, 1e-45], np.float32)])
    values = np.concatenate([values, -values])
    found = unchanged(values, F16)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found.view(np.int32), values.astype(np.float16).astype(np.float32).view(np.int32))
    np.testing.assert_array_equal(found, torch.from_numpy(values).half().float().numpy())


def test_every_bf16_with_every_kind_of_remainder_is_rounded_as_torch_rounds() -> None:
    torch = pytest.importorskip("torch")
    top = np.arange(0x10000, dtype=np.uint32) << np.uint32(16)
    tails = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    values = (top[:, None] | tails).ravel().view(np.float32)
    values = values[np.isfinite(values)]
    right = torch.from_numpy(values).bfloat16().float().numpy()
    np.testing.assert_array_equal(unchanged(values, BF16).view(np.int32), right.view(np.int32))


@pytest.mark.parametrize("dtype", STORED)
def test_float64_is_rounded_once_where_float32_on_the_way_would_round_twice(dtype: DType) -> None:
    """Just beside a midpoint of the format, closer than float32 can tell."""
    bits = FORMATS[dtype][0]
    powers = np.array([1.0, -2.0, 2.0**-10, -(2.0**12)], np.float32)
    twice = 0
    for offset in (2.0**-40, -(2.0**-40), 0.0):
        for last in (0, 1):
            weight = 1 + last * 2.0**-bits + 2.0 ** -(bits + 1) + offset
            found = merged(Arithmetic.FLOAT64, powers[None], [weight], dtype)
            right = [float(nearest(Fraction(float(p)) * Fraction(weight), dtype)) for p in powers]
            assert found.tolist() == right
            twice += found.tolist() != unchanged((powers * weight).astype(np.float32), dtype).tolist()
    assert twice if dtype is not F32 else not twice


@pytest.mark.parametrize("dtype", STORED)
def test_float64_at_the_ends_of_the_range(dtype: DType) -> None:
    ends = {BF16: (2.0**-133, 3.3895313892515355e38), F16: (2.0**-24, 65504.0), F32: (2.0**-149, 3.4028234663852886e38)}
    smallest, largest = ends[dtype]
    for weight in (0.5, 0.5 + 2.0**-50, 0.75, 1.5, 1.5 + 2.0**-50, 1.5 - 2.0**-50):
        found = merged(Arithmetic.FLOAT64, np.float32([[smallest, -smallest]]), [weight], dtype)
        right = float(nearest(Fraction(smallest) * Fraction(weight), dtype))
        assert found.tolist() == [right, -right]
    half_a_step = 2.0 ** (HIGHEST[dtype] - FORMATS[dtype][0] - 1)
    for beyond, right in ((1 - 2.0**-20, largest), (1 + 2.0**-20, math.inf)):
        weight = (largest + half_a_step * beyond) / 2.0**10
        found = merged(Arithmetic.FLOAT64, np.float32([[2.0**10, -(2.0**10)]]), [weight], dtype)
        assert found.tolist() == [right, -right]


def test_every_arithmetic_has_a_name_of_its_own_and_leaves_equal_parents_alone() -> None:
    pytest.importorskip("torch")
    assert len({description.name for description in DESCRIPTIONS.values()}) == len(Arithmetic) == len(DESCRIPTIONS)
    base = parents_in(BF16, 1, 1000)
    for arithmetic in (Arithmetic.FLOAT32_DELTA, Arithmetic.STEPWISE_DELTA, Arithmetic.FLOAT32_LERP):
        np.testing.assert_array_equal(merged(arithmetic, np.tile(base, (2, 1)), [0.3, 0.7], BF16), base[0])
