"""Norms are read with the sample: of a recipe in pieces each belongs to the piece that gives its bits."""

from __future__ import annotations

import numpy as np

from modelprov.demo.writing import Weights
from tests.generated import Size, apply, change, merge, model
from tests.memory import judge

MLP, ATTENTION, REST = (0.8, 0.2), (0.3, 0.7), (0.5, 0.5)


def family() -> tuple[Weights, Weights]:
    rng = np.random.default_rng(3)
    base = model(rng, Size(4, 64, 96, 160))
    first, second = (apply(base, change(base, rng, 2e-3)) for _ in range(2))
    return first, second


def by_filter(name: str) -> tuple[float, float]:
    """What mergekit's filters `mlp` and `self_attn` make, norms being neither."""
    return MLP if "mlp" in name else ATTENTION if "self_attn" in name else REST


def test_norms_have_the_weight_of_what_no_filter_names() -> None:
    parents = family()
    found = judge(merge(parents, by_filter), *parents)
    assert found.reproduction.bit_equal == 1
    (rest,) = (group for group in found.reproduction.groups if group.weights["P1"] == REST[0])
    assert "input_layernorm.weight" in rest.tensors
    assert "model.norm.weight" in rest.tensors


def test_norms_of_no_piece_are_left_and_the_words_allow_for_other_weights() -> None:
    parents = family()
    found = judge(merge(parents, lambda name: (0.1, 0.9) if "norm" in name else by_filter(name)), *parents)
    assert 0.99 < (found.reproduction.bit_equal or 0) < 1
    assert "or merged by other weights or in another way" in found.verdict.summary
