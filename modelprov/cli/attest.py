"""`modelprov attest`: a report as evidence that travels, and the check of such evidence. Parses, calls, says."""

from __future__ import annotations

from pathlib import Path

import typer

from modelprov.cli.attested import confirm, write
from modelprov.cli.options import attest as options
from modelprov.cli.outputs import asked, refuse_read
from modelprov.errors import UsageError


def attest(
    report: options.Report = None, out: options.Out = Path("-"), form: options.Form = "in-toto",
    key: options.Key = None, weights: options.Weights = None, verify: options.Verify = None,
    public_key: options.PublicKey = None, against: options.Against = None, json_file: options.Json = None,
    markdown: options.Markdown = None, html: options.Html = None, quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Write a report as an in-toto statement, signed or not, or as a CycloneDX or SPDX bill of materials.

    The statement names the suspect and says what was compared (digests, revisions), the verdict, the proportions with
    their interval, the recipe, seed, version, and what the comparison does not show. Local paths are left out.

    The report is quoted, not recomputed: `modelprov report verify` does that. One that contradicts itself is refused.

    Of a fingerprint the statement names the file by its SHA-256, its model, and how it was taken.

    With --verify, checks a signed one offline: the signature, and where given the report and the weights.

    Exit codes: 0 written or verified, 1 not verified, 2 bad usage or input.

    Examples:
      modelprov attest report.json --key key.pem --out rio.dsse.json

      modelprov attest rio.mpf --key key.pem --out rio.mpf.dsse.json

      modelprov attest --verify rio.mpf.dsse.json --public-key pub.pem --report rio.mpf

    """
    outputs = asked({"json": json_file, "markdown": markdown, "html": html})
    if verify is not None:
        if report is not None or key is not None:
            raise UsageError(
                "--verify takes no REPORT.json argument and no --key",
                "Usage: modelprov attest --verify FILE --public-key PUB.pem [--report REPORT.json] [--weights CKPT]",
            )
        if public_key is None:
            raise UsageError("--verify needs --public-key", "Without a key that you trust there is nothing to verify.")
        holds = confirm(verify, public_key, against, weights or (), outputs, quiet=quiet)
        raise typer.Exit(0 if holds else 1)
    if report is None:
        raise UsageError("attest needs a report", "Usage: modelprov attest REPORT.json --out FILE [--key KEY.pem]")
    if public_key is not None or against is not None:
        raise UsageError("--public-key and --report belong to --verify", "See `modelprov attest --help`.")
    if outputs.files:
        raise UsageError("--json, --markdown and --html belong to --verify", "Evidence is written to --out FILE.")
    refuse_read([out], [each for each in (report, key) if each is not None])
    write(report, out, form, key, weights or (), quiet=quiet)
