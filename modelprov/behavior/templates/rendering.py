"""Renders foreign chat templates in a child process, within one budget a checkpoint. Trusts nothing it reads.

A template is a program by a stranger. Jinja's sandbox keeps it from files and from Python; it does not keep it from
looping for ever or from filling the memory, so it runs in a process that can be ended. This is the only place where
text of a foreign template is rendered: what is examined, asked and evaluated is what came back from here.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelprov.errors import ModelprovError
from modelprov.foreign.json_text import parse_json
from modelprov.foreign.limited_process import EndedError, LimitedProcess

CHILD = Path(__file__).with_name("render_child.py")
LONGEST_TEMPLATE = 2_000_000
A_DAY = datetime(2031, 5, 17, 12, 0, tzinfo=UTC)
"""The time that templates are told, unless somebody asks for another: results must not depend on today."""

FREE_SECONDS, FREE_CHARACTERS = 0.02, 100_000
"""What each rendering may take without using up the budget, so that honest templates never do, however many questions
there are. An honest one takes a thousandth of a second."""


class TemplateFailedError(ModelprovError):
    """A chat template runs too long, grows too large, breaks Jinja's rules or refuses what it is given."""


@dataclass(frozen=True)
class Limits:
    """The budget of one checkpoint, for all its templates and renderings together.

    `seconds` and `total_characters` are what renderings may take beyond `FREE_SECONDS` and `FREE_CHARACTERS` each,
    `memory` the bytes of the process, `characters` those of one rendering.
    """

    seconds: float = 20
    memory: int = 600 << 20
    characters: int = 1_000_000
    total_characters: int = 20_000_000


USUAL = Limits()


@dataclass(frozen=True)
class Rendered:
    """One rendering: its text, or the error that the template ended with; `beyond` where that was a limit."""

    text: str | None
    error: str | None = None
    beyond: bool = False


class Renderer:
    """Renders the templates of one checkpoint in one process that stays, until the budget is spent.

    Usable from several threads, which wait for each other. The process ends with this object.
    """

    def __init__(self, limits: Limits = USUAL) -> None:
        self.limits = limits
        self._seconds = float(limits.seconds)
        self._characters = limits.total_characters
        self._process: LimitedProcess | None = None
        self._ended: tuple[str, str] | None = None
        self._lock = threading.Lock()

    def render(
        self, template: str, jobs: Sequence[Mapping[str, Any]], variables: Mapping[str, Any] | None = None, *,
        now: datetime = A_DAY,
    ) -> list[Rendered]:  # fmt: skip
        """One `Rendered` a job, in order; each job's variables (messages, tools, ...) stand over `variables`.

        Raises `TemplateFailedError` when the budget is spent or the process broke down, now or earlier: from then on
        nothing of this checkpoint is rendered.
        """
        if len(template) > LONGEST_TEMPLATE:
            raise TemplateFailedError(f"the chat template has {len(template):,} characters", ADVICE)
        if not jobs:
            return []
        digest = hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest()
        with self._lock:
            if self._ended is not None:
                raise TemplateFailedError(_again(*self._ended, digest), ADVICE)
            try:
                return self._rendered(template, jobs, variables or {}, now)
            except EndedError as error:
                self._end(digest, str(error))
                raise TemplateFailedError(str(error), ADVICE) from error
            except BaseException:  # such as Ctrl-C: what the process still has to say belongs to nobody
                self._stop()
                raise

    def variables(self, template: str) -> dict[str, list[Any]]:
        """Names that the template asks for without setting them, with the constants it compares each to.

        Raises `TemplateFailedError` where it cannot be looked through, and as `render` does.
        """
        digest = hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest()
        with self._lock:
            if self._ended is not None:
                raise TemplateFailedError(_again(*self._ended, digest), ADVICE)
            try:
                if self._process is None:
                    self._process = LimitedProcess(CHILD, "rendering the chat template", self.limits.memory)
                order = {"look_through": True, "template": template, "seconds": self._seconds + FREE_SECONDS}
                [answer] = self._process.ask(order, 1, self._seconds + FREE_SECONDS)
            except (EndedError, TimeoutError) as error:
                self._end(digest, str(error))
                raise TemplateFailedError(str(error), ADVICE) from error
            except BaseException:
                self._stop()
                raise
        if "error" in answer:
            raise TemplateFailedError(f"its variables could not be found: {answer['error']}", ADVICE)
        found: dict[str, list[Any]] = parse_json(answer["text"])
        return found

    def _rendered(
        self, template: str, jobs: Sequence[Mapping[str, Any]], variables: Mapping[str, Any], now: datetime
    ) -> list[Rendered]:
        if self._process is None:
            self._process = LimitedProcess(CHILD, "rendering the chat template", self.limits.memory)
        free, started = FREE_SECONDS * len(jobs), time.monotonic()
        order = {
            "template": template, "jobs": [dict(job) for job in jobs], "variables": dict(variables),
            "now": now.isoformat(), "characters": self.limits.characters, "seconds": self._seconds + free,
        }  # fmt: skip
        try:
            answers = self._process.ask(order, len(jobs), self._seconds + free)
        except TimeoutError as error:
            raise EndedError(
                f"the chat template did not finish within {self.limits.seconds:g} s (for all of a model's templates "
                "together): it loops, or is made to look like it"
            ) from error
        self._seconds -= max(0.0, time.monotonic() - started - free)
        found = [Rendered(answer.get("text"), answer.get("error"), answer.get("beyond", False)) for answer in answers]
        self._characters -= sum(max(0, len(each.text or "") - FREE_CHARACTERS) for each in found)
        if self._characters < 0:
            raise EndedError(
                f"the chat templates of this model rendered more than {self.limits.total_characters:,} characters"
            )
        return found

    def _end(self, digest: str, why: str) -> None:
        self._ended = digest, why
        self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


def _again(first: str, why: str, digest: str) -> str:
    """Why nothing is rendered any more: the same words for the template that is to blame."""
    return (
        why if first == digest else f"this model's templates are not rendered any more, since one of them failed: {why}"
    )


ADVICE = "Look at chat_template.jinja and tokenizer_config.json of this model before you run it anywhere."
