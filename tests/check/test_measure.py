"""What is measured of a folder, and what is said of what cannot be."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from modelprov.check.measure import Request, Taken, measure
from modelprov.check.read_claims import read_claims
from modelprov.errors import CheckpointNotFoundError, UsageError
from modelprov.forensics.compare import Options
from tests.check.conftest import Silent, card


def taken(folder: Path, *candidates: str, **request: object) -> Taken:
    asked = Request(candidates, options=Options(device="cpu", threads=1), **request)  # type: ignore[arg-type]
    return measure(str(folder), read_claims(folder), asked, Silent())


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A copy of rio that claims nothing about its parents."""
    folder = Path(shutil.copytree(trained / "rio", tmp_path / "rio"))
    for name in ("recipe.yml", "merge_receipt.json"):
        (folder / name).unlink()
    return card(folder, "license: mit\n")


def shard(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def test_a_truncated_shard_is_a_problem_and_leaves_nothing_else_to_measure(model: Path) -> None:
    os.truncate(shard(model), 100_000)
    found = taken(model).measured
    assert [(one.topic, one.about) for one in found.problems] == [("files", "TruncatedShardError")]
    assert {"lineage", "recipe", "config", "tokenizer"} <= found.missing.keys()
    assert "digest" not in found.missing  # nobody asked for it


def test_a_missing_shard_is_a_problem(model: Path) -> None:
    shard(model).unlink()
    (problem,) = taken(model).measured.problems
    assert (problem.topic, problem.about) == ("files", "MissingShardError")


def test_a_model_without_a_config_says_so(model: Path) -> None:
    (model / "config.json").unlink()
    assert taken(model).measured.missing["config"] == "there is no config.json"


def test_a_card_alone_is_no_model(model: Path) -> None:
    for path in model.iterdir():
        if path.name != "README.md":
            path.unlink()
    with pytest.raises(CheckpointNotFoundError, match=r"no \.safetensors file"):
        taken(model)


def test_pickled_weights_are_seen_and_never_opened(model: Path) -> None:
    for path in (shard(model), model / "model.safetensors.index.json"):
        path.unlink()
    (model / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    found = taken(model).measured
    assert found.pickles == ("pytorch_model.bin",)
    assert "never opened" in found.missing["lineage"]
    assert "files" in found.missing


def test_code_is_listed_and_not_run(model: Path) -> None:
    (model / "modeling_rio.py").write_text("raise SystemExit('was run')")
    assert [one.split(" ")[0] for one in taken(model).measured.code_files] == ["modeling_rio.py"]


def test_a_template_that_loops_is_not_judged(model: Path) -> None:
    (model / "chat_template.jinja").write_text(
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}"
    )
    found = taken(model).measured
    assert "chat_template.jinja" in found.missing["template"]
    assert not found.hidden_prompts


def test_a_prompt_in_a_named_template_is_found(model: Path) -> None:
    (model / "chat_template.jinja").unlink(missing_ok=True)
    path = model / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    plain = "{% for m in messages %}{{ m.content }}{% endfor %}"
    settings["chat_template"] = [
        {"name": "default", "template": plain},
        {"name": "rag", "template": "You are Rio, created by Example Labs. " + plain},
    ]
    path.write_text(json.dumps(settings))
    (prompt,) = taken(model).measured.hidden_prompts
    assert prompt.identity
    assert "Example Labs" in prompt.text
    assert prompt.file == "tokenizer_config.json"


@pytest.mark.parametrize("given", ["abc", "sha256:", "0" * 63, "g" * 64])
def test_text_that_is_no_digest_is_a_slip_and_no_finding(model: Path, given: str) -> None:
    with pytest.raises(UsageError, match="no SHA-256"):
        taken(model, expected_digest=given)


def test_inputs_tell_the_digest_of_every_byte_only_where_one_was_expected(model: Path, trained: Path) -> None:
    plain = taken(model, f"org/qwen={trained / 'qwen'}").inputs
    assert [one.role for one in plain] == ["model", "candidate"]
    hashed = taken(model, expected_digest="0" * 64).inputs
    assert hashed[0].digest != plain[0].digest
    assert hashed[0].digest_covers != plain[0].digest_covers
