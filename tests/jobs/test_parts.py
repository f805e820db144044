"""A comparison in parts, and one that was stopped: the report of the whole, or a refusal that says why."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from modelprov.errors import (
    ChangedFileError,
    IncompletePartsError,
    InterruptedRunError,
    InUseError,
    InvalidSumsError,
    ModelprovError,
    OtherRunError,
    UsageError,
)
from modelprov.forensics.sums.ledger import Ledger
from modelprov.jobs import kept
from modelprov.jobs.add import add
from modelprov.jobs.compare import compare
from modelprov.jobs.compare_part import compare_part
from modelprov.reports.comparison.as_json import render_json
from modelprov.reports.comparison.report import Report
from tests.jobs.test_compare import Watching
from tests.kernels import PROCESSOR, Real, processor_with

SMALL: dict[str, Any] = {"device": "cpu", "threads": 1, "memory": 1}
"""The smallest blocks, of 64 KiB: many to a run."""


def told(report: Report) -> Any:
    """All that a report says, but for the command and the times."""
    said = json.loads(render_json(report))
    del said["command"], said["environment"]["started"], said["environment"]["seconds"]
    return said


def asked(models: Path) -> tuple[Path, ...]:
    return models / "nex", models / "qwen"


@pytest.fixture(scope="module")
def whole(models: Path) -> Any:
    return told(compare(*asked(models), control=models / "sibling", **SMALL))


@pytest.fixture(scope="module")
def parts(models: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same run in three parts."""
    folder = tmp_path_factory.mktemp("parts")
    return [
        compare_part(
            *asked(models), control=models / "sibling", part=f"{number}/3", output=folder / f"{number}.mpsums", **SMALL
        )
        for number in (1, 2, 3)
    ]


def test_parts_add_up_to_the_report_of_the_whole_run(whole: Any, parts: list[Path]) -> None:
    report = add(parts[2], parts[0], parts[1])
    assert report.command.startswith("modelprov add ")
    assert told(report) == whole
    assert report.environment.bytes_read > 0


def test_with_two_parents_the_scouts_of_all_parts_find_the_same_recipes(models: Path, tmp_path: Path) -> None:
    given = models / "rio-trained", models / "nex", models / "qwen"
    made = [compare_part(*given, part=f"{k}/2", output=tmp_path / f"{k}", **SMALL) for k in (1, 2)]
    assert told(add(*made)) == told(compare(*given, **SMALL))


def test_adding_reads_samples_and_no_more(parts: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the weights were read once more")

    monkeypatch.setattr(PROCESSOR, processor_with(never))
    add(*parts)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ((0, 1), IncompletePartsError, "part 3 of 3 is missing"),
        ((2,), IncompletePartsError, "2 of 3 parts are missing: 1, 2"),
        ((0, 1, 1), IncompletePartsError, "part 2/3 is given twice"),
        ((), UsageError, "needs the parts"),
    ],
)
def test_parts_that_are_not_all_there_once_are_refused(
    parts: list[Path], given: tuple[int, ...], error: type[ModelprovError], says: str
) -> None:
    with pytest.raises(error, match=says):
        add(*(parts[number] for number in given))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"part": "3/4"}, "part of 3, .* of 4"),
        ({"seed": 1}, r"asked different things \(seed\)"),
        ({"control": ()}, r"asked different things \(control\)"),
    ],
)
def test_parts_of_another_run_are_refused(
    models: Path, parts: list[Path], tmp_path: Path, other: dict[str, Any], says: str
) -> None:
    given: dict[str, Any] = {"part": "3/3", "control": models / "sibling", **SMALL, **other}
    strange = compare_part(*asked(models), output=tmp_path / "strange.mpsums", **given)
    with pytest.raises(OtherRunError, match=says):
        add(*parts[:2], strange)


def test_parts_of_a_model_that_is_another_one_by_then_are_refused(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "nex"
    shutil.copytree(models / "nex", folder)
    first = compare_part(folder, models / "qwen", part="1/2", output=tmp_path / "1.mpsums", **SMALL)
    for shard in folder.glob("*.safetensors"):
        shutil.copy(models / "sibling" / shard.name, shard)
    second = compare_part(folder, models / "qwen", part="2/2", output=tmp_path / "2.mpsums", **SMALL)
    with pytest.raises(OtherRunError, match=r"1\.mpsums and .*2\.mpsums read other weights of nex"):
        add(first, second)
    again = compare_part(folder, models / "qwen", part="1/2", output=tmp_path / "1.mpsums", **SMALL)
    for shard in folder.glob("*.safetensors"):
        shutil.copy(models / "nex" / shard.name, shard)
    with pytest.raises(OtherRunError, match="of another run"):
        add(again, second)


@pytest.mark.parametrize("part", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/1000000"])
def test_what_is_no_part_is_refused_before_anything_is_opened(part: str) -> None:
    with pytest.raises(UsageError, match="a part of how many"):
        compare_part("a", "b", part=part, output="x")


class Stopping:
    """A kernel that ends as if by Ctrl-C after so many blocks, 0 for never, and counts what it was given."""

    def __init__(self, after: int = 0) -> None:
        self.after, self.blocks = after, 0

    def __call__(self, real: Real, *given: Any) -> Any:
        self.blocks += 1
        if self.blocks == self.after:
            raise InterruptedRunError("stopped")
        return real(*given)


Stop = Callable[[int], Stopping]


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Stop:
    def after(blocks: int) -> Stopping:
        kernel = Stopping(blocks)
        monkeypatch.setattr(PROCESSOR, processor_with(kernel))
        return kernel

    return after


def test_a_stopped_run_goes_on_where_it_was_and_gives_the_same_report(
    models: Path, tmp_path: Path, whole: Any, stop: Stop
) -> None:
    state = tmp_path / "state"
    given: dict[str, Any] = {"control": models / "sibling", "resume": state, **SMALL}
    for after in (6, 2):  # four blocks are the control's, four the suspect's
        stop(after)
        with pytest.raises(InterruptedRunError, match="stopped") as stopped:
            compare(*asked(models), **given)
        assert f"goes on from {state}" in stopped.value.advice
        assert [path.name for path in tmp_path.iterdir()] == ["state"]
    rest, heard = stop(0), Watching()
    assert told(compare(*asked(models), progress=heard, **given)) == whole
    assert 0 < rest.blocks < 4
    rest = stop(0)
    assert told(compare(*asked(models), **given)) == whole
    assert rest.blocks == 0


def test_a_run_goes_on_from_no_file_that_has_changed(models: Path, tmp_path: Path, stop: Stop) -> None:
    """One weight in the middle, which no sample saw: the system's own times tell."""
    folder, state = tmp_path / "nex", tmp_path / "state"
    shutil.copytree(models / "nex", folder)
    stop(2)
    with pytest.raises(InterruptedRunError):
        compare(folder, models / "qwen", resume=state, **SMALL)
    shard = min(folder.glob("*.safetensors"))
    before = shard.stat()
    with shard.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    stop(0)
    with pytest.raises(OtherRunError, match=f"nex has changed: it is not what the sums in {state} are of"):
        compare(folder, models / "qwen", resume=state, **SMALL)


def test_a_run_goes_on_from_no_run_that_was_asked_something_else(models: Path, tmp_path: Path, stop: Stop) -> None:
    state = tmp_path / "state"
    stop(2)
    with pytest.raises(InterruptedRunError):
        compare(models / "nex", models / "qwen", resume=state, **SMALL)
    stop(0)
    with pytest.raises(OtherRunError, match="of another run"):
        compare(models / "nex", models / "qwen", resume=state, **(SMALL | {"memory": 1 << 20}))


def test_a_file_that_changes_during_the_run_leaves_nothing_to_go_on_from(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, state = tmp_path / "nex", tmp_path / "state"
    shutil.copytree(models / "nex", folder)
    monkeypatch.setattr(kept, "Ledger", partial(Ledger, every=0.0))

    def meanwhile(real: Real, *given: Any) -> Any:
        (shard := min(folder.glob("*.safetensors"))).rename(tmp_path / "away")
        shutil.copy(tmp_path / "away", shard)
        return real(*given)

    with monkeypatch.context() as then:
        then.setattr(PROCESSOR, processor_with(meanwhile))
        with pytest.raises(ChangedFileError):
            compare(folder, models / "qwen", resume=state, **SMALL)
    if state.exists():
        with pytest.raises(OtherRunError, match="nex has changed"):
            compare(folder, models / "qwen", resume=state, **SMALL)


def test_a_part_can_be_stopped_and_goes_on_too(
    models: Path, tmp_path: Path, parts: list[Path], whole: Any, stop: Stop
) -> None:
    given: dict[str, Any] = {
        "part": "2/3", "output": tmp_path / "2.mpsums", "control": models / "sibling", "resume": tmp_path / "state",
    }  # fmt: skip
    stop(4)
    with pytest.raises(InterruptedRunError):
        compare_part(*asked(models), **given, **SMALL)
    assert not (tmp_path / "2.mpsums").exists()
    stop(0)
    made = compare_part(*asked(models), **given, **SMALL)
    assert told(add(parts[0], made, parts[2])) == whole


def test_a_part_is_no_state_and_a_state_no_part(models: Path, parts: list[Path], tmp_path: Path, stop: Stop) -> None:
    with pytest.raises(InvalidSumsError, match="holds part 1/3 of a run"):
        compare(*asked(models), resume=parts[0], **SMALL)
    state = tmp_path / "state"
    stop(3)
    with pytest.raises(InterruptedRunError):
        compare(*asked(models), resume=state, **SMALL)
    with pytest.raises(InvalidSumsError, match="not a part of a run"):
        add(parts[0], state)


def test_two_runs_never_keep_their_sums_in_one_file(models: Path, tmp_path: Path) -> None:
    with kept.kept(tmp_path / "state"), pytest.raises(InUseError, match="is writing"):
        compare(models / "nex", models / "qwen", resume=tmp_path / "state", **SMALL)


def test_a_sample_leaves_nothing_to_go_on_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reads too little"):
        compare("a", "b", sample=True, resume=tmp_path / "state")
