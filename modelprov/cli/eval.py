"""`modelprov eval`: parses, calls the job, publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli import options
from modelprov.cli.app import app
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal
from modelprov.errors import UsageError


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
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Instead of a MODEL: an OpenAI-compatible endpoint, "
                                 "without latent thinking.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model's name at the endpoint.")] = None,
    json_file: options.Json = None,
    markdown: options.Markdown = None,
    html: options.Html = None,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Ask models the questions of a task, with one or several ways to think, and test the differences.

    Runs the models here; no code of a checkpoint is executed. Says for every difference whether it is more than noise.
    SwiReasoning (swir) under a budget is always run beside chain of thought cut off at the same budget.

    Exit codes: 0 done, 2 bad usage or input, 3 nothing could be graded, 130 stopped (answers so far are in --log).

    Example: modelprov eval ./rio ./nex --task sums --method cot --method swir --budget 64 --budget 128 --html eval.html
    """
    from modelprov.behavior.extra import require

    require("modelprov eval")
    from modelprov.cli.progress import CountBar
    from modelprov.jobs.evaluate import evaluate as job
    from modelprov.reports.saving import show

    outputs = asked({"json": json_file, "markdown": markdown, "html": html})
    if (endpoint is None) != bool(models) or (endpoint is None) != (model is None):
        raise UsageError(
            "eval needs models, or one --endpoint with the --model it serves", "Usage: modelprov eval MODEL --task sums"
        )
    with CountBar(terminal(error=True), quiet) as bar:
        report = job(
            *(models or [model or ""]), task=task, method=method or (), budget=budget or (),
            answer_tokens=answer_tokens, samples=samples, seed=seed, limit=limit, log=log,
            max_new_tokens=max_new_tokens, thinking_budget=thinking_budget, temperature=temperature, top_k=top_k,
            top_p=top_p, greedy=greedy, alpha=alpha, window=window, max_switches=max_switches, system=system,
            chat_template=chat_template, raw=raw, include_path=include_path, batch_size=batch_size, device=device,
            dtype=dtype, endpoint=endpoint, progress=bar, command=options.typed(),
        )  # fmt: skip
    outputs.publish(report.rendered, lambda: show(report, terminal()), quiet=quiet)
    raise typer.Exit(0 if report.graded else 3)
