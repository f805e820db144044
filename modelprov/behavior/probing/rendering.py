"""Renders a foreign chat template in a child process with limits of time, memory and output. Trusts nothing it reads.

A template is a program by a stranger. Jinja's sandbox keeps it from files and from Python; it does not keep it from
looping for ever or from filling the memory, so it runs in a process that can be ended.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelprov.errors import ModelprovError

CHILD = Path(__file__).with_name("render_child.py")
LONGEST_TEMPLATE = 2_000_000
A_DAY = datetime(2031, 5, 17, 12, 0, tzinfo=UTC)
"""The time that templates are told, unless somebody asks for another: results must not depend on today."""


class TemplateFailedError(ModelprovError):
    """A chat template runs too long, grows too large, breaks Jinja's rules or refuses what it is given."""


@dataclass(frozen=True)
class Limits:
    """Seconds for all jobs together, bytes of memory of the process, characters of one rendering."""

    seconds: int = 20
    memory: int = 600 << 20
    characters: int = 1_000_000


USUAL = Limits()


@dataclass(frozen=True)
class Rendered:
    """One rendering: its text, or the error that the template ended with; `beyond` where that was a limit."""

    text: str | None
    error: str | None = None
    beyond: bool = False


def render_all(
    template: str, jobs: Sequence[Mapping[str, Any]], variables: Mapping[str, Any] | None = None, *,
    now: datetime = A_DAY, limits: Limits = USUAL,
) -> list[Rendered]:  # fmt: skip
    """One `Rendered` a job, in order; each job's variables (messages, tools, ...) stand over `variables`.

    Raises `TemplateFailedError` when the process has to be ended: out of time, or killed by the memory limit. A
    template that had to be ended is not tried again by this process: its time limit is paid once.
    """
    if len(template) > LONGEST_TEMPLATE:
        raise TemplateFailedError(f"the chat template has {len(template):,} characters", _ADVICE)
    if not jobs:
        return []
    told = hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest(), limits
    if told in _ENDED:
        raise TemplateFailedError(_ENDED[told], _ADVICE)
    try:
        return _rendered(template, jobs, variables, now, limits)
    except TemplateFailedError as error:
        _ENDED[told] = error.message
        raise


_ENDED: dict[tuple[str, Limits], str] = {}
"""Why templates had to be ended, by their digest and limits."""


def _rendered(
    template: str, jobs: Sequence[Mapping[str, Any]], variables: Mapping[str, Any] | None, now: datetime, limits: Limits
) -> list[Rendered]:
    order = {
        "template": template, "jobs": [dict(job) for job in jobs], "variables": dict(variables or {}),
        "now": now.isoformat(), "memory": limits.memory, "seconds": limits.seconds, "characters": limits.characters,
    }  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(CHILD)],
            input=json.dumps(order), capture_output=True, text=True, encoding="utf-8", timeout=limits.seconds,
            env={"PATH": "", "PYTHONIOENCODING": "utf-8"}, cwd="/", check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TemplateFailedError(
            f"the chat template did not finish within {limits.seconds} s: it loops, or is made to look like it", _ADVICE
        ) from error
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != len(jobs):
        why = "was ended by the system (processor time or memory)" if done.returncode < 0 else "broke down"
        raise TemplateFailedError(f"rendering the chat template {why}; limit {limits.memory >> 20} MB", _ADVICE)
    answers = [json.loads(line) for line in lines]
    return [Rendered(answer.get("text"), answer.get("error"), answer.get("beyond", False)) for answer in answers]


_ADVICE = "Look at chat_template.jinja and tokenizer_config.json of this model before you run it anywhere."
