"""Vocabularies of other lengths: the rows that all have are compared, aloud, and nothing follows from chance."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.vocabulary import common_rows
from modelprov.checkpoints.types import Component
from modelprov.demo.writing import Weights
from tests.generated import Size, apply, change, merge, model
from tests.memory import checkpoint, judge

SIZE = Size(layers=4, hidden=64, width=128, vocabulary=256)
VOCABULARY = ("model.embed_tokens.weight", "lm_head.weight")


def longer(weights: Weights, rng: np.random.Generator, more: int, *, zeros: bool) -> Weights:
    """The same model with rows for more tokens."""
    made = dict(weights)
    for name in VOCABULARY:
        values, dtype = weights[name]
        rows = rng.normal(0, 0 if zeros else values.std(), (more, values.shape[1])).astype(values.dtype)
        made[name] = np.concatenate([values, rows]), dtype
    return made


def family(seed: int) -> tuple[Weights, Weights, np.random.Generator]:
    rng = np.random.default_rng(seed)
    base = model(rng, SIZE, DType.BF16)
    return apply(base, change(base, rng, 3e-4)), base, rng


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("more", [1, 8, 16, 32])
def test_the_rows_that_all_have_are_compared_and_the_rest_is_named(which: int, more: int) -> None:
    tuned, base, rng = family(1)
    models = [tuned, base]
    models[which] = longer(models[which], rng, more, zeros=False)
    alignment = align([checkpoint("S", models[0]), checkpoint("P1", models[1])])
    for component in (Component.EMBEDDINGS, Component.HEAD):
        (tensor,) = (tensor for tensor in alignment.tensors if tensor.component is component)
        assert tensor.shape == (SIZE.vocabulary, SIZE.hidden)
        assert {view.count for view in tensor.views} == {SIZE.vocabulary * SIZE.hidden}
    left = [item for item in alignment.unaligned if item.name in VOCABULARY]
    assert [(item.checkpoint, item.count) for item in left] == [(which, more * SIZE.hidden)] * 2
    assert all("256" in item.reason for item in left)
    assert all("same tokens in the same order" in note for note in alignment.notes)
    assert len(alignment.notes) == 2


def test_only_a_few_rows_more_are_taken_for_the_same_vocabulary() -> None:
    assert common_rows([(32_000, 64), (32_008, 64), (32_064, 64)]) == 32_000
    assert common_rows([(50_257, 8), (50_304, 8)]) == 50_257
    for other in ((32_000, 64), (64_000, 64), (36_001, 64), (32_008, 65), (32_008,), (128_256, 64)):
        assert common_rows([(32_000, 64), other]) is None
    assert common_rows([]) is None


@pytest.mark.parametrize("more", [8, 32])
def test_no_other_matrix_is_cut(more: int) -> None:
    tuned, base, _ = family(2)
    name = next(name for name, (values, _) in base.items() if values.ndim == 2 and name not in VOCABULARY)
    values, dtype = base[name]
    other = base | {name: (np.concatenate([values, values[:more]]), dtype)}
    alignment = align([checkpoint("S", tuned), checkpoint("P1", other)])
    assert name not in {tensor.name for tensor in alignment.tensors}


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_unrelated_models_stay_unrelated_whatever_their_vocabularies_share(seed: int, zeros: bool) -> None:
    rng = np.random.default_rng(seed)
    suspect, one, other = (model(rng, SIZE, DType.BF16) for _ in range(3))
    lengths = rng.choice([0, 1, 8, 16, 32], 3)
    models = [
        longer(weights, rng, int(more), zeros=zeros) if more else weights
        for weights, more in zip((suspect, one, other), lengths, strict=True)
    ]
    for asked in (models, models[:2]):
        assert str(judge(*asked).verdict.class_) == "unrelated"


@pytest.mark.parametrize("more", [8, 32])
def test_equal_rows_of_padding_make_no_kin(more: int) -> None:
    """The padding of both is the same constant, and nothing else is."""
    rng = np.random.default_rng(9)
    models = []
    for extra in (more, more // 2):
        weights = model(rng, SIZE, DType.BF16)
        models.append(longer(weights, rng, extra, zeros=True))
    assert str(judge(*models).verdict.class_) == "unrelated"


def test_a_merge_of_an_extended_model_is_found_by_the_rows_that_all_have() -> None:
    tuned, base, rng = family(3)
    suspect = longer(merge([tuned, base], [0.6, 0.4]), rng, 8, zeros=False)
    found = judge(suspect, tuned, base)
    assert str(found.verdict.class_) == "merge"
    assert found.mixing.alpha == pytest.approx(0.6, abs=0.01)


def test_an_extended_finetune_is_a_finetune() -> None:
    tuned, base, rng = family(4)
    assert str(judge(longer(tuned, rng, 8, zeros=False), base).verdict.class_) == str(judge(tuned, base).verdict.class_)
