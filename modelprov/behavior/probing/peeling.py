"""Takes markup off the ends of what a template added: the tokenizer's added tokens, tags, usual names of roles."""

from __future__ import annotations

import re
from collections.abc import Sequence

ROLES = (
    r"(?:system|user|assistant|human|ai|bot|model|developer|tool|tools|instruction|response|question|answer|end"
    r"|usu[áa]rio|usuario|assistente|asistente|sistema|utilisateur|syst[èe]me|benutzer|assistent"
    r"|пользователь|ассистент|система|用户|用戶|助手|系统|系統|ユーザー|アシスタント|システム|사용자|어시스턴트|시스템|问|答)"
)
TAG = r"<<[^<>\n]{1,30}>>|<[^<>\n]{0,60}>|\[[^\[\]\n]{1,24}\]|\#{1,6}(?=\s)"
LONGEST_LABEL = 40


class Peel:
    """Takes markup off the ends of a text."""

    def __init__(self, markup: Sequence[str]) -> None:
        tokens = [re.escape(one) for one in sorted(markup, key=len, reverse=True) if not one.isalnum()]
        one = "|".join([*tokens, TAG, r"\s+"])
        label = rf"(?:(?-i:[A-Z0-9])[\w.-]{{0,20}}[ ]){{1,3}}{ROLES}\s?[:：]"
        self._head = re.compile(rf"(?:{one}|{label}|{ROLES}\s*(?=[:：\n<\[]|$)[:：]?)+", re.IGNORECASE)
        self._tail = re.compile(rf"(?:{one}|(?<![^\n>\]]){label}|(?<![^\n>\]]){ROLES}[:：]?)+$", re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """What is left between the markup of both ends; empty where nothing is a word."""
        while True:
            shorter = text[match.end() :] if (match := self._head.match(text)) else text
            shorter = shorter[: match.start()] if (match := self._tail.search(shorter)) else shorter
            if shorter == text:
                return text if any(letter.isalnum() for letter in text) else ""
            text = shorter


def is_label(peeled: str, text: str) -> bool:
    """Whether what is left of a text that stands before every message of a role is a label and no sentence.

    One short line that ends with a colon, or at the end of its line (as roles do in ChatML).
    """
    if not peeled or len(peeled) > LONGEST_LABEL or "\n" in peeled.strip():
        return False
    behind = text.rpartition(peeled)[2]
    return peeled.rstrip().endswith((":", "：")) or (
        peeled[-1] not in ".!?。！？" and behind.startswith(("\n", "<", "["))
    )


def between(text: str, head: str, tail: str) -> str:
    """The middle of `text` once its longest common end with `tail` and start with `head` are gone; from a line's start.

    Half a line is shown whole: two prompts may begin with the same words.
    """
    left = text[: len(text) - alike(text[::-1], tail[::-1])]
    start = alike(left, head)
    if not left[start:].strip():
        return ""
    return left[left.rfind("\n", 0, start) + 1 :]


def alike(one: str, other: str) -> int:
    """How many first characters two texts share."""
    shortest = min(len(one), len(other))
    return next((at for at in range(shortest) if one[at] != other[at]), shortest)
