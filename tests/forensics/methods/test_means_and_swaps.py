"""Methods with little or nothing to estimate: named where their bits come out, whoever is the base."""

from __future__ import annotations

import pytest

from modelprov.checkpoints.formats.dtypes import DType
from tests.forensics.methods.making import family, merged, search


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
@pytest.mark.parametrize(
    ("method", "models", "base", "options"),
    [
        ("karcher", (0, 1), None, {}),
        ("karcher", (0, 1, 2), None, {}),
        ("model_stock", (0, 1), 2, {}),
        ("model_stock", (0, 1), 2, {"filter_wise": True}),
        ("nearswap", (1,), 0, {"t": 5e-4}),
        ("arcee_fusion", (1,), 0, {}),
        ("sce", (0, 1), 2, {"select_topk": 0.3}),
    ],
)
def test_a_method_without_weights_is_named(
    dtype: DType, method: str, models: tuple[int, ...], base: int | None, options: dict[str, float]
) -> None:
    parents = family(dtype)
    suspect = merged(
        method, [parents[model] for model in models], None if base is None else parents[base], options=options
    )
    found = search(suspect, *parents)
    assert found is not None
    assert (found.made.method, found.made.models, found.made.base) == (method, models, base)
    assert found.made.options == options
    assert found.bits.equal == found.bits.elements


@pytest.mark.parametrize("method", ["model_stock", "nuslerp"])
def test_a_merge_by_a_program_with_another_number_of_threads_is_named_with_it(method: str) -> None:
    pytest.importorskip("torch")
    first, second, base = family(hidden=192)  # 36,864 weights a matrix: two threads would halve the sum
    each, based = ({}, base) if method == "model_stock" else ({"weight": [0.7, 0.3]}, None)
    suspect, usual = (merged(method, [first, second], based, each=each, threads=threads) for threads in (1, 2))
    assert any((suspect[name][0] != usual[name][0]).any() for name in suspect)
    found = search(suspect, first, second, base)
    assert found is not None
    assert (found.made.method, found.made.threads) == (method, 1)
    assert found.bits.equal == found.bits.elements


@pytest.mark.parametrize("method", ["karcher", "model_stock", "sce"])
def test_the_formula_itself_in_float32_is_tried_beside_what_programs_do(method: str) -> None:
    first, second, base = family(DType.F32)
    based = None if method == "karcher" else base
    suspect = merged(method, [first, second], based, arithmetic="float32", dtype=DType.F32)
    found = search(suspect, first, second, base)
    assert found is not None
    assert (found.made.method, found.made.arithmetic) == (method, "float32")
    assert found.bits.equal == found.bits.elements


@pytest.mark.parametrize("based", [False, True])
def test_multislerp_is_named_with_its_weights(based: bool) -> None:
    parents = family(children=3)
    suspect = merged("multislerp", list(parents[:3]), parents[3] if based else None, each={"weight": [0.5, 0.3, 0.2]})
    found = search(suspect, *parents)
    assert found is not None
    assert (found.made.method, found.made.models) == ("multislerp", (0, 1, 2))
    assert [own["weight"] for own in found.made.each] == [0.5, 0.3, 0.2]
