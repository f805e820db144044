"""A first look rules strangers out before a frame is found for them, and no disguise that the test sees through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cases import coordinates, structure
from benchmarks.cases.decoders import decoder_family
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.forensics.search.coordinates import first_look, kinship
from modelprov.forensics.search.coordinates.first_look import _scores, regressed, tokens_wanted
from modelprov.forensics.search.coordinates.frame import Frame
from modelprov.forensics.search.coordinates.pairing import units_apart
from tests.forensics.coordinates.family import (
    KEEPING_BITS,
    OF_EXPERTS,
    ROUNDED,
    SHAPE,
    STRUCTURE,
    family,
    kin_of,
    made,
)

DISGUISES = KEEPING_BITS | ROUNDED | STRUCTURE
WIDE = replace(SHAPE, layers=2, hidden=96, width=1024, vocabulary=512, heads=12, groups=4)


@pytest.fixture(autouse=True)
def of_every_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small models get a first look too."""
    monkeypatch.setattr(first_look, "WORTH", 0)
    monkeypatch.setattr(first_look, "TOKENS", 1)


@pytest.mark.parametrize("name", DISGUISES)
def test_no_disguise_is_ruled_out(name: str) -> None:
    found = kin_of(made(name, DISGUISES, family().first), family().base)
    assert (found.related, found.given_by) == (True, "embeddings")


@pytest.mark.parametrize("name", OF_EXPERTS)
def test_nor_is_one_of_experts(name: str) -> None:
    found = kin_of(made(name, OF_EXPERTS, family(True).first), family(True).base)
    assert (found.related, found.given_by) == (True, "embeddings")


def _wide(children: int = 1) -> list[Weights]:
    return decoder_family(np.random.default_rng(5), WIDE, children, dtype=DType.BF16)


def test_strangers_are_ruled_out_without_a_frame_of_all_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Frame:
        raise AssertionError("the test proper began")

    monkeypatch.setattr(kinship, "find_frame", refuse)
    stranger = decoder_family(np.random.default_rng(6), WIDE, 1, dtype=DType.BF16)[0]
    found = kin_of(stranger, _wide()[-1])
    assert not found.related
    assert [(test.layer, test.units) for test in found.tests] == [(0, 256), (1, 256)]
    with pytest.raises(AssertionError, match="began"):
        kin_of(_wide()[0], _wide()[-1])


@pytest.mark.parametrize("noise", [0.0, 1.0, 2.0])
def test_noise_of_twice_the_weights_is_not_ruled_out(noise: float) -> None:
    rng = np.random.default_rng(8)
    child, base = _wide()
    arrays = structure.noisy(structure.arrays_of(child), rng, noise)
    for step in (coordinates.permute_units, coordinates.rotate_residual):
        arrays = step(arrays, WIDE, rng)
    assert kin_of(structure.stored(arrays, child), base).related


def test_a_stranger_with_the_parents_embeddings_is_ruled_out() -> None:
    stranger = decoder_family(np.random.default_rng(6), WIDE, 1, dtype=DType.BF16)[0]
    own, other = structure.arrays_of(_wide()[-1]), structure.arrays_of(stranger)
    found = kin_of(structure.stored(structure.grafted(other, own), stranger), _wide()[-1])
    assert (found.related, found.tests[0].units) == (False, 256)
    assert (found.frame.cosine or 0) > 0.9


def test_units_that_stand_twice_at_the_parent_are_left_to_the_test_proper() -> None:
    child, base = _wide()
    values = structure.arrays_of(base)
    for name in [name for name in values if ".mlp." in name]:
        values[name] = np.concatenate([values[name]] * 2, axis=1 if "down_proj" in name else 0)
    assert kin_of(child, structure.stored(values, base)).related


def test_the_regression_gives_the_rotation_and_the_scores_those_of_units_apart() -> None:
    rng = np.random.default_rng(9)
    parent = rng.standard_normal((2000, 32)).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((32, 32)))[0].astype(np.float32)
    frame = regressed(parent, parent @ turn)
    assert frame.basis is not None
    assert frame.basis == pytest.approx(turn, abs=0.02)
    first, reads, others = (rng.standard_normal((count, 32)).astype(np.float32) for count in (7, 40, 40))
    others[3] = 2 * reads[3]
    apart = units_apart(reads, others)
    found = _scores(first, first[::-1], reads, others)
    assert found[0] == pytest.approx(first @ apart[0].T, abs=1e-5)
    assert found[1] == pytest.approx(first[::-1] @ apart[1].T, abs=1e-4)
    assert not found[1][:, 3].any()


def test_small_models_and_few_tokens_get_no_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert tokens_wanted(32_000, 1024, 1024) == 8192
    assert tokens_wanted(128_000, 4096, 2048) == 16_384
    assert tokens_wanted(32_000, 512, 512) is None
    assert tokens_wanted(8_000, 4096, 4096) is None
