"""Matrices held against those of the same sides wherever they stand: what is found, and that strangers share none."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases.decoders import Decoder, decoder_family
from benchmarks.cases.opponent_fifth import (
    mlps_of_a_parent_under_other_layers_in_disguise,
    part_of_a_parent_under_other_layers,
)
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.demo.writing import Weights
from modelprov.forensics.compare import Options
from modelprov.forensics.search import matrices_alike
from modelprov.forensics.search.matrices_alike import Displaced, displaced
from modelprov.forensics.search.sizes import OwnSizes
from modelprov.forensics.search.sizes_by_layer import by_layer
from tests.generated import Size, model
from tests.memory import checkpoint, judge, run

SIZE = Size(3, 48, 96, 100)
QUERIES, KEYS = "model.layers.0.self_attn.q_proj.weight", "model.layers.2.self_attn.k_proj.weight"


def found(suspect: Weights, parent: Weights) -> Displaced:
    return displaced([align((checkpoint("S", suspect),)), align((checkpoint("P", parent),))], 0)[0]


def test_a_matrix_is_found_wherever_it_stands_with_noise_of_half_its_size() -> None:
    rng = np.random.default_rng(1)
    suspect, parent = model(rng, SIZE), model(rng, SIZE)
    values, dtype = parent[KEYS]
    noise = 0.5 * values.std() * rng.standard_normal(values.shape)
    seen = found(suspect | {QUERIES: (values + noise.astype(np.float32), dtype)}, parent)
    assert (seen.count, seen.own, seen.theirs) == (1, QUERIES, KEYS)
    assert 0.6 < seen.correlation < 1 / np.sqrt(1.25)  # that of the numbers is 0.89, that of their signs 0.70


def test_strangers_have_none_whatever_giants_they_share() -> None:
    rng = np.random.default_rng(2)
    suspect, parent = model(rng, SIZE), model(rng, SIZE)
    giant = {QUERIES: suspect[QUERIES], KEYS: parent[KEYS]}
    for name, (values, dtype) in giant.items():
        changed = values.copy()
        changed[:, 5] += 1e6
        giant[name] = changed, dtype
    seen = found(suspect | {QUERIES: giant[QUERIES]}, parent | {KEYS: giant[KEYS]})
    assert seen == Displaced(looked=20)


def test_what_does_not_vary_is_like_nothing() -> None:
    rng = np.random.default_rng(3)
    flat = np.zeros((48, 48), np.float32), DType.BF16
    first, second = (model(rng, SIZE) | {QUERIES: flat, KEYS: flat} for _ in range(2))
    assert found(first, second).count == 0


def test_of_many_matrices_the_same_number_is_looked_at_in_both(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    suspect = model(rng, SIZE)
    monkeypatch.setattr(matrices_alike, "NEAR", 5)
    seen = found(suspect, suspect)
    assert (seen.count, seen.looked) == (5, 5)


def test_two_whole_models_are_held_against_each_other_layer_by_layer_too() -> None:
    shape, rng = Decoder(4, experts=2), np.random.default_rng(5)
    first, other = (decoder_family(rng, shape, 1)[0] for _ in range(2))
    moved: Weights = dict(other)
    for name, (values, dtype) in first.items():
        if ".experts." in name:  # in another layer, units in another order
            number = int(name.split(".")[2])
            turned = values[:, ::-1] if "down" in name else values[::-1]
            moved[name.replace(f".{number}.", f".{3 - number}.", 1)] = np.ascontiguousarray(turned), dtype
    opened = {
        label: OwnSizes(checkpoint(label, weights)) for label, weights in (("S", moved), ("P", first), ("O", other))
    }
    assert by_layer(opened["S"], [opened["P"]])[0].matching
    assert not by_layer(opened["P"], [opened["O"]])[0].matching
    assert by_layer(opened["P"], [opened["O"]])[0].covered


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (part_of_a_parent_under_other_layers, "matrices-elsewhere"),
        (mlps_of_a_parent_under_other_layers_in_disguise, "coordinates-open"),
    ],
)
def test_a_part_of_a_parent_under_other_layers_is_no_strangers(make, rule: str) -> None:  # type: ignore[no-untyped-def]
    verdict = judge(*make(np.random.default_rng(6)).models).verdict
    assert (verdict.class_, verdict.rule) == ("inconclusive", rule)
    if rule == "matrices-elsewhere":
        assert verdict.summary.startswith("S has matrices that are perhaps P1's, or a relative's: place by place what ")
        assert verdict.summary.endswith("That is no finding and no all-clear.")


def test_a_matrix_that_a_sample_passed_by_is_not_said_to_stand_elsewhere() -> None:
    shape, rng = Decoder(6, width=64, experts=8, vocabulary=2_000), np.random.default_rng(7)
    parent, other = (decoder_family(rng, shape, 1, DType.BF16)[0] for _ in range(2))
    kept = {name: held for name, held in parent.items() if ".layers.2.mlp.experts.3.gate" in name}
    options = Options(threads=1, device="cpu", sample=True, sample_elements=1 << 14)
    found = run((other | kept, parent), options=options).findings
    assert found.facts.kin_tensors == 0
    assert found.verdict.rule == "matrices-elsewhere"
    assert "elsewhere" not in found.verdict.summary
    assert "at other places" not in found.verdict.summary
