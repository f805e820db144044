"""The arms of a probe: what stands around a question, from the model as it is shipped to the bare text. Asks nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelprov.behavior.probing.hidden_prompts import Frame
from modelprov.behavior.probing.names import DECOY
from modelprov.behavior.probing.questions import Question
from modelprov.behavior.templates.rendering import Renderer, TemplateFailedError
from modelprov.errors import UsageError

SHIPPED, STRIPPED, BARE, NEUTRAL, COUNTERFACTUAL, EMPTY = (
    "as shipped", "stripped", "no template", "neutral system", "counterfactual", "empty system",
)  # fmt: skip
ARMS = (SHIPPED, STRIPPED, BARE, NEUTRAL, COUNTERFACTUAL)
KNOWN_ARMS = (*ARMS, EMPTY)
MEANINGS = {
    SHIPPED: "the model's own chat template, no system message: what a user meets",
    STRIPPED: "the same without the text that the template adds",
    BARE: 'no template: "Q: ... A:" to be continued',
    NEUTRAL: 'the system message "You are a helpful assistant."',
    COUNTERFACTUAL: f'the system message "You are {DECOY}.": how readily it takes on any name',
    EMPTY: "an empty system message, which is not the same as none",
}
SYSTEMS = {NEUTRAL: "You are a helpful assistant.", COUNTERFACTUAL: f"You are {DECOY}.", EMPTY: ""}
BARE_FRAMES = {"en": Frame("Q: ", "\nA:"), "pt": Frame("P: ", "\nR:"), "zh": Frame("问：", "\n答：")}
_NEXT = re.compile(r"\n\s*(?:\n|[QPA]\s*:|R\s*:|问\s*[：:]|答\s*[：:])")


class UnavailableArmError(UsageError):
    """A model cannot be asked in this arm; the message says why."""


@dataclass(frozen=True)
class Prompt:
    """One thing to be answered: either messages for a server's own template, or text to be continued.

    `bare` says that the text is no conversation: the tokenizer may put its first token before it, and the answer ends
    where the model begins another question.
    """

    text: str | None = None
    messages: tuple[Mapping[str, str], ...] | None = None
    bare: bool = False


def check_arms(arms: Sequence[str]) -> tuple[str, ...]:
    """The arms in their usual order; raises `UsageError` for one that does not exist."""
    unknown = [arm for arm in arms if arm not in KNOWN_ARMS]
    if unknown:
        raise UsageError(f"there is no arm {unknown[0]!r}", f"Arms: {', '.join(KNOWN_ARMS)}.")
    return tuple(arm for arm in KNOWN_ARMS if arm in arms)


def conversation(arm: str, question: Question) -> tuple[Mapping[str, str], ...]:
    """The messages of an arm that leaves the rest to a template."""
    system = [{"role": "system", "content": SYSTEMS[arm]}] if arm in SYSTEMS else []
    return (*system, {"role": "user", "content": question.text})


def bare_prompts(questions: Sequence[Question]) -> list[Prompt]:
    """Questions to be continued without any template, in their own language's form."""
    return [Prompt(text=BARE_FRAMES[one.language].around(one.text), bare=True) for one in questions]


def rendered_prompts(
    arm: str,
    questions: Sequence[Question],
    template: str | None,
    special: Mapping[str, str],
    stripped: Frame | None,
    renderer: Renderer,
) -> list[Prompt]:
    """The prompts of an arm as text, for whoever holds the template.

    Raises `UnavailableArmError` where there is no template, it does not end, fails, refuses a system message or renders
    to nothing, or its hidden prompt could not be told apart.
    """
    if arm == BARE:
        return bare_prompts(questions)
    if template is None:
        raise UnavailableArmError("it has no chat template")
    if arm == STRIPPED:
        if stripped is None:
            raise UnavailableArmError("what its template adds could not be told apart")
        return [Prompt(text=stripped.around(one.text)) for one in questions]
    jobs = [
        {"messages": list(conversation(arm, one)), "tools": None, "documents": None, "add_generation_prompt": True}
        for one in questions
    ]
    try:
        answers = renderer.render(template, jobs, special)
    except TemplateFailedError as error:
        raise UnavailableArmError(error.message) from error
    errors = [one.error for one in answers if one.error is not None]
    if errors:
        verb = "refuses" if errors[0].startswith("TemplateError: ") else "fails"
        raise UnavailableArmError(f"its template {verb}: {errors[0]}")
    if any(not (one.text or "").strip() for one in answers):
        raise UnavailableArmError("its template renders to nothing")
    return [Prompt(text=one.text) for one in answers]


def added_for_some(prompts: Sequence[Prompt], questions: Sequence[Question], frame: Frame | None) -> int:
    """How many questions the template does not treat as it treats any other message (0 without a frame)."""
    if frame is None:
        return 0
    return sum(one.text != frame.around(asked.text) for one, asked in zip(prompts, questions, strict=True))


def cut(text: str) -> str:
    """A continuation up to the point where the next question begins."""
    return _NEXT.split(text.strip(), maxsplit=1)[0].strip()
