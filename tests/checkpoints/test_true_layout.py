"""Three checkpoints of the true 397B layout, opened and aligned; memory is measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Component
from tests.factories import layout_397b, per_expert, write_sparse

MEASURE = """
import re, sys
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.plan import plan_pass
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
before = peak()
plan = plan_pass(align([open_checkpoint(folder) for folder in sys.argv[1:]]))
assert plan.bytes > 2_300_000_000_000
print(peak() - before)
"""


def derivatives(root: Path) -> list[str]:
    """The published layout; one per expert without MTP and vision; one with the plain prefix in 97 shards."""
    layout = layout_397b()
    text = [tensor for tensor in per_expert(layout) if not tensor[0].startswith(("mtp.", "model.visual."))]
    plain = [(name.replace("model.language_model.", "model."), shape, dtype) for name, shape, dtype in layout]
    write_sparse(root / "published", layout, 94)
    write_sparse(root / "separate", text, 94)
    write_sparse(root / "plain", plain, 97)
    return [str(root / name) for name in ("published", "separate", "plain")]


def test_three_true_size_checkpoints_align_and_the_rest_is_explained(tmp_path: Path) -> None:
    alignment = align([open_checkpoint(folder) for folder in derivatives(tmp_path)])
    experts = [tensor for tensor in alignment.tensors if tensor.component is Component.EXPERTS]
    assert len(experts) == 60 * 512 * 3
    assert {tensor.shape for tensor in experts} == {(1024, 4096), (4096, 1024)}
    assert {(tensor.layer, tensor.expert) for tensor in experts} == {(i, e) for i in range(60) for e in range(512)}
    assert not any(tensor.guessed for tensor in alignment.tensors)
    assert {(item.checkpoint, item.reason) for item in alignment.unaligned} == {
        (0, "missing in separate"),
        (2, "missing in separate"),
    }
    assert all(item.name.startswith(("mtp.", "visual.")) for item in alignment.unaligned)
    assert alignment.share(1) == 1.0
    for number, checkpoint in enumerate(alignment.checkpoints):
        left = sum(item.count for item in alignment.unaligned if item.checkpoint == number)
        assert sum(tensor.views[number].count for tensor in alignment.tensors) + left == checkpoint.parameters
    # Every view lies inside its tensor, so nothing can be read from beside it.
    for tensor in alignment.tensors:
        for view in tensor.views:
            assert view.ref.start <= view.start
            assert view.start + view.count * view.ref.dtype.size <= view.ref.stop


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from /proc")
def test_opening_aligning_and_planning_them_takes_less_than_half_a_gigabyte(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MEASURE, *derivatives(tmp_path)]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert 0 < grown < 500_000_000
