"""`modelprov probe`: parses, calls the job, publishes."""

from __future__ import annotations

from modelprov.cli.given import typed
from modelprov.cli.options import endpoint as served_by
from modelprov.cli.options import probe as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import say, terminal
from modelprov.errors import CouldNotJudgeError


def probe(
    model: options.Model = None, name: options.Name = None, parent: options.Parent = None,
    control: options.Control = None, backstory: options.Backstory = None, endpoint: served_by.Endpoint = None,
    served: served_by.Served = None, tokenizer: options.Tokenizer = None, arm: options.Arm = None,
    language: options.Language = None, samples: options.Samples = None, temperature: options.Temperature = None,
    quick: options.Quick = False, max_new_tokens: options.MaxNewTokens = 256, seed: options.Seed = 0,
    batch_size: options.BatchSize = 16, memory: shared.DeviceMemory = None, device: shared.Device = "auto",
    dtype: shared.Dtype = "auto",
    timeout: served_by.Timeout = served_by.TIMEOUT, thinking: served_by.Thinking = None,
    extra_body: served_by.ExtraBody = None,
    continuations: options.Continuations = 0, published: options.Published = None,
    logprobs: options.Logprobs = 0,
    log: options.Log = None, json_file: shared.Json = None,
    markdown: shared.Markdown = None, html: shared.Html = None, form: shared.Form = None,
    tables: shared.Tables = False, quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Ask a model who it is, with and without the prompts hidden in its files, beside its possible sources.

    Says what the chat template adds by itself, which code the checkpoint
    carries (it is never run), how often answers say each declared name, and
    what that does not show. With --continuations: whether it answers like a
    parent beyond every control. With --published: whether it completes texts as
    those weights do. With --logprobs: whose output head an endpoint has. Weights
    decide; this corroborates.

    Exit codes: 0 done, 2 bad usage or input, 3 could not be asked as shipped,
    gave no answer, or no parent could be judged by --continuations, 130 stopped.

    Examples:
      modelprov probe ./rio --name Rio --name Nex=Nex-AGI --parent ./nex

      modelprov probe --endpoint http://127.0.0.1:8000/v1 --model rio --name Rio

      modelprov probe ./rio --parent ./nex --control ./a --control ./b --control ./c --continuations 2000

    """
    from modelprov.behavior.extra import require

    require("probing")
    from modelprov.behavior.probing.arms import ARMS
    from modelprov.behavior.probing.questions import LANGUAGES
    from modelprov.cli.progress import CountBar
    from modelprov.jobs.probe import TEMPERATURES, answers_kept
    from modelprov.jobs.probe import probe as job
    from modelprov.reports.probing import imaging
    from modelprov.reports.probing.continuing import unjudged
    from modelprov.reports.probing.words import headline, suspect_silent

    asked_model = options.the_model(model, endpoint, served)
    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, form=form, log=log, tables=tables)
    if not quiet and (kept := answers_kept(log)):
        say(f"{log}: {kept:,} answers are there already")
    with CountBar(terminal(error=True), quiet) as bar:
        report = job(
            asked_model, name=name or (), parent=parent or (), control=control or (), backstory=backstory or (),
            endpoint=endpoint, tokenizer=tokenizer, arm=arm or ARMS, language=language or LANGUAGES,
            samples=samples, temperature=temperature or TEMPERATURES, quick=quick, max_new_tokens=max_new_tokens,
            seed=seed, batch_size=batch_size, memory=memory, device=device, dtype=dtype, timeout=timeout,
            thinking=thinking, extra_body=extra_body, continuations=continuations, published=published,
            logprobs=logprobs, log=log, progress=bar, command=typed(),
        )  # fmt: skip
    outputs.publish(report, quiet=quiet)
    if report.settings.names and suspect_silent(report) is not None:
        raise CouldNotJudgeError(
            headline(report), "The report says what could be asked. Raise --max-new-tokens where thoughts did not end."
        )
    if unjudged(report):
        raise CouldNotJudgeError(
            "no parent could be judged by the answers", "The report says why; three controls of its kind are the least."
        )
    if imaging.unjudged(report.imaged):
        raise CouldNotJudgeError(
            "nothing could be judged by the log-probabilities",
            "The report says what the server gave and what it takes.",
        )
