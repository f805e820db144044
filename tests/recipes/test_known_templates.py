"""Chat templates by name: what they make of a conversation."""

from __future__ import annotations

import pytest

from modelprov.recipes.chat_template import template_text
from modelprov.recipes.known_templates import KNOWN
from modelprov.recipes.reading import parse

TURNS = [
    {"role": "system", "content": "S"}, {"role": "user", "content": "U"}, {"role": "assistant", "content": "A"},
    {"role": "user", "content": "V"},
]  # fmt: skip
RENDERED = {
    "chatml": "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
    "<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n",
    "llama3": "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
    "U<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|><|start_header_id|>user<|end_header_id|>"
    "\n\nV<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "mistral": "<s>[INST] S\n\nU [/INST] A</s>[INST] V [/INST]",
    "alpaca": "S\n\n### Instruction:\nU\n\n### Response:\nA</s>\n\n### Instruction:\nV\n\n### Response:\n",
    "exaone": "[|system|]S[|endofturn|]\n[|user|]U\n[|assistant|]A[|endofturn|]\n[|user|]V\n[|assistant|]",
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_template_by_name_is_the_text_of_its_format(name: str) -> None:
    sandbox = pytest.importorskip("jinja2.sandbox")
    text = template_text(parse(f"merge_method: linear\nmodels: [{{model: a}}]\nchat_template: {name}"))
    made = sandbox.ImmutableSandboxedEnvironment().from_string(text).render(
        messages=TURNS, add_generation_prompt=True, bos_token="<s>", eos_token="</s>"
    )  # fmt: skip
    assert made == RENDERED[name]
