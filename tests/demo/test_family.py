from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.family import ALPHA, MEMBERS, TINY, Family, build_family, members
from modelprov.demo.writing import Weights
from modelprov.errors import UnreadableFileError, UsageError
from tests.demo.conftest import digests
from tests.demo.test_writing import files_of_at_most


def test_the_trained_merge_differs_from_the_exact_one_but_lies_close(in_memory: dict[str, Weights]):
    name = "model.language_model.layers.3.self_attn.q_proj.weight"
    exact, trained, parent, base = (in_memory[m][name][0] for m in ("rio", "rio-trained", "nex", "qwen"))
    assert 0.02 < np.mean(exact != trained) < 0.5
    assert np.abs(trained - exact).mean() < 0.2 * np.abs(parent - base).mean()


def test_the_sibling_and_the_stranger_do_not_lie_between_base_and_parent(in_memory: dict[str, Weights]):
    def delta(member: str) -> Float64:
        parts = [in_memory[member][n][0] - v for n, (v, _) in in_memory["qwen"].items() if v.ndim > 1]
        return np.concatenate([part.ravel() for part in parts]).astype(np.float64)

    parent, sibling, stranger = delta("nex"), delta("sibling"), delta("stranger")
    assert 0.9 < np.linalg.norm(sibling) / np.linalg.norm(parent) < 1.1
    assert np.linalg.norm(stranger) > 50 * np.linalg.norm(parent)
    for other in (sibling, stranger):
        assert abs(parent @ other) < 0.02 * np.linalg.norm(parent) * np.linalg.norm(other)


def test_the_derivative_aligns_completely_though_it_is_stored_differently(family: Family):
    rio, nex, qwen = (open_checkpoint(str(place)) for place in (family.rio, family.nex, family.qwen))
    assert [shard.name for shard in rio.shards] == ["model-00001.safetensors", "model-00002.safetensors"]
    assert [shard.name for shard in qwen.shards] == [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    alignment = align([rio, nex, qwen])
    assert alignment.share(0) == 1.0
    assert not any(tensor.guessed for tensor in alignment.tensors)
    assert alignment.unaligned
    assert {item.name.partition(".")[0] for item in alignment.unaligned} == {"mtp"}
    assert not any(
        tensor.views[0].ref.name == tensor.views[2].ref.name for tensor in alignment.tensors if tensor.expert
    )


def test_config_says_what_the_weights_are(family: Family):
    base, derivative = (json.loads((place / "config.json").read_text()) for place in (family.qwen, family.rio))
    assert base["model_type"] == "qwen3_5_moe"
    assert base["text_config"]["mtp_num_hidden_layers"] == 1
    assert derivative["text_config"]["mtp_num_hidden_layers"] == 0
    stack = open_checkpoint(str(family.qwen)).tensors["model.language_model.layers.0.mlp.experts.gate_up_proj"]
    text = base["text_config"]
    assert stack.shape == (text["num_experts"], 2 * text["moe_intermediate_size"], text["hidden_size"])


def test_the_recipe_says_the_seed_and_that_nothing_was_trained(family: Family):
    recipe = json.loads((family.folder / "family.json").read_text())
    assert (recipe["seed"], recipe["alpha"]) == (3, ALPHA)
    assert recipe["members"].keys() == MEMBERS.keys()
    assert "no model was trained" in recipe["note"]
    places = (
        family.qwen,
        family.nex,
        family.sibling,
        family.rio,
        family.folder / "rio-trained",
        family.folder / "rio-bf16",
        family.stranger,
    )
    assert [place.name for place in places] == list(MEMBERS)
    assert all(place.is_dir() for place in places)


def test_the_same_seed_gives_the_same_bytes_in_another_process(family: Family, tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from modelprov.demo.family import TINY, build_family;"
        "build_family(Path(sys.argv[1]), 3, TINY)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "again")]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": "7"})
    assert digests(tmp_path / "again") == digests(family.folder)


def test_another_seed_gives_other_weights_in_every_checkpoint(in_memory: dict[str, Weights]):
    for member, weights in members(seed=4, scale=TINY):
        name = "lm_head.weight"
        assert not np.array_equal(weights[name][0], in_memory[member][name][0]), member


def test_progress_is_told_after_every_checkpoint(tmp_path: Path):
    told: list[tuple[str, int, int]] = []
    build_family(tmp_path / "family", scale=TINY, on_progress=lambda *news: told.append(news))
    assert told == [(name, number, len(MEMBERS)) for number, name in enumerate(MEMBERS, start=1)]


def test_a_family_goes_into_a_folder_that_holds_other_things(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    build_family(tmp_path, scale=TINY)
    assert {path.name for path in tmp_path.iterdir()} == {*MEMBERS, "family.json", "notes.txt"}


def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with files_of_at_most(100_000), pytest.raises(UnreadableFileError) as caught:
        build_family(tmp_path, scale=TINY)
    assert str(tmp_path) in caught.value.message
    assert ".part" not in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_interruption_leaves_nothing(tmp_path: Path):
    def stop(_name: str, number: int, _total: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_family(tmp_path / "family", scale=TINY, on_progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_second_family_in_the_same_folder_is_refused_before_any_work(family: Family):
    before = digests(family.folder)
    with pytest.raises(UsageError, match="qwen is already there"):
        build_family(family.folder, seed=9, scale=TINY, on_progress=lambda *_: pytest.fail("worked"))
    assert digests(family.folder) == before
