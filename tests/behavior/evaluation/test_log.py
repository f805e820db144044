"""The log of answers: what survives a killed run, and what is never mixed up."""

from __future__ import annotations

import json

import pytest

from modelprov.behavior.evaluation.log import AnswerLog, Logged
from modelprov.errors import UnreadableFileError, UsageError
from tests.foreign.hostile import KINDS, with_fault

SETTINGS = {"model": "abc", "seed": 0, "method": {"name": "cot", "limits": [1, 2]}}
NAMES = ("rio/../x", "sums", "cot")


def answer(number: int) -> Logged:
    return Logged(f"q{number}", 0, f"{number:016x}", "text", None, "text", True, 3)


def fill(folder, numbers=range(3), settings=SETTINGS):
    with AnswerLog(folder, NAMES, settings) as log:
        for number in numbers:
            log.add([answer(number)])
    return log.path


def test_a_second_run_finds_the_answers_of_the_first(tmp_path):
    path = fill(tmp_path)
    assert path.parent == tmp_path
    with AnswerLog(tmp_path, NAMES, SETTINGS) as log:
        assert log.path == path
        assert list(log.answers.values()) == [answer(0), answer(1), answer(2)]


@pytest.mark.parametrize("damage", [b'{"question": "q', b'{"question": "q"\n', b"\0\0\0\0\n", b"\0\0"])
def test_a_line_cut_short_is_removed_and_the_log_goes_on(tmp_path, damage):
    path = fill(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + damage)
    with AnswerLog(tmp_path, NAMES, SETTINGS) as log:
        assert len(log.answers) == 3
        log.add([answer(7)])
    assert path.read_bytes().startswith(whole)
    assert len(path.read_bytes().splitlines()) == 5
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_log_cut_anywhere_leaves_one_that_opens_with_the_whole_lines(tmp_path):
    path = fill(tmp_path)
    whole = path.read_bytes()
    places = [place for place, byte in enumerate(whole) if byte == ord("\n")]
    for size in sorted({0, 1, 40, *(place + step for place in places for step in (-1, 0, 1))}):
        path.write_bytes(whole[:size])
        with AnswerLog(tmp_path, NAMES, SETTINGS) as log:
            assert len(log.answers) == max(0, whole[:size].count(b"\n") - 1)
        assert path.read_bytes() == (whole[: whole[:size].rfind(b"\n") + 1] or whole[: whole.find(b"\n") + 1])


@pytest.mark.parametrize("change", [{"seed": 1}, {"model": "abd"}, {"method": {"name": "cot", "limits": [1]}}])
def test_other_settings_have_another_file(tmp_path, change):
    first = fill(tmp_path)
    before = first.read_bytes()
    second = fill(tmp_path, range(1), SETTINGS | change)
    assert second != first
    assert first.read_bytes() == before


def test_a_file_of_other_settings_under_this_name_is_refused_and_left_alone(tmp_path):
    path = fill(tmp_path)
    changed = path.read_text().replace('"seed": 0', '"seed": 1')
    path.write_text(changed)
    with pytest.raises(UsageError, match="no log of these settings"):
        AnswerLog(tmp_path, NAMES, SETTINGS)
    assert path.read_text() == changed


@pytest.mark.parametrize("line", ["", "[]", '{"question": "q"}', "nonsense"])
def test_a_damaged_line_in_the_middle_is_named(tmp_path, line):
    path = fill(tmp_path)
    lines = path.read_text().splitlines()
    lines[2] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError, match=r"\.jsonl, line 3"):
        AnswerLog(tmp_path, NAMES, SETTINGS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_of_hostile_json_is_named(tmp_path, kind):
    path = fill(tmp_path)
    lines = path.read_text().splitlines()
    lines[2] = with_fault(kind, lines[2])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError, match=r"\.jsonl, line 3"):
        AnswerLog(tmp_path, NAMES, SETTINGS)


def test_two_runs_cannot_write_one_log_at_a_time(tmp_path):
    with AnswerLog(tmp_path, NAMES, SETTINGS), pytest.raises(UsageError, match="another run"):
        AnswerLog(tmp_path, NAMES, SETTINGS)
    AnswerLog(tmp_path, NAMES, SETTINGS).__exit__(None, None, None)


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFileError, match="could not keep answers"):
        AnswerLog(tmp_path / "file" / "logs", NAMES, SETTINGS)


def test_without_a_folder_answers_stay_in_memory():
    with AnswerLog(None, NAMES, SETTINGS) as log:
        log.add([answer(1)])
        assert log.path is None
        assert list(log.answers) == [answer(1).key]
