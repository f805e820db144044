from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.families import write_big_family
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import UsageError


@pytest.mark.parametrize("small", [False, True])
def test_a_big_family_aligns_completely_and_every_tensor_may_carry_a_verdict(tmp_path: Path, small: bool):
    family = write_big_family(tmp_path / "big", 4_000_000, 100, small_tensors=small, block_bytes=300_000)
    alignment = align([open_checkpoint(str(p)) for p in (family.suspect, family.parent, family.base)])
    assert len(alignment.tensors) == 100
    assert alignment.unaligned == ()
    assert all(tensor.decisive for tensor in alignment.tensors)


def test_too_few_bytes_and_a_taken_place_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="too few"):
        write_big_family(tmp_path / "big", 1000)
    assert list(tmp_path.iterdir()) == []
    write_big_family(tmp_path / "big", 1_000_000, 4, block_bytes=100_000)
    with pytest.raises(UsageError):
        write_big_family(tmp_path / "big", 1_000_000, 4, block_bytes=100_000)
