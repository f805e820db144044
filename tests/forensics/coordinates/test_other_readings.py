"""What a suspect's config and names say is its maker's word: norms and gates are read another way too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases.kinds import Case
from benchmarks.cases.opponent_tenth import (
    copy_with_a_few_exchanged,
    copy_with_gains_less_one,
    copy_with_names_exchanged,
    strangers_with_gains_less_one,
)
from modelprov.checkpoints.layouts.alignment_file import alignment_bytes, read_alignment
from modelprov.errors import InvalidCheckpointError
from modelprov.forensics.judging.coordinates import undone
from modelprov.forensics.search.coordinates.attention import attention_axes
from modelprov.forensics.search.coordinates.axes import paired_rows
from modelprov.forensics.search.coordinates.looking import look
from tests.generated import Rng
from tests.memory import checkpoint, judge


@pytest.mark.parametrize("made", [copy_with_gains_less_one, copy_with_names_exchanged])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_another_convention_is_no_disguise(made: Callable[[Rng], Case], seed: int) -> None:
    found = judge(*made(np.random.default_rng(seed)).models[:2]).verdict
    assert found.class_ in ("copy", "other-coordinates")
    assert found.parent == "P1"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_few_rows_in_each_others_places_are_no_disguise(seed: int) -> None:
    case = copy_with_a_few_exchanged(np.random.default_rng(seed))
    found = judge(*case.models).verdict
    assert (found.class_, found.parent) == ("copy", "P1")
    assert "in another basis" not in found.summary


def test_rows_that_tell_all_leave_nothing_to_a_basis_inside_heads() -> None:
    rng = np.random.default_rng(45)  # of which sums tell one part in 10^16 less than all
    drawn = {kind: np.float32(0.02) * rng.standard_normal((64, 64), np.float32) for kind in "qkvo"}
    sides = {kind: (rows, rows.copy()) for kind, rows in drawn.items()}
    for axis in attention_axes(sides, 8).values():
        assert axis.idle


def test_what_is_exchanged_among_rows_that_stay_is_found_and_what_is_doubtful_stays() -> None:
    rows = np.random.default_rng(5).standard_normal((200, 16)).astype(np.float32)
    order = np.arange(200)
    order[[3, 70]] = 70, 3
    assert np.array_equal(paired_rows([(rows[order], rows, True)]).theirs, order)
    one_lost = rows.copy()
    one_lost[3] = rows[70]
    assert np.array_equal(paired_rows([(one_lost, rows, True)]).theirs, np.arange(200))


def test_strangers_stay_strangers_however_they_are_read() -> None:
    assert judge(*strangers_with_gains_less_one(np.random.default_rng(0)).models).verdict.class_ == "unrelated"


def test_how_norms_were_read_is_said_and_kept_in_the_file(tmp_path: Path) -> None:
    suspect, parent = copy_with_gains_less_one(np.random.default_rng(3)).models[:2]
    found = look([checkpoint("S", suspect), checkpoint("P1", parent)], 0)
    assert found is not None
    assert found.realignment is not None
    assert found.realignment.one_plus == (True, False)
    assert "norms of the suspect read as multiplying by 1 + weight" in undone(found.realignment)
    file = tmp_path / "it.alignment"
    file.write_bytes(alignment_bytes(found.realignment, "S", "P1"))
    assert read_alignment(file).one_plus == (True, False)
    file.write_bytes(alignment_bytes(replace(found.realignment, one_plus=(1, 0)), "S", "P1"))  # type: ignore[arg-type]
    with pytest.raises(InvalidCheckpointError, match="one_plus"):
        read_alignment(file)
