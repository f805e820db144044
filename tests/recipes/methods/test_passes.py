"""Whole-tensor methods in passes over blocks: the bits of the whole tensor, whatever the blocks are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType, round_to
from modelprov.native import for_merging
from modelprov.recipes.methods import METHODS
from modelprov.recipes.methods import steps as steps_module
from modelprov.recipes.methods.choosing import program_steps
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Whole
from modelprov.recipes.methods.selection import kept, ranked
from modelprov.recipes.methods.steps import FLOAT32, FLOAT64, Steps
from modelprov.recipes.methods.task_vector_passes import numbers_from
from modelprov.recipes.methods.totals import Sizes, length, reproducible, total

EXPLICIT = ("float32", "float64", "bf16-stepwise")
SORTING = ("ties", "breadcrumbs", "breadcrumbs_ties")
WHOLE = [name for name, method in METHODS.items() if not method.elementwise]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "nuslerp": [{}, {"nuslerp_flatten": False}], "model_stock": [{}, {"filter_wise": True}],
    "sce": [{}, {"select_topk": 0.3}],
    "dare_ties": [{}, {"rescale": False}], "della": [{}, {"rescale": False}], "karcher": [{"tol": 1e-9, "max_iter": 3}],
}  # fmt: skip
REQUIRED = {"weight": 0.7, "t": 0.4, "density": 0.4, "gamma": 0.05, "epsilon": 0.1}


def _inputs(
    method: Method, shape: tuple[int, ...], seed: int, arithmetic: str, dtype: DType, given: dict[str, Any]
) -> Inputs:
    rng = np.random.default_rng(seed)
    count = min(max(method.fewest, 2), method.most or 2)
    size = int(np.prod(shape))
    base = round_to(rng.standard_normal(size), DType.BF16).astype(np.float32)
    tensors = [
        round_to(base + rng.standard_normal(size) * rng.choice([0.0, 0.125, 0.5], size), dtype).astype(np.float32)
        for _ in range(count)
    ]
    values = {one.name: REQUIRED.get(one.name, one.default) for one in method.parameters} | given
    own = [one.name for one in method.parameters if one.per_model]
    return Inputs(
        tensors=tensors,
        base=base if method.needs_base else None,
        shape=shape,
        models=[{key: values[key] for key in own} for _ in range(count)],
        options={key: value for key, value in values.items() if key not in own},
        arithmetic=arithmetic,
        dtype=dtype,
        out_dtype=dtype,
        rng=np.random.default_rng(seed),
    )


def _in_blocks(inputs: Inputs, block: int) -> tuple[Whole, Iterator[tuple[int, Inputs]]]:
    count = len(inputs.tensors[0])

    def blocks(start: int) -> Iterator[tuple[int, Inputs]]:
        for at in range(start, count, block):
            part = slice(at, at + block)
            base = None if inputs.base is None else inputs.base[part]
            yield at, replace(inputs, tensors=[tensor[part] for tensor in inputs.tensors], base=base)

    empty = None if inputs.base is None else np.empty(0, np.float32)
    return Whole(replace(inputs, tensors=[], base=empty), count, blocks), blocks(0)


def _merged_in_passes(method: Method, inputs: Inputs) -> Float32 | None:
    """In the blocks that the method asks for; None where it asks for the whole tensor."""
    assert method.passes is not None
    about = replace(inputs, tensors=[], base=None if inputs.base is None else np.empty(0, np.float32))
    block = method.passes.block(about)
    if not block:
        return None
    whole, blocks = _in_blocks(inputs, block)
    merge_block = method.passes.look(whole)
    parts = [(first, merge_block(first, part).copy()) for first, part in blocks]
    return np.concatenate([part for _, part in parts])


@pytest.mark.parametrize("arithmetic", EXPLICIT)
@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=8, deadline=None)
@given(
    shape=st.one_of(st.tuples(st.integers(1, 400)), st.tuples(st.integers(2, 12), st.integers(1, 60))),
    block=st.integers(3, 90), seed=st.integers(0, 1 << 30), dtype=st.sampled_from([DType.BF16, DType.F32, DType.F16]),
    choice=st.integers(0, 1),
)  # fmt: skip
def test_every_block_size_gives_the_bits_of_the_whole_tensor(
    name: str, arithmetic: str, shape: tuple[int, ...], block: int, seed: int, dtype: DType, choice: int
) -> None:
    method, options = METHODS[name], OPTIONS.get(name, [{}])
    inputs = _inputs(method, shape, seed, arithmetic, dtype, options[choice % len(options)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps_module, "BLOCK", block)
        patch.setattr("modelprov.recipes.methods.slerp.BLOCK", block)
        merged = _merged_in_passes(method, inputs)
        whole = method.merge(replace(inputs, rng=np.random.default_rng(seed)))
    if merged is None:
        assert arithmetic == "float64"
        assert name in ("dare_linear", "dare_ties", "della", "della_linear", "sce")
    else:
        np.testing.assert_array_equal(merged, whole)


@pytest.mark.parametrize("stored", [DType.F32, DType.BF16])
@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16, DType.F16])
@pytest.mark.parametrize("arithmetic", ["float32", "bf16-stepwise"])
@pytest.mark.parametrize("name", ["ties", "breadcrumbs", "breadcrumbs_ties", "dare_linear", "della"])
def test_compiled_loops_give_the_bits_of_the_steps(
    name: str, arithmetic: str, dtype: DType, stored: DType, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = METHODS[name]
    for seed, given_options in enumerate(
        ({}, {"normalize": True, "lambda": 1.3}, {"normalize": False, "weight": -0.7})
    ):
        inputs = replace(_inputs(method, (40, 90), seed, arithmetic, dtype, given_options), out_dtype=stored)
        with monkeypatch.context() as patch:
            _without_c(patch)
            whole = method.merge(replace(inputs, rng=np.random.default_rng(seed)))
        for in_c in (True, False):
            with monkeypatch.context() as patch:
                if not in_c:
                    _without_c(patch)
                patch.setattr(steps_module, "COMPILED_FROM", 1)
                patch.setattr(steps_module, "BLOCK", 810)
                merged = _merged_in_passes(method, inputs)
            np.testing.assert_array_equal(merged, whole)


def _without_c(patch: pytest.MonkeyPatch) -> None:
    for room in ("combining", "task_vector_passes", "introsort"):
        patch.setattr(f"modelprov.recipes.methods.{room}.for_merging", lambda: None)


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
@pytest.mark.parametrize("arithmetic", ["mergekit-0.1.4", "mergekit-0.1.5"])
@pytest.mark.parametrize("name", WHOLE)
def test_presets_have_the_bits_of_torch_or_ask_for_the_whole_tensor(
    name: str, arithmetic: str, dtype: DType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    method = METHODS[name]
    monkeypatch.setattr(steps_module, "BLOCK", 9_999)
    monkeypatch.setattr("modelprov.recipes.methods.slerp.BLOCK", 9_999)
    inputs = _inputs(method, (330, 211), 5, arithmetic, dtype, OPTIONS.get(name, [{}])[0])
    merged = _merged_in_passes(method, inputs)
    by_torch = name in ("sce", "karcher") or (for_merging() is None and name in SORTING)
    by_blas = name == "slerp" and arithmetic == "mergekit-0.1.4"
    assert (merged is None) == (by_torch or by_blas)
    if merged is not None:
        whole = method.merge(replace(inputs, rng=np.random.default_rng(5)))
        np.testing.assert_array_equal(merged, whole)


@pytest.mark.parametrize("name", ["ties", "breadcrumbs", "slerp", "model_stock", "nuslerp"])
def test_presets_without_torch_are_merged_in_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelprov.recipes.methods.choosing.find_spec", lambda _name: None)
    monkeypatch.setattr(steps_module, "BLOCK", 777)
    monkeypatch.setattr("modelprov.recipes.methods.slerp.BLOCK", 777)
    inputs = _inputs(METHODS[name], (70, 83), 5, "mergekit-0.1.5", DType.BF16, {})
    merged = _merged_in_passes(METHODS[name], inputs)
    assert merged is not None
    np.testing.assert_array_equal(merged, METHODS[name].merge(inputs))


@pytest.mark.parametrize("step", [Steps(np.float32, DType.BF16), FLOAT32, FLOAT64])
@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.5, -1.0, 1e-40, 3e38, 7.0]), min_size=1, max_size=80),
    share=st.floats(0, 1.2), block=st.integers(1, 30),
)  # fmt: skip
def test_counting_bits_selects_what_sorting_does(step: Steps, values: list[float], share: float, block: int) -> None:
    sizes = step(values)
    count = int(share * len(sizes))
    parts = [(at, sizes[at : at + block]) for at in range(0, len(sizes), block)]
    (found,) = kept(lambda: ([part] for _, part in parts), [(0, count)], len(sizes), step)
    mask = np.concatenate([found.mask(part, at) for at, part in parts])
    np.testing.assert_array_equal(mask, step.largest(sizes, count))
    place = min(count, len(sizes) - 1)
    assert ranked(lambda: ([part] for _, part in parts), [place], len(sizes), step) == [np.sort(sizes)[place]]


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 40_000), block=st.integers(1, 20_000), seed=st.integers(0, 99))
def test_sizes_add_up_as_numpy_adds_them_at_once(count: int, block: int, seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal(count).astype(np.float32)
    sizes = Sizes()
    for at in range(0, count, block):
        sizes.add(values[at : at + block])
    assert sizes.result() == float(np.abs(values).sum(dtype=np.float64))


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
@pytest.mark.parametrize("count", [33, 5_000, 32_768, 32_769, 1_100_003])
def test_totals_have_the_bits_of_torch(count: int, dtype: DType) -> None:
    pytest.importorskip("torch")
    step = program_steps(dtype)
    if not reproducible(step):
        pytest.skip("torch adds in another order on this processor")
    rng = np.random.default_rng(count)
    values = step(rng.standard_normal(count).astype(np.float32))
    whole = [
        step.norm(values),
        step.dot(values, np.ones_like(values)),
        step.dot(values, np.ones_like(values), halved=False),
    ]
    totals = [length(step), total(step, count), total(step, count, halved=False)]
    at = 0
    while at < count:
        stop = at + int(rng.integers(1, max(2, count // 3)))
        for each in totals:
            each.add(values[at:stop])
        at = stop
    assert [each.result() for each in totals] == whole


def test_random_numbers_are_those_of_the_sequence_from_any_place() -> None:
    sequence = np.random.default_rng(4).random(1_001, np.float32)
    rng = np.random.default_rng(4)
    for place, count in ((0, 5), (1, 6), (500, 501), (999, 2)):
        np.testing.assert_array_equal(numbers_from(rng, place, count), sequence[place : place + count])
