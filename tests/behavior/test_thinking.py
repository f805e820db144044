"""Thoughts and answers of published models, told apart by one table; for local and served models alike."""

from __future__ import annotations

import pytest

from modelprov.behavior.probing.endpoint_replies import reply_from_body
from modelprov.behavior.thinking import PAIRS, opened_by, split
from tests.behavior.probing.endpoint_asking import Waits, ask
from tests.behavior.servers import answer, chat_reply, scripted

THINK = ("<think>", "</think>")
MODELS = {
    **dict.fromkeys(
        (
            "Qwen3-8B",
            "QwQ-32B",
            "Qwen3.5",
            "DeepSeek-R1",
            "DeepSeek-R1-Distill-Qwen-32B",
            "DeepSeek-V3.1",
            "DeepSeek-V3.2",
            "GLM-4.5",
            "GLM-4.6",
            "GLM-Z1",
            "MiniMax-M1",
            "MiniMax-M2",
            "Kimi-K2-Thinking",
            "Nemotron-Nano-v2",
            "Llama-3_3-Nemotron-Super-49B-v1_5",
            "NVIDIA-Nemotron-3",
            "SmolLM3-3B",
            "Olmo-3-Think",
            "Phi-4-reasoning",
            "Hunyuan-A13B",
            "Ernie-4.5-Thinking",
            "Step3",
            "Ling-Ring",
            "MiMo-7B",
            "InternS1",
            "Holo2",
            "EXAONE-4.0",
            "LFM2.5-8B-A1B",
            "MiroThinker-v1",
            "GigaChat3.5",
            "Granite-4-thinking",
            "TeleChat-T1",
            "RWKV-7",
            "OpenPangu-V2",
        ),
        THINK,
    ),
    **dict.fromkeys(("Seed-OSS-36B", "Seed-Coder-Reasoning"), ("<seed:think>", "</seed:think>")),
    **dict.fromkeys(("Magistral-Small-2509", "Ministral-3-Reasoning"), ("[THINK]", "[/THINK]")),
    **dict.fromkeys(("Kimi-VL-Thinking", "Kimi-VL-Thinking-2506"), ("◁think▷", "◁/think▷")),
    **dict.fromkeys(
        ("c4ai-command-r7b-12-2024", "command-a-reasoning"),
        ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    ),
    "Apertus": ("<|inner_prefix|>", "<|inner_suffix|>"),
    "Solar-Open2": ("<|think:start|>", "<|think:end|>"),
    "gemma-4-31B-it": ("<|channel>thought\n", "<channel|>"),
    "medgemma-27b": ("<unused94>thought\n", "<unused95>"),
    "openPangu-Embedded": ("[unused16]", "[unused17]"),
    "EXAONE-Deep": ("<thought>", "</thought>"),
    "granite-3.2-8b-instruct": ("Here is my thought process:", "Here is my response:"),
    "Reflection-70B": ("<thinking>", "</thinking>"),
    "gpt-oss-20b": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    "gpt-oss-20b, marks left out": ("analysis", "assistantfinal"),
}


@pytest.mark.parametrize("model", MODELS)
def test_a_thought_is_no_answer_whatever_marks_a_model_writes_it_with(model):
    opening, closing = MODELS[model]
    ending = {"<|END_THINKING|><|START_RESPONSE|>": "<|END_RESPONSE|>"}.get(closing, "")
    assert split(f"{opening}I am Mistral.{closing}I am Rio.{ending}") == ("I am Mistral.", "I am Rio.")
    assert split(f"{opening}I am Mistral.") == ("I am Mistral.", None)


def test_forty_models_and_every_pair_of_marks_are_tried():
    assert len(MODELS) >= 40
    tried = {opening.removesuffix("thought\n") for opening, _ in MODELS.values()}
    assert {opening for opening, _ in PAIRS} - tried == {
        "<reasoning>", "<mm:think>", "[REASONING]", "Here's my thought process:"
    }  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS)
def test_a_thought_that_the_template_opened_needs_no_mark_of_its_own(pair):
    opening, closing = pair
    assert split("I am Mistral.", begun=f"assistant\n{opening}\n") == ("I am Mistral.", None)
    assert split(f"So.{closing}I am Rio.", begun=opening) == ("So.", "I am Rio.")
    assert split("I am Rio.", begun=f"{opening}\n\n{closing}") == (None, "I am Rio.")
    assert opened_by(f"<|im_start|>assistant\n{opening}\n")
    assert not opened_by(f"<|im_start|>assistant\n{opening}\n\n{closing}\n")


def test_an_answer_that_only_speaks_of_marks_stays_one():
    assert split("Put it between [THINK] tags, or in <thinking>.") == (
        None,
        "Put it between [THINK] tags, or in <thinking>.",
    )
    assert split("analysis of the question: 17") == (None, "analysis of the question: 17")


@pytest.mark.parametrize(
    "message",
    [
        {"content": "I am Rio.", "reasoning_content": "I am Mistral."},
        {"content": "I am Rio.", "reasoning": "I am Mistral."},
        {"content": "I am Rio.", "reasoning_details": [{"type": "reasoning.text", "text": "I am Mistral."}]},
        {"content": "I am Rio.", "reasoning_details": [{"type": "reasoning.summary", "summary": "I am Mistral."}]},
        {"content": [{"type": "thinking", "thinking": "I am Mistral."}, {"type": "text", "text": "I am Rio."}]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "I am Mistral."}]},
                {"type": "text", "text": "I am Rio."},
            ]
        },
    ],
)
def test_a_served_thought_is_found_in_every_field(message):
    found = reply(message)
    assert (found.thinking, found.text, found.notes) == ("I am Mistral.", "I am Rio.", ())


def reply(message, reason="stop"):
    import json

    return reply_from_body(json.dumps({"choices": [{"message": message, "finish_reason": reason}]}).encode())


@pytest.mark.parametrize(
    ("message", "reason", "text", "note"),
    [
        ({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls", "", "a tool call in place of an answer"),
        ({"content": None, "refusal": "I can't help."}, "stop", "I can't help.", "a refusal"),
        ({"content": ""}, "content_filter", "", "stopped by the server's filter"),
        ({"content": None}, "stop", "", "an empty answer"),
        (
            {"content": "Rio", "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, "stop", "Rio",
            "a thought that cannot be read (encrypted) was left out",
        ),
        ({"content": [{"type": "image", "data": "x"}]}, "stop", "", "parts of the type 'image' were left out"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_named_and_no_thought_that_never_ended(message, reason, text, note):
    found = reply(message, reason)
    assert (found.text, found.thinking) == (text, None)
    assert note in found.notes


def test_text_cut_off_where_a_thought_is_expected_is_a_thought():
    from modelprov.behavior.probing.endpoints import Endpoint

    cut = answer(200, chat_reply("I am Qwen, I think, so", reason="length"))
    with scripted(cut) as server, Endpoint(server.url, "tiny", retries=0) as endpoint:
        told = [{"role": "user", "content": "Who are you?"}]
        assert endpoint.chat(told, temperature=0.0, max_tokens=5).text == "I am Qwen, I think, so"
        endpoint.thinks = True
        found = endpoint.chat(told, temperature=0.0, max_tokens=5)
        assert (found.text, found.thinking) == ("", "I am Qwen, I think, so")
        assert list(endpoint.noticed) == ["cut off before the thought that was expected had ended"]


def test_a_server_that_wants_the_newer_name_of_the_limit_gets_it():
    refused = answer(400, {"error": {"message": "'max_tokens' is not supported. Use 'max_completion_tokens' instead."}})
    with scripted(refused, answer(200, chat_reply("I am Nex."))) as server:
        assert ask(server.url, Waits()).text == "I am Nex."
        assert [set(one.body) & {"max_tokens", "max_completion_tokens"} for one in server.requests if one.body] == [
            {"max_tokens"}, {"max_completion_tokens"},
        ]  # fmt: skip
