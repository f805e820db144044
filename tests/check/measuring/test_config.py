"""Config and tokenizer against headers: what contradicts, and what published models may do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.check.measuring.config import ADDED_ROWS, ROWS, config_problems, tokenizer_problems
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import ModelprovError
from tests.factories import write_checkpoint

RIGHT: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "vocab_size": 40, "hidden_size": 16,
    "tie_word_embeddings": False,
}  # fmt: skip


def model(folder: Path, layers: int = 2, *, head: bool = True, **config: Any) -> Path:
    tensors = {"model.embed_tokens.weight": np.ones((40, 16), np.float32)}
    for layer in range(layers):
        tensors[f"model.layers.{layer}.self_attn.q_proj.weight"] = np.ones((16, 16), np.float32)
    if head:
        tensors["lm_head.weight"] = np.ones((40, 16), np.float32)
    return write_checkpoint(folder, tensors, config=RIGHT | config)


def problems(folder: Path) -> list[str]:
    return [one.about for one in config_problems(open_checkpoint(str(folder)))]


def test_a_config_that_describes_its_weights_has_no_problem(tmp_path: Path) -> None:
    assert problems(model(tmp_path / "m")) == []


@pytest.mark.parametrize(
    ("config", "about"),
    [
        ({"num_hidden_layers": 3}, "num_hidden_layers"),
        ({"vocab_size": 41}, "vocab_size"),
        ({"hidden_size": 32}, "hidden_size"),
    ],
)
def test_what_the_config_says_and_the_headers_contradict_is_a_problem(
    tmp_path: Path, config: dict[str, Any], about: str
) -> None:
    assert problems(model(tmp_path / "m", **config)) == [about]


def test_a_head_that_is_promised_and_missing_is_a_problem(tmp_path: Path) -> None:
    assert problems(model(tmp_path / "m", head=False)) == ["tie_word_embeddings"]


@pytest.mark.parametrize(
    ("layers", "head", "config"),
    [
        (3, True, {"num_nextn_predict_layers": 1}),  # DeepSeek V3 stores its predictor as the layer behind the last
        (2, True, {"hidden_size": 64, "word_embed_proj_dim": 16}),  # OPT 350m
        (1, True, {"num_hidden_layers": 12, "num_hidden_groups": 1}),  # ALBERT shares its layers
        (2, False, {"architectures": ["LlamaForSequenceClassification"]}),  # a reward model has no head for words
        (2, False, {"architectures": ["LlamaModel"]}),
        (2, False, {"tie_word_embeddings": True}),
    ],
    ids=["predictor", "narrow-embeddings", "shared-layers", "classifier", "encoder", "tied"],
)
def test_what_published_models_do_by_design_is_no_problem(
    tmp_path: Path, layers: int, head: bool, config: dict[str, Any]
) -> None:
    assert problems(model(tmp_path / "m", layers, head=head, **config)) == []


def tokenizer(folder: Path, **content: Any) -> list[str]:
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return [one.about for one in tokenizer_problems(folder, open_checkpoint(str(folder)))]


def test_a_word_without_a_row_is_one_problem_and_an_added_token_without_one_another(tmp_path: Path) -> None:
    folder = model(tmp_path / "m")
    last, beyond = {"id": 39, "content": "<a>"}, {"id": 40, "content": "<image>"}
    assert tokenizer(folder, model={"vocab": {"a": 39}}, added_tokens=[last]) == []
    assert tokenizer(folder, model={"vocab": {"a": 40}}, added_tokens=[beyond]) == [ROWS]
    assert tokenizer(folder, model={"vocab": {"a": 39}}, added_tokens=[beyond]) == [ADDED_ROWS]
    assert tokenizer(folder, model={"vocab": [["a", 0.0]] * 41}) == [ROWS]


@pytest.mark.parametrize(
    "content",
    [{}, {"model": 1}, {"model": {"vocab": {"a": "x"}}, "added_tokens": [1, {"id": "x"}]}, {"added_tokens": 7}],
)
def test_a_tokenizer_of_another_kind_is_no_problem(tmp_path: Path, content: dict[str, Any]) -> None:
    assert tokenizer(model(tmp_path / "m"), **content) == []


def test_a_tokenizer_that_is_missing_or_broken_is_said(tmp_path: Path) -> None:
    folder = model(tmp_path / "m")
    with pytest.raises(ModelprovError, match=r"no tokenizer\.json"):
        list(tokenizer_problems(folder, open_checkpoint(str(folder))))
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelprovError, match="not valid JSON"):
        list(tokenizer_problems(folder, open_checkpoint(str(folder))))


@pytest.mark.parametrize(
    ("embeddings", "head"),
    [
        ("gpt_neox.embed_in", "embed_out"),
        ("model.tok_embeddings", "output"),
        ("bert.embeddings.word_embeddings", "cls.predictions.decoder"),
        ("transformer.wte", "lm_head"),
        ("transformer.embedding.word_embeddings", "transformer.output_layer"),
        ("rwkv.embeddings", "head"),
        ("model.embed_tokens", "some_new_name_of_a_head"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_the_head_of_every_family_is_known_and_its_absence_is_seen(
    tmp_path: Path, embeddings: str, head: str, there: bool
) -> None:
    tensors = {f"{embeddings}.weight": np.ones((40, 16), np.float32), "model.norm.weight": np.ones(16, np.float32)}
    if there:
        tensors[f"{head}.weight"] = np.ones((40, 16), np.float32)
    config = {"architectures": ["XForCausalLM"], "tie_word_embeddings": False, "vocab_size": 40, "hidden_size": 16}
    folder = write_checkpoint(tmp_path / "m", tensors, config=config)
    assert problems(folder) == ([] if there else ["tie_word_embeddings"])
