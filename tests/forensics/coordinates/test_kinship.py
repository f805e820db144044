"""The test for one model in other coordinates: every disguise is seen through, and no stranger is related."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import structure
from benchmarks.cases.coordinates import Arrays
from modelprov.checkpoints.layouts.decoder import decoder_of
from modelprov.forensics.search.coordinates.kinship import kinship
from modelprov.forensics.search.coordinates.pairing import agreements, assigned, chance, nearest
from tests.forensics.coordinates.family import (
    KEEPING_BITS,
    OF_EXPERTS,
    ROUNDED,
    SHAPE,
    STRUCTURE,
    decoder,
    family,
    kin_of,
    made,
    strangers,
)
from tests.memory import checkpoint


@pytest.mark.parametrize("name", KEEPING_BITS)
def test_an_order_is_no_disguise(name: str) -> None:
    found = kin_of(made(name, KEEPING_BITS, family().first), family().base)
    assert found.related
    assert [test.share for test in found.tests] == [1.0] * 4


@pytest.mark.parametrize("name", ROUNDED)
def test_a_rotation_or_noise_is_no_disguise(name: str) -> None:
    assert kin_of(made(name, ROUNDED, family().first), family().base).related


@pytest.mark.parametrize("name", STRUCTURE)
def test_another_structure_is_no_disguise(name: str) -> None:
    assert kin_of(made(name, STRUCTURE, family().first), family().base).related


@pytest.mark.parametrize("name", OF_EXPERTS)
def test_experts_in_another_order_are_no_disguise(name: str) -> None:
    assert kin_of(made(name, OF_EXPERTS, family(True).first), family(True).base).related


def test_the_layers_are_found_where_they_stand() -> None:
    found = kin_of(made("layers pruned", STRUCTURE, family().first), family().base)
    assert [(test.layer, test.parent_layer) for test in found.tests] == [(0, 0), (1, 2), (2, 3)]
    found = kin_of(made("upscaled and permuted", STRUCTURE, family().first), family().base)
    assert {test.layer: test.parent_layer for test in found.tests} == {0: 0, 2: 2, 3: 1, 5: 3}


@pytest.mark.parametrize("seed", range(3))
def test_models_of_one_config_are_strangers(seed: int) -> None:
    models = strangers(seed)
    others = strangers(seed + 100)
    for first, second in zip(models, others, strict=True):
        found = kin_of(first, second)
        assert not found.related
        assert max(test.share for test in found.tests) < 0.05


def test_embeddings_never_decide_alone() -> None:
    own, other = (structure.arrays_of(model) for model in (family().first, family().stranger))
    found = kin_of(structure.stored(structure.grafted(other, own), family().first), family().base)
    assert found.frame.cosine is not None
    assert found.frame.cosine > 0.99
    assert not found.related


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_siblings_whose_embeddings_learnt_the_same_data_are_strangers(share: float) -> None:
    own, other = (structure.arrays_of(model) for model in (family().first, family().stranger))
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        other[name] = share * own[name] + (1 - share) * other[name]
    assert not kin_of(structure.stored(other, family().first), family().base).related


def _not_finite(values: Arrays, name: str) -> None:
    values[name][:] = np.nan


def _all_alike(values: Arrays, name: str) -> None:
    values[name][:] = values[name][:1]


def _ups_are_gates(values: Arrays, name: str) -> None:
    values[name] = values[name.replace("up_proj", "gate_proj")].copy()


def _ups_began_as_gates(values: Arrays, name: str) -> None:
    values[name] = values[name] + 3 * values[name.replace("up_proj", "gate_proj")]


@pytest.mark.parametrize(
    ("how", "sides"),
    [(_not_finite, 1), (_all_alike, 1), (_all_alike, 2), (_ups_are_gates, 2), (_ups_began_as_gates, 2)],
)
def test_two_pairings_of_the_same_or_of_nothing_are_no_kinship(how: Callable[[Arrays, str], None], sides: int) -> None:
    """Where every row is as good as any, or one witness is asked twice, both assignments agree in strangers too."""
    models = []
    for number, weights in enumerate((family().base, family().stranger)):
        values = structure.arrays_of(weights)
        for name in [name for name in values if "up_proj" in name or "gate_proj" in name]:
            if number < sides and ("up_proj" in name or how in (_not_finite, _all_alike)):
                how(values, name)
        models.append(structure.stored(values, weights))
    found = kinship(*(decoder(label, model) for label, model in zip("SP", models[::-1], strict=True)), seed=0)
    assert found is None or not any(test.related for test in found.tests)


def test_units_that_stand_twice_count_once() -> None:
    """A model that was widened by doubling its units is related all the same."""
    values = structure.arrays_of(family().first)
    for name in [name for name in values if ".mlp." in name]:
        values[name] = np.concatenate([values[name]] * 2, axis=1 if "down_proj" in name else 0)
    found = kin_of(structure.stored(values, family().first), family().base)
    assert [test.share for test in found.tests] == [1.0] * 4


def test_half_of_the_layers_must_be_the_parents() -> None:
    own, other = (structure.arrays_of(model) for model in (family().first, family().stranger))
    mixed = structure.layers_taken(own, (0, -2, -3, -4), other)
    assert not kin_of(structure.stored(mixed, family().first), family().base).related
    mixed = structure.layers_taken(own, (0, 1, -3, -4), other)
    assert kin_of(structure.stored(mixed, family().first), family().base).related


def test_tokens_are_paired_by_their_strings(tmp_path: Path) -> None:
    order = np.random.default_rng(3).permutation(SHAPE.vocabulary)
    shuffled = structure.stored(
        structure.vocabulary_reordered(structure.arrays_of(family().first), order.tolist()), family().first
    )
    models = []
    for label, weights, rows in (("S", shuffled, order), ("P", family().base, np.arange(SHAPE.vocabulary))):
        folder = tmp_path / label
        folder.mkdir()
        vocabulary = {f"token {token}": row for row, token in enumerate(rows.tolist())}
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
        model = decoder_of(replace(checkpoint(label, weights), folder=folder))
        assert model is not None
        models.append(model)
    found = kinship(models[0], models[1], seed=0)
    assert found is not None
    assert found.tokens.by == "strings"
    assert (found.frame.kind, found.related) == ("same", True)


def test_a_stranger_with_the_same_tokenizer_is_a_stranger(tmp_path: Path) -> None:
    vocabulary = {f"token {token}": token for token in range(SHAPE.vocabulary)}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    first, second = (
        decoder_of(replace(checkpoint(label, weights), folder=tmp_path))
        for label, weights in (("S", family().stranger), ("P", family().base))
    )
    assert first is not None
    assert second is not None
    found = kinship(first, second, seed=0)
    assert found is not None
    assert not found.related


def test_chance_is_that_of_unrelated_assignments() -> None:
    rng = np.random.default_rng(5)
    seen = [
        agreements(*(assigned(rng.standard_normal((40, 80)).astype(np.float32)) for _ in range(2)))[0]
        for _ in range(400)
    ]
    assert np.mean(seen) == pytest.approx(40 / 80, abs=0.12)
    assert chance(0, 0.5) == 1.0
    assert chance(3, 0.5, 10) == pytest.approx(10 * 0.014387, rel=1e-3)


def test_nearest_rows_are_a_one_to_one_assignment_also_where_rows_are_alike() -> None:
    rng = np.random.default_rng(6)
    values = rng.standard_normal((50, 16)).astype(np.float32)
    values[7] = values[3]
    order = rng.permutation(50)
    places, _ = nearest([(values[order], values, True)])
    assert sorted(places.tolist()) == list(range(50))
    assert np.array_equal(values[places], values[order])


def test_matrices_that_do_not_belong_together_are_left_out_and_break_nothing() -> None:
    odd = dict(family().first)
    name = "model.layers.1.mlp.gate_proj.weight"
    values, dtype = odd[name]
    odd[name] = values[:100], dtype
    found = kin_of(odd, family().base)
    assert found.related
    assert 1 not in {test.layer for test in found.tests}


def test_what_is_no_decoder_is_not_tested() -> None:
    assert decoder_of(checkpoint("S", {"a.weight": family().first["model.norm.weight"]})) is None
