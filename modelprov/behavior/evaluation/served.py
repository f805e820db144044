"""Evaluates a model that a server runs (OpenAI-compatible): chain of thought only, without latent thinking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from modelprov import __version__
from modelprov.behavior.evaluation import scoring
from modelprov.behavior.evaluation.answering import Asking, Prompt, stream_of
from modelprov.behavior.evaluation.log import AnswerLog, Logged
from modelprov.behavior.evaluation.methods import Condition
from modelprov.behavior.evaluation.question import Question
from modelprov.behavior.evaluation.results import Estimate, EvaluationReport, ModelRecord, TaskRecord
from modelprov.behavior.evaluation.run import Finished, Subject, evaluate_with
from modelprov.behavior.evaluation.tasks import Task
from modelprov.behavior.generation.interface import Method
from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.behavior.records import digest
from modelprov.called import called
from modelprov.checkpoints.labels import default_label
from modelprov.errors import UsageError
from modelprov.progress import Progress

METHODS = ("cot", "cot-greedy")
AT_ONCE = 8
"""Questions that a server is asked at a time, where nobody says."""
UNCOUNTED = -1  # tokens of an answer that the server did not count
NOTE = (
    "The model is served, so it answers without latent thinking: SwiReasoning and forced budgets need the weights. "
    "The server applies its own chat template and sampling filters; which weights it runs cannot be checked."
)


@dataclass(frozen=True)
class Served:
    """A served model in the place of a loaded one."""

    label: str
    endpoint: Endpoint


def evaluate_served(
    endpoint: Endpoint, task: Task, conditions: Sequence[Condition], asking: Asking, progress: Progress, command: str,
    notes: Iterable[str] = (),
) -> EvaluationReport:  # fmt: skip
    """The report of a served model with chain of thought, sampled or greedy.

    Raises `UsageError` for methods that need weights, and `EndpointError` when the server finally fails; answers made
    before that are in the log.
    """
    refused = [one.method.name for one in conditions if one.method.name not in METHODS]
    if refused:
        raise UsageError(
            f"{refused[0]} needs the weights on this machine",
            f"With {called('endpoint')}, methods are {', '.join(METHODS)}.",
        )
    record = TaskRecord(
        name=task.name, location=task.location, digest=task.digest, questions=tuple(one.id for one in task.questions),
        graders=dict(Counter(one.grader for one in task.questions)),
    )  # fmt: skip
    subject = Subject(f"{default_label(endpoint.model)} (without latent)", lambda: Served(endpoint.model, endpoint))

    def one(model: Any, condition: Condition) -> Finished:
        return _one(model, task, condition, asking, progress)

    return evaluate_with(
        one, [subject], record, conditions, asking, progress, command, _notes(endpoint, notes), _record
    )


def _notes(endpoint: Endpoint, notes: Iterable[str]) -> Iterator[str]:
    """What a reader must be told; of the replies only once they are there."""
    yield from (*notes, NOTE)
    for what, count in sorted(endpoint.noticed.items()):
        yield f"Of the server's replies to new questions, {count:,} had: {what}."


def _record(model: Served, subject: Subject, asking: Asking) -> ModelRecord:  # noqa: ARG001
    return ModelRecord(
        label=model.label, location=model.endpoint.url, digest="unknown", digest_covers="nothing: weights are not seen",
        template=None, device="served", dtype="unknown",
    )  # fmt: skip


def _one(model: Served, task: Task, condition: Condition, asking: Asking, progress: Progress) -> Finished:
    endpoint, method = model.endpoint, condition.method
    settings = {
        "endpoint": endpoint.url, "model": endpoint.model, "method": method.as_dict(), "seed": asking.seed,
        "versions": {"modelprov": __version__}, **({"extra": dict(endpoint.extra)} if endpoint.extra else {}),
    }  # fmt: skip
    found, reused, uncounted = [], 0, False
    with AnswerLog(asking.log, (endpoint.model, task.name, method.name), settings) as log:
        progress.stage(f"{model.label}: {condition.label}", len(task.questions) * condition.samples)
        wanted = [
            (place, question, _messages(question, asking), sample)
            for place, question in enumerate(task.questions)
            for sample in range(condition.samples)
        ]
        asked = {
            (key, sample): (messages, Logged(question.id, sample, key, *_EMPTY))
            for _, question, messages, sample in wanted
            if ((key := digest(messages)[:16]), sample) not in log.answers
        }
        reused = len(wanted) - len(asked)
        progress.advance(reused)
        missing = list(asked.values())
        at_once = asking.batch_size or AT_ONCE
        with ThreadPoolExecutor(at_once) as pool:
            for start in range(0, len(missing), at_once):  # a batch at a time: what was said is kept
                batch = missing[start : start + at_once]
                waiting = [pool.submit(_ask, endpoint, told, method, asking.seed, empty) for told, empty in batch]
                log.add(one.result() for one in waiting if one.exception() is None)
                for one in waiting:
                    one.result()  # raises what the first that failed raised
                progress.advance(len(batch))
        for place, question, messages, sample in wanted:
            answer = log.answers[digest(messages)[:16], sample]
            uncounted |= answer.tokens == UNCOUNTED
            found.append(scoring.scored(place, scoring.judge(question, answer), answer))
    made = scoring.row(model.label, condition.label, found, len(task.questions), asking.seed)
    if uncounted:
        made = made.model_copy(update={"tokens": Estimate(value=None), "tokens_per_right": Estimate(value=None)})
    return Finished(made, None if log.path is None else str(log.path), reused)


_EMPTY: tuple[str, None, None, bool, int] = ("", None, None, False, 0)


def _messages(question: Question, asking: Asking) -> list[dict[str, str]]:
    system = asking.system if question.system is None else question.system
    before = [] if system is None else [{"role": "system", "content": system}]
    return [*before, {"role": "user", "content": question.prompt}]


def _ask(
    endpoint: Endpoint, messages: Sequence[Mapping[str, str]], method: Method, seed: int, place: Logged
) -> Logged:  # fmt: skip
    greedy = method.sampling.greedy
    reply = endpoint.chat(
        messages,
        temperature=0.0 if greedy else method.sampling.temperature,
        max_tokens=method.max_new_tokens,
        seed=(stream_of(Prompt(place.question, (), place.sample), place.prompt) + seed) % 2**31,
        top_p=None if greedy else method.sampling.top_p,
    )
    never_ended = reply.thinking is not None and not reply.finished and not reply.text.strip()
    return Logged(
        place.question, place.sample, place.prompt, reply.text, reply.thinking, None if never_ended else reply.text,
        reply.finished, UNCOUNTED if reply.completion_tokens is None else reply.completion_tokens,
    )  # fmt: skip
