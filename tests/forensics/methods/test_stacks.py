"""Layers put together: named to the bit where the stack cannot be one model's own, and no merge where it can."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from modelprov import compare, verify
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights, as_stored, write_checkpoint
from modelprov.forensics.compare import Options
from modelprov.forensics.judging.findings import Findings
from modelprov.forensics.search.methods import stacks
from tests.generated import Size, apply, change, model
from tests.memory import checkpoint, run

LAYERS = 4
OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 13)
RESIDUAL = ("o_proj", "down_proj")
Taken = tuple[Weights, int, int]


def judged(*models: Weights) -> Findings:
    return run(models, (), OPTIONS).findings


def said(found: Findings) -> tuple[str, str]:
    return str(found.verdict.class_), found.verdict.rule


@functools.cache
def family() -> tuple[Weights, Weights, Weights]:
    rng = np.random.default_rng(5)
    base = model(rng, Size(LAYERS, 32, 32, 64), DType.BF16)
    first, second = (apply(base, change(base, rng, 2e-3)) for _ in range(2))
    return first, second, base


def stack(*taken: Taken, residual: float | None = None) -> Weights:
    """Layers [from, to) of each model, one behind the other; with a factor of what the second adds to its residual."""
    made, at = {name: held for name, held in taken[0][0].items() if "embed" in name}, 0
    for number, (source, start, stop) in enumerate(taken):
        for layer in range(start, stop):
            for name, (values, dtype) in source.items():
                if name.startswith(f"model.layers.{layer}."):
                    if residual is not None and number == 1 and any(word in name for word in RESIDUAL):
                        values = store(values * np.float32(residual), dtype)  # noqa: PLW2901
                    made[name.replace(f".{layer}.", f".{at}.", 1)] = values, dtype
            at += 1
    outside = {name: held for name, held in taken[-1][0].items() if "layers" not in name and "embed" not in name}
    return made | outside


def test_a_stack_of_two_models_is_named_with_the_layers_of_each() -> None:
    first, second, base = family()
    found = judged(stack((first, 0, 3), (second, 1, 4)), first, second, base)
    assert said(found) == ("merge", "method")
    assert "S is passthrough of layers 0-2 of P1, 1-3 of P2." in found.verdict.summary
    assert found.method is not None
    assert (found.method.parents, found.method.bit_equal, found.method.share) == (("P1", "P2"), 1, 1)


@pytest.mark.parametrize("residual", [None, 0.5, 0.0])
def test_the_recipe_of_a_stack_makes_the_same_bits(tmp_path: Path, residual: float | None) -> None:
    first, second, base = family()
    suspect = stack((first, 0, 2), (first, 1, 3), (second, 2, 4), residual=residual)
    models = {"s": suspect, "a": first, "b": second, "base": base}
    places = {name: str(tmp_path / name) for name in models}
    for name, weights in models.items():
        write_checkpoint(tmp_path / name, as_stored(weights), {"model_type": "llama"})
    report = compare(*places.values(), device="cpu")
    assert (str(report.verdict.class_), report.verdict.rule) == ("merge", "method")
    assert report.coverage.share == 1
    assert report.method is not None
    assert ("o_proj × " in report.method.words) is (residual is not None)
    (tmp_path / "found.yml").write_text(report.method.yaml)
    assert verify(places["s"], tmp_path / "found.yml").reproduced


def test_layers_of_one_model_put_together_are_a_copy_with_a_recipe() -> None:
    first, second, base = family()
    found = judged(stack((first, 0, 3), (first, 1, 4)), first, second, base)
    assert said(found) == ("copy", "identical")
    assert found.verdict.parent == "P1"
    assert "passthrough of layers 0-2 of P1, 1-3 of P1" in found.verdict.summary
    alone = judged(stack((first, 0, 3), (first, 1, 4)), first)
    assert said(alone) == ("copy", "identical")
    assert alone.method is not None


def test_what_the_base_has_is_taken_from_the_base() -> None:
    """A finetune that left most layers as they were is not accused by a stack of those."""
    _, second, base = family()
    rng = np.random.default_rng(8)
    last = apply(base, change(base, rng, 2e-3, only=lambda name: name.startswith("model.layers.3.")))
    found = judged(stack((base, 0, 3), (base, 1, 3)), last, second, base)
    assert said(found) == ("copy", "identical")
    assert found.verdict.parent == "P3"


@pytest.mark.parametrize("based", [False, True])
@pytest.mark.parametrize("taken", [((0, 2), (2, 4)), ((0, 2), (3, 4))])
def test_a_model_with_each_layer_once_may_be_an_ancestor(taken: tuple[tuple[int, int], ...], based: bool) -> None:
    """Two trainings of it, of which each left the other's layers alone, look the same, so nobody is accused."""
    first, second, base = family()
    suspect = stack((first, *taken[0]), (second, *taken[1]))
    found = judged(suspect, first, second, *([base] if based else []))
    assert said(found) == ("inconclusive", "whole-parts")
    assert "passthrough of layers 0-1 of P1, " in found.verdict.summary


def test_a_deep_model_is_no_merge_of_pieces_that_were_cut_out_of_it() -> None:
    """Its layers are no two versions of one layer: the cut-outs are not related to each other at their places."""
    rng = np.random.default_rng(9)
    deep = model(rng, Size(6, 32, 32, 64), DType.BF16)
    found = judged(deep, stack((deep, 0, 4)), stack((deep, 2, 6)))
    assert found.verdict.class_ != "merge"


def test_a_tensor_that_was_changed_afterwards_is_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelprov.forensics.search.methods.find.find", lambda *_: None)
    first, second, _ = family()
    suspect = stack((first, 0, 3), (second, 1, 4))
    name = "model.layers.4.self_attn.q_proj.weight"
    values, dtype = suspect[name]
    suspect[name] = store(values + np.float32(1e-3), dtype), dtype
    found = judged(suspect, first, second)
    assert found.verdict.class_ != "merge"
    assert found.method is None


def test_layers_are_looked_for_only_where_they_moved() -> None:
    first, second, base = family()
    opened = [checkpoint(label, one) for label, one in zip("SABC", (first, first, second, base), strict=True)]
    assert stacks.find(opened, 0) is None
    moved = [checkpoint("S", stack((first, 0, 1), (second, 2, 3), (first, 1, 2), (first, 3, 4))), *opened[1:]]
    found = stacks.find(moved, 0)
    assert found is not None
    assert all(seen == {0: 0, 1: 2, 2: 1, 3: 3} for seen in found.layers)
