"""Models of one kind that are stored unlike: heads tied or not, prefixes or none, vocabularies of other lengths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import MergeError
from modelprov.merge.config import merged_config
from modelprov.merge.virtual import plan_recipe, virtual_checkpoint
from modelprov.recipes.recipe import linear
from tests.factories import Tensor, write_checkpoint
from tests.merge.conftest import differing

V, H = 64, 16
CAUSAL = {"architectures": ["LlamaForCausalLM"]}


def weights(
    seed: int, head: str | None = "lm_head.weight", vocabulary: int = V, prefix: str = "model."
) -> dict[str, Tensor]:
    draws = np.random.default_rng(seed)
    embeddings = draws.standard_normal((vocabulary, H))
    made: dict[str, Tensor] = {f"{prefix}embed_tokens.weight": (embeddings, "BF16")}
    for layer in range(2):
        made[f"{prefix}layers.{layer}.self_attn.q_proj.weight"] = draws.standard_normal((H, H)), "BF16"
    if head is not None:
        made[head] = embeddings, "BF16"
    return made


def stored(folder: Path, tensors: dict[str, Tensor], **config: Any) -> str:
    return str(write_checkpoint(folder, tensors, config=CAUSAL | config))


def merged(folder: Path, *models: str) -> Any:
    plan = plan_recipe(linear(dict.fromkeys(models, 1 / len(models))))
    return plan, virtual_checkpoint(plan, "x", "x", folder)


@pytest.mark.parametrize("config", [{"tie_word_embeddings": True}, {}])
def test_a_head_that_is_stored_though_tied_merges_in_either_order(tmp_path: Path, config: dict[str, Any]) -> None:
    base = stored(tmp_path / "base", weights(1, None), **config)
    saved = stored(tmp_path / "saved", weights(2), **config)
    one, other = merged(tmp_path, base, saved)[1], merged(tmp_path, saved, base)[1]
    assert one.tensors.keys() == other.tensors.keys()
    assert "lm_head.weight" in one.tensors
    assert differing(one, other) == []


def test_a_head_of_its_own_is_not_called_tied_whatever_the_order(tmp_path: Path) -> None:
    base = stored(tmp_path / "base", weights(1, None), tie_word_embeddings=True)
    own = stored(tmp_path / "own", weights(2), tie_word_embeddings=False)
    for models in ((base, own), (own, base)):
        plan, made = merged(tmp_path, *models)
        assert "lm_head.weight" in made.tensors
        config = merged_config(plan)
        assert config is not None
        assert config["tie_word_embeddings"] is False


def test_a_head_under_the_name_of_its_family_is_found_in_a_tied_model(tmp_path: Path) -> None:
    base = stored(tmp_path / "base", weights(1, None), tie_word_embeddings=True)
    for head in ("embed_out.weight", "output.weight"):
        saved = stored(tmp_path / head, weights(2, head), tie_word_embeddings=True)
        one, other = merged(tmp_path, base, saved)[1], merged(tmp_path, saved, base)[1]
        assert one.tensors.keys() == other.tensors.keys()
        assert head in one.tensors


def bert(seed: int, prefix: str, *more: str) -> dict[str, Tensor]:
    draws = np.random.default_rng(seed)
    names = [f"encoder.layer.{n}.attention.self.{part}.weight" for n in range(2) for part in ("query", "key")]
    made: dict[str, Tensor] = {f"{prefix}embeddings.word_embeddings.weight": (draws.standard_normal((V, H)), "F32")}
    return (
        made
        | {f"{prefix}{name}": (draws.standard_normal((H, H)), "F32") for name in names}
        | {name: (draws.standard_normal((2, H)), "F32") for name in more}
    )


@pytest.mark.parametrize("prefix", ["bert.", "module.bert.", "model.bert.", "student.", "_orig_mod.bert."])
def test_a_base_merges_with_its_task_model_and_the_prefix_is_said(tmp_path: Path, prefix: str) -> None:
    bare = stored(tmp_path / "bare", bert(1, ""))
    task = stored(tmp_path / "task", bert(2, prefix))
    plan, made = merged(tmp_path, bare, task)
    assert set(made.tensors) == set(open_checkpoint(bare).tensors)
    assert all(planned.copy is None for planned in plan.tensors)
    assert any(repr(prefix.removeprefix("module.").removeprefix("_orig_mod.")) in note for note in plan.notes)
    assert differing(made, merged(tmp_path, task, bare)[1]) == []


def test_towers_that_fit_equally_are_not_merged_by_chance(tmp_path: Path) -> None:
    bare = stored(tmp_path / "bare", bert(1, ""))
    two = stored(tmp_path / "two", bert(2, "student.") | bert(3, "teacher."))
    with pytest.raises(MergeError, match="missing"):
        merged(tmp_path, bare, two)


def test_a_longer_vocabulary_is_an_error_that_says_how_to_go_on(tmp_path: Path) -> None:
    base, longer = stored(tmp_path / "base", weights(1)), stored(tmp_path / "longer", weights(2, vocabulary=V + 8))
    for models in ((base, longer), (longer, base)):
        with pytest.raises(MergeError, match="vocabularies differ by 8 rows") as caught:
            merged(tmp_path, *models)
        assert f"resize_token_embeddings({V})` for longer" in caught.value.advice


def test_a_merge_is_written_with_the_config_that_fits_its_head(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from modelprov.cli.main import app

    base = stored(tmp_path / "base", weights(1, None), tie_word_embeddings=True)
    own = stored(tmp_path / "own", weights(2), tie_word_embeddings=False)
    result = CliRunner().invoke(app, ["merge", "--linear", f"{base}=0.5", f"{own}=0.5", str(tmp_path / "out"), "-q"])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "config.json").read_text())["tie_word_embeddings"] is False
    assert "lm_head.weight" in open_checkpoint(str(tmp_path / "out")).tensors
