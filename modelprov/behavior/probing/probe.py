"""The whole probe: every model, every arm, greedy and sampled, from questions to records. Prints and loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from modelprov.behavior.probing.answer_log import AnswerLog, Spoken
from modelprov.behavior.probing.arms import ARMS, SHIPPED, Prompt, UnavailableArmError, added_for_some
from modelprov.behavior.probing.classify import affirms, classify
from modelprov.behavior.probing.counting import count
from modelprov.behavior.probing.name_tokens import name_log_probabilities
from modelprov.behavior.probing.questions import KINDS, LANGUAGES, Question, digest_of, questions
from modelprov.behavior.probing.results import (
    NOTHING,
    ArmResult,
    DeclaredName,
    Example,
    ModelProbed,
    NameLogProbability,
    Settings,
)  # fmt: skip
from modelprov.behavior.probing.speakers import GREEDY, Asked, How, ask
from modelprov.behavior.probing.subjects import Subject
from modelprov.progress import Progress

LONGEST = 600

OPENING = "opening {}"
"""The stage that each model begins with."""


@dataclass(frozen=True)
class Plan:
    """What to ask and how; `temperatures` are those of the sampled answers, beside one greedy answer a question."""

    names: tuple[DeclaredName, ...]
    backstory: tuple[str, ...] = ()
    languages: tuple[str, ...] = LANGUAGES
    arms: tuple[str, ...] = ARMS
    temperatures: tuple[float, ...] = (0.7, 1.0)
    samples: int = 8
    max_new_tokens: int = 256
    seed: int = 0
    quick: bool = False
    batch_size: int = 8

    def settings(self) -> Settings:
        """As the report records it."""
        asked = self.questions()
        return Settings(
            seed=self.seed, samples=self.samples, temperatures=self.temperatures, max_new_tokens=self.max_new_tokens,
            languages=self.languages, arms=self.arms, questions=len(asked), questions_digest=digest_of(asked),
            names=self.names, backstory=self.backstory, quick=self.quick,
        )  # fmt: skip

    def questions(self) -> tuple[Question, ...]:
        """What is asked of every model in every arm."""
        return questions(self.names, self.languages, quick=self.quick)

    def ways(self) -> tuple[How, ...]:
        """Greedy, then each temperature."""
        sampled = self.temperatures if self.samples else ()
        return tuple(How(temperature, self.max_new_tokens) for temperature in (0.0, *sampled))


@dataclass
class Findings:
    """What the models said, in the order in which they were asked."""

    models: list[ModelProbed] = field(default_factory=list)
    arms: list[ArmResult] = field(default_factory=list)
    log_probabilities: list[NameLogProbability] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    dtypes: list[str] = field(default_factory=list)

    @property
    def usable(self) -> int:
        """How many answers of the suspect said anything."""
        return sum(
            one.count for arm in self.arms if arm.role == "suspect" for one in arm.classes if one.name != NOTHING
        )


def probe(
    openers: Mapping[str, Callable[[], Subject]], plan: Plan, log: AnswerLog, progress: Progress,
    beside: Sequence[Callable[[Subject], None]] = (),
) -> Findings:  # fmt: skip
    """Ask each model in turn; only one is in memory at a time. Those `beside` are shown each while it is there.

    `openers` has for each model's name the function that loads it.
    """
    found = Findings()
    for name, opener in openers.items():
        progress.stage(OPENING.format(name))
        subject = opener()
        _one_model(subject, plan, log, progress, found)
        for hear in beside:
            hear(subject)
        del subject
    return found


def _one_model(subject: Subject, plan: Plan, log: AnswerLog, progress: Progress, found: Findings) -> None:
    asked = plan.questions()
    seen: dict[tuple[Prompt, ...], str] = {}
    notes: list[str] = []
    for arm in plan.arms:
        label, role = subject.about.label, subject.about.role
        try:
            prompts = subject.speaker.prompts(arm, asked)
            notes += _treated_unlike(arm, subject, prompts, asked)
            key = tuple(prompts) if all(one.messages is None for one in prompts) else ()
            same_as = seen.get(key) if key else None
            seen.setdefault(key, arm)
            for how in plan.ways():
                result, examples = _one_way(subject, arm, how, asked, prompts, plan, log, progress)
                found.arms.append(result.model_copy(update={"same_as": same_as}))
                found.examples += examples
        except UnavailableArmError as error:
            found.arms.append(
                ArmResult(model=label, role=role, arm=arm, sampling=GREEDY, temperature=0.0, reason=error.message)
            )
            continue
        if subject.weights is not None and same_as is None:
            progress.stage(f"{label}, {arm}: probabilities of names")
            found.log_probabilities += name_log_probabilities(
                subject.weights, arm, asked, prompts, plan.names, plan.batch_size
            )
    notes += subject.speaker.noticed()
    found.models.append(subject.about.model_copy(update={"notes": (*subject.about.notes, *notes)}))
    found.devices.append(subject.device or "a server")
    found.dtypes.append(subject.dtype or "a server's")


def _treated_unlike(arm: str, subject: Subject, prompts: Sequence[Prompt], asked: Sequence[Question]) -> list[str]:
    """A note where the template does something with these very questions that it does with no other message."""
    if arm != SHIPPED or subject.examined is None or any(one.text is None for one in prompts):
        return []
    unlike = added_for_some(prompts, asked, subject.examined.shipped)
    if not unlike:
        return []
    return [
        f"the chat template looks at what is asked: it treats {unlike} of {len(asked)} questions unlike other messages"
    ]


def _one_way(
    subject: Subject, arm: str, how: How, asked: Sequence[Question], prompts: Sequence[Prompt], plan: Plan,
    log: AnswerLog, progress: Progress,
) -> tuple[ArmResult, list[Example]]:  # fmt: skip
    label = subject.about.label
    times = 1 if how.greedy else plan.samples
    each = [
        Asked(prompt, question, number)
        for question, prompt in zip(asked, prompts, strict=True)
        for number in range(times)
    ]
    progress.stage(f"{label}, {arm}, {how.name}", len(each))
    answers = ask(
        subject.speaker, each, how, plan.seed, log, {"arm": arm}, batch=plan.batch_size, on_done=progress.advance,
    )  # fmt: skip
    told = [one.question for one in each]
    result = count(label, subject.about.role, arm, how.name, how.temperature, told, answers, plan.names, plan.backstory)
    return result, _examples(label, arm, how, told, answers, plan) if how.greedy else []


def _examples(
    label: str, arm: str, how: How, asked: Sequence[Question], answers: Sequence[Spoken], plan: Plan
) -> list[Example]:
    """The first answer of each kind, the languages in turn: chosen before anyone has read them."""
    found = []
    for number, kind in enumerate(KINDS):
        language = plan.languages[number % len(plan.languages)]
        pairs = zip(asked, answers, strict=True)
        pair = next(((one, said) for one, said in pairs if (one.kind, one.language) == (kind, language)), None)
        if pair is not None:
            found.append(_example(label, arm, how, *pair, plan))
    return found


def _example(label: str, arm: str, how: How, question: Question, said: Spoken, plan: Plan) -> Example:
    if question.kind == "denial":
        says = {True: "says it is", False: "says it is not", None: "unclear whether it is"}
        counted_as = f"{says[affirms(said.final, question, plan.names)]} {question.asked}"
    else:
        counted_as = classify(said.final, plan.names).class_
    thinking = None if said.thinking is None else _short(said.thinking)
    return Example(
        model=label, arm=arm, sampling=how.name, question_id=question.id, language=question.language,
        question=question.text, thinking=thinking, answer=_short(said.final or ""), counted_as=counted_as,
    )  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
