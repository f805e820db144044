"""Runs a task of lm-evaluation-harness with modelprov's methods, and brings its results into the same report.

The harness renders the prompts and grades; generation, logs, pairing and statistics are modelprov's.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelprov.behavior.evaluation import scoring
from modelprov.behavior.evaluation.answering import Asking, Generate, settings_of
from modelprov.behavior.evaluation.log import AnswerLog, Logged
from modelprov.behavior.evaluation.methods import Condition
from modelprov.behavior.evaluation.results import EvaluationReport, TaskRecord
from modelprov.behavior.evaluation.run import Finished, Subject, evaluate_with
from modelprov.behavior.extra import require
from modelprov.behavior.loading import LocalModel
from modelprov.behavior.records import digest
from modelprov.called import called
from modelprov.errors import UsageError
from modelprov.progress import Progress


@dataclass
class _Task:
    """The harness's task, and what is learnt of it on the way: its questions, by the first run."""

    name: str
    filter: str | None
    manager: Any
    limit: int | None
    places: dict[tuple[str, int], int] = field(default_factory=dict)
    hashes: list[list[Any]] = field(default_factory=list)
    grader: str = ""


def evaluate_lm_eval(
    subjects: Sequence[Subject], name: str, conditions: Sequence[Condition], asking: Asking, progress: Progress,
    command: str, notes: Iterable[str] = (), include_path: Path | None = None, limit: int | None = None,
    generate: Generate | None = None,
) -> EvaluationReport:  # fmt: skip
    """The report of the task `name` (or `NAME:FILTER` where it grades in several ways).

    `include_path` is a folder with task files beside the harness's own. Raises `UsageError` for an unknown task, one
    that generates nothing or does not grade right or wrong, or whose questions cannot be had.
    """
    require("an lm-evaluation-harness task", "lm-eval")
    os.environ.setdefault("TQDM_DISABLE", "1")  # one progress bar is enough
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    wanted, _, chosen = name.partition(":")
    progress.stage("finding the task")
    task = _Task(wanted, chosen or None, _manager(wanted, include_path), limit)

    def one(model: LocalModel, condition: Condition) -> Finished:
        return _one(model, task, condition, asking, progress, generate)

    def record() -> TaskRecord:
        return TaskRecord(
            name=task.name,
            location=f"lm-eval:{name}",
            digest=digest(task.hashes),
            questions=tuple(f"{where}/{number}" for where, number in task.places),
            graders={task.grader: len(task.places)},
            source="lm-evaluation-harness",
        )

    return evaluate_with(one, subjects, record, conditions, asking, progress, command, notes)


def _manager(name: str, include_path: Path | None) -> Any:
    """A task manager that knows the task; the harness's thousands are looked through only where they must be."""
    from lm_eval.tasks import TaskManager

    if include_path is not None and not include_path.is_dir():
        raise UsageError(
            f"{include_path} is no folder", f"{called('include_path')} names a folder with task files (.yaml)."
        )
    for defaults in (False, True) if include_path is not None else (True,):
        manager = TaskManager(include_path=include_path, include_defaults=defaults)
        if name in manager.all_tasks:
            return manager
    raise UsageError(
        f"lm-evaluation-harness has no task {name!r}",
        f"`lm_eval ls tasks` lists them; {called('include_path')} adds a folder of your own.",
    )


def _one(
    model: LocalModel, task: _Task, condition: Condition, asking: Asking, progress: Progress, generate: Generate | None
) -> Finished:
    from modelprov.behavior.evaluation.lm_eval_model import ModelprovLM

    if asking.template is not None:
        model.tokenizer.chat_template = asking.template
    if not asking.raw and model.tokenizer.chat_template is None:
        raise UsageError(
            f"{model.label} has no chat template", f"Give one with {called('chat_template')}, or use {called('raw')}."
        )
    names = (model.label, f"lm-eval-{task.name}", condition.method.name)
    with AnswerLog(asking.log, names, settings_of(model, condition, asking)) as log:
        known = set(log.answers)
        adapter = ModelprovLM(model, condition=condition, asking=asking, log=log, generate=generate)
        adapter.on_answers = progress.advance
        notes: list[str] = []
        adapter.told = notes.append
        found: list[scoring.Scored] = []
        reused = 0
        for sample in range(condition.samples):
            number = f", answer {sample + 1} of {condition.samples}" if condition.samples > 1 else ""
            progress.stage(f"{model.label}: {condition.label}{number}", len(task.places))
            adapter.sample = sample
            adapter.made.clear()
            graded = _graded(_run(adapter, task, asking), task)
            found += [_scored(key, right, adapter.made, task) for key, right in graded.items()]
            reused += sum(answer.key in known for answer in adapter.made.values())
    row = scoring.row(model.label, condition.label, found, len(task.places), asking.seed)
    return Finished(row, None if log.path is None else str(log.path), reused, tuple(notes))


def _run(adapter: Any, task: _Task, asking: Asking) -> dict[str, list[dict[str, Any]]]:
    """The harness's record of every document, by task."""
    from unittest.mock import patch

    from lm_eval import evaluator

    # The harness would ask git which commit the working folder is at, which is none of its business and says "fatal".
    no_git = patch.object(evaluator, "get_git_commit_hash", lambda: None, create=True)
    try:
        with no_git:
            results = evaluator.simple_evaluate(
                model=adapter, tasks=[task.name], task_manager=task.manager, limit=task.limit, bootstrap_iters=0,
                apply_chat_template=not asking.raw, system_instruction=asking.system, random_seed=asking.seed,
                log_samples=True,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, ImportError, TypeError) as error:
        said = str(error).strip() or repr(error)
        raise UsageError(
            f"lm-evaluation-harness cannot run {task.name}: {said.splitlines()[0][:300]}",
            "Its questions must be on this machine (load them once with the harness), and its packages installed.",
        ) from error
    samples: dict[str, list[dict[str, Any]]] = results["samples"] if results else {}
    return samples


def _graded(samples: dict[str, list[dict[str, Any]]], task: _Task) -> dict[tuple[str, int], bool]:
    """Right or wrong for each document, by the task's first metric in the filter asked for (or its first)."""
    found: dict[tuple[str, int], bool] = {}
    for name, entries in samples.items():
        filters = list(dict.fromkeys(str(one["filter"]) for one in entries))
        used = task.filter or filters[0]
        if used not in filters:
            raise UsageError(f"{name} has no filter {used!r}", f"It has {', '.join(filters)}.")
        metric = str(entries[0]["metrics"][0])
        task.grader = f"{metric}, {used}"
        for one in entries:
            if str(one["filter"]) != used:
                continue
            value, key = one[metric], (name, int(one["doc_id"]))
            if value not in (0, 1):
                raise UsageError(
                    f"{name} grades by {metric}, which is not right or wrong", "Choose a task that is, such as gsm8k."
                )
            found[key] = bool(value)
            if key not in task.places:
                task.places[key] = len(task.places)
                task.hashes.append([*key, one.get("doc_hash"), one.get("target_hash")])
    return found


def _scored(
    key: tuple[str, int], right: bool, made: dict[tuple[str, int, int], Logged], task: _Task
) -> scoring.Scored:  # fmt: skip
    answer = made.get((*key, 0))
    if answer is None:
        raise UsageError(
            f"{task.name} scores given answers by their likelihood: nothing is generated, so no method plays a part",
            "Choose a task that generates (output_type: generate_until).",
        )
    outcome: scoring.Outcome = "unfinished thought" if answer.final is None else "right" if right else "wrong"
    return scoring.scored(task.places[key], outcome, answer)
