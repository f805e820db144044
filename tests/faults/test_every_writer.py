"""A fault of the system at any call of a job that writes: what lies there afterwards is whole, or is not there.

And the job says why in words, leaves what it found, and when it is run again, makes what it would have made. Here at
few calls of each kind; `make faults` takes every one (MODELPROV_FAULTS=every; of more than 200, a hundred from the
first to the last), and the tests of faults elsewhere.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.faults import injecting as faults
from tests.faults.injecting import FINE, SAID, Fault, in_a_fork
from tests.faults.jobs import JOBS

EVERY = os.environ.get("MODELPROV_FAULTS") == "every"
MOST, SPREAD = 200, 100
"""So many calls of a kind are all met; of more, which are thirds of thirds of reads, so many."""
pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or not hasattr(os, "preadv"), reason="forks, and reads by preadv"
)


TRIED = JOBS if EVERY else ("merge", "fingerprint", "library")
"""`compare` and its parts take seconds each, and write as fingerprints are written."""
FAULTS: dict[str, Fault] = {
    "no space when written": faults.failing("pwrite", faults.NO_SPACE),
    "no space when synced": faults.failing("fsync", faults.NO_SPACE),
    "a disk that cannot be synced": faults.failing("fsync", faults.BROKEN_DISK),
    "a disk that cannot be read": faults.failing("preadv", faults.BROKEN_DISK),
    "a file that cannot be renamed": faults.failing("rename", faults.BROKEN_DISK),
    "a file that cannot be put in place": faults.failing("replace", faults.NO_SPACE),
    "killed when syncing": faults.killing("fsync"),
    "killed when renaming": faults.killing("rename"),
    "killed when putting in place": faults.killing("replace"),
    "killed when reading": faults.killing("preadv"),
    "short and slow reads": faults.short_and_slow,
    "clocks that jump": faults.clock_jumps,
}


@pytest.fixture(scope="module")
def expected(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], object]:
    """What a job makes without a fault."""
    found: dict[str, object] = {}

    def of(name: str) -> object:
        if name not in found:
            out = tmp_path_factory.mktemp(name)
            end = in_a_fork(partial(JOBS[name].run, models, out))
            assert end.code == FINE, end.told
            found[name] = JOBS[name].made(out)
            assert found[name] is not None
        return found[name]

    return of


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", TRIED)
def test_a_fault_at_any_call_leaves_whole_files_or_none_and_the_next_run_goes_on(
    name: str, fault: str, models: Path, expected: Callable[[str], object], tmp_path: Path,
    record_testsuite_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    (tmp_path / "counted").mkdir()
    calls = in_a_fork(partial(JOBS[name].run, models, tmp_path / "counted"), FAULTS[fault], at=0).calls
    record_testsuite_property(f"{name}, {fault}: calls made, and met", f"{calls}, {len(met(calls))}")
    for at in met(calls):
        out = tmp_path / str(at)
        out.mkdir()
        end = in_a_fork(partial(JOBS[name].run, models, out), FAULTS[fault], at)
        assert end.code in (FINE, SAID, -signal.SIGKILL), end.told
        made = JOBS[name].made(out)
        if end.code == FINE or (made is not None and name != "library"):  # which may hold the first of two
            assert made == expected(name)
        if fault != "short and slow reads" or at == 1:  # which leave nothing behind, a hundred times
            _run_again(name, models, out, expected(name))


@pytest.mark.parametrize("size", range(0, 60_000, 3_000) if EVERY else (0, 3_000))
@pytest.mark.parametrize("name", TRIED)
def test_files_that_may_not_grow_leave_whole_files_or_none(
    name: str, size: int, models: Path, expected: Callable[[str], object], tmp_path: Path
) -> None:
    end = in_a_fork(partial(JOBS[name].run, models, tmp_path), faults.full_disk(size))
    assert end.code in (FINE, SAID), end.told
    made = JOBS[name].made(tmp_path)
    assert made is None or name == "library" or made == expected(name)
    _run_again(name, models, tmp_path, expected(name))


@pytest.mark.parametrize("name", TRIED)
def test_two_runs_in_one_place_end_in_one_whole_result(
    name: str, models: Path, expected: Callable[[str], object], tmp_path: Path
) -> None:
    runs = [faults.begun(partial(JOBS[name].run, models, tmp_path)) for _ in range(2)]
    ends = [faults.ended(run) for run in runs]
    assert {end.code for end in ends} <= {FINE, SAID}, [end.told for end in ends]
    assert FINE in {end.code for end in ends}, [end.told for end in ends]
    assert JOBS[name].made(tmp_path) == expected(name)
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part") or ".merging" in path.name]


def met(calls: int) -> list[int]:
    """Which of so many calls of a kind the fault meets; the one after the last too, which must do no harm."""
    if not EVERY:
        return [1, 4]
    if calls <= MOST:
        return list(range(1, calls + 2))
    return sorted({1 + round(step * (calls - 1) / (SPREAD - 1)) for step in range(SPREAD)})


def _run_again(name: str, models: Path, out: Path, expected: object) -> None:
    """Without a fault it makes the rest; a merge whose output is whole by then says that it is there already."""
    whole = JOBS[name].made(out) == expected
    end = in_a_fork(partial(JOBS[name].run, models, out))
    assert end.code == FINE or (end.code == SAID and whole and name == "merge"), end.told
    assert JOBS[name].made(out) == expected
