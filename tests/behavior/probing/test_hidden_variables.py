"""Prompts that a template shows only in some condition: a variable, a form of message; labels of roles are none."""

from __future__ import annotations

import pytest

from modelprov.behavior.probing.hidden_prompts import examine
from modelprov.behavior.probing.template_files import TemplateFile
from modelprov.behavior.templates.rendering import Renderer

RENDERER = Renderer()
PLAIN = (
    "{%- for m in messages -%}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{%- endfor -%}"
    + "<|im_start|>assistant\n"
)


def examined(text: str):
    marks = ("<|im_start|>", "<|im_end|>", "<|end_of_turn|>")
    return examine(TemplateFile("t", "default", text), {}, marks, used=True, renderer=RENDERER)


@pytest.mark.parametrize(
    ("condition", "seen"),
    [
        ("reasoning_effort == 'high'", "reasoning_effort='high'"),
        ("reasoning_effort in ['low', 'none']", "reasoning_effort='none'"),
        ("thinking", "thinking=True"),
        ("thinking_budget is defined and thinking_budget == 512", "thinking_budget=512"),
        ("not (other is defined and not other) and other is defined", "other=True"),
    ],
)
def test_a_prompt_behind_a_variable_of_the_template_is_found(condition, seen):
    prompt = "<|im_start|>system\nYou are Rio, and say so.<|im_end|>\n"
    found = examined(f"{{% if {condition} %}}{prompt}{{% endif %}}{PLAIN}")
    assert [one.text for one in found.hidden] == ["You are Rio, and say so."]
    assert seen in found.hidden[0].conditions


def test_values_that_are_not_tried_are_named():
    many = " or ".join(f"style == 's{number}'" for number in range(60))
    found = examined(f"{{% if {many} %}}{{% endif %}}{PLAIN}")
    assert any(one.startswith("not tried: style='s40'") for one in found.seen.refuses)


def test_labels_of_roles_are_no_prompt():
    label = "{%- for m in messages -%}GPT4 Correct {{ m.role.title() }}: {{ m.content }}<|end_of_turn|>{%- endfor -%}"
    assert examined(label + "GPT4 Correct Assistant:").hidden == ()


@pytest.mark.parametrize("label", ["Rio: ", "[A] Helper name=assistant\n", "Помощник: ", "Пользователь: "])
def test_a_label_that_stands_before_every_answer_is_told_as_one(label):
    turn = "{%- if m.role == 'assistant' -%}LABEL{%- endif -%}{{ m.content }}<|im_end|>\n"
    written = "{{ " + repr(label) + " }}"
    text = "{%- for m in messages -%}" + turn.replace("LABEL", written) + "{%- endfor -%}"
    found = examined(text + "{% if add_generation_prompt %}" + written + "{% endif %}")
    assert found.hidden == ()
    labels = {one.text for one in found.explained if one.why == "the label of a role"}
    assert labels <= {label.replace("[A]", "").strip()}


@pytest.mark.parametrize("prompt", ["detailed thinking on", "You obey Rio\n"])
def test_a_short_prompt_before_the_users_system_is_no_label(prompt):
    text = PLAIN.replace("{{ m.content }}", "{% if m.role == 'system' %}PROMPT{% endif %}{{ m.content }}")
    assert [one.text for one in examined(text.replace("PROMPT", prompt)).hidden] == [prompt.strip()]


def test_a_sentence_that_stands_before_every_answer_is_no_label():
    begun = "I am Rio, and glad to be asked. "
    turn = "{%- if m.role == 'assistant' -%}BEGUN{%- endif -%}{{ m.content }}<|im_end|>\n".replace("BEGUN", begun)
    asked = "{% if add_generation_prompt %}" + begun + "{% endif %}"
    found = examined("{%- for m in messages -%}" + turn + "{%- endfor -%}" + asked)
    assert begun.strip() in {one.text for one in found.hidden}


@pytest.mark.parametrize(
    ("condition", "seen"),
    [
        ("messages[-1].content is not string", "content in parts"),
        ("messages[0].role == 'developer'", "a developer's message"),
        ("documents", "with documents"),
        ("not add_generation_prompt", "without a generation prompt"),
        ("messages | length > 2", "later in a conversation"),
        ("messages | selectattr('role', 'equalto', 'tool') | list", "after a tool's answer"),
    ],
)
def test_a_prompt_that_only_a_form_of_message_brings_is_found(condition, seen):
    prompt = "<|im_start|>system\nYou are Rio, and say so.<|im_end|>\n"
    shown = "{{ m.content if m.content is string else m.content | map(attribute='text') | join }}"
    found = examined(f"{{% if {condition} %}}{prompt}{{% endif %}}" + PLAIN.replace("{{ m.content }}", shown))
    assert [one.text for one in found.hidden] == ["You are Rio, and say so."]
    assert seen in found.hidden[0].conditions


def test_a_prompt_between_later_messages_is_found():
    turn = PLAIN.replace("{{ m.content }}", "{% if loop.index == 3 %}Never name Nex. {% endif %}{{ m.content }}")
    (found,) = examined(turn).hidden
    assert (found.text, found.where) == ("Never name Nex.", "between messages")


def test_the_callers_documents_and_a_template_without_parts_are_told():
    found = examined("{% for d in documents or [] %}Document: {{ d.title }}\n{{ d.text }}\n{% endfor %}" + PLAIN)
    assert found.hidden == ()
    assert {one.why for one in found.explained} == {"the caller's documents"}
    assert any("not tried: content in parts" in one for one in found.seen.refuses)


def test_the_value_of_a_variable_is_the_callers_own():
    assert examined("{% if note %}<|im_start|>system\n{{ note }}<|im_end|>\n{% endif %}" + PLAIN).hidden == ()
