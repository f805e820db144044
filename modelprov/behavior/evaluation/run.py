"""Runs an evaluation: every model with every method on one task, and the report of it. Prints nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from modelprov.behavior.evaluation import scoring
from modelprov.behavior.evaluation.answering import (
    Asking,
    Generate,
    Prompt,
    answer_all,
    prompt_ids,
    settings_of,
    template_digest,
)
from modelprov.behavior.evaluation.log import AnswerLog
from modelprov.behavior.evaluation.methods import Condition
from modelprov.behavior.evaluation.results import (
    EvaluationReport,
    MethodRecord,
    ModelRecord,
    PairedResult,
    Row,
    TaskRecord,
)
from modelprov.behavior.evaluation.tasks import Task
from modelprov.behavior.loading import LocalModel
from modelprov.behavior.records import environment
from modelprov.checkpoints.digests import SAMPLE_COVERS
from modelprov.progress import Progress, announce, tell

TESTING = "testing differences"


@dataclass(frozen=True)
class Subject:
    """A model to load when its turn comes, most often a `LocalModel`; `made_from` as in `ModelRecord`."""

    label: str
    load: Callable[[], Any]
    made_from: str | None = None


@dataclass(frozen=True)
class Finished:
    """What one model with one method came to; `notes` are what a reader must be told of it."""

    row: Row
    log: str | None
    reused: int
    notes: tuple[str, ...] = ()


def evaluate(
    subjects: Sequence[Subject],
    task: Task,
    conditions: Sequence[Condition],
    asking: Asking,
    progress: Progress,
    command: str,
    notes: Iterable[str] = (),
    generate: Generate | None = None,
) -> EvaluationReport:
    """Ask every model every question with every method; one model is in memory at a time.

    Raises what loading, rendering and generating raise; answers made before that are in the log.
    """
    record = TaskRecord(
        name=task.name,
        location=task.location,
        digest=task.digest,
        questions=tuple(one.id for one in task.questions),
        graders=dict(Counter(one.grader for one in task.questions)),
    )

    def one(model: LocalModel, condition: Condition) -> Finished:
        return _one(model, task, condition, asking, progress, generate)

    return evaluate_with(one, subjects, record, conditions, asking, progress, command, notes)


def evaluate_with(
    one: Callable[[Any, Condition], Finished],
    subjects: Sequence[Subject],
    task: TaskRecord | Callable[[], TaskRecord],
    conditions: Sequence[Condition],
    asking: Asking,
    progress: Progress,
    command: str,
    notes: Iterable[str] = (),
    describe: Callable[[Any, Subject, Asking], ModelRecord] | None = None,
) -> EvaluationReport:
    """The report of `one` called for every model and method; `task` may be known only afterwards.

    `describe` makes the record of what `Subject.load` gave, where that is no `LocalModel`.
    """
    started = datetime.now(UTC)
    models, finished, placed = [], [], []
    announce(progress, _stages(subjects, conditions))
    for subject in subjects:
        progress.stage(f"loading {subject.label}")
        model = replace(subject.load(), label=subject.label)
        models.append((describe or _record)(model, subject, asking))
        placed += [model.spread] if getattr(model, "spread", None) else []
        finished += [one(model, condition) for condition in conditions]
        del model
    methods = tuple(_method(condition) for condition in conditions)
    rows = tuple(each.row for each in finished)
    progress.stage(TESTING)
    tests = scoring.paired_tests(rows, methods, asking.seed)
    return EvaluationReport(
        command=command,
        task=task() if callable(task) else task,
        models=tuple(models),
        methods=methods,
        seed=asking.seed,
        rows=rows,
        tests=tests,
        curve=scoring.curve(rows, methods),
        notes=(
            *notes,
            *placed,
            *dict.fromkeys(note for each in finished for note in each.notes),
            *_cautions(rows),
            *_weak_control(tests),
        ),
        logs=tuple(each.log for each in finished if each.log is not None),
        answers_reused=sum(each.reused for each in finished),
        environment=environment(
            ", ".join(dict.fromkeys(each.device for each in models)),
            ", ".join(dict.fromkeys(each.dtype for each in models)),
            started,
            (datetime.now(UTC) - started).total_seconds(),
        ),
    )


def _stages(subjects: Sequence[Subject], conditions: Sequence[Condition]) -> list[str]:
    """What an evaluation goes through: each model is loaded, and asked with each method."""
    stages = []
    for subject in subjects:
        stages += [f"loading {subject.label}", *(f"{subject.label}: {condition.label}" for condition in conditions)]
    return [*stages, TESTING]


def _one(
    model: LocalModel, task: Task, condition: Condition, asking: Asking, progress: Progress, generate: Generate | None
) -> Finished:
    asked = [prompt_ids(model, question, asking) for question in task.questions]
    prompts = [
        Prompt(question.id, ids, sample)
        for question, ids in zip(task.questions, asked, strict=True)
        for sample in range(condition.samples)
    ]
    notes: list[str] = []
    names = (model.label, task.name, condition.method.name)
    with AnswerLog(asking.log, names, settings_of(model, condition, asking)) as log:
        reused = sum((one.digest, one.sample) in log.answers for one in prompts)
        progress.stage(f"{model.label}: {condition.label}", len(prompts))
        answers = answer_all(
            model, prompts, condition, asking, log, progress.advance, generate, notes.append, partial(tell, progress)
        )
    found = []
    for number, answer in enumerate(answers):
        place = number // condition.samples
        found.append(scoring.scored(place, scoring.judge(task.questions[place], answer), answer))
    made = scoring.row(model.label, condition.label, found, len(task.questions), asking.seed)
    return Finished(made, None if log.path is None else str(log.path), reused, tuple(notes))


def _record(model: LocalModel, subject: Subject, asking: Asking) -> ModelRecord:
    return ModelRecord(
        label=model.label,
        location=subject.made_from or model.location,
        digest=model.digest,
        digest_covers=SAMPLE_COVERS,
        template=template_digest(model, asking),
        device=model.device,
        dtype=str(model.model.dtype).removeprefix("torch."),
        made_from=subject.made_from,
    )


def _method(condition: Condition) -> MethodRecord:
    return MethodRecord(
        label=condition.label,
        name=condition.method.name,
        budget=condition.budget,
        samples=condition.samples,
        settings=condition.method.as_dict(),
    )


def _cautions(rows: Sequence[Row]) -> list[str]:
    """What the numbers themselves ask a reader to be careful about."""
    rare = [one for one in rows if 2 * (one.unfinished_thoughts + one.cut_answers) > one.answers]
    if not rare:
        return []
    named = ", ".join(
        f"{one.model} with {one.method} ({one.unfinished_thoughts + one.cut_answers} of {one.answers})" for one in rare
    )
    return [
        f"Most answers did not come to an end within the limit of tokens: {named}. There, accuracy says how often the "
        "limit was enough, not how often the model would be right."
    ]


def _weak_control(tests: Sequence[PairedResult]) -> list[str]:
    """Where stopping by force did harm, beating the forced control is no merit."""
    weak = []
    for test in tests:
        names = [test.first_method.partition(" @")[0], test.second_method.partition(" @")[0]]
        if test.compared != "methods" or test.noise or sorted(names) != ["cot", "cot-budget"]:
            continue
        better = names[0] if (test.difference.value or 0.0) > 0 else names[1]
        if better == "cot":
            weak.append(f"{test.first_model} with {test.first_method} and {test.second_method}")
    if not weak:
        return []
    return [
        f"Chain of thought did worse when cut off by force than when left alone ({'; '.join(weak)}). There the forced "
        "one is a weak control: compare with plain cot, or leave more room to think with a smaller --answer-tokens."
    ]
