"""No text of a foreign chat template is rendered in this process, whoever asks: eval, lm-eval, inspect_ai, probe."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

pytest.importorskip("torch")

from modelprov.behavior.chat import render_text
from modelprov.behavior.evaluation.answering import Asking
from modelprov.behavior.evaluation.methods import plan
from modelprov.behavior.evaluation.run import Subject, evaluate
from modelprov.behavior.evaluation.tasks import load_task
from modelprov.behavior.loading import LocalModel, load_model
from modelprov.behavior.probing.arms import SHIPPED
from modelprov.behavior.probing.names import parse_names
from modelprov.behavior.probing.questions import questions
from modelprov.behavior.probing.subjects import examine_files, local_subject
from modelprov.behavior.templates.rendering import Limits, Renderer, TemplateFailedError
from modelprov.check.measuring.template import hidden_prompts
from tests.behavior.evaluation.conftest import Calculator, save_tiny_model
from tests.behavior.evaluation.test_lm_eval import TASK
from tests.behavior.evaluation.test_run import Silent
from tests.behavior.probing.models import CHATML, set_template

MARK = "foreign83qx"
FOREIGN = "{# " + MARK + " #}" + CHATML
LATE = "{% if 'question 3' in messages[-1].content %}{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{% endif %}"  # noqa: E501
FILLS = LATE.replace("{% for b in range(99999) %}{% endfor %}", "{{ 'x' * 10000000 }}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = save_tiny_model(tmp_path_factory.mktemp("outside") / "tiny")
    (made / "chat_template.jinja").write_text(FOREIGN)
    return made


@pytest.fixture
def model(folder: Path) -> LocalModel:
    return load_model(str(folder), device="cpu")


@pytest.fixture(autouse=True)
def trap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jinja in this process refuses the foreign template."""
    compiled = jinja2.Environment.compile

    def refusing(self, source, *args, **given):
        assert MARK not in str(source), "a foreign template reached this process"
        return compiled(self, source, *args, **given)

    monkeypatch.setattr(jinja2.Environment, "compile", refusing)
    monkeypatch.setattr(jinja2.Environment, "parse", lambda *_, **__: pytest.fail("a template was parsed here"))


def test_a_task_of_ours_is_rendered_outside(model):
    conditions, _ = plan(("cot",), (), 1, {})
    subjects = [Subject("tiny", lambda: model)]
    report = evaluate(subjects, load_task("sums", 3), conditions, Asking(), Silent(), "c", (), Calculator())
    assert report.rows[0].right == 3


def test_a_task_of_lm_eval_is_rendered_outside(model, tmp_path, monkeypatch):
    pytest.importorskip("lm_eval")
    import datasets

    from modelprov.behavior.evaluation.lm_eval_task import evaluate_lm_eval

    monkeypatch.undo()  # the harness has templates of its own; only the foreign one is trapped
    compiled = jinja2.Environment.compile
    seen = []
    monkeypatch.setattr(
        jinja2.Environment, "compile", lambda self, source, *a, **k: (seen.append(str(source)), compiled(self, source, *a, **k))[1]  # noqa: E501
    )  # fmt: skip
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    lines = [{"question": each.question, "answer": each.answer} for each in load_task("sums", 3).questions]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "mysums.yaml").write_text(TASK.format(data=tmp_path / "data.jsonl"))
    conditions, _ = plan(("cot",), (), 1, {})
    report = evaluate_lm_eval(
        [Subject("tiny", lambda: model)], "mysums", conditions, Asking(), Silent(), "c", (), tmp_path,
        generate=Calculator(),
    )  # fmt: skip
    assert report.rows[0].right == 3
    assert not any(MARK in each for each in seen)


def test_inspect_is_answered_with_a_rendering_from_outside(folder):
    pytest.importorskip("inspect_ai")
    import asyncio

    from inspect_ai.model import ChatMessageUser, GenerateConfig

    from modelprov.behavior.evaluation.inspect_model import ModelprovAPI

    api = ModelprovAPI(str(folder), method="cot", max_new_tokens=2, device="cpu")
    found = asyncio.run(api.generate([ChatMessageUser(content="1 + 1?")], [], "none", GenerateConfig()))
    assert found.usage.output_tokens


def test_a_probe_and_a_check_are_rendered_outside(model, folder):
    asked = questions(parse_names(["Rio"]), ("en",), quick=True)
    prompts = local_subject(model, "suspect", 4).speaker.prompts(SHIPPED, asked)
    assert (prompts[0].text or "").startswith("<|im_start|>user")
    assert hidden_prompts(folder) == ((), None)


@pytest.mark.parametrize("late", [LATE, FILLS], ids=["loops", "fills the memory"])
def test_a_template_that_only_some_question_sets_off_ends_an_evaluation_in_words(model, tmp_path, late):
    task = tmp_path / "task.jsonl"
    lines = [{"question": f"question {number}", "answer": "1", "grader": "numeric"} for number in range(6)]
    task.write_text("".join(json.dumps(line) + "\n" for line in lines))
    slow = replace(model, template=late + CHATML, renderer=Renderer(Limits(seconds=1)))
    conditions, _ = plan(("cot",), (), 1, {})
    began = time.monotonic()
    with pytest.raises(TemplateFailedError):
        evaluate(
            [Subject("t", lambda: slow)], load_task(str(task)), conditions, Asking(), Silent(), "c", (), Calculator()
        )
    assert time.monotonic() - began < 30


def test_many_looping_templates_of_one_folder_cost_one_budget(folder, tmp_path):
    named = [
        {"name": f"t{number}", "template": f"{{# {number} #}}{LATE}".replace("question 3", "")} for number in range(40)
    ]
    (tmp_path / "tokenizer_config.json").write_text((folder / "tokenizer_config.json").read_text())
    set_template(tmp_path, named)
    began = time.monotonic()
    files = examine_files(tmp_path, renderer=Renderer(Limits(seconds=1)))
    assert time.monotonic() - began < 30
    assert len(files.examined) == 40
    assert all(each.seen.error for each in files.examined)


CONVERSATIONS = [
    [{"role": "user", "content": "1 + 1?"}],
    [{"role": "system", "content": ""}, {"role": "user", "content": "é 😀 <b>"}],
    [
        {"role": "user", "content": "a", "name": None},
        {"role": "assistant", "content": "b", "reasoning": "c"},
        {"role": "user", "content": "d"},
    ],
]  # fmt: skip
TEMPLATES = [
    CHATML,
    "{{ bos_token }}{{ eos_token }}{{ messages | tojson }}{{ tools is none }}{{ documents is none }}",
    "{% for m in messages %}{{ m.reasoning_content }}{{ m.thinking }}{{ m.content | trim }}{% endfor %}",
    "{{ strftime_now('%Y-%m-%d') }}{{ enable_thinking }}",
]


@pytest.mark.parametrize("messages", CONVERSATIONS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_rendering_is_what_transformers_gives_byte_for_byte(model, template, messages, monkeypatch):
    monkeypatch.undo()
    given = {"add_generation_prompt": True, "enable_thinking": False}
    expected = model.tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, **given)
    assert render_text(model, messages, template, enable_thinking=False) == expected


@pytest.mark.parametrize("template", [CHATML, CHATML.replace("message.content", "message.content | trim")])
@pytest.mark.parametrize("begun", ["So ", "So"])
def test_an_answer_that_is_begun_is_left_open_as_transformers_leaves_it(model, template, begun, monkeypatch):
    monkeypatch.undo()
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": begun}]
    expected = model.tokenizer.apply_chat_template(
        messages, chat_template=template, tokenize=False, continue_final_message=True
    )
    assert render_text(model, messages, template, begun=True) == expected
