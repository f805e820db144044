"""Loops of merges in C against what they stand for: generator and sums of numpy, order and sines of torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.native import for_merging
from modelprov.recipes.methods import METHODS, combining, totals
from modelprov.recipes.methods.choosing import program_steps
from modelprov.recipes.methods.combining import moved
from modelprov.recipes.methods.interface import Inputs, in_one_block
from modelprov.recipes.methods.steps import Steps, read
from modelprov.recipes.methods.task_vector_passes import NUMBERS, halves_of
from modelprov.recipes.methods.torch_steps import TorchSteps
from modelprov.recipes.methods.totals import BUFFER, as_torch, length, total, unit_products, without_trial

LIBRARY = for_merging()
WITHIN = (DType.BF16, DType.F16, DType.F32)
in_c = pytest.mark.skipif(LIBRARY is None, reason="no C kernels here")


@in_c
@pytest.mark.parametrize("place", [0, 1, 7, 4_096, 1_000_003])
def test_the_numbers_are_those_of_numpys_generator_from_any_place(place: int) -> None:
    assert LIBRARY is not None
    rng = np.random.default_rng([place, 5])
    generator, count = halves_of(rng), 3_001
    drawn = rng.random(place + count, np.float32)[place:]
    tensor, base, out = np.ones(count, np.float32), np.zeros(count, np.float32), np.empty(count, np.float32)
    for least in (0, 1, 123_456, NUMBERS // 2, NUMBERS - 1, NUMBERS):
        LIBRARY.thin_by_chance(tensor, base, DType.F32.code, (generator, place, least), 1.0, out)
        np.testing.assert_array_equal(out != 0, drawn < least / NUMBERS)


@in_c
@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("count", [1, 7, 8, 129, 1_025, BUFFER, BUFFER + 5, 3 * BUFFER + 4_999])
def test_sizes_of_changes_add_up_as_numpy_adds_them_at_once(count: int, dtype: DType) -> None:
    assert LIBRARY is not None
    rng, step = np.random.default_rng(count), Steps(np.float32, dtype)
    tensor, base = (step(rng.standard_normal(count).astype(np.float32)) for _ in range(2))
    rng = np.random.default_rng(3)
    generator, change = halves_of(rng), step(tensor - base)
    kept = np.where(rng.random(count + 9, np.float32)[9:] < 0.25, change, 0)
    sums = np.empty((-(-count // BUFFER), 2))
    LIBRARY.sizes_by_chance(tensor, base, dtype.code, (generator, 9, NUMBERS // 4), sums)
    for column, values in enumerate((change, kept)):
        sizes = totals.Sizes()
        sizes.add_sums(sums[:, column])
        assert sizes.result() == float(np.abs(values).sum(dtype=np.float64))


@in_c
@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("name", ["dare_ties", "dare_linear"])
def test_dare_in_c_has_the_bits_of_the_steps_whatever_the_blocks_are(
    name: str, dtype: DType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, step, count = np.random.default_rng(2), Steps(np.float32, dtype), 3 * BUFFER + 77
    values = [step(rng.standard_normal(count).astype(np.float32)) for _ in range(4)]
    inputs = Inputs(
        values[:3], values[3], (count,), [{"weight": 0.7, "density": share} for share in (0.4, 1.0, 0.9)],
        {"rescale": True, "normalize": False, "lambda": 1.0}, "float32", dtype, dtype, np.random.default_rng(8),
    )  # fmt: skip
    whole = METHODS[name].merge(replace(inputs, rng=np.random.default_rng(8)))
    passes = METHODS[name].passes
    assert passes is not None
    monkeypatch.setattr("modelprov.recipes.methods.task_vector_passes.SMALL_BLOCK", BUFFER)
    assert passes.block(inputs) == BUFFER
    np.testing.assert_array_equal(in_one_block(passes.look, inputs), whole)


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
def test_the_torch_that_is_not_tried_adds_as_is_written_of_it(dtype: DType) -> None:
    pytest.importorskip("torch")
    if without_trial():
        assert as_torch(dtype)


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
def test_totals_in_c_and_in_numba_are_the_same(dtype: DType, monkeypatch: pytest.MonkeyPatch) -> None:
    step = replace(program_steps(dtype), lanes=True)
    values = step(np.random.default_rng(4).standard_normal(70_001).astype(np.float32))
    found = []
    for library in (LIBRARY, None):
        monkeypatch.setattr(totals, "for_merging", lambda library=library: library)
        sums = [length(step), total(step, len(values)), total(step, len(values), halved=False)]
        for at in range(0, len(values), 9_999):
            for each in sums:
                each.add(values[at : at + 9_999])
        found.append([float(each.result()[0]) for each in sums])
    assert found[0] == found[1]


@pytest.mark.parametrize("norms", [(0.7, 3.1), (0.0, 2.0)])
@pytest.mark.parametrize("dtype", WITHIN)
def test_products_of_unit_vectors_are_rounded_as_the_steps_round(dtype: DType, norms: tuple[float, float]) -> None:
    step, rng = Steps(np.float32, dtype), np.random.default_rng(6)
    x, y = (step(rng.standard_normal(5_001).astype(np.float32)) for _ in range(2))
    lengths = [step(np.float32([norm])) for norm in norms]
    expected = step(step.divide(x, lengths[0]) * step.divide(y, lengths[1]))
    np.testing.assert_array_equal(unit_products(x, y, lengths, step, np.empty_like(x)), expected)


def test_sines_that_are_certain_are_those_of_torch_and_others_are_asked_of_it() -> None:
    torch = pytest.importorskip("torch")
    step = TorchSteps(np.float32, DType.BF16)
    values = step(np.random.default_rng(1).uniform(-1, 1, 3_000).astype(np.float32))
    sure = 0
    for value in values:
        alone = value.reshape(1)
        for name, function in (("sin", np.sin), ("acos", np.arccos)):
            expected = getattr(torch.from_numpy(alone).to(torch.bfloat16), name)().float().numpy()
            found = step._certain(function, alone)
            sure += found is not None
            assert found is None or found == expected
    assert sure > 5_900
    assert TorchSteps(np.float32, DType.F32)._certain(np.sin, values[:1]) is None


def test_values_that_are_held_in_the_format_of_a_step_are_not_rounded_again() -> None:
    values = np.float32([1.0, 1.00390625])  # the second is no number of bf16
    about = Inputs([values], None, (2,), [{}], held=DType.BF16)
    step = Steps(np.float32, DType.BF16)
    assert read(values, about, step) is values
    for held in (None, DType.F32):
        assert read(values, replace(about, held=held), step).tolist() == [1.0, 1.0]


@in_c
@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("models", [1, 2, 3])
def test_changes_move_the_base_in_c_as_the_steps_do(dtype: DType, models: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros of both signs and the smallest numbers among them; a single model has no vote to lose."""
    step, count = Steps(np.float32, dtype), 2_311
    rng = np.random.default_rng(5)
    base, *changes = step(rng.standard_normal((1 + models, count))).astype(np.float32)
    for change in changes:
        change[::3], change[1::7], change[2::11] = 0.0, -0.0, step(-1e-38)
    for vote in (True, False):
        for options in ({"normalize": True, "lambda": 0.7}, {"normalize": False}):
            weights = [{"weight": weight} for weight in (-0.7, 0.3, 1.0)[:models]]
            inputs = Inputs(changes, base, (count,), weights, dict(options), out_dtype=dtype)
            rows = np.stack(changes)
            made = moved(base, rows, inputs, vote, step).copy()
            with monkeypatch.context() as patch:
                patch.setattr(combining, "for_merging", lambda: None)
                expected = moved(base, rows, inputs, vote, step)
            np.testing.assert_array_equal(made.view(np.uint32), expected.view(np.uint32))
