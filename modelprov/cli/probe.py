"""`modelprov probe`: parses, opens, asks, renders."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli.compare import HELP_FILE, _refuse_repeated, check_outputs
from modelprov.cli.main import app
from modelprov.errors import CouldNotJudgeError, EndpointError, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelprov.behavior.probing.probe import Findings, Plan
    from modelprov.behavior.probing.results import ProbeReport
    from modelprov.behavior.probing.subjects import Subject
    from modelprov.cli.progress import Bar

Server = tuple[str, str, Path | None, float]
"""Its URL, the model's name there, a folder with the tokenizer, seconds for one answer."""

QUICK_SAMPLES = 2
SAMPLES = 8


@app.command()
def probe(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="The model in question: a folder, an org/name in the local cache, or a "
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
        int | None, typer.Option(min=0, help="Sampled answers to each question [default: 8, with --quick 2].")
    ] = None,
    temperature: Annotated[
        list[float] | None, typer.Option(metavar="T", help="Of the sampled answers [default: 0.7 and 1]. Repeat.")
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

    Reports what the chat template adds by itself, code the checkpoint carries (never run), how often answers say each
    declared name, and what that does not show. Weights decide; this corroborates. It does not exit with 1.

    Example: modelprov probe ./rio --parent ./nex --parent ./qwen --control ./sibling
    --name Rio --name Nex=Nex-AGI,"Nex AGI" --name Qwen --log answers.jsonl --html probe.html
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
    _refuse_repeated([*([model] if model else []), *(parent or []), *(control or [])])
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
                typer.echo(f"wrote {path}", err=True)
    if not any(one.total and one.name != "no answer" and one.count for one in _classes(report)):
        raise CouldNotJudgeError(
            "no answer of the model in question could be used", "Raise --max-new-tokens, or look at the log."
        )


def run(
    members: Sequence[tuple[str, str]], plan: Plan, log: Path | None, *, device: str = "auto", dtype: str = "auto",
    server: Server | None = None, quiet: bool = False,
) -> ProbeReport:  # fmt: skip
    """Open, ask and assemble the report; `members` are (location, role) with the suspect first, or a server's."""
    from rich.console import Console

    from modelprov.behavior.probing.answer_log import AnswerLog
    from modelprov.behavior.probing.probe import probe as ask_all
    from modelprov.cli.behavior_models import runnable
    from modelprov.cli.progress import Bar

    _calm_transformers()
    started, clock = datetime.now(UTC), time.perf_counter()
    with ExitStack() as stack:
        bar = stack.enter_context(Bar(Console(stderr=True), quiet))
        answers = stack.enter_context(AnswerLog(log))
        if answers.kept and not quiet:
            typer.echo(f"{log}: {answers.kept:,} answers are there already", err=True)
        folders = stack.enter_context(runnable([where for where, _ in members], bar))
        openers = _openers(members, folders, plan, device, dtype)
        if server is not None:
            openers.insert(0, _server(server, plan, stack, bar))
        try:
            found = ask_all(openers, plan, answers, bar)
        except KeyboardInterrupt as error:
            raise InterruptedRunError("stopped by the user", _kept(log)) from error
        except EndpointError as error:
            raise EndpointError(
                error.message, f"{error.advice} {_kept(log)}".strip(), status=error.status, passing=error.passing
            ) from error
    return _report(found, plan, started, time.perf_counter() - clock)


def _report(found: Findings, plan: Plan, started: datetime, seconds: float) -> ProbeReport:
    from modelprov.behavior.probing.results import ProbeReport
    from modelprov.behavior.probing.wording import does_not_show
    from modelprov.behavior.records import environment

    return ProbeReport(
        command=shlex.join(["modelprov", *sys.argv[1:]]), settings=plan.settings(), models=tuple(found.models),
        arms=tuple(found.arms), log_probabilities=tuple(found.log_probabilities), examples=tuple(found.examples),
        does_not_show=does_not_show(found.models),
        environment=environment(
            ", ".join(dict.fromkeys(found.devices)), ", ".join(dict.fromkeys(found.dtypes)), started, seconds
        ),
    )  # fmt: skip


def _openers(
    members: Sequence[tuple[str, str]], folders: dict[str, str], plan: Plan, device: str, dtype: str
) -> list[Callable[[], Subject]]:
    """One function a model, that loads it when its turn comes."""
    from modelprov.checkpoints.labels import unique_labels

    labels = unique_labels([where.removesuffix(".yml").removesuffix(".yaml") for where, _ in members])

    def opener(where: str, role: str, label: str) -> Callable[[], Subject]:
        def opened() -> Subject:
            from dataclasses import replace
            from typing import cast

            from modelprov.behavior.loading import load_model
            from modelprov.behavior.probing.results import Role
            from modelprov.behavior.probing.subjects import local_subject

            model = replace(load_model(folders[where], label, device, dtype), location=where)
            notes = [f"a merge that {where} describes, written for this probe"] if folders[where] != where else []
            return local_subject(model, cast("Role", role), plan.batch_size, notes)

        return opened

    return [opener(where, role, label) for (where, role), label in zip(members, labels, strict=True)]


def _server(
    server: tuple[str, str, Path | None, float], plan: Plan, stack: ExitStack, bar: Bar
) -> Callable[[], Subject]:
    def opened() -> Subject:
        from modelprov.behavior.probing.endpoint_local import local_side
        from modelprov.behavior.probing.endpoints import Endpoint
        from modelprov.behavior.probing.results import ServedPrompt
        from modelprov.behavior.probing.subjects import endpoint_subject
        from modelprov.behavior.probing.token_counts import count_prompts

        url, name, tokenizer, timeout = server
        endpoint = stack.enter_context(Endpoint(url, name, timeout=timeout))
        counted = None
        if tokenizer is not None:
            bar.stage("counting the server's tokens")
            counts = count_prompts(endpoint, local_side(tokenizer))
            counted = ServedPrompt(tokens=counts.tokens, explanation=counts.explanation)
        return endpoint_subject(endpoint, endpoint.url, name, tokenizer, plan.batch_size, counted)

    return opened


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


def _kept(log: Path | None) -> str:
    if log is None:
        return "Nothing was kept; with --log FILE the next run can be gone on from."
    return f"Every answer so far is in {log}: run the same command again to go on."


def _calm_transformers() -> None:
    """Its progress bars and warnings would run through ours."""
    import os

    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _classes(report: ProbeReport) -> list:  # type: ignore[type-arg]
    return [one for arm in report.arms if arm.role == "suspect" for one in arm.classes]


def _write(report: ProbeReport, outputs: dict[str, Path | None]) -> None:
    """Render every report asked for, then write each whole or not at all; standard output last, as it may be closed."""
    from modelprov.reports.writing import write_atomically

    rendered = [(path, _render(name, report)) for name, path in outputs.items() if path is not None]
    for path, text in sorted(rendered, key=lambda one: str(one[0]) == "-"):
        write_atomically(path, text)


def _render(name: str, report: ProbeReport) -> str:
    if name == "json":
        from modelprov.reports.probing import render_probe_json

        return render_probe_json(report)
    if name == "markdown":
        from modelprov.reports.probing import render_probe_markdown

        return render_probe_markdown(report)
    from modelprov.reports.probing_html import render_probe_html

    return render_probe_html(report)


def _show(report: ProbeReport) -> None:
    from rich.console import Console

    from modelprov.reports.probing_terminal import print_probe

    print_probe(report, Console())
