"""`modelprov eval`: parses, loads what is asked for, evaluates, renders."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from modelprov.cli.app import app
from modelprov.cli.compare import HELP_FILE, check_outputs
from modelprov.cli.terminal import say, terminal
from modelprov.errors import InterruptedRunError, UsageError
from modelprov.jobs.arguments import DEVICES, refuse_other

if TYPE_CHECKING:
    from modelprov.behavior.evaluation.answering import Asking
    from modelprov.behavior.evaluation.methods import Condition
    from modelprov.behavior.evaluation.results import EvaluationReport
    from modelprov.behavior.evaluation.run import Subject
    from modelprov.behavior.evaluation.tasks import Task
    from modelprov.cli.progress import CountBar

LM_EVAL = "lm-eval:"


@app.command(name="eval")
def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL [MODEL ...]", show_default=False,
                       help="A folder, an org/name in the local Hugging Face cache, or a merge recipe (.yml)."),
    ] = None,
    *,
    task: Annotated[
        str, typer.Option(metavar="FILE|NAME", help="A JSONL file of questions, a shipped task (sums, arithmetic), or "
                          "lm-eval:NAME.")
    ],
    method: Annotated[
        list[str] | None,
        typer.Option("--method", metavar="NAME", help="How to answer: cot (default), cot-greedy, cot-budget, swir. "
                     "Repeat it to compare.")
    ] = None,
    budget: Annotated[
        list[int] | None, typer.Option(metavar="TOKENS", help="Most tokens of an answer, thinking included. Repeat it "
                                       "for the curve of accuracy against tokens.")
    ] = None,
    answer_tokens: Annotated[
        int | None, typer.Option(min=1, help="Under a budget, cot-budget stops thinking so many tokens before it "
                                 "(default: a quarter of it, at most 32).")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Answers to each question.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="For sampling and resampling; written into the report.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many questions (default: all).")] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep every answer here; the same command goes on after a stop.")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer, without --budget.")] = 1024,
    thinking_budget: Annotated[
        int | None, typer.Option(min=0, help="cot-budget: most tokens of thinking (default: half of all).")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Of the sampled tokens. (default: 0.6)", show_default=False),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="Among so many likeliest tokens, 0 all. (default: 20)", show_default=False),
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Among the likeliest up to this sum. (default: 0.95)", show_default=False),
    ] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Every method takes the most likely token.")] = False,
    alpha: Annotated[
        float | None, typer.Option(help="swir: weight of the soft input. (default: 1)", show_default=False)
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="swir: fewest steps in words. (default: 512)", show_default=False)
    ] = None,
    max_switches: Annotated[
        int | None, typer.Option(min=0, help="swir: end thinking after so many (default: never)."),
    ] = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="System prompt where a question has none.")] = None,
    chat_template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another chat template than the model's (Jinja).")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="No chat template: the question as plain text.")] = False,
    include_path: Annotated[
        Path | None, typer.Option(metavar="DIR", help="lm-eval: a folder of task files of your own.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts at a time.")] = 8,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to run the model.")] = "auto",
    dtype: Annotated[str, typer.Option(metavar="auto|float32|bfloat16|float16", help="Number format to run in; auto: "
                                       "as stored.")] = "auto",
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Instead of a MODEL: an OpenAI-compatible endpoint, "
                                 "without latent thinking.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model's name at the endpoint.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help=HELP_FILE.format("JSON"))] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("Markdown"))] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("one HTML page"))] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no terminal report.")] = False,
) -> None:  # fmt: skip
    """Ask models the questions of a task, with one or several ways to think, and test the differences.

    Runs the models here; no code of a checkpoint is executed. Says for every difference whether it is more than noise.
    SwiReasoning (swir) under a budget is always run beside chain of thought cut off at the same budget.

    Exit codes: 0 done, 2 bad usage or input, 3 nothing could be graded, 130 stopped (answers so far are in --log).

    Example: modelprov eval ./rio ./nex --task sums --method cot --method swir --budget 64 --budget 128 --html eval.html
    """
    from modelprov.behavior.extra import require

    require("modelprov eval")
    refuse_other("--device", device, DEVICES)
    if dtype not in ("auto", "float32", "bfloat16", "float16"):
        raise UsageError(f"--dtype is auto, float32, bfloat16 or float16, not {dtype!r}")
    if raw and chat_template is not None:
        raise UsageError("--raw uses no chat template", "Leave out --raw or --chat-template.")
    outputs = {"json": json_file, "markdown": markdown, "html": html}
    to_stdout = check_outputs(outputs)
    settings = {
        "max_new_tokens": max_new_tokens, "thinking_budget": thinking_budget, "temperature": temperature,
        "top_k": top_k, "top_p": top_p, "greedy": greedy or None, "alpha": alpha, "window": window,
        "max_switches": max_switches,
    }  # fmt: skip
    if (endpoint is None) != bool(models) or (endpoint is None) != (model is None):
        raise UsageError(
            "eval needs models, or one --endpoint with the --model it serves", "Usage: modelprov eval MODEL --task sums"
        )
    if endpoint is not None:
        _refuse_local_settings(task, raw=raw, template=chat_template, top_k=top_k)
        settings["top_k"] = 0
    from modelprov.behavior.evaluation.answering import Asking
    from modelprov.behavior.evaluation.methods import plan
    from modelprov.behavior.evaluation.run import evaluate as run
    from modelprov.behavior.evaluation.tasks import load_task

    conditions, notes = plan(method or ["cot"], budget or [], samples, settings, answer_tokens)
    asking = Asking(seed, batch_size, system, _text_of(chat_template), raw, log)
    command = shlex.join(["modelprov", *sys.argv[1:]])
    from modelprov.cli.progress import CountBar

    asked = None if task.startswith(LM_EVAL) else load_task(task, limit)
    bar = CountBar(terminal(error=True), quiet)
    if endpoint is not None and model is not None and asked is not None:
        report = _served(endpoint, model, asked, conditions, asking, bar, command, notes)
        _finish(report, outputs, show=not quiet and not to_stdout)
    with said_when_stopped(log), subjects(models or [], device, dtype, quiet=quiet) as those, bar:
        if asked is None:
            from modelprov.behavior.evaluation.lm_eval_task import evaluate_lm_eval

            name = task.removeprefix(LM_EVAL)
            report = evaluate_lm_eval(those, name, conditions, asking, bar, command, notes, include_path, limit)
        else:
            report = run(those, asked, conditions, asking, bar, command, notes)
    _finish(report, outputs, show=not quiet and not to_stdout)


def _finish(report: EvaluationReport, outputs: dict[str, Path | None], *, show: bool) -> NoReturn:
    """Write and show the report, and leave with its exit code."""
    write(report, outputs)
    if show:
        from modelprov.reports.saving import show as print_result

        print_result(report, terminal())
        for path in outputs.values():
            if path is not None:
                say(f"wrote {path}")
    raise typer.Exit(0 if report.graded else 3)


def _refuse_local_settings(task: str, *, raw: bool, template: Path | None, top_k: int | None) -> None:
    given = {"lm-eval tasks": task.startswith(LM_EVAL), "--raw": raw, "--chat-template": template, "--top-k": top_k}
    for name, one in given.items():
        if one:
            raise UsageError(f"{name} and --endpoint do not go together", "The server renders and filters by itself.")


def _served(
    url: str, model: str, task: Task, conditions: Sequence[Condition], asking: Asking, bar: CountBar, command: str,
    notes: Sequence[str],
) -> EvaluationReport:  # fmt: skip
    from modelprov.behavior.evaluation.served import evaluate_served
    from modelprov.behavior.probing.endpoints import Endpoint

    with said_when_stopped(asking.log), Endpoint(url, model) as endpoint, bar:
        return evaluate_served(endpoint, task, conditions, asking, bar, command, notes)


@contextmanager
def subjects(locations: list[str], device: str, dtype: str, *, quiet: bool) -> Iterator[list[Subject]]:
    """The models, to be loaded in turn; a recipe is written into a folder that is gone afterwards."""
    from modelprov.behavior.evaluation.run import Subject
    from modelprov.behavior.loading import load_model
    from modelprov.checkpoints.labels import unique_labels
    from modelprov.cli.behavior_models import runnable
    from modelprov.cli.progress import Bar

    with ExitStack() as stack:
        with Bar(terminal(error=True), quiet) as bar:
            folders = stack.enter_context(runnable(locations, bar))
        yield [
            Subject(
                label,
                partial(load_model, folders[location], label, device, dtype),
                location if folders[location] != location else None,
            )
            for location, label in zip(locations, unique_labels(locations), strict=True)
        ]


@contextmanager
def said_when_stopped(log: Path | None) -> Iterator[None]:
    """Say after Ctrl-C what is left."""
    try:
        yield
    except KeyboardInterrupt:
        advice = (
            f"Answers so far are in {log}: run the same command again to go on."
            if log
            else "Nothing was kept. With --log DIR, a stopped run can go on."
        )
        raise InterruptedRunError("stopped by the user", advice) from None


def write(report: EvaluationReport, outputs: dict[str, Path | None]) -> None:
    """Render every report asked for, then write each whole or not at all; standard output last."""
    from modelprov.reports.saving import rendered
    from modelprov.reports.writing import write_atomically

    texts = [(path, rendered(name, report)) for name, path in outputs.items() if path is not None]
    for path, text in sorted(texts, key=lambda one: str(one[0]) == "-"):
        write_atomically(path, text)


def _text_of(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the chat template {path} cannot be read: {error}", "Give a Jinja file in UTF-8.") from error
