"""Prompts that a template shows only where a variable of its own has some value; labels of roles are none."""

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
