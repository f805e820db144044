"""Attention by singular values: no coordinates hide a parent's heads; strangers' are no nearer than a model's own."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases import coordinates, structure
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.forensics.search.coordinates.head_spectra import HeadsAlike, heads_alike
from tests.forensics.coordinates.family import KEEPING_BITS, ROUNDED, SHAPE, family, made, strangers
from tests.memory import checkpoint, run

HEADS = 64
"""Of both products, of four layers of eight heads."""


def alike(suspect: Weights, parent: Weights) -> HeadsAlike:
    return heads_alike([checkpoint("S", suspect), checkpoint("P", parent)])[0]


@pytest.mark.parametrize("name", ["all orders", "residual rotated", "scaled anyhow", "everything"])
def test_no_coordinates_hide_whose_heads_they_are(name: str) -> None:
    disguises = {**KEEPING_BITS, **ROUNDED}
    found = alike(made(name, disguises, family().first), family().base)
    assert found == HeadsAlike(HEADS, HEADS)
    assert found.related


def test_layers_are_found_wherever_they_stand() -> None:
    values = structure.layers_taken(structure.arrays_of(family().first), (3, 1, 0))
    assert alike(structure.stored(values, family().first), family().base).related


@pytest.mark.parametrize("seed", range(2))
def test_models_of_one_config_have_heads_of_their_own(seed: int) -> None:
    models = [checkpoint(str(number), weights) for number, weights in enumerate(strangers(seed))]
    others = [checkpoint(str(number), weights) for number, weights in enumerate(strangers(seed + 100))]
    for model in models[:2]:
        for found in heads_alike([model, *others]):
            assert found.alike < 0.1 * HEADS
            assert not found.related


def test_heads_of_a_design_tell_nothing() -> None:
    """Orthogonal rows have singular values of 1 in every model."""
    rng = np.random.default_rng(5)
    models = []
    for weights in (family().base, family().stranger):
        values = structure.arrays_of(weights)
        for name in [name for name in values if "self_attn" in name]:
            left, _, right = np.linalg.svd(rng.standard_normal(values[name].shape), full_matrices=False)
            values[name] = left @ right
        models.append({name: (held.astype(np.float32), DType.F32) for name, held in values.items()})
    assert not alike(models[0], models[1]).related


def test_a_parents_attention_among_anothers_units_and_embeddings_is_no_all_clear() -> None:
    """Nothing but the heads shows it: units, tokens and the sizes of rows are all another model's."""
    rng = np.random.default_rng(11)
    own, other = (structure.arrays_of(model) for model in (family().stranger, family().first))
    mixed = {name: (other if "self_attn" in name or "input_layernorm" in name else own)[name] for name in own}
    for step in (coordinates.scale_anyhow, coordinates.permute_heads, coordinates.rotate_residual):
        mixed = step(mixed, SHAPE, rng)
    suspect = structure.stored(mixed, family().first)
    found = run([suspect, family().base]).findings
    assert (found.verdict.class_, found.verdict.rule) == ("inconclusive", "coordinates-open")
    assert "64 of 64 heads of attention" in found.verdict.summary
