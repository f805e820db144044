"""Settings of a checkpoint that would fetch or run code are refused before transformers sees them, key by key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from transformers.integrations import hub_kernels

from modelprov.behavior.fetched_code import FetchedCodeError, refuse_fetched_code, refuse_loaded
from modelprov.behavior.loading import load_model
from modelprov.errors import InvalidCheckpointError
from tests.behavior.probing.models import write_model
from tests.behavior.test_loading import change


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("fetched") / "model")


@pytest.fixture
def folder(shipped: Path, tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    for file in shipped.iterdir():
        (made / file.name).write_bytes(file.read_bytes())
    return made


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the Hub's kernel loader was asked for, were it installed."""
    asked: list[object] = []
    monkeypatch.setattr(hub_kernels, "is_kernels_available", lambda *_: True)
    monkeypatch.setattr(hub_kernels, "get_kernel_hub", lambda name, **_: asked.append(name), raising=False)
    return asked


HIDDEN = "evil/kernel"


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("attn_implementation", HIDDEN, "attn_implementation"),
        ("_attn_implementation", HIDDEN, "_attn_implementation"),
        ("_attn_implementation_internal", HIDDEN, "_attn_implementation_internal"),
        ("attn_implementation", f"paged|{HIDDEN}@main:flash", "attn_implementation"),
        ("attn_implementation", {"": "sdpa", "text_config": HIDDEN}, "attn_implementation"),
        ("attn_implementation", {"text_config": {"": HIDDEN}}, "attn_implementation"),
        ("attn_implementation", "flash_attention_2", "attn_implementation"),
        ("attn_implementation", ["sdpa", HIDDEN], "attn_implementation"),
        ("attn_implementation", 7, "attn_implementation"),
        ("text_config", {"attn_implementation": HIDDEN}, "text_config.attn_implementation"),
        ("text_config", {"deep": [{"_attn_implementation": HIDDEN}]}, "text_config.deep._attn_implementation"),
        ("experts_implementation", HIDDEN, "experts_implementation"),
        ("_experts_implementation_internal", "sonicmoe", "_experts_implementation_internal"),
        ("use_kernels", True, "use_kernels"),
        ("kernel_config", {"RMSNorm": f"{HIDDEN}:RMSNorm"}, "kernel_config"),
        ("some_kernel", HIDDEN, "some_kernel"),
        ("vision_config", {"architecture": "hf-hub:evil/timm"}, "vision_config.architecture"),
        ("transformers_weights", "other.safetensors", "transformers_weights"),
        ("attribute_map", {"mood": "_attn_implementation_internal"}, "attribute_map"),
    ],
)
@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
def test_a_key_that_would_fetch_code_is_refused_by_name_and_nothing_is_fetched(
    folder, fetched, file, key, value, named
):
    change(folder / file, **{key: value})
    with pytest.raises(FetchedCodeError) as refused:
        load_model(str(folder), device="cpu")
    assert isinstance(refused.value, InvalidCheckpointError)
    assert f"`{named}` in {file}" in refused.value.message
    assert refused.value.advice
    assert fetched == []


@pytest.mark.parametrize(
    "values",
    [
        {"attn_implementation": "eager"},
        {"_attn_implementation": "sdpa", "use_kernels": False},
        {"attn_implementation": None, "kernel_size": 3, "conv_kernel": [10, 3], "license": "https://a.example/b"},
        {"_name_or_path": "org/name", "trust_remote_code": True, "step_kernel": "native"},
    ],
)
def test_what_honest_configs_hold_is_loaded(folder, values):
    change(folder / "config.json", **values)
    assert load_model(str(folder), device="cpu").model is not None


def test_an_adapter_that_would_stand_over_the_weights_is_refused(folder):
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "evil/other"}))
    with pytest.raises(FetchedCodeError, match=r"adapter_config\.json"):
        load_model(str(folder), device="cpu")


def test_the_loaders_last_way_to_a_kernel_is_closed(folder, fetched):
    load_model(str(folder), device="cpu")
    with pytest.raises(FileNotFoundError, match="fetches none"):
        hub_kernels.get_kernel("kernels-community/finegrained-fp8", version=4)
    assert fetched == []


def test_what_transformers_made_of_a_config_is_looked_at_too():
    from transformers import Qwen3Config

    class Composite:
        model_type = "composite"

        def __init__(self, inner: Any) -> None:
            self.text_config = inner

    inner = Qwen3Config()
    refuse_loaded(Composite(inner), "x")
    inner._attn_implementation_internal = HIDDEN
    with pytest.raises(FetchedCodeError, match="_attn_implementation_internal"):
        refuse_loaded(Composite(inner), "x")


def test_settings_nested_without_end_are_refused_in_words(folder):
    for depth in (500, 900, 100_000):
        (folder / "config.json").write_text('{"a":' * depth + '{"use_kernels": 1}' + "}" * depth)
        with pytest.raises(InvalidCheckpointError):
            refuse_fetched_code(folder)
