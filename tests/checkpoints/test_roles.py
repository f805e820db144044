"""The table of roles and prefixes against an independent oracle: the classes of transformers themselves."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from modelprov.checkpoints.layouts.naming import canonical_name, squeezed
from modelprov.checkpoints.layouts.prefixes import WORDS, prefixes_aside, respelled
from modelprov.checkpoints.layouts.roles import Roles, roles_of, vocabulary_role
from modelprov.checkpoints.types import Component

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "encoder_layers", "decoder_layers", "n_layers", "depth")
SOME = """
LlamaForCausalLM GPTNeoXForCausalLM GPT2LMHeadModel BloomForCausalLM OPTForCausalLM FalconForCausalLM
MambaForCausalLM RwkvForCausalLM XLNetLMHeadModel CTRLLMHeadModel OpenAIGPTLMHeadModel GitForCausalLM
BertForMaskedLM RobertaForMaskedLM AlbertForMaskedLM DistilBertForMaskedLM ElectraForMaskedLM DebertaForMaskedLM
ModernBertForMaskedLM XLMWithLMHeadModel MPNetForMaskedLM EsmForMaskedLM BioGptForCausalLM
T5ForConditionalGeneration BartForConditionalGeneration WhisperForConditionalGeneration BartForCausalLM
BertForSequenceClassification BertForQuestionAnswering ViTForImageClassification DeiTForImageClassification
RobertaForTokenClassification GPT2ForSequenceClassification LlamaForSequenceClassification
Wav2Vec2ForCTC HubertForCTC SwinForImageClassification BeitForImageClassification
"""
OTHER_EMBEDDINGS = {"ctrl", "fsmt", "instructblip", "instructblipvideo", "pi0", "siglip2", "siglip2_vision_model"}
"""Families whose embeddings the table does not find, or of which it takes the nearest of several."""


def mappings() -> list[dict[str, Any]]:
    from transformers.models.auto import modeling_auto

    names = [name for name in dir(modeling_auto) if name.startswith("MODEL_") and name.endswith("_MAPPING_NAMES")]
    return [getattr(modeling_auto, name) for name in names]


@cache
def classes() -> tuple[str, ...]:
    """A sample that covers every kind of name; with MODELPROV_SLOW every class that has a base model."""
    if not os.environ.get("MODELPROV_SLOW"):
        return tuple(SOME.split())
    found: dict[str, None] = {}
    for mapping in mappings():
        for names in mapping.values():
            found |= dict.fromkeys(names if isinstance(names, tuple | list) else [names])
    return tuple(name for name in found if isinstance(name, str))


@cache
def model(name: str) -> Any:
    """A model without data; None where its default settings make none."""
    try:
        kind = getattr(transformers, name)
        config = kind.config_class()
        for key in LAYERS:
            if isinstance(getattr(config, key, None), int):
                setattr(config, key, 2)
        with torch.device("meta"):
            return kind(config)
    except Exception:  # a family that needs another library, or settings
        return None


def names_of(built: Any) -> dict[str, tuple[int, ...]]:
    """Every parameter under every name it has, as a checkpoint may store it."""
    return {name: tuple(value.shape) for name, value in built.named_parameters(remove_duplicate=False)}


def own_name(built: Any, module: Any) -> str | None:
    """The canonical name of a module's weight, if it is a matrix."""
    for name, found in built.named_modules(remove_duplicate=False):
        if found is module and f"{name}.weight" in names_of(built):
            return canonical_name(f"{name}.weight")
    return None


def built() -> Iterator[tuple[str, Any]]:
    for name in classes():
        made = model(name)
        if made is not None:
            yield name, made


def table(made: Any) -> tuple[dict[str, tuple[int, ...]], Roles]:
    shapes = {canonical_name(name): shape for name, shape in names_of(made).items()}
    return shapes, roles_of(shapes)


@pytest.mark.timeout(1800)
def test_embeddings_and_heads_are_those_that_transformers_names() -> None:
    tried = 0
    for name, made in built():
        shapes, roles = table(made)
        head = made.get_output_embeddings()
        if head is not None and (expected := own_name(made, head)) is not None:
            tied = vocabulary_role(expected) is Component.EMBEDDINGS
            assert tied or roles.head == expected, (name, roles, expected)
            tried += 1
        if made.config.model_type in OTHER_EMBEDDINGS or not hasattr(made, "get_input_embeddings"):
            continue
        try:
            expected = own_name(made, made.get_input_embeddings())
        except NotImplementedError:
            continue
        if expected is not None and len(shapes[expected]) == 2 and "patch" not in expected:
            assert roles.embeddings is not None, (name, expected)
            assert shapes[roles.embeddings] == shapes[expected], (name, roles, expected)
    assert tried >= 20


@pytest.mark.timeout(1800)
def test_what_transformers_ties_is_known_as_embeddings_and_head() -> None:
    for name, made in built():
        tied = type(made)._tied_weights_keys
        shapes, _ = table(made)
        for target, source in tied.items() if isinstance(tied, dict) else ():
            roles = {vocabulary_role(canonical_name(key)) for key in (target, source)}
            if canonical_name(target) in shapes and "lm_head" in target and target.endswith("weight"):
                assert Component.HEAD in roles, (name, target, source)


@pytest.mark.timeout(1800)
def test_every_base_model_is_found_in_its_task_models_and_nothing_else_is() -> None:
    bases = {key: names[0] if isinstance(names, tuple | list) else names for key, names in mappings_of_bases().items()}
    tried = 0
    for name, made in built():
        base = bases.get(made.config.model_type)
        prefix = f"{made.base_model_prefix}."
        assert set(made.base_model_prefix.split(".")) <= WORDS | {""}, name
        if base is None or base == name or model(base) is None:
            continue
        task, bare = names_of(made), names_of(model(base))
        stored = [{canonical_name(key): key for key in names} for names in (task, bare)]
        shapes = [
            {key: names[own] for key, own in keys.items()} for keys, names in zip(stored, (task, bare), strict=True)
        ]
        aside = prefixes_aside(shapes)
        found = [
            {respelled(key, left): own for key, own in keys.items()} for keys, left in zip(stored, aside, strict=True)
        ]
        pairs = [
            (found[0][key], found[1][key])
            for key in found[0].keys() & found[1].keys()
            if squeezed(task[found[0][key]]) == squeezed(bare[found[1][key]])
        ]
        there = sum(math.prod(shape) for key, shape in bare.items() if task.get(prefix + key) == shape)
        right = [theirs for own, theirs in pairs if own in (prefix + theirs, theirs)]
        assert sum(math.prod(bare[key]) for key in right) >= there, (name, aside)
        assert not [pair for pair in pairs if prefix + pair[1] in task and pair[0] != prefix + pair[1]], (name, aside)
        tried += 1
    assert tried >= 20


def mappings_of_bases() -> dict[str, Any]:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    return dict(MODEL_MAPPING_NAMES)


V, H = 64, 16


@pytest.mark.parametrize(
    ("names", "embeddings", "head"),
    [
        (("gpt_neox.embed_in", "embed_out"), "gpt_neox.embed_in", "embed_out"),
        (("tok_embeddings", "output"), "tok_embeddings", "output"),
        (("model.tok_embeddings", "output"), "model.tok_embeddings", "output"),
        (
            ("transformer.embedding.word_embeddings", "transformer.output_layer"),
            "transformer.embedding.word_embeddings",
            "transformer.output_layer",
        ),
        (("model.transformer.wte", "model.transformer.ff_out"), "model.transformer.wte", "model.transformer.ff_out"),
        (("backbone.embeddings", "lm_head"), "backbone.embeddings", "lm_head"),
        (("shared", "encoder.embed_tokens", "decoder.embed_tokens", "lm_head"), "shared", "lm_head"),
        (("visual.embed_tokens", "mtp.embed_tokens", "layers.0.head"), None, None),
        (("wpe", "score"), None, None),
    ],
)
def test_makers_own_names_are_known(names: tuple[str, ...], embeddings: str | None, head: str | None) -> None:
    roles = roles_of({f"{name}.weight": (V, H) for name in names})
    assert roles.embeddings == (f"{embeddings}.weight" if embeddings else None)
    assert roles.head == (f"{head}.weight" if head else None)


def test_a_word_that_may_mean_anything_is_a_head_only_where_it_is_as_large_as_the_embeddings() -> None:
    shapes = {"model.embed_tokens.weight": (V, H), "output.weight": (H, H), "decoder.weight": (V, H + 1)}
    assert roles_of(shapes).head is None


TOWER = {f"encoder.layer.{n}.attention.self.{part}.weight": (H, H) for n in range(3) for part in ("query", "key")}


def test_of_two_towers_that_fit_equally_none_is_taken() -> None:
    towers = {f"{tower}.{name}": shape for tower in ("question_encoder", "student") for name, shape in TOWER.items()}
    assert prefixes_aside([TOWER, towers]) == prefixes_aside([towers, TOWER]) == ("", "")


def test_a_prefix_is_not_set_aside_where_shapes_speak_against_it() -> None:
    other = {f"bert.{name}": (H, 2 * H) for name in TOWER}
    assert prefixes_aside([TOWER, other]) == ("", "")


def test_a_word_that_no_program_puts_before_a_model_is_part_of_the_name() -> None:
    assert prefixes_aside([TOWER, {f"layernorm.{name}": shape for name, shape in TOWER.items()}]) == ("", "")


def test_each_of_several_checkpoints_may_have_another_prefix() -> None:
    spelled = [
        {f"{prefix}{name}": shape for name, shape in TOWER.items()} for prefix in ("bert.", "", "bert.", "model.")
    ]
    assert prefixes_aside(spelled) == ("bert.", "", "bert.", "model.")
    assert prefixes_aside(spelled[2:]) in {("bert.", "model.")}
    assert prefixes_aside([spelled[0], spelled[2]]) == ("", "")
