"""Prompts from messages: as transformers makes them, and errors in words for templates that cannot be used."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from modelprov.behavior.chat import render
from modelprov.behavior.loading import LocalModel, load_model
from modelprov.behavior.templates.rendering import TemplateFailedError
from modelprov.errors import UsageError
from tests.behavior.probing.models import CHATML, RIO, write_model

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return load_model(str(write_model(tmp_path_factory.mktemp("chat") / "model", RIO)), device="cpu")


def test_a_conversation_becomes_the_tokens_of_its_rendering(model):
    assert model.tokenizer.decode(render(model, HELLO)).startswith("<|im_start|>system\nYou are Rio")
    plain = render(model, HELLO, CHATML)
    assert model.tokenizer.decode(plain) == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"


def test_variables_reach_the_template(model):
    assert render(model, HELLO, "{{ mood }}", mood="ab") == model.tokenizer.encode("ab", add_special_tokens=False)


@pytest.mark.parametrize(
    "template",
    ["{% for a in range(99999) %}{{ 'x' * 100 }}{% endfor %}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"],
)
def test_a_template_that_grows_without_end_never_reaches_this_process(model, template):
    with pytest.raises(TemplateFailedError):
        render(model, HELLO, template)


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{% if %}", "{{ x.y.z }}"])
def test_a_template_that_refuses_is_a_usage_error(model, template):
    with pytest.raises(UsageError, match="fails"):
        render(model, HELLO, template)


def test_without_a_template_there_is_no_prompt(model):
    with pytest.raises(UsageError, match="no chat template"):
        render(replace(model, template=None), HELLO)
