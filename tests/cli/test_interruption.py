"""Ctrl-C: the run stops at once, with words, status 130, and nothing half-written."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import MAIN, program

SLOW_KERNEL = """
import time
from modelprov.forensics.sums.kernels import choose
from tests.kernels import processor_with
def slow(real, *arguments):
    print("reading", flush=True)
    time.sleep(0.3)
    return real(*arguments)
choose.processor = processor_with(slow)
"""

SLOW_SCOUT = """
import modelprov.forensics.passes as rooms
def slow(*arguments, **settings):
    print("reading", flush=True)
    while True:
        sum(range(1000))
rooms.fit_sample = slow
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")


@pytest.mark.parametrize("where", [SLOW_KERNEL, SLOW_SCOUT], ids=["while reading", "while scouting"])
def test_ctrl_c_stops_the_run_and_leaves_nothing(models: Path, tmp_path: Path, where: str) -> None:
    (tmp_path / "old.json").write_text("the old report")
    running = program(
        where + MAIN,
        "compare", models / "rio", models / "nex", models / "qwen", "--device", "cpu",
        "--memory", "1", "--threads", "2",
        "--json", tmp_path / "old.json", "--html", tmp_path / "new.html", TMPDIR=str(tmp_path),
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "reading\n"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.startswith("error: stopped by the user\n")
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "the old report"


def test_ctrl_c_while_a_report_is_written_leaves_the_old_one(models: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("the old report")
    slow_disk = """
import os, time
def slow(_):
    print("writing", flush=True)
    time.sleep(30)
os.fsync = slow
"""
    running = program(
        slow_disk + MAIN, "compare", models / "nex", models / "qwen", "--device", "cpu", "--json", tmp_path / "r.json"
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "writing\n"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    assert running.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
    assert (tmp_path / "r.json").read_text() == "the old report"


SLOW_BLOCKS = """
import time
from modelprov.merge.computing import Computer
from modelprov.recipes.methods import steps
from modelprov.merge import source
steps.BLOCK, source.AT_ONCE = 1000, 1 << 40
real = Computer._values
def slow(self, tensor, first, *rest, **settings):
    if first == 3000:
        print("looking", flush=True)
    time.sleep(0.1)
    return real(self, tensor, first, *rest, **settings)
Computer._values = slow
"""


def test_ctrl_c_while_a_merge_looks_at_a_large_tensor_stops_it_and_leaves_no_output(
    models: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yml"
    recipe.write_text(
        f"merge_method: ties\nbase_model: {models / 'qwen'}\nmodels:\n- model: {models / 'nex'}\n"
        "  parameters: {weight: 1.0, density: 0.5}\ndtype: bfloat16\n"
    )
    running = program(SLOW_BLOCKS + MAIN, "merge", recipe, tmp_path / "out", "--threads", "2")
    assert running.stdout is not None
    assert running.stdout.readline() == "looking\n"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.startswith("error: stopped by the user\n")
    assert "Run the same command again" in err
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / ".out.merging").iterdir()] == ["journal.json"]


VANISHING = """
import os, sys
from modelprov.forensics.sums.kernels import choose
from tests.kernels import processor_with
def cut(real, *arguments):
    os.truncate(os.environ["VICTIM"], 0)
    return real(*arguments)
choose.processor = processor_with(cut)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="no SIGBUS here")
def test_pages_that_vanish_under_the_arithmetic_end_the_run_loudly_and_without_a_report(
    models: Path, tmp_path: Path
) -> None:
    """The one moment that no check can cover: the file shrinks after the block was loaded and before it is used."""
    victim = tmp_path / "model.safetensors"
    victim.write_bytes(sorted((models / "nex").glob("*.safetensors"))[0].read_bytes())
    running = program(
        VANISHING + MAIN, "compare", victim, models / "qwen", "--device", "cpu", "--reading", "map", "--threads", "1",
        "--json", tmp_path / "r.json", VICTIM=str(victim),
    )  # fmt: skip
    _, err = running.communicate(timeout=60)
    assert running.returncode == -signal.SIGBUS
    assert "Bus error" in err
    assert not (tmp_path / "r.json").exists()
