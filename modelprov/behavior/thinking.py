"""Where models write thoughts, and how to part them from answers: one table, for local and served models. No tokens.

Marks are those of published chat templates and of the reasoning parsers of serving engines. A thought that never ended
has no answer after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

OPEN, CLOSE = "<think>", "</think>"
PAIRS = (
    (OPEN, CLOSE),  # Qwen3, DeepSeek-R1, GLM-4.5, Nemotron, MiniMax, OLMo 3, SmolLM3, Phi-4-reasoning, Hunyuan, ...
    ("<thinking>", "</thinking>"),  # many finetunes
    ("<thought>", "</thought>"),  # EXAONE Deep
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("<mm:think>", "</mm:think>"),
    ("[THINK]", "[/THINK]"),  # Magistral, Ministral
    ("[REASONING]", "[/REASONING]"),
    ("◁think▷", "◁/think▷"),  # Kimi-VL
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command R7B, Command A Reasoning
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    ("<|think:start|>", "<|think:end|>"),  # Solar Open 2
    ("<|channel>", "<channel|>"),  # Gemma 4, "thought" after it
    ("<unused94>", "<unused95>"),  # MedGemma, "thought" after it
    ("[unused16]", "[unused17]"),  # Pangu
    ("Here is my thought process:", "Here is my response:"),  # Granite 3.2
    ("Here's my thought process:", "Here's my response:"),
)
"""What opens a thought, and what ends it."""

HARMONY = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>", "<|constrain|>")
"""gpt-oss: every message names its channel; only `final` is for the user."""

FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_text")
"""Fields of a served reply that hold a thought as text."""

PARTS = ("thinking", "reasoning", "thought", "reasoning.text", "reasoning.summary", "summary_text")
"""Types of a reply's content parts, or of its `reasoning_details`, that hold one."""

WRAPPINGS = (
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"), ("<answer>", "</answer>"), ("<response>", "</response>"),
)  # fmt: skip
"""What some models put around the answer that follows a thought."""

_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]{0,200}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>"
    r"(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
_BARE = re.compile(r"\A\s*(?:assistant)?analysis(?=\S)(.*?)(?:assistant\s?final(.*))?\Z", re.DOTALL)
_LABEL = re.compile(r"\A\s*thought\s*\n")


def marks() -> frozenset[str]:
    """Every mark that may be a token: they have to be kept where special tokens are left out of a text."""
    return frozenset(mark for pair in PAIRS for mark in pair) | frozenset(HARMONY)


def split(text: str, begun: str = "") -> tuple[str | None, str | None]:
    """The thought in `text` (None where there is none) and the answer after it (None where the thought never ended).

    `begun` is the last turn of the prompt, in which a template may have opened the thought.
    """
    if "<|channel|>" in text:
        return _channels(text)
    bare = _BARE.match(text)
    if bare is not None and (bare[2] is not None or bare[1][:1].isupper()):
        return bare[1].strip(), None if bare[2] is None else bare[2].strip()
    for opening, closing in PAIRS:
        inside = begun.rfind(opening) > begun.rfind(closing)
        named = opening in text if opening == OPEN else text.lstrip().startswith(opening)
        if inside or named or closing in text:
            return _parted(text, opening, closing, inside=inside)
    return None, text.strip()


def opened_by(prompt: str) -> bool:
    """Whether a prompt ends inside a thought."""
    tail = prompt[-400:]
    return any(tail.rfind(opening) > tail.rfind(closing) for opening, closing in PAIRS)


def _parted(text: str, opening: str, closing: str, *, inside: bool) -> tuple[str | None, str | None]:
    before, closed, after = text.rpartition(closing)
    if opening in after or (not closed and inside):
        return _clean(text, opening, closing), None
    return (_clean(before, opening, closing), _unwrapped(after)) if closed else (None, text.strip())


def _clean(thought: str, opening: str, closing: str) -> str:
    return _LABEL.sub("", thought.replace(opening, "").replace(closing, "")).strip()


def _unwrapped(answer: str) -> str:
    answer = answer.strip()
    for opening, closing in WRAPPINGS:
        if answer.startswith(opening):
            return answer.removeprefix(opening).removesuffix(closing).strip()
    return answer


def _channels(text: str) -> tuple[str | None, str | None]:
    """The last message of the channel `final`; every other is a thought."""
    thoughts, final = [], None
    for channel, said in _CHANNEL.findall(text):
        if channel == "final":
            final = said.strip()
        else:
            thoughts.append(said.strip())
    return "\n".join(thoughts) if thoughts or final is None else None, final


def thought_in(part: Mapping[str, Any]) -> str | None:
    """The thought in one part of a reply's content or `reasoning_details`; "" where it is there and cannot be read."""
    kind = part.get("type")
    if kind in ("reasoning.encrypted", "redacted_thinking"):
        return ""
    if kind not in PARTS:
        return None
    held = next((part[name] for name in ("thinking", "text", "reasoning", "summary", "thought") if name in part), "")
    if isinstance(held, list):
        texts = [one.get("text") for one in held if isinstance(one, dict)]
        return "".join(one for one in texts if isinstance(one, str))
    return held if isinstance(held, str) else ""
