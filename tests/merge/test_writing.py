"""Writing a merge: the same bytes whatever the limits; all or nothing; goes on where it was interrupted."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
import yaml

from modelprov.checkpoints.digests import weights_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.family import Family
from modelprov.errors import InterruptedRunError, MergeError, UnreadableFileError, UsageError
from modelprov.merge import shard_files, writing
from modelprov.merge.virtual import plan_recipe, virtual_checkpoint
from modelprov.merge.writing import WriteOptions, write_merge
from modelprov.recipes.reading import load, parse
from modelprov.recipes.recipe import Recipe, linear
from tests import factories
from tests.merge.conftest import Silence, differing, model

SHARD = 300_000


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def write(recipe: Recipe, out: Path, **options: int) -> Path:
    return write_merge(plan_recipe(recipe), out, WriteOptions(**{"shard_size": SHARD, **options}), Silence()).folder


def test_the_written_merge_is_rio_and_has_the_digest_of_the_virtual_one(
    family: Family, rio: Recipe, tmp_path: Path
) -> None:
    out = write(rio, tmp_path / "out")
    written = open_checkpoint(str(out))
    assert differing(open_checkpoint(str(family.rio)), written) == []
    virtual = virtual_checkpoint(plan_recipe(rio), "v", "v", tmp_path, shard_size=SHARD)
    assert len(virtual.shards) > 3
    assert weights_digest(virtual) == weights_digest(written)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_memory_and_threads_change_no_byte_and_shard_size_no_tensor(rio: Recipe, tmp_path: Path) -> None:
    first = write(rio, tmp_path / "a" / "merge", threads=1)
    other = write(rio, tmp_path / "b" / "merge", threads=5, memory=300_000)
    assert content(first) == content(other)
    one_shard = write(rio, tmp_path / "c" / "merge", shard_size=1 << 30)
    assert len(list(one_shard.glob("*.safetensors"))) == 1
    assert differing(open_checkpoint(str(first)), open_checkpoint(str(one_shard))) == []


def test_the_safetensors_library_reads_what_is_written(rio: Recipe, tmp_path: Path) -> None:
    from safetensors import safe_open

    out = write(rio, tmp_path / "out")
    index = json.loads((out / "model.safetensors.index.json").read_text())
    names = set()
    for file in out.glob("*.safetensors"):
        with safe_open(file, "np") as opened:
            names |= set(opened.keys())
    assert names == set(index["weight_map"])


def test_receipt_card_and_recipe_say_what_was_made(family: Family, rio: Recipe, tmp_path: Path) -> None:
    (family.nex / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0}}}')
    (family.nex / "generation_config.json").write_text("{}")
    try:
        recipe = rio.model_copy(update={"chat_template": "{{ messages }}"})
        out = write(recipe, tmp_path / "out")
    finally:
        (family.nex / "tokenizer.json").unlink()
        (family.nex / "generation_config.json").unlink()
    receipt = json.loads((out / "merge_receipt.json").read_text())
    assert [one["location"] for one in receipt["inputs"]] == list(rio.locations)
    for file in receipt["files"]:
        assert shard_files.sha256_of(out / file["name"]) == file["sha256"]
    front = yaml.safe_load((out / "README.md").read_text().split("---")[1])
    assert front["base_model"] == list(rio.locations)
    assert front["base_model_relation"] == "merge"
    assert load(out / "recipe.yml") == recipe
    assert (out / "chat_template.jinja").read_text() == "{{ messages }}"
    assert (out / "tokenizer.json").exists()
    assert (out / "generation_config.json").exists()


def test_a_failed_disk_keeps_finished_shards_and_the_next_run_goes_on(
    rio: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = content(write(rio, tmp_path / "whole" / "out"))
    real, written = os.pwrite, [0]

    def full(file: int, data: memoryview, start: int) -> int:
        written[0] += len(data)
        if written[0] > 2.5 * SHARD:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data, start)

    monkeypatch.setattr(os, "pwrite", full)
    out = tmp_path / "out"
    with pytest.raises(UnreadableFileError, match="No space left") as caught:
        write(rio, out, threads=2)
    assert "Free some space" in caught.value.advice
    assert not out.exists()
    monkeypatch.setattr(os, "pwrite", real)
    stage = tmp_path / ".out.merging"
    assert not list(stage.glob("*.part"))  # the disk is full of finished files alone
    kept = [one["name"] for one in json.loads((stage / "journal.json").read_text())["files"]]
    assert kept
    (stage / kept[0]).write_bytes(b"x" + (stage / kept[0]).read_bytes()[1:])  # damaged since: made again
    result = write_merge(plan_recipe(rio), out, WriteOptions(shard_size=SHARD), Silence())
    assert result.resumed == len(kept) - 1
    assert content(out) == whole
    assert not stage.exists()


def test_another_recipe_does_not_take_over_unfinished_shards(
    family: Family, rio: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "write_side_files", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(UnreadableFileError):
        write(rio, tmp_path / "out")
    monkeypatch.undo()
    other = linear({str(family.nex): 0.5, str(family.qwen): 0.5})
    result = write_merge(plan_recipe(other), tmp_path / "out", WriteOptions(shard_size=SHARD), Silence())
    assert result.resumed == 0
    assert differing(open_checkpoint(str(result.folder)), open_checkpoint(str(family.rio))) != []


KILLED = """
import os, sys
from pathlib import Path
from modelprov.recipes.reading import load
from modelprov.merge.virtual import plan_recipe
from modelprov.merge.writing import WriteOptions, write_merge

class Slow:
    done = 0
    def stage(self, text, total_bytes=0): pass
    def advance(self, read):
        Slow.done += read
        if Slow.done > int(sys.argv[3]):
            os.kill(os.getpid(), 9)

options = WriteOptions(shard_size=300_000, threads=2)
write_merge(plan_recipe(load(Path(sys.argv[1]))), Path(sys.argv[2]), options, Slow())
"""


@pytest.mark.parametrize("after", [1, 450_000, 900_000])
def test_a_run_that_is_killed_leaves_no_output_and_resumes(
    rio: Recipe, tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    file = tmp_path / "rio.yml"
    file.write_text(rio.as_yaml())
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", KILLED, str(file), str(out), str(after)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    write(rio, out)
    assert content(out) == content(write(rio, tmp_path / "again" / "out"))


def test_ctrl_c_says_how_to_go_on(rio: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise InterruptedRunError("stopped by the user")

    monkeypatch.setattr(shard_files, "run_tasks", stopped)
    with pytest.raises(InterruptedRunError) as caught:
        write(rio, tmp_path / "out")
    assert "again" in caught.value.advice
    assert not (tmp_path / "out").exists()


def test_a_reading_error_in_one_thread_stops_all_and_is_the_one_shown(family: Family, tmp_path: Path) -> None:
    copy = tmp_path / "nex"
    shutil.copytree(family.nex, copy)
    plan = plan_recipe(linear({str(copy): 0.5, str(family.qwen): 0.5}))
    for shard in sorted(copy.glob("*.safetensors")):
        os.truncate(shard, shard.stat().st_size // 2)
    with pytest.raises(Exception, match=r"ends .* bytes before"):
        write_merge(plan, tmp_path / "out", WriteOptions(shard_size=SHARD, threads=4, memory=1 << 20), Silence())
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_taken_or_a_small_disk_is_refused_before_any_work(
    rio: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(UsageError, match="already there"):
        write(rio, tmp_path / "taken")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(MergeError, match="of disk"):
        write(rio, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_something_else_in_the_place_of_unfinished_work_is_left_alone(rio: Recipe, tmp_path: Path) -> None:
    (tmp_path / ".out.merging").mkdir()
    (tmp_path / ".out.merging" / "precious").touch()
    with pytest.raises(UsageError, match="in the way"):
        write(rio, tmp_path / "out")
    assert (tmp_path / ".out.merging" / "precious").exists()


def test_a_tensor_larger_than_the_memory_streams(tmp_path: Path) -> None:
    layout = [("model.layers.0.mlp.experts.gate_up_proj", (16, 1024, 1024), "BF16")]  # 32 MiB, zeros
    places = [str(factories.write_sparse(tmp_path / name, layout, 1, {})) for name in ("one", "other")]
    plan = plan_recipe(linear(dict.fromkeys(places[:1], 0.5) | dict.fromkeys(places[1:], 0.5)))
    write_merge(plan_recipe(linear({places[0]: 1, places[1]: 1})), tmp_path / "warm", WriteOptions(), Silence())
    tracemalloc.start()
    write_merge(plan, tmp_path / "out", WriteOptions(memory=4 << 20, threads=2), Silence())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_whole_tensor_method_says_before_it_starts_how_much_memory_it_needs(family: Family, tmp_path: Path) -> None:
    recipe = parse(f"merge_method: slerp\nbase_model: {family.qwen}\nmodels: [{{model: {family.nex}}}]\n"
                   "parameters: {t: 0.3}\nmodelprov: {arithmetic: float64}\n")  # fmt: skip
    with pytest.raises(MergeError, match="looks at whole tensors") as caught:
        write(recipe, tmp_path / "out", memory=100_000)
    assert "(memory)" in caught.value.advice
    assert not list(tmp_path.iterdir())
    out = write(recipe, tmp_path / "out")
    virtual = virtual_checkpoint(plan_recipe(recipe), "v", "v", tmp_path, shard_size=SHARD)
    assert weights_digest(virtual) == weights_digest(open_checkpoint(str(out)))


def test_a_random_method_gives_the_same_bytes_for_the_same_seed(family: Family, tmp_path: Path) -> None:
    text = (f"merge_method: dare_linear\nbase_model: {family.qwen}\nmodels: [{{model: {family.nex}, parameters: "
            "{weight: 1, density: 0.5}}]\ndtype: bfloat16\nmodelprov: {seed: %d}\n")  # fmt: skip
    one, same, other = (write(parse(text % seed), tmp_path / f"{n}") for n, seed in enumerate((1, 1, 2)))
    weights = [[path.read_bytes() for path in sorted(folder.glob("*.safetensors"))] for folder in (one, same, other)]
    assert weights[0] == weights[1] != weights[2]
    assert json.loads((other / "merge_receipt.json").read_text())["seed"] == 2


def test_side_files_that_cannot_be_followed_are_refused_first(rio: Recipe, tmp_path: Path) -> None:
    for update, words in (
        ({"tokenizer_source": "elsewhere"}, "not a model of the recipe"),
        ({"chat_template": "chatml-plus"}, "neither a template nor a file"),
    ):
        with pytest.raises(UsageError, match=words):
            write(rio.model_copy(update=update), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_another_vocabulary_of_equal_size_is_said(tmp_path: Path) -> None:
    places = []
    for name in ("one", "other"):
        folder = model(tmp_path / name)
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {name: 0}}}))
        places.append(str(folder))
    recipe = linear(dict.fromkeys(places, 0.5))
    result = write_merge(plan_recipe(recipe), tmp_path / "out", WriteOptions(), Silence())
    assert any("another vocabulary" in note for note in result.notes)
