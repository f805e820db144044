"""The options of `modelprov attest`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.jobs.arguments import FORMATS

OF_CHECK = "Write what --verify found as {} to FILE; `-` is standard output."

Report = Annotated[
    Path | None,
    typer.Argument(
        metavar="REPORT.json|FILE.mpf", help="What `modelprov compare --json` or `modelprov fingerprint` wrote."
    ),
]
Out = Annotated[Path, typer.Option(metavar="FILE", help="Where to write; `-` is standard output.")]
Form = Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="What to write.")]
Key = Annotated[Path | None, typer.Option(metavar="KEY.pem", help="Sign with this ed25519 key, as a DSSE envelope.")]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[LABEL=]CKPT", help="Hash every byte of an input, and name it so (default: the suspect). Repeat."
    ),
]
Verify = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Check a signed statement instead; needs --public-key.")
]
PublicKey = Annotated[
    Path | None, typer.Option(metavar="PUB.pem", help="Whose signature to look for (ed25519, or ECDSA P-256).")
]
Against = Annotated[
    Path | None, typer.Option("--report", metavar="REPORT.json|FILE.mpf", help="Check that it was made from this file.")
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help=OF_CHECK.format("JSON"))]
Markdown = Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help=OF_CHECK.format("Markdown"))]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help=OF_CHECK.format("one HTML page"))]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no words: only files and exit code.")]
