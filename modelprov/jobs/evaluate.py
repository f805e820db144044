"""The job of `modelprov eval`: models and a task in, how they score with each way to think out; differences tested."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelprov.behavior.evaluation.answering import Asking
from modelprov.behavior.evaluation.choosing import choose_alpha as chosen
from modelprov.behavior.evaluation.choosing import refuse_without
from modelprov.behavior.evaluation.methods import Condition, plan
from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.behavior.evaluation.run import evaluate as run
from modelprov.behavior.evaluation.tasks import Task, load_task
from modelprov.behavior.extra import require
from modelprov.called import DEVICES, called, refuse_other
from modelprov.errors import InterruptedRunError, UnreadableFileError, UsageError
from modelprov.jobs.arguments import (
    DTYPES,
    Location,
    command_line,
    extra_fields,
    path_of,
    refuse_below,
    refuse_repeated,
    several,
    text_of,
)
from modelprov.jobs.evaluated import local_subjects
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.progress import SILENT, Progress

LM_EVAL = "lm-eval:"
METHOD = "cot"


@shown_in_notebooks
def evaluate(
    *models: Location,
    task: Location,
    method: str | Iterable[str] = METHOD,
    budget: int | Iterable[int] = (),
    answer_tokens: int | None = None,
    samples: int = 1,
    seed: int = 0,
    limit: int | None = None,
    log: Location | None = None,
    max_new_tokens: int = 1024,
    thinking_budget: int | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy: bool = False,
    alpha: float | None = None,
    choose_alpha: Location | None = None,
    window: int | None = None,
    max_switches: int | None = None,
    noise_temperature: float | None = None,
    width: int | None = None,
    system: str | None = None,
    chat_template: Location | None = None,
    raw: bool = False,
    include_path: Location | None = None,
    batch_size: int | None = None,
    memory: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
    endpoint: str | None = None,
    timeout: float = 60.0,
    thinking: str | None = None,
    extra_body: str | None = None,
    progress: Progress = SILENT,
    command: str | None = None,
) -> EvaluationReport:
    """Ask models the questions of a task, with one or several ways to think, and test the differences.

    Runs the models here; no code of a checkpoint is executed. SwiReasoning (swir) under a budget is always run beside
    chain of thought cut off at the same budget. Needs the extra `behavior`.

    Args:
        *models: Each a folder, an org/name in the local Hugging Face cache, or a merge recipe (.yml); with `endpoint`,
            the one model's name there.
        task: A JSONL file of questions, a shipped task (sums, arithmetic), or lm-eval:NAME.
        method: How to answer: cot, cot-greedy, cot-budget, swir, soft-gumbel, multiplex; several are compared.
        budget: Most tokens of an answer, thinking included; several make the curve of accuracy against tokens.
        answer_tokens: Under a budget, cot-budget stops thinking so many tokens before it (None: a quarter, at most 32).
        samples: Answers to each question.
        seed: For sampling and resampling; written into the report.
        limit: Only the first so many questions; None for all.
        log: A folder that keeps every answer; the same call goes on after a stop.
        max_new_tokens: Most tokens of an answer, without `budget`.
        thinking_budget: cot-budget: most tokens of thinking (None: half of all).
        temperature: Of the sampled tokens (None: 0.6).
        top_k: Among so many likeliest tokens, 0 all (None: 20).
        top_p: Among the likeliest up to this sum (None: 0.95).
        greedy: Every method takes the most likely token.
        alpha: swir: weight of the soft input (None: 1).
        choose_alpha: swir: a task of other questions; alpha is the one of 1, 0.6, 0.3, 0.1 with most of them right.
        window: swir: fewest steps in words (None: 512).
        max_switches: swir: end thinking after so many (None: never).
        noise_temperature: soft-gumbel: near 0 mixes one token, more mixes more (None: 0.5).
        width: multiplex: tokens drawn for each step (None: 3).
        system: System prompt where a question has none.
        chat_template: The file of another chat template than the model's (Jinja).
        raw: No chat template: the question as plain text.
        include_path: lm-eval: a folder of task files of your own.
        batch_size: Most prompts at a time (None: as many as memory holds, at most 8, on a GPU 64).
        memory: Most bytes of each device for weights and answers (None: what is free); a model that needs more is
            spread over GPUs, main memory and the disk.
        device: Where to run the models: auto, cpu or cuda.
        dtype: Number format to run them in: auto (as stored), float32, bfloat16 or float16.
        endpoint: The URL of an OpenAI-compatible server that runs the model; without latent thinking.
        timeout: Seconds for one answer of the endpoint.
        thinking: "on" or "off" asks the endpoint's chat template to think, or not to; None leaves it as it is.
        extra_body: Further fields of every request to the endpoint, as the text of a JSON object.
        progress: Hears how far the run has come; by default nobody does, and in a notebook a bar.
        command: What the report says was run; by default, the command line that does the same.

    Returns:
        The report: `rows` has for each model and method `right` of `answers`, `accuracy` (0 to 1, with `low` and
        `high`), `tokens` of an answer; `tests` says of every difference whether it is more than `noise`; `graded` says
        how many answers could be graded. `save("eval.html")` writes it, also as .json or .md.

    Raises:
        UsageError: the arguments do not fit together, or the extra is not installed.
        EndpointError: the server did not answer as asked.
        InterruptedRunError: somebody pressed Ctrl-C; says what is kept.
        ModelprovError: a model or the task cannot be read; its subclasses say why.

    Example:
        scored = modelprov.evaluate("rio", "nex", task="sums", method=["cot", "swir"], budget=[64, 128])
        for row in scored.rows:
            print(row.model, row.method, row.right, "of", row.answers)
        scored.save("eval.html")

    """
    require("modelprov eval")
    refuse_other("device", device, DEVICES)
    refuse_other("dtype", dtype, DTYPES)
    refuse_below(1, samples=samples, limit=limit, max_new_tokens=max_new_tokens, batch_size=batch_size, memory=memory)
    refuse_below(0, seed=seed)
    locations, named = several(models), text_of(task)
    if raw and chat_template is not None:
        raise UsageError(
            f"{called('raw')} uses no chat template", f"Leave out {called('raw')} or {called('chat_template')}."
        )
    if not locations or (endpoint is not None and len(locations) > 1):
        raise UsageError(
            "eval needs models, or the one that an endpoint serves",
            f"Give one or more models, and a task such as {called('task', 'sums')}.",
        )
    if endpoint is None:
        refuse_repeated(locations)
    else:
        _refuse_local_settings(named, raw=raw, chat_template=chat_template, top_k=top_k)
    methods = [method] if isinstance(method, str) else list(method)
    budgets = [budget] if isinstance(budget, int) else list(budget)
    settings = {
        "max_new_tokens": max_new_tokens, "thinking_budget": thinking_budget, "temperature": temperature,
        "top_k": top_k if endpoint is None else 0, "top_p": top_p, "greedy": greedy or None, "alpha": alpha,
        "window": window, "max_switches": max_switches,
        "noise_temperature": noise_temperature, "width": width,
    }  # fmt: skip
    conditions, notes = plan(methods or [METHOD], budgets, samples, settings, answer_tokens)
    if choose_alpha is not None:
        if endpoint is not None or named.startswith(LM_EVAL):
            raise UsageError(f"{called('choose_alpha')} is for models here and tasks from files", "Leave it out.")
        refuse_without(methods, alpha, len(locations))
    kept = None if log is None else path_of(log)
    asking = Asking(seed, batch_size, system, _text_of(chat_template), raw, kept)
    line = command or command_line(
        "eval",
        locations if endpoint is None else [],
        (
            ("--endpoint", endpoint, None),
            ("--model", locations[0] if endpoint is not None else None, None),
            ("--thinking", thinking, None),
            ("--extra-body", extra_body, None),
            ("--timeout", timeout, 60.0),
            ("--task", named, None),
            ("--method", methods, [METHOD]),
            ("--budget", budgets, []),
            ("--answer-tokens", answer_tokens, None),
            ("--samples", samples, 1),
            ("--seed", seed, 0),
            ("--limit", limit, None),
            ("--log", log, None),
            ("--max-new-tokens", max_new_tokens, 1024),
            ("--thinking-budget", thinking_budget, None),
            ("--temperature", temperature, None),
            ("--top-k", top_k, None),
            ("--top-p", top_p, None),
            ("--greedy", greedy, False),
            ("--alpha", alpha, None),
            ("--choose-alpha", choose_alpha, None),
            ("--window", window, None),
            ("--max-switches", max_switches, None),
            ("--noise-temperature", noise_temperature, None),
            ("--width", width, None),
            ("--system", system, None),
            ("--chat-template", chat_template, None),
            ("--raw", raw, False),
            ("--include-path", include_path, None),
            ("--batch-size", batch_size, None),
            ("--memory", memory, None),
            ("--device", device, "auto"),
            ("--dtype", dtype, "auto"),
        ),
    )
    extra = extra_fields(thinking, extra_body, endpoint)
    common = (conditions, asking, progress, line, notes)
    with _said_when_stopped(kept):
        if endpoint is not None:
            return _served(endpoint, locations[0], load_task(named, limit), common, extra, timeout)
        asked = None if named.startswith(LM_EVAL) else load_task(named, limit)
        with local_subjects(locations, device, dtype, memory, progress) as subjects:
            if asked is not None and choose_alpha is not None:
                tried = {**settings, "max_new_tokens": max(budgets or [max_new_tokens])}
                development = load_task(text_of(choose_alpha))
                best, told = chosen(subjects[0], development, asked, tried, asking, progress)
                conditions, notes = plan(methods, budgets, samples, {**settings, "alpha": best}, answer_tokens)
                return run(subjects, asked, conditions, asking, progress, line, (*notes, told))
            if asked is not None:
                return run(subjects, asked, *common)
            from modelprov.behavior.evaluation.lm_eval_task import evaluate_lm_eval

            own = None if include_path is None else path_of(include_path)
            return evaluate_lm_eval(subjects, named.removeprefix(LM_EVAL), *common, own, limit)


Common = tuple[Sequence[Condition], Asking, Progress, str, Sequence[str]]


def _served(
    url: str, model: str, task: Task, common: Common, extra: Mapping[str, Any], timeout: float
) -> EvaluationReport:  # fmt: skip
    from modelprov.behavior.evaluation.served import evaluate_served
    from modelprov.behavior.probing.endpoints import Endpoint

    with Endpoint(url, model, timeout=timeout, extra=extra) as endpoint:
        return evaluate_served(endpoint, task, *common)


def _refuse_local_settings(task: str, *, raw: bool, chat_template: Location | None, top_k: int | None) -> None:
    given = {
        "lm-eval tasks": task.startswith(LM_EVAL),
        called("raw"): raw,
        called("chat_template"): chat_template,
        called("top_k"): top_k,
    }
    for name, value in given.items():
        if value:
            raise UsageError(
                f"{name} and {called('endpoint')} do not go together", "The server renders and filters by itself."
            )


@contextmanager
def _said_when_stopped(log: Path | None) -> Iterator[None]:
    """Say after Ctrl-C, or where the disk of the log is full, what is left."""
    try:
        yield
    except KeyboardInterrupt:
        advice = (
            f"Answers so far are in {log}: run the same command again to go on."
            if log
            else f"Nothing was kept. With {called('log')} DIR, a stopped run can go on."
        )
        raise InterruptedRunError("stopped by the user", advice) from None
    except OSError as error:
        if log is None or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UnreadableFileError(
            f"could not write {log}: {error.strerror}",
            "Free some space and run the same command again: answers so far are kept, and it goes on from them.",
        ) from error


def _text_of(path: Location | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the chat template {path} cannot be read: {error}", "Give a Jinja file in UTF-8.") from error
