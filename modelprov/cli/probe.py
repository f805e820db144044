"""`modelprov probe`: parses, calls the job, publishes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli import options
from modelprov.cli.app import app
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import say, terminal
from modelprov.errors import CouldNotJudgeError, UsageError

if TYPE_CHECKING:
    from modelprov.behavior.probing.results import ProbeReport


@app.command()
def probe(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="The model in question: a folder, an org/name in the local cache, or a "
                       "merge recipe (.yml). Leave it out with --endpoint.", show_default=False),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=ALIAS,...]", help="A name to look for, with its other spellings; `!PHRASE` is not "
                     "it: 'Rio=Rio,!Rio de Janeiro'. Repeat. Declared before anybody has read an answer."),
    ] = None,
    parent: Annotated[
        list[str] | None, typer.Option(metavar="CKPT", help="A possible source, asked the same. Repeat.")
    ] = None,
    control: Annotated[
        list[str] | None, typer.Option(metavar="CKPT", help="An unrelated model, asked the same. Repeat.")
    ] = None,
    backstory: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A rare phrase to look for word for word. Repeat.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="An OpenAI-compatible server (vLLM, SGLang, transformers serve) "
                                 "instead of MODEL. Its key: MODELPROV_API_KEY.")
    ] = None,
    served: Annotated[str | None, typer.Option("--model", metavar="NAME", help="The model's name there.")] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The served model's tokenizer files: to ask without its "
                                  "template's prompt, and to count hidden tokens.")
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option(metavar="ARM", help="Only this arm: as shipped, stripped, no template, neutral "
                                       "system, counterfactual; or empty system. Repeat.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(metavar="en|pt|zh", help="Only questions in this language. Repeat.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=0, help="Sampled answers to each question (default: 8, with --quick 2).")
    ] = None,
    temperature: Annotated[
        list[float] | None, typer.Option(metavar="T", help="Of the sampled answers (default: 0.7 and 1). Repeat.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A third of the questions, two samples.")] = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, thinking included.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of the sampled answers; written into the report.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Answers made at once.")] = 16,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for one answer of --endpoint.")] = 60.0,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep every answer here (JSONL); run again to go on from it.")
    ] = None,
    json_file: options.Json = None,
    markdown: options.Markdown = None,
    html: options.Html = None,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Ask a model who it is, with and without the prompts hidden in its files, beside its possible sources.

    Says what the chat template adds by itself, which code the checkpoint
    carries (it is never run), how often answers say each declared name, and
    what that does not show. Weights decide; this corroborates.

    Exit codes: 0 done, 2 bad usage or input, 3 could not be asked as shipped or
    gave no answer, 130 stopped.

    Examples:
      modelprov probe ./rio --name Rio --name Nex=Nex-AGI --parent ./nex

      modelprov probe --endpoint http://127.0.0.1:8000/v1 --model rio --name Rio

    """
    from modelprov.behavior.extra import require

    require("probing")
    from modelprov.behavior.probing.arms import ARMS
    from modelprov.behavior.probing.questions import LANGUAGES
    from modelprov.cli.progress import Bar
    from modelprov.jobs.probe import TEMPERATURES
    from modelprov.jobs.probe import probe as job
    from modelprov.reports.probing.words import headline, suspect_silent

    _check_model(model, endpoint, served)
    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, log=log)
    if log is not None and not quiet:
        _say_kept(log)
    with Bar(terminal(error=True), quiet) as bar:
        report = job(
            model or served or "", name=name or (), parent=parent or (), control=control or (),
            backstory=backstory or (), endpoint=endpoint, tokenizer=tokenizer, arm=arm or ARMS,
            language=language or LANGUAGES, samples=samples, temperature=temperature or TEMPERATURES, quick=quick,
            max_new_tokens=max_new_tokens, seed=seed, batch_size=batch_size, device=device, dtype=dtype,
            timeout=timeout, log=log, progress=bar, command=options.typed(),
        )  # fmt: skip
    outputs.publish(report.rendered, lambda: _show(report), quiet=quiet)
    if suspect_silent(report) is not None:
        raise CouldNotJudgeError(
            headline(report), "The report says what could be asked. Raise --max-new-tokens where thoughts did not end."
        )


def _check_model(model: str | None, endpoint: str | None, served: str | None) -> None:
    if (model is None) == (endpoint is None):
        raise UsageError(
            "probe needs a model, either local or served",
            "Usage: modelprov probe MODEL --name NAME, or modelprov probe --endpoint URL --model NAME --name NAME.",
        )
    if (endpoint is None) != (served is None):
        raise UsageError("--endpoint and --model belong together", "--model is the name that the server knows.")


def _say_kept(log: Path) -> None:
    """Say how many answers an earlier run left in the log."""
    from modelprov.behavior.probing.answer_log import AnswerLog

    if not log.exists():
        return
    with AnswerLog(log) as answers:
        if answers.kept:
            say(f"{log}: {answers.kept:,} answers are there already")


def _show(report: ProbeReport) -> None:
    from modelprov.reports.saving import show

    show(report, terminal())
