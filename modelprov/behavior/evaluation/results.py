"""The versioned, self-describing report of `modelprov eval`, as every renderer reads it and `--json` writes it.

Data only. Whatever could not be measured is None.
"""

from __future__ import annotations

from typing import Any, Literal

from modelprov.behavior.records import BehaviorEnvironment
from modelprov.records import Frozen
from modelprov.savable import Page

SCHEMA_VERSION = "1.0"
LEVEL = 0.05
"""A difference is called one where its p value, adjusted for all tests of the report, is at most this."""


class TaskRecord(Frozen):
    """What was asked: `digest` covers questions, expected answers and graders; `graders` counts questions by grader.

    `source` says who asked and graded: modelprov itself, or lm-evaluation-harness.
    """

    name: str
    location: str
    digest: str
    questions: tuple[str, ...]
    graders: dict[str, int]
    source: Literal["modelprov", "lm-evaluation-harness"] = "modelprov"


class ModelRecord(Frozen):
    """A model that answered. `digest` says which weights (`digest_covers`), `template` which chat template, if any.

    `made_from` is the merge recipe that it was computed from, in memory.
    """

    label: str
    location: str
    digest: str
    digest_covers: str
    template: str | None
    device: str
    dtype: str
    made_from: str | None = None


class MethodRecord(Frozen):
    """A way to answer: `settings` is all of it; `budget` the most tokens of an answer where budgets are compared."""

    label: str
    name: str
    budget: int | None
    samples: int
    settings: dict[str, Any]


class Estimate(Frozen):
    """A value with its 95 % interval; None where it does not exist."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Row(Frozen):
    """One model with one method.

    `answers` were made, `right` of them are. `unfinished_thoughts` never came to an answer, `cut_answers` ran into the
    limit while answering without a complete boxed result; both count as wrong. `interval` names how `accuracy` got its
    interval. `latent_share` is the share of tokens thought in latent space, `switches` the mean number of switches an
    answer. `right_by_question` and `answers_by_question` follow the order of `TaskRecord.questions`.
    """

    model: str
    method: str
    answers: int
    right: int
    accuracy: Estimate
    interval: Literal["Wilson", "cluster bootstrap", "Wilson over questions"]
    unfinished_thoughts: int
    cut_answers: int
    tokens: Estimate
    tokens_per_right: Estimate
    latent_share: float
    switches: float
    right_by_question: tuple[int, ...]
    answers_by_question: tuple[int, ...]


class PairedResult(Frozen):
    """Two rows on the same questions: `difference` is the accuracy of the first minus that of the second.

    `only_first` and `only_second` count questions where one did better than the other. `p` is two-sided, `adjusted`
    the same after Holm's correction for all tests of the report. `noise` says that the difference is within it.
    """

    compared: Literal["methods", "models"]
    first_model: str
    first_method: str
    second_model: str
    second_method: str
    questions: int
    difference: Estimate
    only_first: int
    only_second: int
    test: Literal["McNemar, exact", "paired randomisation"]
    p: float
    adjusted: float
    noise: bool


class CurvePoint(Frozen):
    """Accuracy against tokens actually spent, for one model, method and budget.

    `on_front`: no other point of this model is at least as accurate with no more tokens, and better in one of the two.
    """

    model: str
    method_name: str
    budget: int
    tokens: float
    accuracy: float
    low: float
    high: float
    on_front: bool


class EvaluationReport(Frozen, Page):
    """Everything that `modelprov eval` found. `notes` are what a reader must be told; `logs` where the answers are."""

    schema_version: str = SCHEMA_VERSION
    tool: str = "modelprov eval"
    command: str
    task: TaskRecord
    models: tuple[ModelRecord, ...]
    methods: tuple[MethodRecord, ...]
    seed: int
    level: float = LEVEL
    rows: tuple[Row, ...]
    tests: tuple[PairedResult, ...]
    curve: tuple[CurvePoint, ...]
    notes: tuple[str, ...]
    logs: tuple[str, ...]
    answers_reused: int
    environment: BehaviorEnvironment

    @property
    def graded(self) -> int:
        """How many answers could be graded at all."""
        return sum(row.answers - row.unfinished_thoughts - row.cut_answers for row in self.rows)
