"""`modelprov probe`: parses, opens, asks, renders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.compare import HELP_FILE, check_outputs
from modelprov.cli.probe_run import run
from modelprov.cli.terminal import say, terminal
from modelprov.errors import CouldNotJudgeError, UsageError
from modelprov.jobs.arguments import refuse_repeated

if TYPE_CHECKING:
    from modelprov.behavior.probing.results import ProbeReport

__all__ = ["probe", "run"]

QUICK_SAMPLES = 2
SAMPLES = 8


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
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to run the models.")] = "auto",
    dtype: Annotated[str, typer.Option(metavar="auto|float32|bfloat16|float16", help="Number format.")] = "auto",
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for one answer of --endpoint.")] = 60.0,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep every answer here (JSONL); run again to go on from it.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help=HELP_FILE.format("JSON"))] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("Markdown"))] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("one HTML page"))] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no terminal report.")] = False,
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
    from modelprov.behavior.probing.arms import ARMS, check_arms
    from modelprov.behavior.probing.names import parse_names
    from modelprov.behavior.probing.probe import Plan
    from modelprov.behavior.probing.questions import LANGUAGES

    _check_model(model, endpoint, served, tokenizer)
    if not name:
        raise UsageError("probe needs the names to look for", "Declare them: --name Rio --name Nex=Nex-AGI.")
    if dtype not in ("auto", "float32", "bfloat16", "float16"):
        raise UsageError(f"--dtype is auto, float32, bfloat16 or float16, not {dtype!r}")
    heat = tuple(dict.fromkeys(temperature or (0.7, 1.0)))
    if not all(0 < one <= 10 for one in heat):
        raise UsageError("--temperature is above 0 and at most 10", "Greedy answers are always made too.")
    if any(not one.strip() for one in backstory or ()):
        raise UsageError("--backstory is empty", "Give a phrase that only one model would say.")
    plan = Plan(
        names=parse_names(name), backstory=tuple(dict.fromkeys(backstory or ())),
        languages=tuple(dict.fromkeys(language or LANGUAGES)), arms=check_arms(arm or ARMS), temperatures=heat,
        samples=samples if samples is not None else QUICK_SAMPLES if quick else SAMPLES,
        max_new_tokens=max_new_tokens, seed=seed, quick=quick, batch_size=batch_size,
    )  # fmt: skip
    plan.questions()  # says what is wrong with them before a model is loaded
    refuse_repeated([*([model] if model else []), *(parent or []), *(control or [])])
    outputs = {"json": json_file, "markdown": markdown, "html": html}
    to_stdout = check_outputs(outputs | {"log": log})
    if log is not None and str(log) == "-":
        raise UsageError("--log needs a file", "Standard output cannot be gone on from.")
    roles = [*((one, "parent") for one in parent or []), *((one, "control") for one in control or [])]
    report = run(
        [*([(model, "suspect")] if model else []), *roles], plan, log, device=device, dtype=dtype, quiet=quiet,
        server=(endpoint, served, tokenizer, timeout) if endpoint and served else None,
    )  # fmt: skip
    _write(report, outputs)
    if not quiet and not to_stdout:
        _show(report)
        for path in (log, *outputs.values()):
            if path is not None:
                say(f"wrote {path}")
    from modelprov.reports.probing.words import headline, suspect_silent

    if suspect_silent(report) is not None:
        raise CouldNotJudgeError(
            headline(report), "The report says what could be asked. Raise --max-new-tokens where thoughts did not end."
        )


def _check_model(model: str | None, endpoint: str | None, served: str | None, tokenizer: Path | None) -> None:
    if (model is None) == (endpoint is None):
        raise UsageError(
            "probe needs a model, either local or served",
            "Usage: modelprov probe MODEL --name NAME, or modelprov probe --endpoint URL --model NAME --name NAME.",
        )
    if (endpoint is None) != (served is None):
        raise UsageError("--endpoint and --model belong together", "--model is the name that the server knows.")
    if tokenizer is not None and endpoint is None:
        raise UsageError("--tokenizer is for --endpoint", "A local model has its own.")
    if tokenizer is not None and not tokenizer.is_dir():
        raise UsageError(f"{tokenizer} is no folder", "Give the folder with tokenizer.json and its chat template.")


def _write(report: ProbeReport, outputs: dict[str, Path | None]) -> None:
    """Render every report asked for, then write each whole or not at all; standard output last, as it may be closed."""
    from modelprov.reports.saving import rendered
    from modelprov.reports.writing import write_atomically

    texts = [(path, rendered(name, report)) for name, path in outputs.items() if path is not None]
    for path, text in sorted(texts, key=lambda one: str(one[0]) == "-"):
        write_atomically(path, text)


def _show(report: ProbeReport) -> None:
    from modelprov.reports.saving import show

    show(report, terminal())
