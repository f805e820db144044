"""`modelprov check`: is what a model's card claims what its files hold? Parses, calls the job, publishes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli import options
from modelprov.cli.app import app
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import say, say_exact, terminal

if TYPE_CHECKING:
    from modelprov.jobs.check import CheckedModel

EXIT = {"passed": 0, "findings": 1, "could not judge": 3}


@app.command()
def check(
    model: Annotated[str, typer.Argument(metavar="MODEL_DIR", help="The folder that is about to be published.")],
    candidates: Annotated[
        list[str] | None,
        typer.Option(
            "--candidates", "-c", metavar="[NAME=]CKPT",
            help="A possible parent to compare with. NAME is what the card calls it. Repeat.",
        ),
    ] = None,
    control: Annotated[
        list[str] | None, typer.Option(metavar="CKPT", help="An unsuspected finetune of the same base. Repeat.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="modelprov.toml (default: the nearest one above MODEL_DIR).")
    ] = None,
    baseline: Annotated[Path | None, typer.Option(metavar="FILE", help="Accepted findings (JSON).")] = None,
    update_baseline: Annotated[
        str | None, typer.Option(metavar="REASON", help="Accept all present findings, for this reason.")
    ] = None,
    expires: Annotated[str | None, typer.Option(metavar="DAY", help="Of --update-baseline: 2027-01-31.")] = None,
    expected_digest: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="Of the artefact that was evaluated, as `inspect --digest` prints it."),
    ] = None,
    write_card: Annotated[
        bool, typer.Option("--write-card", help="Propose corrected front matter as a diff on standard output.")
    ] = False,
    json_file: options.Json = None,
    markdown: options.Markdown = None,
    html: options.Html = None,
    open_it: options.Open = False,
    sarif: Annotated[
        Path | None, typer.Option(metavar="FILE", help=options.HELP_FILE.format("SARIF 2.1.0"))
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help=options.HELP_FILE.format("JUnit XML"))] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Compare a few MB of each checkpoint only.")] = False,
    memory: options.Memory = options.MEMORY,
    threads: options.Threads = None,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the sampled blocks.")] = 0,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Check what a model card claims against what is in the folder, before the weights are published.

    Reads base_model, relation, licence, prose, recipes and scores from the card; compares the weights with the declared
    base models and the candidates that are on this machine; looks at template, code, config, tokenizer and digests.
    Nothing of the folder is executed. Each rule has a page in docs/rules.

    Exit codes: 0 all claims hold, 1 findings, 2 bad usage or input, 3 could not judge (never 0 without evidence).

    Example: modelprov check ./rio -c Qwen/Qwen3.5=./qwen -c nex-agi/Nex-N2=./nex --sarif check.sarif
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.check import check as job

    outputs = asked(
        {"json": json_file, "markdown": markdown, "html": html, "sarif": sarif, "junit": junit}, open_it=open_it
    )
    with Bar(terminal(error=True), quiet) as bar:
        found = job(
            model, candidates=candidates or (), control=control or (), policy=policy, baseline=baseline,
            update_baseline=update_baseline, expires=expires, expected_digest=expected_digest, sample=sample,
            memory=memory, threads=threads, seed=seed, progress=bar, command=options.typed(),
        )  # fmt: skip
    outputs.write(found.rendered)
    if update_baseline is not None:
        to, count = found.accept()
        say(f"accepted {count} findings in {to}; they count no more from the next run on")
    if write_card:
        _show_card(found)
    if not quiet and not outputs.to_stdout and not write_card:
        _show(found)
        outputs.say()
    outputs.open()
    raise typer.Exit(EXIT[found.outcome])


def _show(found: CheckedModel) -> None:
    from modelprov.reports.saving import show

    show(found.report, terminal())
    for note in found.found.notes:
        say(note)


def _show_card(found: CheckedModel) -> None:
    diff = found.card_diff()
    if diff:
        say_exact(diff)
    else:
        say("The weights settle no change of the front matter.")
