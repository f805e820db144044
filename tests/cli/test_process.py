"""What the command sets for its own process, and for no one else's."""

from __future__ import annotations

import sys

import pytest

from modelprov.cli.process import COLLECTED_AFTER
from tests.cli.conftest import MAIN, program

FAULTS = """
import resource
import numpy as np
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        held = [np.ones(1 << 20) for _ in range(3)]  # 8 MiB each, more together than glibc keeps by itself
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
usual = faults()
from modelprov.cli.process import keep_freed_memory
keep_freed_memory()
faults()
print(usual, faults())
"""

AT_EXIT = "import atexit, gc, sys\natexit.register(lambda: print(gc.get_freeze_count(), file=sys.stderr))\n"


def test_the_command_collects_seldom_and_not_at_the_end() -> None:
    _, err = program(AT_EXIT + MAIN, "--version").communicate(timeout=60)
    assert int(err) > COLLECTED_AFTER  # frozen: nothing is looked through once more


def test_what_triton_would_call_leaks_is_collected_at_the_end() -> None:
    loaded = 'sys.modules["triton"] = sys  # as importing torch has it\n'
    _, err = program(AT_EXIT + loaded + MAIN, "--version").communicate(timeout=60)
    assert int(err) == 0


def test_who_imports_modelprov_keeps_their_collector() -> None:
    code = "import gc; before = gc.get_threshold(); import modelprov.jobs.compare, modelprov.cli.main\n"
    out, err = program(code + "print(gc.get_threshold() == before, gc.isenabled())").communicate(timeout=60)
    assert (out.split(), err) == (["True", "True"], "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of the GNU C library")
def test_freed_arrays_give_their_memory_to_the_next() -> None:
    out, err = program(FAULTS).communicate(timeout=60)
    usual, kept = map(int, out.split())
    assert err == ""
    assert kept < usual / 10
