"""Loading a model runs none of its code and accepts nothing that would generate nonsense."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from modelprov.behavior.loading import load_model, load_tokenizer  # noqa: E402
from modelprov.errors import CheckpointNotFoundError, InvalidCheckpointError, ModelprovError, UsageError  # noqa: E402
from tests.behavior.probing.models import CHATML, RIO, set_template, write_model, write_tokenizer  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_model_is_loaded_for_evaluation_with_everything_that_ends_an_answer(folder):
    change(folder / "generation_config.json", eos_token_id=[3, 1])
    model = load_model(str(folder), device="cpu")
    assert not model.model.training
    assert model.eos == (3, 1)
    assert model.template == CHATML
    assert (model.label, len(model.digest)) == ("model", 64)


def marked(folder: Path) -> Iterator[Path]:
    """Code in every place where transformers would look for it; each would leave a mark."""
    for number, name in enumerate(
        ("custom_generate/generate.py", "modeling_own.py", "tokenization_own.py", "setup.py")
    ):
        mark = folder.parent / f"ran-{number}"
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"open({str(mark)!r}, 'w').close()\ndef generate(*a, **k): pass\nclass Own: pass\n")
        yield mark


def test_no_code_of_a_checkpoint_runs_when_it_is_loaded_and_when_it_generates(folder):
    marks = list(marked(folder))
    maps = {"AutoModelForCausalLM": "modeling_own.Own", "AutoConfig": "modeling_own.Own"}
    change(folder / "config.json", auto_map=maps)
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_own.Own", None]})
    change(folder / "generation_config.json", custom_generate="custom_generate")
    loaded = load_model(str(folder), device="cpu")
    out = loaded.model.generate(torch.tensor([[5, 6]]), max_new_tokens=2, do_sample=False)
    assert out.shape[1] > 2
    assert "generate" not in vars(loaded.model)
    assert [mark for mark in marks if mark.exists()] == []


def test_a_model_that_exists_only_as_code_is_refused_and_its_code_does_not_run(folder):
    marks = list(marked(folder))
    change(folder / "config.json", model_type="own", architectures=["Own"], auto_map={"AutoConfig": "modeling_own.Own",
           "AutoModelForCausalLM": "modeling_own.Own"})  # fmt: skip
    with pytest.raises(InvalidCheckpointError) as raised:
        load_model(str(folder), device="cpu")
    assert "never run" in raised.value.advice
    assert [mark for mark in marks if mark.exists()] == []


def test_missing_weights_are_an_error_and_not_random_numbers(folder):
    change(folder / "config.json", num_hidden_layers=3, layer_types=["full_attention"] * 3)
    with pytest.raises(InvalidCheckpointError, match=r"lacks 11 tensors .*layers\.2"):
        load_model(str(folder), device="cpu")


def test_weights_of_another_shape_are_an_error(folder):
    change(folder / "config.json", intermediate_size=96)
    with pytest.raises(InvalidCheckpointError, match="cannot be loaded"):
        load_model(str(folder), device="cpu")


def test_a_tokenizer_of_another_model_is_an_error(tmp_path):
    folder = write_model(tmp_path / "small", vocab_size=100)
    with pytest.raises(InvalidCheckpointError, match="100 rows"):
        load_model(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.json", "{"), ("config.json", "[]"), ("config.json", '{"model_type": "qwen3", "hidden_size": "x"}'),
        ("config.json", '{"model_type": 3}'), ("tokenizer.json", "{}"), ("tokenizer.json", "\x00"),
        ("tokenizer_config.json", "{"), ("tokenizer_config.json", '{"tokenizer_class": 4}'),
    ],
)  # fmt: skip
def test_a_broken_file_ends_in_words(folder, file, text):
    (folder / file).write_text(text)
    with pytest.raises(ModelprovError, match=r"\w+ \w+") as raised:
        load_model(str(folder), device="cpu")
    assert raised.value.advice


@pytest.mark.parametrize("text", ["{", '{"eos_token_id": "x"}'])
def test_a_broken_generation_config_is_an_error_or_not_needed(folder, text):
    (folder / "generation_config.json").write_text(text)
    with contextlib.suppress(ModelprovError):
        assert load_model(str(folder), device="cpu").eos


def test_of_named_templates_the_default_one_is_the_template(folder):
    set_template(folder, [{"name": "default", "template": CHATML}, {"name": "rag", "template": RIO}])
    assert load_model(str(folder), device="cpu").template == CHATML


def test_without_a_template_there_is_none(tmp_path):
    assert load_model(str(write_model(tmp_path / "base", None)), device="cpu").template is None


def test_no_weights_no_folder_no_device_are_errors_in_words(tmp_path, folder):
    write_tokenizer(tmp_path / "only-tokenizer")
    with pytest.raises(ModelprovError):
        load_model(str(tmp_path / "only-tokenizer"))
    with pytest.raises(CheckpointNotFoundError):
        load_model(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="device"):
        load_model(str(folder), device="warp")


def test_a_folder_without_a_tokenizer_is_said_to_have_none_although_transformers_makes_an_empty_one(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.raises(InvalidCheckpointError, match="holds no tokenizer"):
        load_tokenizer(tmp_path)
