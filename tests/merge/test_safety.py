"""What others do to a merge while it runs or lies unfinished: never an output that is not what the recipe makes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprov.checkpoints.digests import sampled_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.family import Family
from modelprov.errors import ChangedFileError, InUseError, ModelprovError, UsageError
from modelprov.merge import stage as stages
from modelprov.merge import writing
from modelprov.merge.stage import Stage
from modelprov.merge.virtual import plan_recipe
from modelprov.merge.writing import WriteOptions, Written, write_merge
from modelprov.recipes.recipe import Recipe, linear
from tests.merge.conftest import Silence, differing
from tests.merge.test_writing import KILLED, SHARD, content

Change = Callable[[Path], None]
SOME = "a shard"


def write(recipe: Recipe, out: Path) -> Written:
    return write_merge(plan_recipe(recipe), out, WriteOptions(shard_size=SHARD, threads=2), Silence())


@pytest.fixture
def models(family: Family, tmp_path: Path) -> tuple[Path, Path]:
    """Two models of one's own, to be damaged."""
    folders = tmp_path / "models" / "nex", tmp_path / "models" / "qwen"
    for folder, source in zip(folders, (family.nex, family.qwen), strict=True):
        shutil.copytree(source, folder)
    return folders


def half(models: tuple[Path, Path]) -> Recipe:
    return linear(dict.fromkeys(map(str, models), 0.5))


def flip(path: Path, at: int, *, keep_times: bool = False) -> None:
    """Change one byte in place; at -1: the last."""
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        byte = file.read(1)[0] ^ 1
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte]))
    if keep_times:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def killed(recipe: Recipe, out: Path, after: int) -> list[str]:
    """Run the merge and kill it after so many bytes; the shards that it had finished."""
    file = out.parent / "recipe.yml"
    file.write_text(recipe.as_yaml())
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", KILLED, str(file), str(out), str(after)], check=False, env=environment)
    assert not out.exists()
    return [one["name"] for one in json.loads((Stage(out).folder / "journal.json").read_text())["files"]]


# Two runs, one output


def test_a_second_merge_into_the_same_folder_is_told_who_is_at_work(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go_on = threading.Event(), threading.Event()
    real = writing.write_side_files

    def slow(*arguments: object) -> list[str]:
        at_work.set()
        assert go_on.wait(60)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(writing, "write_side_files", slow)
    first = threading.Thread(target=write, args=(half(models), tmp_path / "out"))
    first.start()
    assert at_work.wait(60)
    other = linear({str(models[0]): 0.9, str(models[1]): 0.1})
    try:
        with pytest.raises(InUseError, match=rf"process {os.getpid()} on .* is writing .*out") as caught:
            write(other, tmp_path / "models" / ".." / "out")
        assert "choose another folder" in caught.value.advice
    finally:
        go_on.set()
        first.join()
    monkeypatch.undo()
    assert content(tmp_path / "out") == content(write(half(models), tmp_path / "alone" / "out").folder)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


@pytest.mark.parametrize("delay", [0, 0.01, 0.03, 0.06, 0.1, 0.2])
@pytest.mark.parametrize("same", [True, False])
def test_without_locks_two_merges_into_one_folder_end_in_the_right_weights_or_an_error(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delay: float, same: bool
) -> None:
    fcntl = pytest.importorskip("fcntl")
    recipes = [half(models), half(models) if same else linear({str(models[0]): 0.9, str(models[1]): 0.1})]
    right = [content(write(recipe, tmp_path / f"right{n}" / "out").folder) for n, recipe in enumerate(recipes)]

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    ended: dict[int, object] = {}

    def run(number: int) -> None:
        time.sleep(delay * number)
        try:
            write(recipes[number], tmp_path / "out")
            ended[number] = "wrote"
        except ModelprovError as error:
            ended[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [0, 1], "a failure without words"
    wrote = [number for number, how in ended.items() if how == "wrote"]
    assert len(wrote) <= 1
    for number in wrote:
        found = content(tmp_path / "out")
        assert {name: found.get(name) for name in right[number]} == right[number]
        assert not [name for name in found.keys() - right[number].keys() if not name.endswith(".part")]


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("other"))
    flip(path.with_name("other"), -1)
    path.with_name("other").replace(path)


FINISHED: dict[str, Change] = {
    "edited in place": lambda path: flip(path, -1),
    "edited in place, times put back": lambda path: flip(path, -1, keep_times=True),
    "replaced": replace,
    "cut short": lambda path: os.truncate(path, path.stat().st_size - 1),
    "removed": Path.unlink,
}


@pytest.mark.parametrize("how", FINISHED)
@pytest.mark.parametrize("name", [SOME, "config.json", "merge_receipt.json"])
def test_a_finished_file_that_another_program_touched_is_not_published(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, name: str
) -> None:
    real = Stage.publish

    def touched(stage: Stage) -> None:
        found = stage.folder / name if name != SOME else min(stage.folder.glob("*.safetensors"))
        FINISHED[how](found)
        real(stage)

    monkeypatch.setattr(Stage, "publish", touched)
    with pytest.raises(ChangedFileError, match="another program") as caught:
        write(half(models), tmp_path / "out")
    assert "Nothing was published" in caught.value.advice
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    assert content(write(half(models), tmp_path / "out").folder) == content(
        write(half(models), tmp_path / "alone" / "out").folder
    )


def test_a_file_touched_between_the_last_check_and_the_renaming_is_taken_back(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stages._sync

    def late(folder: Path) -> None:
        for path in [*folder.glob("*.safetensors")][:1]:
            flip(path, -1)
        real(folder)

    monkeypatch.setattr(stages, "_sync", late)
    with pytest.raises(ChangedFileError):
        write(half(models), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    write(half(models), tmp_path / "out")


def test_times_that_the_file_system_changes_by_itself_stop_no_merge(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Stage.publish

    def touched(stage: Stage) -> None:
        for path in stage.folder.iterdir():
            path.touch()
        (stage.folder / ".nfs0001").touch()
        real(stage)

    monkeypatch.setattr(Stage, "publish", touched)
    write(half(models), tmp_path / "out")


def test_a_file_of_another_program_is_not_published_along(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = writing.write_side_files

    def littered(*arguments: object) -> list[str]:
        (Stage(tmp_path / "out").folder / "model-00001-of-00001.safetensors").write_bytes(b"x")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(writing, "write_side_files", littered)
    with pytest.raises(ChangedFileError, match="model-00001-of-00001"):
        write(half(models), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Between a kill and the next run


@pytest.mark.parametrize("how", ["edited", "edited, time put back", "replaced, time put back"])
def test_an_input_edited_between_kill_and_resume_leaves_no_old_shard(
    models: tuple[Path, Path], tmp_path: Path, how: str
) -> None:
    assert killed(half(models), tmp_path / "out", 900_000)
    sample = sampled_digest(open_checkpoint(str(models[0])))
    opened = open_checkpoint(str(models[0]))
    for number, shard in enumerate(opened.shards):
        refs = [ref for ref in opened.tensors.values() if ref.shard == number]
        last = max(refs, key=lambda ref: ref.stop - ref.start).stop - 1
        path = opened.home / shard.name
        times = path.stat()
        if how.startswith("replaced"):
            shutil.copy(path, tmp_path / "other")
            flip(tmp_path / "other", last)
            os.utime(tmp_path / "other", ns=(times.st_atime_ns, times.st_mtime_ns))
            (tmp_path / "other").replace(path)
        else:
            flip(path, last, keep_times="time" in how)
    assert sampled_digest(open_checkpoint(str(models[0]))) == sample
    result = write(half(models), tmp_path / "out")
    assert result.resumed == 0
    assert result.remade > 0
    assert content(result.folder) == content(write(half(models), tmp_path / "alone" / "out").folder)


LIES: dict[str, Change] = {
    "missing": Path.unlink,
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "replaced": replace,
    "a link to the right bytes": lambda path: path.symlink_to(path.rename(path.parents[1] / "moved")),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path))[0],
}


@pytest.mark.parametrize("how", LIES)
def test_a_finished_shard_that_is_not_as_the_journal_says_is_made_again(
    models: tuple[Path, Path], tmp_path: Path, how: str
) -> None:
    done = killed(half(models), tmp_path / "out", 900_000)
    LIES[how](Stage(tmp_path / "out").folder / done[0])
    result = write(half(models), tmp_path / "out")
    assert result.resumed == len(done) - 1
    assert result.remade == 1
    assert content(result.folder) == content(write(half(models), tmp_path / "alone" / "out").folder)
    assert not [path for path in result.folder.iterdir() if path.is_symlink()]


@pytest.mark.parametrize(
    "lie",
    [
        lambda journal: journal | {"key": "0" * 64},
        lambda journal: journal | {"files": None},
        lambda journal: {"key": journal["key"]},
        lambda journal: journal | {"files": [7, None, {}, {"name": 3}, {"name": "../out", "sha256": "x"}]},
        lambda journal: journal | {"files": [one | {"sha256": "0" * 64} for one in journal["files"]]},
        lambda journal: journal | {"files": [one | {"bytes": 1} for one in journal["files"]]},
        lambda journal: [journal],
    ],
)
def test_a_journal_that_lies_changes_no_byte(
    models: tuple[Path, Path], tmp_path: Path, lie: Callable[[dict[str, object]], object]
) -> None:
    killed(half(models), tmp_path / "out", 900_000)
    journal = Stage(tmp_path / "out").folder / "journal.json"
    journal.write_text(json.dumps(lie(json.loads(journal.read_text()))))
    found = content(write(half(models), tmp_path / "out").folder)
    assert found == content(write(half(models), tmp_path / "alone" / "out").folder)


class Killed(BaseException):
    """The process ends here: nothing after it runs."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["the first journal", "the journal is put aside", "the folder is renamed"])
def test_a_run_that_dies_at_any_step_of_its_begin_or_end_is_gone_on_with(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    """A death is played by an error that no handler catches, with everything behind it switched off."""
    out = tmp_path / "out"
    owner, name = {
        "the first journal": (os, "utime"),
        "the journal is put aside": (Path, "replace"),
        "the folder is renamed": (Path, "rename"),
    }[step]
    real = getattr(owner, name)
    dead = False

    def dies(*arguments: object, **settings: object) -> object:
        nonlocal dead
        relevant = step != "the folder is renamed" or arguments[0] == Stage(out).folder
        if when == "after" and relevant:
            real(*arguments, **settings)
        if relevant:
            dead = True
            raise Killed
        return real(*arguments, **settings)

    monkeypatch.setattr(owner, name, dies)
    with pytest.raises(Killed):
        write(half(models), out)
    assert dead
    monkeypatch.undo()
    if step == "the folder is renamed" and when == "after":
        with pytest.raises(UsageError, match="already there"):
            write(half(models), out)
        shards = len(list(out.glob("*.safetensors")))
    else:
        result = write(half(models), out)
        shards = len(result.files)
        assert result.resumed == (0 if step == "the first journal" else shards)
    assert shards > 3
    assert content(out) == content(write(half(models), tmp_path / "alone" / "out").folder)


def test_a_folder_or_a_link_in_the_place_of_unfinished_work_is_left_alone(
    models: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "journal.json").write_text("{}")
    (tmp_path / "precious" / "diary").touch()
    Stage(tmp_path / "out").folder.symlink_to(tmp_path / "precious")
    with pytest.raises(UsageError, match="in the way"):
        write(half(models), tmp_path / "out")
    assert (tmp_path / "precious" / "diary").exists()
    Stage(tmp_path / "out").folder.unlink()
    (Stage(tmp_path / "out").folder / "deeper").mkdir(parents=True)
    (Stage(tmp_path / "out").folder / "journal.json").write_text("{}")
    with pytest.raises(UsageError, match="in the way"):
        write(half(models), tmp_path / "out")


# While the models are read


@pytest.mark.parametrize("how", ["edited", "edited, time put back", "replaced", "removed"])
def test_a_model_that_changes_while_it_is_merged_is_an_error_that_names_the_file(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    real = writing.write_shards
    shard = min(models[1].glob("*.safetensors"))

    def meanwhile(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        if how == "removed":
            shard.unlink()
        elif how == "replaced":
            replace(shard)
        else:
            flip(shard, -1, keep_times="time" in how)

    monkeypatch.setattr(writing, "write_shards", meanwhile)
    with pytest.raises(ChangedFileError, match=rf"{shard} changed while it was read") as caught:
        write(half(models), tmp_path / "out")
    assert "run the command again" in caught.value.advice
    assert not (tmp_path / "out").exists()


def test_a_model_replaced_before_it_is_read_is_noticed_when_the_recipe_is_nested(
    family: Family, models: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "inner.yml").write_text(half(models).as_yaml())
    plan = plan_recipe(linear({str(tmp_path / "inner.yml"): 0.5, str(family.qwen): 0.5}))
    replace(min(models[0].glob("*.safetensors")))
    with pytest.raises(ChangedFileError, match="changed while it was read"):
        write_merge(plan, tmp_path / "out", WriteOptions(shard_size=SHARD), Silence())
    assert not (tmp_path / "out").exists()


def test_everything_that_is_published_was_synced(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[tuple[int, int]] = set()
    real = os.fsync

    def noted(descriptor: int) -> None:
        found = os.fstat(descriptor)
        synced.add((found.st_dev, found.st_ino))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    out = write(half(models), tmp_path / "out").folder
    for path in (out.parent, out, *out.iterdir()):
        found = path.stat()
        assert (found.st_dev, found.st_ino) in synced, path.name
    assert differing(open_checkpoint(str(out)), open_checkpoint(str(out))) == []
