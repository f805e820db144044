"""A copy that was processed is no finetune, and a finetune no processed copy: the ninth opposing expert's cases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from benchmarks.cases.altered import padding_and_nan
from benchmarks.cases.decoders import Decoder, decoder_family
from benchmarks.cases.kinds import Case
from benchmarks.cases.opponent_ninth import (
    copy_of_a_lower_rank,
    copy_that_was_pruned_and_corrected,
    copy_under_other_values,
    copy_with_layers_mixed,
    copy_without_a_direction,
)
from benchmarks.cases.opponent_tenth import copy_with_directions_stretched
from modelprov.checkpoints.formats.dtypes import DType, Float64, rounding_cells, store
from modelprov.checkpoints.layouts.alignment import align
from modelprov.demo.writing import as_stored, fill_checkpoint
from modelprov.forensics.estimators.at_their_places import emptied
from modelprov.forensics.estimators.projection import is_projected, is_stretched
from modelprov.forensics.estimators.recoded import recoded_alone
from modelprov.forensics.sampling.sample import Sample, from_formats
from modelprov.forensics.search.next_layers import shares_of_next
from modelprov.forensics.thresholds import PROJECTED, SCALED_MOVED, SCALED_ROUNDED
from modelprov.jobs.compare import compare
from modelprov.jobs.fingerprint import fingerprint
from tests.generated import Rng, apply, cast, change, sparse
from tests.memory import checkpoint, judge

SIDE = 64


@pytest.mark.parametrize(
    ("made", "rule", "said"),
    [
        (
            copy_of_a_lower_rank,
            "projected",
            "is P1, with directions of some of them weakened, taken out or made stronger: in those that differ, of ",
        ),
        (copy_without_a_direction, "projected", "is P1, with directions of some of them weakened, taken out"),
        (copy_with_directions_stretched, "projected", "is P1, with directions"),
        (copy_with_layers_mixed, "layers-mixed", "S is near P1, and has its layers with their neighbours mixed in: "),
        (copy_that_was_pruned_and_corrected, "sparsified", "S is near P1, and has zeros where that has numbers: "),
        (copy_under_other_values, "recoded", "By its matrices, S holds P1's numbers under values of its own: "),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_processed_copy_is_told_so(made: Callable[[Rng], Case], rule: str, said: str, seed: int) -> None:
    found = judge(*made(np.random.default_rng(seed)).models[:2]).verdict
    assert (found.class_, found.rule) == ("inconclusive", rule)
    assert said in found.summary
    assert found.histories


def test_a_finetune_of_few_numbers_in_a_coarser_format_is_no_processed_copy() -> None:
    """Rounding keeps the order of all numbers, and moves more of them than such a training does."""
    rng = np.random.default_rng(3)
    base = decoder_family(rng, Decoder(layers=4), 1, DType.F32)[-1]
    moved = apply(base, sparse(change(base, rng, 1e-3), rng, 2e-3))
    found = judge(cast(moved, DType.BF16), base).verdict
    assert (found.class_, found.rule) == ("same-origin", "near-one-parent")


@pytest.mark.parametrize(("low_rank", "size"), [(0.0, 1e-3), (1.0, 1e-3), (0.5, 1e-4), (0.95, 3e-3)])
def test_a_finetune_is_no_processed_copy(low_rank: float, size: float) -> None:
    rng = np.random.default_rng(7)
    base = decoder_family(rng, Decoder(layers=4), 1)[-1]
    suspect = apply(base, change(base, rng, size, low_rank, 0.5))
    found = judge(suspect, base)
    assert found.verdict.class_ == "same-origin"
    assert found.beyond is not None
    assert (found.beyond.projected, found.beyond.layered) == ((), ())


def test_what_is_little_more_than_the_reference_is_no_projection_of_a_finetunes_change() -> None:
    rng = np.random.default_rng(13)
    parent, base = decoder_family(rng, Decoder(), 1, low=1e-3)
    found = judge(apply(base, change(base, rng, 3e-6, 0.0, 0.0)), parent, base)
    assert found.beyond is not None
    assert found.beyond.projected == ()


def test_a_fingerprint_shows_gains_that_were_taken_into_matrices(tmp_path: Path) -> None:
    rng = np.random.default_rng(14)
    parent = decoder_family(rng, Decoder(layers=4, hidden=128, heads=16, groups=16), 1, DType.BF16)[0]
    gains = (1 + 0.1 * rng.standard_normal(128)).astype(np.float32)
    reads = ("q_proj.weight", "k_proj.weight", "v_proj.weight", "gate_proj.weight", "up_proj.weight")
    suspect = {
        name: (store(values * gains, dtype) if name.endswith(reads) else values, dtype)
        for name, (values, dtype) in parent.items()
    }
    trained = apply(parent, change(parent, rng, 1e-3, 0.5, 0.0))
    for name, weights in (("S", suspect), ("T", trained), ("P", parent)):
        fill_checkpoint(tmp_path / name, as_stored(weights), {}, 1)
        fingerprint(tmp_path / name, tmp_path / f"{name}.mpf")
    for name, class_, rule in (("S", "inconclusive", "proportional"), ("T", "same-origin", "near-one-parent")):
        found = compare(tmp_path / f"{name}.mpf", tmp_path / "P.mpf", device="cpu", threads=1).verdict
        assert (found.class_, found.rule) == (class_, rule)


def _projected(
    suspect: Float64, parent: Float64, asked: Callable[[Float64, Float64, Float64], bool | None] = is_projected
) -> bool | None:
    """Of both as bf16 stores them."""
    own, theirs = (store(each.astype(np.float32), DType.BF16).astype(np.float64) for each in (suspect, parent))
    lower, upper = rounding_cells(own.ravel(), np.full(own.size, DType.BF16.code, np.uint8))
    return asked(own, theirs, (upper - lower).reshape(own.shape))


def test_what_is_taken_out_stands_at_right_angles_and_what_is_trained_there_does_not() -> None:
    rng = np.random.default_rng(8)
    parent = store(0.02 * rng.standard_normal((SIDE, 96)).astype(np.float32), DType.BF16).astype(np.float64)
    left, sizes, right = np.linalg.svd(parent, full_matrices=False)
    lower = (left[:, :50] * sizes[:50]) @ right[:50]
    assert _projected(lower, parent) is True
    assert _projected(lower + 1e-3 * rng.standard_normal(parent.shape), parent) is False
    smallest = 1e-2 * rng.standard_normal((SIDE, 14)) @ right[50:]  # as adapters that begin there (MiLoRA)
    assert _projected(parent + smallest, parent) is False
    assert _projected(np.sign(parent) * np.abs(parent).mean(), parent) is False
    assert _projected(parent, lower) is None
    assert _projected((left[:, :63] * sizes[:63]) @ right[:63], parent) in (None, True)
    assert _projected(parent * (1 + 1e-4 * rng.standard_normal(parent.shape)), parent) is None


def _by_definition(suspect: Float64, parent: Float64, widths: Float64) -> bool | None:
    """The same from all products, of which most trainings need one."""

    def others(squares: Float64) -> float:
        return float(squares[~np.eye(len(squares), dtype=bool)].sum())

    change, rounding = suspect - parent, np.square(widths) / 12
    noise = others(np.square(suspect) @ rounding.T) + others(rounding @ np.square(change).T)
    theirs = others(np.square(parent @ change.T))
    left = others(np.square(suspect @ change.T))
    return None if theirs <= SCALED_MOVED**2 * noise else left <= SCALED_ROUNDED**2 * noise + PROJECTED**2 * theirs


def test_bounds_of_products_answer_as_all_products_do() -> None:
    rng, answers = np.random.default_rng(21), set()
    for _ in range(300):
        parent = rng.standard_normal((16, 24))
        taken = np.linalg.qr(rng.standard_normal((24, int(rng.integers(1, 9)))))[0]
        suspect = parent - (parent @ taken) @ taken.T * rng.uniform(0.9, 1.05)
        suspect = suspect * rng.choice([1.0, 0.02]) + 10 ** rng.uniform(-4, 0) * rng.standard_normal(parent.shape)
        widths = np.full(parent.shape, 10 ** rng.uniform(-5, 0.5))
        found = is_projected(suspect, parent, widths)
        assert found is _by_definition(suspect, parent, widths)
        answers.add(found)
    assert answers == {True, False, None}


def test_a_stretched_matrix_keeps_its_directions_and_a_trained_one_does_not() -> None:
    rng = np.random.default_rng(15)
    parent = store(0.02 * rng.standard_normal((SIDE, 96)).astype(np.float32), DType.BF16).astype(np.float64)
    left, sizes, right = np.linalg.svd(parent, full_matrices=False)
    direction = right.T @ rng.standard_normal(len(right))
    direction /= np.linalg.norm(direction)
    weaker = parent - 0.4 * np.outer(parent @ direction, direction)
    for made in (weaker, (left * sizes**1.05) @ right, (left[:, :50] * sizes[:50]) @ right[:50]):
        assert _projected(made, parent, is_stretched) is True
    assert _projected(weaker + 1e-3 * rng.standard_normal(parent.shape), parent, is_stretched) is False
    of_one = 0.1 * np.outer(rng.standard_normal(SIDE), direction)  # an adapter of rank 1
    among_its_own = left[:, :8] @ rng.standard_normal((8, 8)) @ right[:8]  # begun at its largest directions (LoRA-XS)
    scaled_rows = parent * np.exp(0.1 * rng.standard_normal((SIDE, 1)))
    for made in (parent + of_one, parent + 0.1 * among_its_own, scaled_rows, np.sign(parent) * 0.016):
        assert _projected(made, parent, is_stretched) is False
    assert _projected(1.1 * parent, parent, is_stretched) is None
    assert _projected(parent, weaker, is_stretched) is True


def test_layers_beside_explain_nothing_of_a_training_and_all_of_a_mixture() -> None:
    rng = np.random.default_rng(9)
    mixed, parent = copy_with_layers_mixed(rng).models[:2]
    trained = apply(parent, change(parent, rng, 1e-3, 0.5, 0.5))
    for suspect, low, high in ((mixed, 0.9, 1.0), (trained, 0.0, 0.05)):
        found = shares_of_next(align([checkpoint("S", suspect), checkpoint("P1", parent)]), 0)
        told = [share for (share,) in found if share is not None]
        assert len(told) >= 4
        assert low <= min(told) <= np.median(told) <= high


def _sample(suspect: Float64, parent: Float64, dtype: DType = DType.BF16) -> Sample:
    """Four tensors."""
    rows = np.stack([store(each.astype(np.float32), dtype) for each in (suspect, parent)]).astype(np.float64)
    formats = np.full(rows.shape, dtype.code, np.uint8)
    return from_formats(rows, formats, np.repeat(np.arange(4, dtype=np.int32), parent.size // 4))


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
def test_a_value_for_each_is_one_and_a_change_for_each_is_none(dtype: DType) -> None:
    rng = np.random.default_rng(10)
    parent = store((0.02 * rng.standard_normal(16_000)).astype(np.float32), dtype).astype(np.float64)
    assert recoded_alone(_sample(np.tanh(9 * parent) / 8.8, parent, dtype), 0, 0) == 1
    for share in (0.002, 0.1, 1.0):
        moved = np.where(rng.random(parent.size) < share, 1e-3 * rng.standard_normal(parent.size), 0)
        assert recoded_alone(_sample(parent + moved, parent, dtype), 0, 0) == 0
    assert recoded_alone(_sample(parent + 1e-9 * rng.standard_normal(parent.size), parent, DType.F32), 0, 0) == 0
    assert recoded_alone(_sample(parent, parent, dtype), 0, 0) is None


def test_zeros_are_counted_where_numbers_were() -> None:
    rng = np.random.default_rng(11)
    parent = 0.02 * rng.standard_normal(16_000)
    trained = parent + 1e-3 * rng.standard_normal(parent.size)
    assert emptied(_sample(trained, parent), 0) is None
    assert emptied(_sample(np.where(np.arange(parent.size) % 5, trained, 0), parent), 0) == pytest.approx(0.2)
    in_one = np.where((np.arange(parent.size) % 5 == 0) & (np.arange(parent.size) < 4_000), 0, trained)
    assert emptied(_sample(in_one, parent), 0) is None
    padded = np.where(np.arange(parent.size) % 5, parent, 0)
    assert emptied(_sample(np.where(padded == 0, 0, trained), padded), 0) is None


def test_one_matrix_that_tells_by_chance_among_many_that_changed_is_no_projection() -> None:
    rng = np.random.default_rng([20261201, crc32(b"altered: padding and nan"), 59])  # of the labelled set
    found = judge(*padding_and_nan(rng).models).verdict
    assert (found.class_, found.rule) == ("same-origin", "near-one-parent")
