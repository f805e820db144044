"""The log-probabilities in a reply, in the forms that servers give them. Pure; bodies are hostile input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BY_NUMBER = "token_id:"
"""What precedes a token's number where a server names tokens by number (vLLM's `return_tokens_as_token_ids`)."""

NONE = -9999.0
"""What OpenAI's and vLLM's servers give in place of a log-probability that they do not have, or that a filter took."""

MOST = 300_000
"""Tokens that are read of a reply; more than any vocabulary has."""


def logprobs_of(choice: Mapping[str, Any]) -> dict[str, float] | None:
    """The natural log-probabilities of the first token of a choice, by token; None where there are none.

    Completions have `top_logprobs` with an object for each token; conversations, and llama.cpp's completions, `content`
    with a list. A token that comes twice, as two tokens of one text do, is left out: nobody can tell which it is.
    """
    given = choice.get("logprobs")
    if not isinstance(given, dict):
        return None
    first = _first(given.get("top_logprobs"))
    if isinstance(first, dict):
        return {name: float(value) for name, value in list(first.items())[:MOST] if _is_logprob(value)}
    content = _first(given.get("content"))
    listed = content.get("top_logprobs") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return None
    found: dict[str, list[float]] = {}
    for each in listed[:MOST]:
        if isinstance(each, dict) and _is_logprob(each.get("logprob")) and (name := _name(each)) is not None:
            found.setdefault(name, []).append(float(each["logprob"]))
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _name(each: Mapping[str, Any]) -> str | None:
    number, token = each.get("id"), each.get("token")
    if isinstance(number, int) and not isinstance(number, bool):
        return f"{BY_NUMBER}{number}"
    return token if isinstance(token, str) else None


def _first(listed: object) -> object:
    return listed[0] if isinstance(listed, list) and listed else None


def _is_logprob(value: object) -> bool:
    """Whether this is a number between `NONE` and 0 (rounding lifts certainty a little above)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and NONE < value <= 1e-3
