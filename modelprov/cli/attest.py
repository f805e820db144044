"""`modelprov attest`: a report as evidence that travels, and the check of such evidence. Parses, calls, says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.terminal import say, terminal
from modelprov.errors import UsageError
from modelprov.foreign.shown import clean
from modelprov.jobs.arguments import FORMATS

QUOTED = "note: The report is quoted, not recomputed: `modelprov report verify` recomputes it."


@app.command()
def attest(
    report: Annotated[
        Path | None, typer.Argument(metavar="REPORT.json", help="What `modelprov compare --json` wrote.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write; `-` is standard output.")] = Path("-"),
    form: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="What to write.")] = "in-toto",
    key: Annotated[
        Path | None, typer.Option(metavar="KEY.pem", help="Sign with this ed25519 key, as a DSSE envelope.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[LABEL=]CKPT", help="Hash every byte of an input, and name it so (default: the suspect). Repeat."
        ),
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check a signed statement instead; needs --public-key.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(metavar="PUB.pem", help="Whose signature to look for (ed25519, or ECDSA P-256).")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--report", metavar="REPORT.json", help="Check that it was made from this report.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, no words: only files and exit code.")
    ] = False,
) -> None:
    """Write a report as an in-toto statement, signed or not, or as a CycloneDX or SPDX bill of materials.

    The statement names the suspect and says what was compared (digests, revisions), the verdict, the proportions with
    their interval, the recipe, seed, version, and what the comparison does not show. Local paths are left out.

    The report is quoted, not recomputed: `modelprov report verify` does that. One that contradicts itself is refused.

    With --verify, checks a signed one offline: the signature, and where given the report and the weights.

    Exit codes: 0 written or verified, 1 not verified, 2 bad usage or input.

    Example: modelprov attest report.json --key key.pem --out rio.dsse.json
    """
    if verify is not None:
        if report is not None or key is not None:
            raise UsageError(
                "--verify takes no REPORT.json argument and no --key",
                "Usage: modelprov attest --verify FILE --public-key PUB.pem [--report REPORT.json] [--weights CKPT]",
            )
        if public_key is None:
            raise UsageError("--verify needs --public-key", "Without a key that you trust there is nothing to verify.")
        holds = _confirm(verify, public_key, against, weights or [], quiet=quiet)
        raise typer.Exit(0 if holds else 1)
    if report is None:
        raise UsageError("attest needs a report", "Usage: modelprov attest REPORT.json --out FILE [--key KEY.pem]")
    if public_key is not None or against is not None:
        raise UsageError("--public-key and --report belong to --verify", "See `modelprov attest --help`.")
    _write(report, out, form, key, weights or [], quiet=quiet)


def _write(file: Path, out: Path, form: str, key: Path | None, weights: list[str], *, quiet: bool) -> None:
    from modelprov.cli.progress import Bar
    from modelprov.jobs.attest import attest as job
    from modelprov.reports.writing import write_atomically

    with Bar(terminal(error=True), quiet) as bar:
        made = job(file, format=form, key=key, passphrase=_passphrase, weights=weights, progress=bar)
    write_atomically(out, made.text)
    if quiet:
        return
    say(QUOTED)
    if str(out) == "-":
        return
    say(f"wrote {out} ({form}, {'signed' if made.signed else 'not signed'})")
    if made.loose:
        say(
            f"note: {clean(', '.join(made.loose))}: named by the digest of names, sizes and headers, which other "
            f"models of the same shape share. To name every byte: --weights {clean(made.loose[0])}=PATH",
        )


def _confirm(file: Path, key: Path, against: Path | None, weights: list[str], *, quiet: bool) -> bool:
    from modelprov.cli.progress import Bar
    from modelprov.jobs.attested import confirm
    from modelprov.reports.evidence.attestation_check import print_points

    with Bar(terminal(error=True), quiet) as bar:
        found = confirm(file, key, report=against, weights=weights, progress=bar)
    if not quiet:
        print_points(found.statement, found.points, terminal())
    return found.holds


def _passphrase() -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "the key has a passphrase, and there is no terminal to ask for it", "Run the command in a terminal."
        )
    return str(typer.prompt("Passphrase of the key", hide_input=True, err=True))
