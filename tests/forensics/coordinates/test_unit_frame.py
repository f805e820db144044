"""Where embeddings are another's, units of some layers give the frame and others tell whether it means anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.cases import coordinates, structure
from benchmarks.cases.coordinates import EMBEDDINGS, HEAD
from modelprov.checkpoints.formats.dtypes import Float32
from modelprov.demo.writing import Weights
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.search.coordinates.matrices import Matrices, transposed
from modelprov.forensics.search.coordinates.unit_frame import Known, _agreement, layers_alike, unit_frame
from modelprov.forensics.search.coordinates.unit_standing import Unit, _quadratic, gram_of, standing_of
from modelprov.forensics.thresholds import UNITS_TURNED
from tests.forensics.coordinates.family import KEEPING_BITS, MIXTURE, ROUNDED, SHAPE, decoder, family, kin_of, made
from tests.forensics.coordinates.test_compare import seen
from tests.forensics.coordinates.test_undoing import share_of_equal_bits, undone, views


def with_embeddings_of(other: Weights, suspect: Weights) -> Weights:
    return suspect | {name: other[name] for name in (EMBEDDINGS, HEAD)}


def noisy(share: float) -> Weights:
    rng = np.random.default_rng(11)
    arrays = structure.noisy(structure.arrays_of(family().first), rng, share)
    for step in (coordinates.scale_anyhow, coordinates.permute_units, coordinates.rotate_residual):
        arrays = step(arrays, SHAPE, rng)
    return with_embeddings_of(family().stranger, structure.stored(arrays, family().first))


@pytest.mark.parametrize(
    ("name", "how", "kind"), [("all orders", KEEPING_BITS, "permuted"), ("everything", ROUNDED, "rotated")]
)
def test_a_model_with_the_embeddings_of_another_is_found_by_its_units(name: str, how: dict, kind: str) -> None:  # type: ignore[type-arg]
    found = kin_of(with_embeddings_of(family().stranger, made(name, how, family().first)), family().base)
    assert (found.related, found.given_by, found.frame.kind) == (True, "units", kind)
    assert [test.share for test in found.tests] == [1.0, 1.0]
    assert abs(found.frame.cosine or 1) < 0.1


def test_experts_give_a_frame_all_together() -> None:
    rng = np.random.default_rng(12)
    own, parent = family(True).first, family(True).base
    arrays = structure.arrays_of(own)
    for step in (coordinates.reorder_experts, coordinates.permute_units, coordinates.rotate_residual):
        arrays = step(arrays, MIXTURE, rng)
    suspect = with_embeddings_of(family(True).stranger, structure.stored(arrays, own))
    assert kin_of(suspect, parent).related


def test_layers_that_give_the_frame_are_not_tested() -> None:
    found = kin_of(noisy(0.3), family().base)
    assert {test.layer for test in found.tests} == {1, 3}
    assert found.related


def test_no_all_clear_for_a_changed_model_with_other_embeddings() -> None:
    found = seen(noisy(0.3), family().first, family().base)
    assert found.findings.verdict.class_ is VerdictClass.OTHER_COORDINATES
    assert found.coordinates is not None
    assert found.coordinates.given_by == "units"


def test_noise_as_large_as_the_weights_leaves_what_units_are_to_attention() -> None:
    found = kin_of(noisy(1.0), family().base)
    assert (found.related, found.given_by) == (True, "units")
    assert [test.share for test in found.tests] == [1.0, 1.0]


@pytest.mark.parametrize("seed", range(4))
def test_units_of_strangers_give_no_frame(seed: int) -> None:
    own, theirs = (Matrices(decoder("M", family(seed=20 + seed).stranger)), Matrices(decoder("P", family().base)))
    assert unit_frame(own, theirs, [(0, 0), (2, 2)]) is None


def test_what_is_known_of_the_suspects_units_serves_for_other_layers_of_the_parent_with_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrays = structure.layers_taken(structure.arrays_of(noisy(0.0)), (2, 3, 1, 0))
    suspect = structure.stored(arrays, family().first)
    own, theirs = (Matrices(decoder("M", model)) for model in (suspect, family().base))
    known: Known = {}
    unit_frame(own, theirs, [(0, 1), (2, 3)], known)
    asked: list[int] = []

    def counted(units: Unit, grams: Sequence[Float32]) -> Float32:
        asked.append(len(units))
        return standing_of(units, grams)

    monkeypatch.setattr("modelprov.forensics.search.coordinates.unit_frame.standing_of", counted)
    again = unit_frame(own, theirs, [(0, 2), (2, 1)], known)
    spared = len(asked)
    anew = unit_frame(own, theirs, [(0, 2), (2, 1)])
    assert again is not None
    assert anew is not None
    assert again.basis is not None
    assert np.array_equal(again.basis, anew.basis)  # type: ignore[arg-type]
    assert len(asked) - spared > spared


@pytest.mark.parametrize("shape", [(1, 3), (700, 300), (512, 256), (30, 600)])
def test_half_of_a_symmetric_form_gives_the_same(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(14)
    rows = rng.standard_normal(shape).astype(np.float32)
    gram = gram_of(rng.standard_normal((40, shape[1])).astype(np.float32))
    exact = np.einsum("ij,jk,ik->i", rows.astype(np.float64), gram.astype(np.float64), rows.astype(np.float64))
    assert np.allclose(_quadratic(rows, gram), exact, rtol=1e-4, atol=1e-5)


def test_where_norms_weigh_a_few_dimensions_most_strangers_agree_no_more_than_by_chance() -> None:
    """Their units all lie along those dimensions: far from vectors of anywhere, and not from one another's."""
    rng = np.random.default_rng(13)
    gains = np.where(np.arange(64) < 4, 10, 1)
    sides = [(rng.standard_normal((2, 500, 64)) * gains).astype(np.float32) for _ in range(2)]
    alike = [float(np.abs((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).mean())
             for a, b in sides]  # fmt: skip
    assert min(alike) > 3 * np.sqrt(2 / np.pi / 64)
    assert abs(_agreement([(a, b) for a, b in sides])) < UNITS_TURNED
    assert _agreement([(a, a + b) for a, b in sides]) > 10 * UNITS_TURNED


def test_a_copy_the_other_way_round_is_the_transpose() -> None:
    values = np.arange(300 * 130, dtype=np.float32).reshape(300, 130)
    assert np.array_equal(transposed(values), values.T)
    assert transposed(values).flags.c_contiguous


def test_where_fewer_than_two_layers_are_common_nothing_gives_a_frame() -> None:
    arrays = structure.layers_taken(structure.arrays_of(noisy(0.0)), (0,))
    assert kin_of(structure.stored(arrays, family().first), family().base).given_by == "embeddings"


def test_layers_that_stand_elsewhere_give_a_frame_too() -> None:
    arrays = structure.layers_taken(structure.arrays_of(noisy(0.0)), (2, 3, 1, 0))
    found = kin_of(structure.stored(arrays, family().first), family().base)
    assert (found.related, found.given_by) == (True, "units")
    assert {test.layer: test.parent_layer for test in found.tests} == {1: 3, 3: 0}


def test_units_without_gates_give_a_frame_too() -> None:
    suspect, parent = (
        {name: held for name, held in model.items() if "gate_proj" not in name} for model in (noisy(0.0), family().base)
    )
    found = kin_of(suspect, parent)
    assert (found.related, found.given_by) == (True, "units")


def test_layers_are_not_looked_for_in_models_too_large_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    own, theirs = (Matrices(decoder("M", model)) for model in (family().first, family().base))
    assert layers_alike(own, theirs, [1]) == [(1, 1)]
    monkeypatch.setattr("modelprov.forensics.search.coordinates.unit_frame.SEARCHED", 1000)
    assert layers_alike(own, theirs, [1]) == []


def renumbered(*steps: coordinates.Step) -> Weights:
    rng = np.random.default_rng(13)
    order = rng.permutation(SHAPE.vocabulary).tolist()
    arrays = structure.vocabulary_reordered(structure.arrays_of(family().first), order)
    for step in steps:
        arrays = step(arrays, SHAPE, rng)
    return structure.stored(arrays, family().first)


@pytest.mark.parametrize("steps", [(), (coordinates.permute_residual_with_signs,)])
def test_tokens_under_other_numbers_are_paired_by_their_vectors(steps: tuple[coordinates.Step, ...]) -> None:
    suspect = renumbered(*steps)
    found = undone(suspect, family().base)
    assert found.tokens.by == "content"
    own, theirs = views(suspect, family().first, found)
    assert own.tensors["lm_head.weight"].shape == (SHAPE.vocabulary, SHAPE.hidden)
    assert share_of_equal_bits(own, theirs) == 1.0


def test_rows_of_another_models_embeddings_stay_by_their_numbers() -> None:
    assert undone(noisy(0.0), family().base).tokens.by == "numbers"
