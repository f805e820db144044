"""What `modelprov probe` found, as it crosses file boundaries: versioned records. Data only."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelprov.behavior.continued import Continued, Equality
from modelprov.behavior.imaged import Imaged
from modelprov.behavior.records import BehaviorEnvironment
from modelprov.records import Frozen
from modelprov.savable import Page

SCHEMA_VERSION = "1.0"
Role = Literal["suspect", "parent", "control"]

SEVERAL, REFUSAL, OTHER, NOTHING = "several", "refusal", "other", "no answer"
"""Classes of answers beside the declared names: more than one of them; no name wanted or known; no declared name; an
empty answer, or a thought that never ended."""


class DeclaredName(Frozen):
    """A name declared before the run: `aliases` count as it, `excluded` phrases hold an alias but do not."""

    name: str
    aliases: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    decoy: bool = False


class CodeFound(Frozen):
    """A file of the checkpoint that is, names or holds code. Nothing of it was run."""

    file: str
    what: str


Place = Literal["instead of a system prompt", "always", "after the message", "between messages"]
Explanation = Literal["the caller's tools", "the caller's documents", "the caller's image", "the label of a role"]


class HiddenPrompt(Frozen):
    """Text that a chat template adds by itself.

    `where`: "instead of a system prompt" (a user's own replaces it), "always" (also beside a user's own),
    "after the message", "between messages" (of a longer conversation). `conditions` says in which renderings it was
    seen.
    """

    source: str
    template: str
    text: str
    where: Place
    conditions: tuple[str, ...]


class ExplainedText(Frozen):
    """Text that a chat template adds around something that is there: `why` says what; no hidden prompt."""

    source: str
    template: str
    text: str
    why: Explanation
    conditions: tuple[str, ...]


class TemplateSeen(Frozen):
    """One chat template of a checkpoint and what rendering it told.

    `empty_system` says what an empty system message does; `refuses` lists conditions it ended with an error in.
    """

    source: str
    name: str
    digest: str
    used: bool
    empty_system: str | None = None
    depends_on_date: bool = False
    refuses: tuple[str, ...] = ()
    error: str | None = None


class ServedPrompt(Frozen):
    """Tokens that a server put before a conversation, beyond those of the local rendering; None where unknown.

    That is the server's word; `checks` say how it stood up to its greedy answers, and who it says answered.
    `answers_differ` is True where conversations are answered otherwise than the same text sent raw.
    """

    tokens: int | None
    explanation: str
    checks: tuple[str, ...] = ()
    answers_differ: bool | None = None


class ModelProbed(Frozen):
    """One model, which weights (or which server) it was, and what its files hold."""

    label: str
    role: Role
    location: str
    digest: str | None = None
    digest_covers: str | None = None
    templates: tuple[TemplateSeen, ...] = ()
    hidden_prompts: tuple[HiddenPrompt, ...] = ()
    explained_texts: tuple[ExplainedText, ...] = ()
    stripped_template: str | None = None
    served: ServedPrompt | None = None
    code: tuple[CodeFound, ...] = ()
    notes: tuple[str, ...] = ()


class ClassShare(Frozen):
    """How often answers fell into a class: `count` of `total`, the share and its 95 % interval."""

    name: str
    count: int
    total: int
    share: float | None
    low: float | None
    high: float | None


class Affirmation(Frozen):
    """Answers to "Are you NAME?": `says_is` and `says_is_not` already take the question's sense into account.

    `yes` counts answers that said yes, whatever the question's sense: a model that says yes to everything has as
    many in both senses.
    """

    name: str
    says_is: int
    says_is_not: int
    unclear: int
    yes: int
    total: int


class ArmResult(Frozen):
    """One model's answers in one arm, greedy or sampled at one temperature.

    Intervals are exact (Clopper and Pearson), for sampled answers on their effective number (Korn and Graubard).
    `thinking` holds the same classes for the thoughts, `by_kind` and `by_language` counts of the answers' classes.
    An arm that could not be asked has `reason` and no answers; `same_as` names the arm with the same prompts.
    """

    model: str
    role: Role
    arm: str
    sampling: str
    temperature: float
    questions: int = 0
    answers: int = 0
    unfinished: int = 0
    classes: tuple[ClassShare, ...] = ()
    thinking: tuple[ClassShare, ...] = ()
    by_kind: dict[str, dict[str, int]] = Field(default_factory=dict)
    by_language: dict[str, dict[str, int]] = Field(default_factory=dict)
    affirmations: tuple[Affirmation, ...] = ()
    backstory: tuple[ClassShare, ...] = ()
    same_as: str | None = None
    reason: str | None = None


class NameLogProbability(Frozen):
    """Mean natural log-probability of a name where the answer continues with it, over `questions` prompts.

    `first_token` is that of its first token alone, `whole` of all its tokens.
    """

    model: str
    arm: str
    name: str
    alias: str
    first_token: float
    whole: float
    tokens: int
    questions: int


class Example(Frozen):
    """An answer word for word (cut at 600 characters)."""

    model: str
    arm: str
    sampling: str
    question_id: str
    language: str
    question: str
    thinking: str | None
    answer: str
    counted_as: str


class Settings(Frozen):
    """What was asked, and how: everything that shapes an answer and is not a model."""

    seed: int
    samples: int
    temperatures: tuple[float, ...]
    max_new_tokens: int
    languages: tuple[str, ...]
    arms: tuple[str, ...]
    questions: int
    questions_digest: str
    names: tuple[DeclaredName, ...]
    backstory: tuple[str, ...]
    quick: bool


class ProbeReport(Frozen, Page):
    """Everything that `modelprov probe` found."""

    schema_version: str = SCHEMA_VERSION
    tool: str = "modelprov probe"
    command: str
    settings: Settings
    models: tuple[ModelProbed, ...]
    arms: tuple[ArmResult, ...]
    log_probabilities: tuple[NameLogProbability, ...] = ()
    examples: tuple[Example, ...] = ()
    continued: Continued | None = None
    equality: Equality | None = None
    imaged: Imaged | None = None
    does_not_show: tuple[str, ...] = ()
    environment: BehaviorEnvironment
