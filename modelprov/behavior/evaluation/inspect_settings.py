"""What inspect_ai's own settings mean for a method here: obeyed, or named in a warning. Generates nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OBEYED = {"max_tokens": "max_new_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}
"""Settings of inspect_ai that methods have, by their name here; `seed` and `reasoning_tokens` are obeyed too."""

AROUND = frozenset(
    {
        "adaptive_connections", "batch", "cache", "cache_prompt", "extra_headers", "fail_on_refusal", "fallback_models",
        "internal_tools", "max_connections", "max_retries", "max_tool_output", "parallel_tool_calls", "system_message",
    }
)  # fmt: skip
"""Settings about connections, tools and what inspect_ai does by itself: they change no answer of a local model."""

CLOCKS = frozenset({"attempt_timeout", "stream_idle_timeout", "timeout"})

SAMPLED = ("temperature", "top_p", "top_k")


def obeyed(method: str, config: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings of `method` and what must be said of them.

    `config` are inspect_ai's (those that are set), `own` the model arguments (`-M`), which go first. A temperature of 0
    is greedy.
    """
    settings, said = dict(own), []
    for name, value in config.items():
        here = "thinking_budget" if name == "reasoning_tokens" and method == "cot-budget" else OBEYED.get(name)
        if name in AROUND or name == "seed":
            continue
        if name in CLOCKS:
            said.append(f"{name} is not obeyed: an answer that is made here is not interrupted")
        elif here is None:
            said.append(f"{name} is not obeyed: modelprov's methods have no such setting")
        elif own.get(here, value) != value:
            said.append(f"{name} {value!r} is not obeyed: the model argument {here} says {own[here]!r}")
        elif name in SAMPLED and (method == "cot-greedy" or (own.get("greedy") or config.get("temperature") == 0)):
            if value != 0 or name != "temperature":
                said.append(f"{name} is not obeyed: the most likely token is taken each time")
            elif method != "cot-greedy":
                settings["greedy"] = True
        else:
            settings[here] = value
    return settings, said
