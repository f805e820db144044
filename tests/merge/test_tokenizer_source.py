"""`tokenizer_source`: every vocabulary becomes that of one tokenizer, with the rows that mergekit gives each token."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tokenizers import Tokenizer

import modelprov
from modelprov.checkpoints.digests import sampled_digest
from modelprov.errors import MergeError
from modelprov.foreign.json_text import parse_json as loads
from modelprov.merge.token_rows import MEAN, ZEROS, donors
from tests.data.mergekit.token_models import recipes, write_models
from tests.merge.conftest import model

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "mergekit" / "tokens.json").read_text())["cases"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    write_models(folder)
    return folder


def _rows(folder: Path, name: str) -> np.ndarray[Any, Any]:
    """The stored bytes of each row."""
    checkpoint = modelprov.open(folder)
    ref = checkpoint.tensors[name]
    raw = bytearray(ref.stop - ref.start)
    checkpoint.source.read_into(ref.shard, ref.start, memoryview(raw))
    return np.frombuffer(raw, np.uint8).reshape(ref.shape[0], -1)


def _merged(models: Path, recipe: dict[str, Any], out: Path) -> tuple[Any, dict[str, int]]:
    path = models / f"{out.name}.yml"
    path.write_text(yaml.safe_dump(recipe))
    made = modelprov.merge(path, out)
    return made, Tokenizer.from_file(str(out / "tokenizer.json")).get_vocab()


@pytest.mark.parametrize("case", recipes())
def test_every_token_has_the_bits_that_mergekit_gives_it(case: str, models: Path, tmp_path: Path) -> None:
    recipe = recipes()[case]
    _, vocabulary = _merged(models, recipe, tmp_path / "out")
    assert sorted(vocabulary) == RECORDED[case]["tokens"]
    order = [vocabulary[token] for token in sorted(vocabulary)]
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        rows = _rows(tmp_path / "out", name)
        assert hashlib.sha256(rows[order].tobytes()).hexdigest() == RECORDED[case][name]
    assert loads((tmp_path / "out" / "config.json").read_text())["vocab_size"] == len(vocabulary)
    assert modelprov.verify(tmp_path / "out", models / "out.yml").reproduced


def test_the_union_keeps_the_bases_numbers_and_says_what_each_model_lacks(models: Path, tmp_path: Path) -> None:
    recipe = recipes()["union, ties"]
    made, vocabulary = _merged(models, recipe, tmp_path / "out")
    base = Tokenizer.from_file(str(models / "A" / "tokenizer.json")).get_vocab()
    assert {token: vocabulary[token] for token in base} == base
    assert any("B lacks" in note and "another model's row" in note for note in made.plan.notes)
    inputs = loads((tmp_path / "out" / "merge_receipt.json").read_text())["inputs"]
    digests = {Path(each["location"]).name: each["sampled_digest"] for each in inputs}
    assert digests["B"] == sampled_digest(modelprov.open(models / "B"))


def test_rows_in_pieces_are_those_of_the_whole(models: Path) -> None:
    path = models / "whole.yml"
    path.write_text(yaml.safe_dump(recipes()["union, linear of three, bfloat16"]))
    opened = modelprov.open(path)
    ref = opened.tensors["lm_head.weight"]
    whole = bytearray(ref.stop - ref.start)
    opened.source.read_into(ref.shard, ref.start, memoryview(whole))
    for start, stop in ((0, 1), (3, 77), (len(whole) - 5, len(whole)), (31, 33)):
        piece = bytearray(stop - start)
        opened.source.read_into(ref.shard, ref.start + start, memoryview(piece))
        assert piece == whole[start:stop]


def test_who_gives_a_row() -> None:
    own = np.array([[0, -1, 1, -1, -1], [0, 2, -1, -1, 3], [1, -1, 4, -1, 5]])
    assert donors(own, None).tolist() == [MEAN, 1, MEAN, ZEROS, MEAN]
    assert donors(own, 2).tolist() == [2, 1, 2, ZEROS, 2]


def test_tokens_without_a_row_are_left_out_of_the_tokenizer(tmp_path: Path) -> None:
    write_models(tmp_path)
    document = loads((tmp_path / "A" / "tokenizer.json").read_text())
    document["model"]["vocab"]["bc"] = 40
    document["model"]["merges"].append(["b", "c"])
    (tmp_path / "A" / "tokenizer.json").write_text(json.dumps(document))
    _, vocabulary = _merged(tmp_path, recipes()["union, ties"], tmp_path / "out")
    assert "bc" not in vocabulary


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"model": {"type": "BPE", "vocab": {"a": 0, "b": 2}, "merges": []}}, "without a gap"),
        ({"model": {"type": "Unigram", "vocab": [["a", 0.0]] * 3 + [[str(n), 0.0] for n in range(99)]}}, "no BPE"),
        (None, "has no tokenizer.json"),
    ],
)
def test_what_cannot_be_followed_is_said(document: object, words: str, tmp_path: Path) -> None:
    write_models(tmp_path)
    (tmp_path / "A" / "tokenizer.json").unlink()
    if document:
        (tmp_path / "A" / "tokenizer.json").write_text(json.dumps(document))
    path = tmp_path / "r.yml"
    path.write_text(yaml.safe_dump(recipes()["union, ties"]))
    with pytest.raises(MergeError, match=words):
        modelprov.merge(path, tmp_path / "out", dry_run=True)
    with pytest.raises(MergeError, match=words):
        modelprov.verify(tmp_path / "B", path)


def test_without_any_tokenizer_rows_are_merged_by_their_number(tmp_path: Path) -> None:
    for name in "ab":
        model(tmp_path / name)
    path = tmp_path / "r.yml"
    path.write_text("merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}, {model: b, parameters: "
                    "{weight: 1}}]\ntokenizer: {source: base}\n")  # fmt: skip
    made = modelprov.merge(path, tmp_path / "out")
    assert any("by their number" in note for note in made.plan.notes)
