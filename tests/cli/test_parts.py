"""`compare --part`, `add` and `compare --resume` as commands: what they say, how they end, and Ctrl-C between them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import MAIN, Command, program
from tests.cli.test_interruption import SLOW_KERNEL


def test_parts_end_in_files_and_add_in_the_report_with_its_exit_code(
    compare: Command, modelprov: Command, tmp_path: Path
) -> None:
    for number in (1, 2):
        made = compare("nex", "qwen", "--part", f"{number}/2", "-o", f"{number}.mpsums")
        assert (made.code, made.out) == (0, "")
        assert f"wrote {number}.mpsums; `modelprov add` with the files of all parts" in made.err
    quiet = modelprov("add", "1.mpsums", "2.mpsums", "--json", "report.json", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert '"class": "same-origin"' in (tmp_path / "report.json").read_text()
    missing = modelprov("add", "2.mpsums", "--json", "other.json")
    assert (missing.code, "part 1 of 2 is missing" in missing.err) == (2, True)
    assert not (tmp_path / "other.json").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--part", "1/2"), "--part and --output go together"),
        (("--output", "x"), "--part and --output go together"),
        (("--part", "1/2", "-o", "x", "--json", "y"), "--json has no place in it"),
        (("--part", "1/2", "-o", "x", "--sample"), "--sample has no place in it"),
        (("--part", "3/2", "-o", "x"), "--part is a part of how many"),
        (("--part", "1/2", "-o", "x.safetensors"), "has the name of a weights file"),
        (("--resume", "no/such/folder"), "does not exist"),
        (("--resume", "state", "--sample"), "--sample reads too little"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_read(
    compare: Command, tmp_path: Path, given: tuple[str, ...], says: str
) -> None:
    said = compare("nex", "qwen", *given)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_keeps_the_state_and_says_how_to_go_on(models: Path, tmp_path: Path) -> None:
    given = "compare", models / "nex", models / "qwen", "--device", "cpu", "--memory", "1", "--resume"
    running = program(SLOW_KERNEL + MAIN, *given, tmp_path / "state", "--json", tmp_path / "r.json")
    assert running.stdout is not None
    for _ in range(3):
        assert running.stdout.readline() == "reading\n"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert f"Run the same command again: it goes on from {tmp_path / 'state'}." in err
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    again = program(SLOW_KERNEL + MAIN, *given, tmp_path / "state", "--json", tmp_path / "r.json", "--quiet")
    out, _ = again.communicate(timeout=120)
    assert (again.returncode, (tmp_path / "r.json").exists()) == (0, True)
    assert out.count("reading\n") < 4
