"""Files made to be believed, through the whole pipeline: what an accuser can do, and what must not follow from it.

Each is an example of a kind; the kinds stand in `benchmarks/cases/`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cases.planting import in_f32, mixture
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.demo.writing import Weights
from tests.generated import Size, apply, cast, change, layer_of, merge, model
from tests.memory import checkpoint, judge

SIZE = Size(layers=4, hidden=64, width=128, vocabulary=256)


def honest(
    seed: int, dtype: DType = DType.BF16, distance: float = 3e-4
) -> tuple[Weights, Weights, np.random.Generator]:
    """A finetune, its base, and what else may be drawn."""
    rng = np.random.default_rng(seed)
    base = model(rng, SIZE, dtype)
    return apply(base, change(base, rng, distance)), base, rng


@pytest.mark.parametrize("weight", [1.5, 2.0, 4.0])
def test_an_honest_model_in_an_f32_file_is_no_merge_of_what_was_made_from_it(weight: float) -> None:
    suspect, base, _ = honest(1)
    planted = mixture([(weight, suspect), (1 - weight, base)], DType.F32)
    for models in ([suspect, planted, base], in_f32([suspect, planted, base])):
        assert judge(*models).verdict.rule == "extrapolated"


@pytest.mark.parametrize("share", [0.5, 0.75, 0.9])
def test_noise_in_other_layers_hides_no_planted_parent(share: float) -> None:
    """What is exact in some layers is judged there: what the accuser does elsewhere must not switch the guards off."""
    suspect, base, rng = honest(2, distance=6e-5)
    planted = mixture([(1 / share, suspect), (1 - 1 / share, base)], DType.F32)
    noise = change(planted, rng, 2e-3, only=lambda name: layer_of(name) == 3)
    found = judge(suspect, apply(planted, noise), base).verdict
    assert str(found.class_) == "inconclusive", found.summary


@pytest.mark.parametrize("rank", [4, 64])
def test_an_adapter_between_two_other_scales_of_it_in_float32_is_no_merge(rank: int) -> None:
    rng = np.random.default_rng(4)
    base = model(rng, SIZE, DType.F32)
    adapter = {
        name: np.float32(0.01 / np.sqrt(rank))
        * rng.standard_normal((values.shape[0], rank), dtype=np.float32)
        @ rng.standard_normal((rank, values.shape[1]), dtype=np.float32)
        if values.ndim == 2
        else np.zeros_like(values)
        for name, (values, _) in base.items()
    }
    low, middle, high = (
        apply(base, {name: np.float32(scale) * change for name, change in adapter.items()}) for scale in (0.5, 0.8, 1.5)
    )
    for parents in ((high, low), (high, base)):
        found = judge(middle, *parents).verdict
        assert (str(found.class_), found.rule) in (("on-line", "near-the-line"), ("inconclusive", "extrapolated"))


def test_half_of_the_single_rounding_steps_of_a_parent_are_no_merge() -> None:
    rng = np.random.default_rng(3)
    base = model(rng, SIZE, DType.BF16)
    parent, suspect = {}, {}
    for name, (values, dtype) in base.items():
        stepped = (values.view(np.uint32) + np.uint32(1 << 16)).view(np.float32)
        changed, picked = rng.random(values.shape) < 0.5, rng.random(values.shape) < 0.5
        usable = changed & (values != 0)
        parent[name] = np.where(usable, stepped, values), dtype
        suspect[name] = np.where(usable & picked, stepped, values), dtype
    assert str(judge(suspect, parent, base).verdict.class_) == "inconclusive"


def test_true_merges_stay_merges_whatever_file_they_are_kept_in() -> None:
    parent, base, _ = honest(4)
    merged = merge([parent, base], [0.6, 0.4])
    for models in ([merged, parent, base], in_f32([merged, parent, base]), [cast(merged, DType.F32), parent, base]):
        found = judge(*models)
        assert (str(found.verdict.class_), found.reproduction.bit_equal) == ("merge", 1.0)
    exact = merge([parent, base], [0.6, 0.4], dtype=DType.F32)
    assert judge(exact, parent, base).verdict.rule == "reproduced"


@pytest.mark.parametrize("parents", [1, 2])
def test_a_file_with_the_same_bytes_is_a_copy_whatever_numbers_it_holds(parents: int) -> None:
    """Matrices of bf16 numbers beside norms and a row of finer ones, as resized embeddings leave."""
    suspect, base, rng = honest(5)
    suspect, base = in_f32([suspect, base])
    for name, (values, dtype) in suspect.items():
        if values.ndim == 1:
            suspect[name] = (values * (1 + 1e-3 * rng.standard_normal(values.shape))).astype(np.float32), dtype
    embedding, dtype = suspect["model.embed_tokens.weight"]
    embedding = embedding.copy()
    embedding[7, :4] *= np.float32(1 + 1e-5)
    suspect["model.embed_tokens.weight"] = embedding, dtype
    assert str(judge(suspect, *[dict(suspect), base][:parents]).verdict.class_) == "copy"


@pytest.mark.parametrize("parents", [1, 2])
def test_a_copy_that_was_rounded_and_saved_again_is_a_copy(parents: int) -> None:
    parent, base, _ = honest(6, DType.F32)
    rounded = cast(cast(parent, DType.BF16), DType.F32)
    found = judge(rounded, *[parent, base][:parents]).verdict
    assert str(found.class_) == "copy"
    assert "to the precision that S holds" in found.summary


def test_a_tied_head_counts_once_in_what_was_compared() -> None:
    """The embedding is a part of the matrices; as its own head it would be counted twice."""
    parent, _, _ = honest(7)
    suspect = {name: (values[:-1], dtype) for name, (values, dtype) in parent.items() if name != "lm_head.weight"}
    suspect["model.embed_tokens.weight"] = parent["model.embed_tokens.weight"]
    tied = replace(checkpoint("S", suspect), config={"tie_word_embeddings": True})
    alignment = align([tied, checkpoint("P1", parent)])
    assert {tensor.name for tensor in alignment.tensors} == {"model.embed_tokens.weight", "lm_head.weight"}
    matrices = sum(values.size for values, _ in suspect.values() if values.ndim == 2)
    assert alignment.decisive_share() == pytest.approx(suspect["model.embed_tokens.weight"][0].size / matrices)


@pytest.mark.parametrize("part", [0.1, 0.05])
def test_a_run_at_a_small_part_of_the_learning_rate_is_no_merge(part: float) -> None:
    """Both were rounded by themselves: the borders of cells are reached by ties alone, and those fall by chance."""
    rng = np.random.default_rng(4)
    base = model(rng, SIZE, DType.BF16)
    whole = change(base, rng, 5e-5 / part * 0.1)
    parent = apply(base, whole)
    suspect = apply(base, {name: np.float32(part) * values for name, values in whole.items()})
    found = judge(suspect, parent, base)
    assert found.facts.ties >= 50
    assert str(found.verdict.class_) in {"inconclusive", "on-line"}, found.verdict.summary
