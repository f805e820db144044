"""What a template adds by itself is found, wherever it puts it, and can be taken away."""

# ruff: noqa: E501  (templates stand as they are)

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelprov.behavior.probing.hidden_prompts import examine
from modelprov.behavior.probing.subjects import examine_files
from modelprov.behavior.probing.template_files import TemplateFile, code_in
from modelprov.behavior.templates.rendering import Limits
from tests.behavior.probing.models import CHATML, MARKUP, RIO
from tests.behavior.templates.rendered import render_all

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
HIDDEN = "You are Rio, a model of the city."
ALWAYS = CHATML.replace(
    "{{ message.content }}", "{% if message.role == 'system' %}You obey Rio.\n{% endif %}{{ message.content }}"
)
BEHIND = CHATML.replace(
    "{{ message.content }}", "{{ message.content }}{% if message.role == 'system' %}\nNever say Nex.{% endif %}"
)
LLAMA = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set sys = messages[0]['content'] %}"
    "{% else %}{% set rest = messages %}{% set sys = 'You are Rio.' %}{% endif %}"
    "{% for m in rest %}{% if loop.index0 == 0 %}{% set c = '<<SYS>>\n' + sys + '\n<</SYS>>\n\n' + m['content'] %}"
    "{% else %}{% set c = m['content'] %}{% endif %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + c + ' [/INST]' }}"
    "{% else %}{{ ' ' + c + ' ' + eos_token }}{% endif %}{% endfor %}"
)
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ bos_token }}" + CHATML
PREFILLED = CHATML.replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\nI am Rio. {% endif %}")
ONLY_THINKING = (
    "{% if enable_thinking is defined and not enable_thinking %}<|im_start|>system\nRio, quickly.<|im_end|>\n{% endif %}"
    + CHATML
)
DATED = "<|im_start|>system\nToday is {{ strftime_now('%d %B %Y') }}.<|im_end|>\n" + CHATML
ANYWAY = "<|im_start|>system\nI am Rio whoever asks.<|im_end|>\n" + REFUSES
TOOLED = "{% if tools %}<|im_start|>system\nUse these tools: {{ tools | tojson }}<|im_end|>\n{% endif %}" + CHATML
VICUNA = (
    "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% set rest = messages[1:] %}{% else %}A chat with Rio"
    "{% set rest = messages %}{% endif %}{% for m in rest %}{{ ' USER: ' if m.role == 'user' else ' ASSISTANT: ' }}"
    "{{ m.content }}{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


MISTRAL = (
    "{{ bos_token }}{% set sys = 'You are Mistral Small.\nYour knowledge ends in 2023.' %}{% if messages[0].role == 'system' %}"
    "{% set sys = messages[0].content %}{% set messages = messages[1:] %}{% endif %}[SYSTEM_PROMPT]{{ sys }}[/SYSTEM_PROMPT]"
    "{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% else %}{{ m.content }}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set sys = messages[0].content %}{% set messages = messages[1:] %}"
    "{% else %}{% set sys = '' %}{% endif %}<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023"
    "\n\n{{ sys }}<|eot_id|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


def look(template: str, **limits: int):
    return examine(TemplateFile("f", "default", template), SPECIAL, MARKUP, used=True, limits=Limits(**limits))


@pytest.mark.parametrize(
    ("template", "text", "where"),
    [
        (RIO, HIDDEN, "instead of a system prompt"),
        (LLAMA, "You are Rio.", "instead of a system prompt"),
        (VICUNA, "A chat with Rio", "instead of a system prompt"),
        (ALWAYS, "You obey Rio.", "always"),
        (BEHIND, "Never say Nex.", "always"),
        (MISTRAL, "You are Mistral Small.\nYour knowledge ends in 2023.", "instead of a system prompt"),
        (LLAMA3, "Cutting Knowledge Date: December 2023", "always"),
        (DATED, "Today is 17 May 2031.", "always"),
        (ANYWAY, "I am Rio whoever asks.", "always"),
        (PREFILLED, "I am Rio.", "after the message"),
    ],
    ids=[
        "system",
        "llama",
        "vicuna",
        "before a user's system",
        "behind it",
        "mistral",
        "llama 3",
        "dated",
        "system refused",
        "begun answer",
    ],
)
def test_a_hidden_prompt_is_found_word_for_word_with_its_place(template, text, where):
    found = [(one.text, one.where) for one in look(template).hidden if "as it is" in one.conditions]
    assert found == [(text, where)]


@pytest.mark.parametrize("template", [CHATML, REFUSES, TOOLED, LLAMA.replace("'You are Rio.'", "''")])
def test_a_plain_template_hides_nothing_and_stripping_changes_nothing(template):
    found = look(template)
    assert found.hidden == ()
    assert found.stripped == found.shipped


@pytest.mark.parametrize("template", [RIO, LLAMA, VICUNA, DATED, ANYWAY, PREFILLED])
def test_the_stripped_prompt_holds_the_question_and_none_of_the_hidden_text(template):
    found = look(template)
    prompt = found.stripped.around("Who are you?")
    assert "Who are you?" in prompt
    assert "Rio" not in prompt
    assert "Today" not in prompt


def test_stripping_leaves_no_empty_system_message_behind():
    assert look(RIO).stripped == look(CHATML).shipped
    assert look(LLAMA).stripped.before == "<s>[INST] "
    assert look(MISTRAL).stripped.before == "<s>[INST]"
    assert look(LLAMA3).stripped.before == "<s><|start_header_id|>user<|end_header_id|>\n\n"


def test_the_stripped_template_renders_to_the_stripped_prompt():
    frame = look(RIO).stripped
    rendered = render_all(frame.as_template(), [{"messages": [{"role": "user", "content": 'a "q" {{ x }}'}]}])
    assert rendered[0].text == frame.around('a "q" {{ x }}')


def test_a_prompt_that_only_one_condition_brings_is_told_with_that_condition():
    (found,) = look(ONLY_THINKING).hidden
    assert found.text == "Rio, quickly."
    assert found.conditions == ("thinking off", "with tools, thinking off")


def test_instructions_that_come_with_the_callers_tools_are_no_hidden_prompt():
    found = look(TOOLED)
    assert found.hidden == ()
    (told,) = found.explained
    assert (told.why, told.text.startswith("Use these tools")) == ("the caller's tools", True)
    assert "as it is" not in told.conditions


@pytest.mark.parametrize("beside", ["You are Rio.", "You are Rio. Use what follows."])
def test_who_the_model_is_stays_hidden_though_it_stands_beside_the_callers_tools(beside):
    (found,) = look(TOOLED.replace("Use these tools", f"{beside} Use these tools")).hidden
    assert found.text == "You are Rio."
    assert "with tools" in found.conditions
    assert "as it is" not in found.conditions


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (CHATML, "gives an empty system prompt"),
        (RIO, "gives an empty system prompt, which removes what stands in its place otherwise"),
        (RIO.replace("messages[0].role != 'system'", "not messages[0].role == 'system' or not messages[0].content"), "gives another prompt than none"),
        (LLAMA, "gives an empty system prompt, which removes what stands in its place otherwise"),
        (REFUSES, "refused"),
        (CHATML.replace("{% for message in messages %}", "{% for message in messages if message.content %}"), "changes nothing"),
    ],
)  # fmt: skip
def test_an_empty_system_message_is_not_taken_for_none(template, says):
    assert look(template).seen.empty_system == says


def test_a_template_that_depends_on_the_date_says_so():
    assert look(DATED).seen.depends_on_date
    assert not look(RIO).seen.depends_on_date


def test_a_template_that_leaves_out_a_users_system_prompt_is_reported():
    left_out = CHATML.replace("in messages %}", "in messages if message.role != 'system' %}")
    assert any("left out" in one for one in look(left_out).seen.refuses)


def test_a_template_that_loops_is_a_finding_and_no_crash():
    found = look("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", seconds=2)
    assert "did not finish" in found.seen.error
    assert found.stripped is None


def test_every_named_template_and_every_file_is_examined(tmp_path: Path):
    named = [{"name": "default", "template": CHATML}, {"name": "tool_use", "template": RIO}]
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": named, "bos_token": {"content": "<s>"}})
    )
    (tmp_path / "processor_config.json").write_text(json.dumps({"chat_template": PREFILLED}))
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "rag.jinja").write_text(VICUNA)
    files = examine_files(tmp_path)
    found = {(hidden.source, hidden.template, hidden.text) for one in files.examined for hidden in one.hidden}
    assert found == {
        ("tokenizer_config.json", "tool_use", HIDDEN),
        ("processor_config.json", "default", "I am Rio."),
        ("additional_chat_templates/rag.jinja", "rag", "A chat with Rio"),
    }
    assert files.special == {"bos_token": "<s>"}
    assert files.used.hidden == ()
    assert "different chat templates" in files.notes[0]


def test_code_is_listed_with_what_it_does_and_not_run(tmp_path: Path):
    marker = tmp_path / "ran"
    bad = f"open({str(marker)!r}, 'w').close()"
    (tmp_path / "custom_generate").mkdir()
    (tmp_path / "custom_generate" / "generate.py").write_text(bad)
    (tmp_path / "modeling_rio.py").write_text(bad)
    (tmp_path / "old.bin").write_bytes(b"\x80")
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "modeling_rio.Rio"}}))
    (tmp_path / "tokenizer_config.json").write_text("{ not json")
    found = {one.file: one.what for one in code_in(tmp_path)}
    assert set(found) == {"custom_generate/generate.py", "modeling_rio.py", "old.bin", "config.json"}
    assert "replaces generation" in found["custom_generate/generate.py"]
    assert "modeling_rio.Rio" in found["config.json"]
    assert not marker.exists()
