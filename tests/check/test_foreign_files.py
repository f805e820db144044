"""Small files beside the weights may hold anything: what is read of them never fails but in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelprov.behavior.probing.template_files import added_tokens, code_in, read_templates, special_tokens
from modelprov.check.measuring.config import config_problems, tokenizer_problems
from modelprov.check.read_claims import read_claims
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import ModelprovError
from modelprov.merge.virtual import plan_recipe
from modelprov.merge.writing import WriteOptions, write_merge
from modelprov.recipes.recipe import linear
from tests.factories import write_checkpoint
from tests.merge.conftest import Silence

VALUES = (
    "5", "-1", "9" * 299, "9" * 5_000, "1.5", "1e400", "NaN", "true", "null", '""', '"x"', "[]", "[5]", "[[]]",
    "[null]",
    '[{"id": 5}]', '[{"content": 5, "id": "x"}]', '[{"template": 5}]', '[{"name": 5, "template": "x"}]', "{}",
    '{"a": 5}',
    '{"a": {"content": 5}}', '{"": []}', '{"vocab": 5}', '{"vocab": [5]}', '{"vocab": {"a": "b"}}',
    "[" * 900 + "]" * 900,
)  # fmt: skip
KEYS = {
    "tokenizer_config.json": ("chat_template", "bos_token", "added_tokens_decoder", "auto_map"),
    "tokenizer.json": ("added_tokens", "model"),
    "chat_template.json": ("chat_template",),
    "processor_config.json": ("chat_template", "auto_map"),
    "generation_config.json": ("custom_generate", "auto_map"),
    "merge_receipt.json": ("recipe", "inputs", "files"),
    "config.json": ("num_hidden_layers", "layer_types", "text_config", "dtype", "vocab_size", "mtp_num_hidden_layers"),
}


def contents() -> Iterator[tuple[str, str]]:
    for file, keys in KEYS.items():
        for key in keys:
            yield from ((file, f'{{"{key}": {value}}}') for value in VALUES)
        yield from ((file, value) for value in VALUES)


def in_few_words(error: ModelprovError) -> None:
    assert len(error.message) < 1_000
    assert "int_max_str" not in error.message


def looked_at(folder: Path) -> None:
    """Everything that reads these files without running a model; an error of ours in words is an answer."""
    claims = read_claims(folder)
    assert all(len(one.message) < 1_000 for one in claims.problems)
    opened = open_checkpoint(str(folder))
    for look in (
        lambda: list(config_problems(opened)),
        lambda: list(tokenizer_problems(folder, opened)),
        lambda: read_templates(folder),
        lambda: special_tokens(folder),
        lambda: added_tokens(folder),
        lambda: code_in(folder),
    ):
        try:
            look()
        except ModelprovError as error:
            in_few_words(error)


@pytest.mark.parametrize("file", KEYS)
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(file: str, tmp_path: Path) -> None:
    tensors = {"model.embed_tokens.weight": (np.ones((4, 2)), "BF16")}
    folder = write_checkpoint(tmp_path / "model", tensors, config={})
    refused = []
    for name, text in contents():
        if name != file:
            continue
        (folder / file).write_text(text)
        try:
            looked_at(folder)
        except ModelprovError as error:  # config.json is part of the checkpoint
            in_few_words(error)
            refused.append(name)
    assert set(refused) <= {"config.json"}


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json", "config.json", "generation_config.json"])
def test_a_merge_of_such_models_is_written_or_refused_in_words(file: str, tmp_path: Path) -> None:
    tensors = {"model.layers.0.mlp.up_proj.weight": (np.ones((4, 2)), "BF16")}
    folders = [write_checkpoint(tmp_path / name, tensors, config={}) for name in "ab"]
    for number, (name, text) in enumerate(contents()):
        if name != file:
            continue
        (folders[0] / file).write_text(text)
        try:
            plan = plan_recipe(linear({str(folder): 0.5 for folder in folders}))
            write_merge(plan, tmp_path / f"out{number}", WriteOptions(), Silence())
        except ModelprovError as error:
            in_few_words(error)
