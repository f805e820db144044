"""What mixes the multiples of one matrix is no merge, whatever was trained beside; what holds zeros is no finetune."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases.opponent_eighth import (
    copy_that_was_pruned,
    decay_beside_trained_embeddings,
    stages_of_a_ternary_training,
)
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import as_stored, fill_checkpoint
from modelprov.forensics.estimators.at_their_places import pruned
from modelprov.forensics.estimators.recoded import is_recoded, recoded
from modelprov.forensics.judging.beyond import ZEROS
from modelprov.forensics.sampling.sample import Sample, from_formats
from modelprov.jobs.compare import compare
from tests.forensics.rules.facts import EXACT, REPRODUCED, SIBLING, outcome
from tests.generated import Size, apply, cast, change, model, sparse
from tests.generated import pruned as zeroed
from tests.memory import judge


@pytest.mark.parametrize(
    ("made", "seed"),
    [(decay_beside_trained_embeddings, 1), (decay_beside_trained_embeddings, 15), (stages_of_a_ternary_training, 1)],
)
def test_multiples_beside_something_trained_are_no_merge(made, seed: int) -> None:  # type: ignore[no-untyped-def]
    found = judge(*made(np.random.default_rng(seed)).models).verdict
    assert (found.class_, found.rule) == ("inconclusive", "recoded")


def test_whatever_looks_exact_gives_way_to_multiples_and_what_does_not_stays() -> None:
    assert outcome(REPRODUCED, recoded=0.9) == ("inconclusive", "recoded")
    assert outcome(EXACT, recoded=0.9) == ("inconclusive", "recoded")
    assert outcome(REPRODUCED) == ("merge", "reproduced")
    assert outcome(SIBLING, recoded=0.9) == ("same-origin", "near-one-parent")


def _sample(mixed: int) -> Sample:
    """Ten tensors of 1,000 bf16 numbers at three sizes of one model, but for `mixed`, which mix two of their own."""
    rng = np.random.default_rng(3)
    base, other = rng.standard_normal((2, 10, 1_000))
    parent, suspect = 0.9 * base, 0.95 * base
    parent[:mixed], suspect[:mixed] = other[:mixed], 0.5 * (other + base)[:mixed]
    rows = np.stack([store(each.ravel().astype(np.float32), DType.BF16) for each in (suspect, parent, base)])
    codes = np.full(rows.shape, DType.BF16.code, np.uint8)
    return from_formats(rows.astype(np.float64), codes, np.repeat(np.arange(10, dtype=np.int32), 1_000))


@pytest.mark.parametrize("mixed", [0, 2, 4])
def test_the_share_of_multiples_is_counted(mixed: int) -> None:
    assert recoded(_sample(mixed), 0) == pytest.approx(1 - mixed / 10, abs=0.01)


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
def test_a_hundredth_that_differs_from_a_copy_is_no_multiple(dtype: DType) -> None:
    rng = np.random.default_rng(5)
    base, other = rng.standard_normal((2, 16_384)).astype(np.float32)
    last = np.arange(base.size) >= base.size - 128
    rows = np.stack([np.where(last, other, base), np.where(last, 0.5 * other, base), base]).astype(np.float32)
    codes = np.full(rows.shape, dtype.code, np.uint8)
    sample = from_formats(store(rows, dtype).astype(np.float64), codes, np.zeros(base.size, np.int32))
    assert not is_recoded(sample)


def _of_codes(codebooks: np.ndarray, turned: float) -> Sample:
    """One tensor of 2,000 codes in three codebooks of their own, of which the suspect drew a share anew."""
    rng = np.random.default_rng(4)
    codes = rng.integers(0, codebooks.shape[1], 2_000)
    own = np.where(rng.random(codes.size) < turned, rng.integers(0, codebooks.shape[1], codes.size), codes)
    rows = store(np.stack([codebooks[0][own], *codebooks[1:, codes]]).astype(np.float32), DType.BF16)
    formats = np.full(rows.shape, DType.BF16.code, np.uint8)
    return from_formats(rows.astype(np.float64), formats, np.zeros(codes.size, np.int32))


def test_a_codebook_that_moved_is_recoded_and_codes_that_turned_are_more() -> None:
    codebooks = np.random.default_rng(5).standard_normal((3, 16))
    assert is_recoded(_of_codes(codebooks, 0.0))
    assert is_recoded(_of_codes(codebooks, 0.002))
    assert not is_recoded(_of_codes(codebooks, 0.1))


@pytest.mark.parametrize("share", [0.003, 0.03])
def test_a_mixture_of_parents_that_hardly_differ_is_not_recoded(share: float) -> None:
    rng = np.random.default_rng(6)
    base = store(rng.standard_normal(20_000).astype(np.float32), DType.BF16)
    parent = np.where(rng.random(base.size) < share, store(base * np.float32(1.01), DType.BF16), base)
    rows = np.stack([store(0.1 * parent + 0.9 * base, DType.BF16), parent, base]).astype(np.float64)
    formats = np.full(rows.shape, DType.BF16.code, np.uint8)
    assert not is_recoded(from_formats(rows, formats, np.zeros(base.size, np.int32)))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_copy_with_zeros_is_told_so(seed: int) -> None:
    suspect, parent = copy_that_was_pruned(np.random.default_rng(seed)).models[:2]
    found = judge(suspect, parent).verdict
    assert (found.class_, found.rule) == ("inconclusive", "pruned")
    assert found.summary.startswith("By its matrices, S is P1, with numbers set to zero (pruned): ")


def test_the_zeros_of_a_copy_are_no_unknown_thing_beyond_its_parent(tmp_path: Path) -> None:
    models = copy_that_was_pruned(np.random.default_rng(2)).models
    for label, weights in zip(("S", "P1"), models, strict=True):
        fill_checkpoint(tmp_path / label, as_stored(weights), {}, 1)
    report = compare(tmp_path / "S", tmp_path / "P1", device="cpu")
    assert report.verdict.rule == "pruned"
    assert report.beyond is not None
    assert report.beyond.words == ZEROS


def test_zeros_name_the_parent_however_little_tells_the_parents_apart() -> None:
    """The parents differ by the last bit of a few numbers, so that no weight of either is known."""
    rng = np.random.default_rng(3)
    parent = cast(model(rng, Size(hidden=64, width=64)), DType.BF16)
    base = cast(apply(parent, sparse(change(parent, rng, 5e-5), rng, 0.02)), DType.BF16)
    for models, near in (((parent, base), 1), ((base, parent), 2)):
        found = judge(zeroed(parent, 0.3), *models).verdict
        assert (found.class_, found.rule) == ("inconclusive", "pruned")
        assert found.summary.startswith(f"By its matrices, S is P{near}, with numbers set to zero")


def test_zeros_beside_training_are_no_pruned_copy() -> None:
    sample = _sample(0)
    parent = sample.parents[0]
    zeros = np.where(np.arange(parent.size) % 5, parent, 0.0)
    rows = np.stack([zeros, parent])
    codes = np.full(rows.shape, DType.BF16.code, np.uint8)
    assert pruned(from_formats(rows, codes, sample.group), 0) == pytest.approx(0.2)
    rows[0, 1:200:5] *= 2
    assert pruned(from_formats(rows, codes, sample.group), 0) is None
    assert outcome(SIBLING, pruned=(1, 0.2)) == ("inconclusive", "pruned")
