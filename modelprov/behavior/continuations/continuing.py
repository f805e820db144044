"""Gathers the answers of one model after another, says which controls count for whom, and has the rest judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from modelprov.behavior.continuations import judging
from modelprov.behavior.continuations.asking import (
    REPEATED,
    Asking,
    local_answers,
    repeats,
    served_answers,
    vocabulary_digest,
    way_of,
)
from modelprov.behavior.continuations.prompts import prompts
from modelprov.behavior.continued import Continued, Continuer, Way
from modelprov.behavior.probing.answer_log import AnswerLog
from modelprov.behavior.probing.speakers import EndpointSpeaker
from modelprov.behavior.probing.subjects import Subject
from modelprov.behavior.records import digest
from modelprov.errors import UsageError
from modelprov.progress import Progress

SIZES = 2.0
"""A control has at most so many times the parameters of the parent, and at least that part of them."""

CHAT = (
    "The server takes no raw text, so every model was asked through its own chat template: what a template or a hidden "
    "prompt adds is part of the answers compared."
)


@dataclass
class Continuing:
    """Hears one model after another, the suspect first; `found` says what follows."""

    count: int
    seed: int
    log: AnswerLog
    progress: Progress
    at_once: int = 16
    _models: list[Continuer] = field(default_factory=list)
    _digests: dict[str, str | None] = field(default_factory=dict)
    _answers: dict[str, list[str]] = field(default_factory=dict)
    _notes: list[str] = field(default_factory=list)
    _way: Way = "completions"

    def hear(self, subject: Subject) -> None:
        """Ask one model; a parent or control that cannot be asked is kept with the reason."""
        texts, about = prompts(self.count, self.seed), subject.about
        self.progress.stage(f"{about.label}: going on after random words", len(texts))
        if isinstance(subject.speaker, EndpointSpeaker):
            endpoint = subject.speaker.endpoint
            self._way = way_of(endpoint, texts[0])
            if self._way == "chat":
                self._notes.append(CHAT)
            answers = served_answers(endpoint, self._asking(texts))
            same = repeats(endpoint, texts, answers, self._way)
            if same < min(REPEATED, len(texts)):
                self._notes.append(
                    f"{about.label} gave {same} of {min(REPEATED, len(texts))} answers again when asked again: its "
                    "greedy answers vary, which hides likeness and makes none."
                )
            self._keep(subject, answers)
            return
        if subject.weights is None:
            return
        try:
            answers = local_answers(subject.weights, self._asking(texts))
        except UsageError as error:
            if about.role == "suspect":
                raise
            self._keep(subject, None, f"it could not be asked: {error.message}")
            return
        self._keep(subject, answers)

    def found(self) -> Continued:
        """What follows for each parent."""
        suspect = next(each for each in self._models if each.role == "suspect")
        said = self._answers[suspect.label]
        parents = [each for each in self._models if each.role == "parent"]
        controls = [each for each in self._models if each.role == "control"]
        heard = {each.label: self._answers[each.label] for each in (*parents, *controls) if each.label in self._answers}
        why = {each.label: self._unfit(each, heard) for each in controls}
        counted = {
            parent.label: {
                each.label: heard[each.label]
                for each in controls
                if why[each.label] is None and alike(parent, each) and _kindred(heard, parent, each)
            }
            for parent in parents
        }  # fmt: skip
        unheard = {each.label: each.unfit or "it was not asked" for each in parents if each.label not in heard}
        answers = {each.label: heard.get(each.label, []) for each in parents}
        judged = judging.judge(said, {k: v for k, v in answers.items() if v}, counted)
        judged += tuple(judging.not_judged(label, reason) for label, reason in unheard.items())
        models = [
            each.model_copy(update={"unfit": why[each.label] or _other_kind(each, parents, heard)})
            if each.role == "control" else each
            for each in self._models
        ]  # fmt: skip
        texts = prompts(self.count, self.seed)
        return Continued(
            prompts=len(texts), seed=self.seed, digest=digest(list(texts)), way=self._way, models=tuple(models),
            agreements=tuple(
                judging.agreement(each.label, each.role, said, heard[each.label])
                for each in (*parents, *controls) if each.label in heard
            ),
            judged=judged, notes=tuple(self._notes),
        )  # fmt: skip

    def _asking(self, texts: Sequence[str]) -> Asking:
        return Asking(texts, self._way, self.at_once, self.log, self.progress.advance)

    def _keep(self, subject: Subject, answers: list[str] | None, unfit: str | None = None) -> None:
        about, weights = subject.about, subject.weights
        self._models.append(
            Continuer(
                label=about.label, role=about.role,
                tokenizer=None if weights is None else vocabulary_digest(weights.tokenizer),
                parameters=None if weights is None else int(weights.model.num_parameters()),
                distinct=len(set(answers or ())), most=judging.most(answers) if answers else 0.0, unfit=unfit,
            )
        )  # fmt: skip
        self._digests[about.label] = about.digest
        if answers is not None:
            self._answers[about.label] = answers

    def _unfit(self, control: Continuer, heard: Mapping[str, Sequence[str]]) -> str | None:
        """Why a control counts for nobody, if so."""
        if control.unfit is not None or control.label not in heard:
            return control.unfit or "it was not asked"
        if control.most > judging.CONSTANT:
            return "it gives nearly the same answer to everything"
        own, digests = heard[control.label], self._digests
        for each in self._models[: self._models.index(control)]:
            same = digests[each.label] is not None and digests[each.label] == digests[control.label]
            nearly = each.role == "control" and each.label in heard and not _apart(own, heard[each.label])
            if each.label != control.label and (same or nearly):
                return f"it is {'' if same else 'nearly '}the same model as {each.label}"
        return None


def alike(parent: Continuer, control: Continuer) -> bool:
    """Whether a control is of the parent's kind: the same vocabulary, and of its size."""
    if parent.tokenizer is None or parent.tokenizer != control.tokenizer:
        return False
    if not parent.parameters or not control.parameters:
        return False
    return 1 / SIZES <= control.parameters / parent.parameters <= SIZES


def _other_kind(control: Continuer, parents: Sequence[Continuer], heard: Mapping[str, Sequence[str]]) -> str | None:
    """Why a control counts for none of the parents, if so."""
    fits = [parent for parent in parents if alike(parent, control)]
    if not parents or any(_kindred(heard, parent, control) for parent in fits):
        return None
    if fits:
        return "it goes on quite unlike the parents: a model of another language, or of none, shows nothing"
    if all(parent.tokenizer != control.tokenizer for parent in parents):
        return "its tokenizer is another than the parents'"
    return f"its size is not within a factor of {SIZES:g} of a parent with its tokenizer"


def _kindred(heard: Mapping[str, Sequence[str]], parent: Continuer, control: Continuer) -> bool:
    """Whether the control and the parent answer alike at all, as strangers of one language do."""
    if parent.label not in heard or control.label not in heard:
        return False
    found = judging.kappa(heard[parent.label], heard[control.label])
    return found is not None and found >= judging.KINDRED


def _apart(first: Sequence[str], second: Sequence[str]) -> bool:
    found = judging.kappa(first, second)
    return found is not None and found <= judging.ALIKE
