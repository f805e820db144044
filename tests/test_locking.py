"""One writer at a time: the second is told who the first is, and a killed one leaves no lock behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelprov.errors import InUseError
from modelprov.locking import lock, only_writer

HOLD = """
import sys, time
from pathlib import Path
from modelprov.locking import only_writer
with only_writer(Path(sys.argv[1]), Path("out"), "Wait."):
    print("held", flush=True)
    time.sleep(600)
"""


def holding(lock_file: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    started = subprocess.Popen([sys.executable, "-c", HOLD, str(lock_file)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "held\n"
    return started


def test_the_second_writer_is_told_which_process_is_the_first(tmp_path: Path) -> None:
    other = holding(tmp_path / "lock")
    try:
        with (
            pytest.raises(InUseError, match=rf"\(process {other.pid} on .* since .*\) is writing out") as caught,
            only_writer(tmp_path / "lock", Path("out"), "Wait."),
        ):
            raise AssertionError
        assert caught.value.advice == "Wait."
    finally:
        other.kill()
        other.wait()


def test_a_killed_writer_leaves_no_lock_behind(tmp_path: Path) -> None:
    other = holding(tmp_path / "lock")
    other.kill()
    other.wait()
    assert (tmp_path / "lock").exists()
    with only_writer(tmp_path / "lock", Path("out"), "Wait."):
        assert f"process {os.getpid()} " in (tmp_path / "lock").read_text()
    assert not list(tmp_path.iterdir())


def test_many_writers_in_turn_are_never_two_at_once(tmp_path: Path) -> None:
    inside, most, entered = [0], [0], [0]

    def try_often() -> None:
        for _ in range(300):
            try:
                with only_writer(tmp_path / "lock", Path("out"), "Wait."):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    entered[0] += 1
                    inside[0] -= 1
            except InUseError:
                pass

    threads = [threading.Thread(target=try_often) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert entered[0] > 0


def test_a_link_laid_in_the_place_of_a_lock_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError), only_writer(tmp_path / "lock", Path("out"), "Wait."):  # noqa: PT011
        raise AssertionError
    assert (tmp_path / "precious").read_text() == "mine"


def test_words_that_no_run_wrote_into_a_lock_are_not_repeated(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w+") as file:
        file.write("\x1b[2J process 1 on evil since never")
        file.flush()
        lock(file, Path("out"), "Wait.")
        with (
            pytest.raises(InUseError, match=r"^another run is writing out$"),
            only_writer(tmp_path / "lock", Path("out"), "Wait."),
        ):
            raise AssertionError


def test_a_file_system_without_locks_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with only_writer(tmp_path / "lock", Path("out"), "Wait."), only_writer(tmp_path / "lock", Path("out"), "Wait."):
        pass
