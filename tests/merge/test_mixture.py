"""Mixtures made of experts: the tensors and routers that mergekit-moe writes, in the layout of the published family."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import modelprov
from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import MergeError
from modelprov.foreign.json_text import parse_json
from tests.data.mergekit.token_models import mixtures, write_models
from tests.merge.conftest import stored_bytes

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "mergekit" / "tokens.json").read_text())["mixtures"]
LAYER = "model.layers.0"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experts")
    write_models(folder)
    return folder


def _recipe(models: Path, mode: str, **more: Any) -> Path:
    path = models / f"{mode}-{len(list(models.iterdir()))}.yml"
    given = mixtures()["cheap_embed"] | {"gate_mode": mode} | more
    path.write_text(yaml.safe_dump({key: value for key, value in given.items() if value is not None}))
    return path


def _bytes(opened: Checkpoint, *names: str) -> bytes:
    return b"".join(stored_bytes(opened, opened.tensors[f"{LAYER}.block_sparse_moe.{name}.weight"]) for name in names)


def _router(opened: Checkpoint) -> np.ndarray[Any, Any]:
    ref = opened.tensors[f"{LAYER}.block_sparse_moe.gate.weight"]
    return decode(np.frombuffer(stored_bytes(opened, ref), np.uint8), ref.dtype).reshape(ref.shape)


def test_every_tensor_has_the_bits_that_mergekit_writes(models: Path, tmp_path: Path) -> None:
    path = _recipe(models, "cheap_embed")
    modelprov.merge(path, tmp_path / "out")
    opened, recorded = modelprov.open(tmp_path / "out"), dict(RECORDED["cheap_embed"])
    assert _router(opened).tolist() == recorded.pop("router")
    stacks = {
        "gate_up_proj": _bytes(opened, "experts.0.w1", "experts.0.w3", "experts.1.w1", "experts.1.w3"),
        "down_proj": _bytes(opened, "experts.0.w2", "experts.1.w2"),
    }
    for name, whole in stacks.items():
        assert hashlib.sha256(whole).hexdigest() == recorded.pop(f"{LAYER}.mlp.experts.{name}")
    others = {name for name in opened.tensors if "block_sparse_moe" not in name}
    assert recorded == {name: hashlib.sha256(stored_bytes(opened, opened.tensors[name])).hexdigest() for name in others}
    assert modelprov.verify(tmp_path / "out", path).reproduced


def test_the_config_is_that_of_the_published_family(models: Path, tmp_path: Path) -> None:
    made = modelprov.merge(_recipe(models, "random"), tmp_path / "out")
    config = parse_json((tmp_path / "out" / "config.json").read_text())
    assert (config["model_type"], config["num_local_experts"], config["num_experts_per_tok"]) == ("mixtral", 2, 2)
    assert any("only the MLPs are taken" in note for note in made.plan.notes)
    assert any("routers are drawn" in note for note in made.plan.notes)


@pytest.mark.parametrize("mode", ["hidden", "hidden_avg"])
def test_a_forward_pass_gives_the_routers_of_mergekit(mode: str, models: Path) -> None:
    opened = modelprov.open(_recipe(models, mode))
    np.testing.assert_allclose(_router(opened), RECORDED[mode]["router"], atol=2**-7)


def test_drawn_routers_hang_on_the_seed_alone(models: Path) -> None:
    routers = [
        _router(modelprov.open(_recipe(models, "random", modelprov={"seed": seed}))).tolist() for seed in (1, 1, 2)
    ]
    assert routers[0] == routers[1] != routers[2]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"shared_experts": [{"source_model": "B", "positive_prompts": ["a"]}]}, "1 shared experts is not built"),
        ({"architecture": "deepseek"}, "DeepSeek layout needs code"),
        ({"base_model": "other"}, "different families"),
    ],
)
def test_what_is_not_built_is_refused_alike_by_merge_dry_run_and_verify(
    more: dict[str, Any], words: str, models: Path, tmp_path: Path
) -> None:
    write_models(tmp_path)
    config = parse_json((tmp_path / "A" / "config.json").read_text()) | {"model_type": "gemma"}
    (tmp_path / "A").rename(tmp_path / "other")
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    (tmp_path / "A").symlink_to(models / "A")
    path = _recipe(tmp_path, "random", **more)
    for run in (
        lambda: modelprov.merge(path, tmp_path / "out", dry_run=True),
        lambda: modelprov.merge(path, tmp_path / "out"),
        lambda: modelprov.verify(models / "A", path),
    ):
        with pytest.raises(MergeError) as caught:
            run()
        assert words in f"{caught.value.message} {caught.value.advice}"


def test_a_base_without_a_tokenizer_is_refused_before_anything_is_read(models: Path, tmp_path: Path) -> None:
    write_models(tmp_path)
    (tmp_path / "A" / "tokenizer.json").unlink()
    with pytest.raises(MergeError, match=r"no tokenizer\.json"):
        modelprov.merge(_recipe(tmp_path, "cheap_embed"), tmp_path / "out", dry_run=True)
    del models
