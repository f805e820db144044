"""`modelprov eval`: parses, calls the job, publishes."""

from __future__ import annotations

import typer

from modelprov.cli.given import typed
from modelprov.cli.options import endpoint as served_by
from modelprov.cli.options import eval as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


def evaluate(
    models: options.Models = None, *, task: options.Task, method: options.Method = None, budget: options.Budget = None,
    answer_tokens: options.AnswerTokens = None, samples: options.Samples = 1, seed: options.Seed = 0,
    limit: options.Limit = None, log: options.Log = None, max_new_tokens: options.MaxNewTokens = 1024,
    thinking_budget: options.ThinkingBudget = None, temperature: options.Temperature = None,
    top_k: options.TopK = None, top_p: options.TopP = None, greedy: options.Greedy = False,
    alpha: options.Alpha = None, choose_alpha: options.ChooseAlpha = None,
    window: options.Window = None, max_switches: options.MaxSwitches = None,
    noise_temperature: options.NoiseTemperature = None, width: options.Width = None,
    system: options.System = None, chat_template: options.ChatTemplate = None, raw: options.Raw = False,
    include_path: options.IncludePath = None, batch_size: options.BatchSize = None, memory: shared.DeviceMemory = None,
    device: shared.Device = "auto", dtype: shared.Dtype = "auto", endpoint: served_by.Endpoint = None,
    model: served_by.Served = None, timeout: served_by.Timeout = served_by.TIMEOUT,
    thinking: served_by.Thinking = None, extra_body: served_by.ExtraBody = None,
    json_file: shared.Json = None, markdown: shared.Markdown = None, html: shared.Html = None, form: shared.Form = None,
    tables: shared.Tables = False, quiet: shared.Quiet = False,
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

    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, form=form, tables=tables)
    served_by.refuse_halves("eval", bool(models), endpoint, model, "--task sums")
    with CountBar(terminal(error=True), quiet) as bar:
        report = job(
            *(models or [model or ""]), task=task, method=method or (), budget=budget or (),
            answer_tokens=answer_tokens, samples=samples, seed=seed, limit=limit, log=log,
            max_new_tokens=max_new_tokens, thinking_budget=thinking_budget, temperature=temperature, top_k=top_k,
            top_p=top_p, greedy=greedy, alpha=alpha, choose_alpha=choose_alpha, window=window,
            max_switches=max_switches,
            noise_temperature=noise_temperature, width=width, system=system, chat_template=chat_template, raw=raw,
            include_path=include_path, batch_size=batch_size, memory=memory, device=device, dtype=dtype,
            endpoint=endpoint, timeout=timeout, thinking=thinking, extra_body=extra_body, progress=bar,
            command=typed(),
        )  # fmt: skip
    outputs.publish(report, quiet=quiet)
    raise typer.Exit(0 if report.graded else 3)
