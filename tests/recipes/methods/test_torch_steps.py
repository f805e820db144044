"""Steps that presets take from torch: the bits of torch on two threads, whatever number runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, round_bf16
from modelprov.merge.checking import without_torch
from modelprov.recipes.methods import METHODS
from modelprov.recipes.methods.choosing import program_steps
from modelprov.recipes.methods.torch_steps import TorchSteps
from modelprov.recipes.methods.totals import reproducible, total

torch = pytest.importorskip("torch")
LENGTHS = (7, 8191, 8192, 8193, 32768, 32769, 100_001)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
@pytest.mark.parametrize("length", LENGTHS)
def test_sums_products_and_lengths_have_the_bits_of_torch_on_two_threads(length: int, dtype: DType) -> None:
    rng = np.random.default_rng(length)
    a, b = (round_bf16(rng.standard_normal(length).astype(np.float32)) for _ in range(2))
    torch.set_num_threads(2)
    x, y = (torch.from_numpy(one).to(torch.float32 if dtype is DType.F32 else torch.bfloat16) for one in (a, b))
    expected = [(x * y).sum(), x.sum(), x.dot(y), x.norm(), torch.stack([x, y]).mean(-1)[0]]
    for threads in (1, 2):
        torch.set_num_threads(threads)
        step = TorchSteps(np.float32, dtype)
        found = [step.dot(a, b), step.sum(a), step.vector_dot(a, b), step.norm(a), step.mean(a)]
        assert [float(one[0]) for one in found] == [float(one) for one in expected]
        assert torch.get_num_threads() == threads


@pytest.mark.parametrize("threads", [1, 3, 8, 16])
@pytest.mark.parametrize("length", [32_768, 32_769, 100_003, 400_000])
def test_long_sums_in_16_bits_have_the_bits_of_torch_on_as_many_threads(length: int, threads: int) -> None:
    values = round_bf16(np.random.default_rng(length).standard_normal(length).astype(np.float32) + np.float32(0.3))
    torch.set_num_threads(threads)
    expected = float(torch.from_numpy(values).to(torch.bfloat16).sum())
    step = TorchSteps(np.float32, DType.BF16, threads=threads)
    assert float(step.sum(values)[0]) == expected
    if reproducible(step):
        growing = total(step, length)
        for part in np.split(values, [777, 20_000]):
            growing.add(part)
        assert float(growing.result()[0]) == expected


def test_masks_keep_as_many_as_asked_and_none_smaller_than_what_they_leave() -> None:
    sizes = round_bf16(np.abs(np.random.default_rng(1).standard_normal(5000).astype(np.float32)))
    step = TorchSteps(np.float32, DType.BF16)
    for kept in (step.largest(sizes, 700), step.top(sizes, 700)):
        assert kept.sum() == 700
        assert sizes[kept].min() >= sizes[~kept].max()
    between = step.between(sizes, 100, 600)
    ordered = np.sort(sizes)[::-1]
    np.testing.assert_array_equal(np.sort(sizes[between])[::-1], ordered[100:700])


def test_the_same_steps_without_torch_agree_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    rows, other = rng.standard_normal((2, 5, 400)).astype(np.float32)
    with_torch = program_steps(DType.F32)
    monkeypatch.setattr("modelprov.recipes.methods.choosing.find_spec", lambda _name: None)
    plain = program_steps(DType.F32)
    assert isinstance(with_torch, TorchSteps)
    assert not isinstance(plain, TorchSteps)
    for name in ("norm", "sine", "cosine"):
        np.testing.assert_allclose(getattr(with_torch, name)(rows), getattr(plain, name)(rows), rtol=1e-6, atol=1e-7)
    for name in ("dot", "divergence"):
        np.testing.assert_allclose(
            getattr(with_torch, name)(rows, other), getattr(plain, name)(rows, other), rtol=1e-4, atol=1e-5
        )
    np.testing.assert_allclose(with_torch.variance(list(rows)), plain.variance(list(rows)), rtol=1e-5)


def test_the_plan_says_so_where_torch_would_decide_and_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert without_torch(METHODS["ties"], "mergekit-0.1.5") == ()
    monkeypatch.setattr("modelprov.recipes.methods.choosing.find_spec", lambda _name: None)
    assert "torch is not installed" in without_torch(METHODS["sce"], "mergekit-0.1.5")[0]
    for library, said in (object(), False), (None, True):  # C sorts as the program does
        monkeypatch.setattr("modelprov.merge.checking.for_merging", lambda library=library: library)
        assert bool(without_torch(METHODS["ties"], "mergekit-0.1.5")) is said
    assert without_torch(METHODS["ties"], "float32") == ()
    assert without_torch(METHODS["linear"], "mergekit-0.1.5") == ()
    assert without_torch(METHODS["della"], "mergekit-0.1.5") == ()
