"""`modelprov check`: is what a model's card claims what its files hold? Parses, checks, renders, sets the exit code."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.compare import HELP_FILE, check_outputs, page_to_open, parse_size, show_page
from modelprov.cli.terminal import say, say_exact, terminal
from modelprov.errors import UsageError

if TYPE_CHECKING:
    from modelprov.check.baseline import Baseline
    from modelprov.check.policy import Policy
    from modelprov.check.results import Finding

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
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help=HELP_FILE.format("JSON"))] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("Markdown"))] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("one HTML page"))] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show the HTML page in a browser.")] = False,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("SARIF 2.1.0"))] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("JUnit XML"))] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Compare a few MB of each checkpoint only.")] = False,
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Most memory for buffers.")] = "512M",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads (default: all cores).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the sampled blocks.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no terminal report.")] = False,
) -> None:  # fmt: skip
    """Check what a model card claims against what is in the folder, before the weights are published.

    Reads base_model, relation, licence, prose, recipes and scores from the card; compares the weights with the declared
    base models and the candidates that are on this machine; looks at template, code, config, tokenizer and digests.
    Nothing of the folder is executed. Each rule has a page in docs/rules.

    Exit codes: 0 all claims hold, 1 findings, 2 bad usage or input, 3 could not judge (never 0 without evidence).

    Example: modelprov check ./rio -c Qwen/Qwen3.5=./qwen -c nex-agi/Nex-N2=./nex --sarif check.sarif
    """
    from modelprov.check.run import Request, run_check
    from modelprov.check.write_card import card_diff, proposed_changes
    from modelprov.cli.progress import Bar
    from modelprov.forensics.compare import Options
    from modelprov.reports.saving import rendered, show
    from modelprov.reports.writing import write_atomically

    page = page_to_open(html) if open_it else html
    outputs = {"json": json_file, "markdown": markdown, "html": page, "sarif": sarif, "junit": junit}
    to_stdout = check_outputs(outputs) or write_card
    rules, accepted_in = _policy(policy, model), baseline
    accepted_in = accepted_in or rules.baseline
    known = _baseline(accepted_in, must_exist=update_baseline is None)
    request = Request(
        candidates=(*(candidates or ()), *rules.candidates),
        controls=(*(control or ()), *rules.controls),
        expected_digest=expected_digest or rules.expected_digest,
        options=Options(
            memory=parse_size(memory, "--memory"), threads=threads, seed=seed, sample=sample or rules.sample,
            device="cpu",
        ),
    )  # fmt: skip
    started = datetime.now(UTC)
    if update_baseline is not None:  # before hours of reading, not after
        _renewed(accepted_in, known, (), update_baseline, expires, started.date())
    with Bar(terminal(error=True), quiet) as bar:
        done = run_check(model, request, rules, known, shlex.join(["modelprov", *sys.argv[1:]]), started, bar)
    texts = [(path, rendered(name, done.report)) for name, path in outputs.items() if path is not None]
    for path, text in sorted(texts, key=lambda one: str(one[0]) == "-"):
        write_atomically(path, text)
    if update_baseline is not None:
        _accept(accepted_in, known, done.unaccepted, update_baseline, expires, started.date())
    if write_card:
        changes = proposed_changes(done.claims, done.taken.measured)
        diff = card_diff(Path(model), done.claims, changes) if changes else ""
        if diff:
            say_exact(diff)
        else:
            say("The weights settle no change of the front matter.")
    if not quiet and not to_stdout:
        show(done.report, terminal())
        for note in done.notes:
            say(note)
        for path, _ in texts:
            say(f"wrote {path}")
    if open_it and page is not None:
        show_page(page, temporary=html is None)
    raise typer.Exit(EXIT[done.report.outcome])


def _policy(given: Path | None, model: str) -> Policy:
    from modelprov.check.policy import Policy, find_policy, load_policy
    from modelprov.check.rules import RULES

    path = given or find_policy(Path(model))
    return load_policy(path, {rule: one.name for rule, one in RULES.items()}) if path is not None else Policy()


def _baseline(path: Path | None, *, must_exist: bool) -> Baseline:
    from modelprov.check.baseline import Baseline, load_baseline

    if path is None or (not must_exist and not path.exists()):
        return Baseline()
    return load_baseline(path)


def _accept(
    path: Path | None, known: Baseline, findings: tuple[Finding, ...], reason: str, expires: str | None, today: date
) -> None:
    """Write a baseline that accepts what was found."""
    from modelprov.check.baseline import as_text
    from modelprov.reports.writing import write_atomically

    to, renewed = _renewed(path, known, findings, reason, expires, today)
    write_atomically(to, as_text(renewed))
    say(f"accepted {len(findings)} findings in {to}; they count no more from the next run on")


def _renewed(
    path: Path | None, known: Baseline, findings: tuple[Finding, ...], reason: str, expires: str | None, today: date
) -> tuple[Path, Baseline]:
    """Where the baseline goes, and it; raises `UsageError` for what is missing or is no day."""
    from modelprov.check.baseline import updated

    if path is None:
        raise UsageError("--update-baseline needs to know which file", "Give --baseline FILE.")
    try:
        until = date.fromisoformat(expires) if expires is not None else None
    except ValueError as error:
        raise UsageError(f"--expires {expires!r} is no day", "Write it like 2027-01-31.") from error
    return path, updated(known, findings, reason, until, today)
