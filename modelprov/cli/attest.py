"""`modelprov attest`: a report as evidence that travels, and the check of such evidence. Parses, reads, writes."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from modelprov.cli.app import app
from modelprov.cli.terminal import say, terminal
from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json

if TYPE_CHECKING:
    from modelprov.checkpoints.digests import HashedWeights

LIMIT = 1 << 30
KEY_LIMIT = 1 << 20
QUOTED = "note: The report is quoted, not recomputed: `modelprov report verify` recomputes it."
FORMATS = ("in-toto", "cyclonedx", "spdx")


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
        _verify(verify, public_key, against, weights or [], quiet)
    if report is None:
        raise UsageError("attest needs a report", "Usage: modelprov attest REPORT.json --out FILE [--key KEY.pem]")
    if public_key is not None or against is not None:
        raise UsageError("--public-key and --report belong to --verify", "See `modelprov attest --help`.")
    _write(report, out, form, key, weights or [], quiet)


def _write(file: Path, out: Path, form: str, key: Path | None, weights: list[str], quiet: bool) -> None:
    from modelprov.cli.report import labelled, parse_report
    from modelprov.reports.evidence.attestation import make_statement, statement_text
    from modelprov.reports.evidence.attestation_consistency import contradictions
    from modelprov.reports.evidence.attestation_envelope import private_key, sign
    from modelprov.reports.evidence.cyclonedx import render_cyclonedx
    from modelprov.reports.evidence.spdx import render_spdx
    from modelprov.reports.numbers import clean
    from modelprov.reports.writing import write_atomically

    if form not in FORMATS:
        raise UsageError(f"--format is {', '.join(FORMATS)}, not {form!r}")
    if key is not None and form != "in-toto":
        raise UsageError(f"--key signs in-toto statements, not {form}", "Sign that file as a file (cosign sign-blob).")
    signer = None if key is None else private_key(_read(key, KEY_LIMIT), _passphrase)
    content = _read(file, LIMIT)
    report, sha256 = parse_report(content, file), hashlib.sha256(content).hexdigest()
    for contradiction in contradictions(report):
        raise UsageError(
            f"{clean(str(file))} contradicts itself: {clean(contradiction)}",
            f"It was edited, or is damaged. What holds: modelprov report verify {clean(str(file))}",
        )
    recorded = {one.label: one.digest for one in report.inputs}
    hashed = {}
    for label, where in labelled(weights, list(recorded)).items():
        hashed[label], manifest = _hashed(where, label, quiet)
        if manifest != recorded[label]:
            raise UsageError(
                f"{where} is not the {label} of {file}: names, sizes or headers of its shards differ",
                "Give the files that were compared.",
            )
    if form == "cyclonedx":
        text = render_cyclonedx(report, sha256, hashed)
    elif form == "spdx":
        text = render_spdx(report, sha256, hashed)
    else:
        text = statement_text(make_statement(report, sha256, hashed))
        if signer is not None:
            text = sign(text.encode(), signer)
    write_atomically(out, text)
    if quiet:
        return
    say(QUOTED)
    if str(out) == "-":
        return
    say(f"wrote {out} ({form}, {'signed' if signer is not None else 'not signed'})")
    loose = [one.label for one in report.inputs if one.role != "control" and one.label not in hashed]
    if loose:
        say(
            f"note: {clean(', '.join(loose))}: named by the digest of names, sizes and headers, which other models of "
            f"the same shape share. To name every byte: --weights {clean(loose[0])}=PATH",
        )


def _verify(file: Path, public: Path | None, against: Path | None, weights: list[str], quiet: bool) -> NoReturn:
    from modelprov.cli.report import labelled, parse_report
    from modelprov.reports.evidence.attestation import load_statement
    from modelprov.reports.evidence.attestation_check import Point, check_report, check_weights, print_points
    from modelprov.reports.evidence.attestation_envelope import is_envelope, key_id, open_envelope, public_key, verified

    if public is None:
        raise UsageError("--verify needs --public-key", "Without a key that you trust there is nothing to verify.")
    key = public_key(_read(public, KEY_LIMIT))
    content = _read(file, LIMIT)
    try:
        data = parse_json(content, unique=True)
    except JsonError as error:
        raise UsageError(f"{file} is not JSON", "Give what `modelprov attest --key` wrote.") from error
    bundled = isinstance(data, dict) and isinstance(data.get("dsseEnvelope"), dict)
    if bundled:  # a sigstore bundle: its certificates and log entries are not looked at, only the signature
        data = data["dsseEnvelope"]
    payload, signatures = open_envelope(data) if is_envelope(data) else (content, [])
    signed = verified(payload, signatures, key)
    statement = load_statement(payload.decode("utf-8", "replace"))
    if signed:
        says = f"by the key {key_id(key)[:16]}..." + (" (nothing else in the bundle was checked)" if bundled else "")
    else:
        says = "none of its signatures is this key's" if signatures else "the statement is not signed"
    points = [Point("signature", signed, says)]
    if against is not None:
        told = _read(against, LIMIT)
        points.append(check_report(statement, parse_report(told, against), hashlib.sha256(told).hexdigest()))
    for label, where in labelled(weights, [one.label for one in statement.predicate.inputs]).items():
        found, manifest = _hashed(where, label, quiet)
        points.append(check_weights(statement, label, found, manifest))
    if not quiet:
        print_points(statement, points, terminal())
    raise typer.Exit(0 if all(point.holds for point in points) else 1)


def _read(path: Path, limit: int) -> bytes:
    from modelprov.checkpoints.files import read_small_file

    return read_small_file(path.expanduser(), limit)


def _hashed(where: str, label: str, quiet: bool) -> tuple[HashedWeights, str]:
    """The digests of all bytes of a checkpoint, and that of its manifest."""
    from modelprov.checkpoints.digests import hash_weights, manifest_digest
    from modelprov.cli.progress import Bar
    from modelprov.merge.virtual import open_any

    with Bar(terminal(error=True), quiet) as bar:
        opened = open_any(where, label)
        bar.stage(f"hashing every byte of {label}", sum(shard.size for shard in opened.shards))
        return hash_weights(opened, bar.advance), manifest_digest(opened)


def _passphrase() -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "the key has a passphrase, and there is no terminal to ask for it", "Run the command in a terminal."
        )
    return str(typer.prompt("Passphrase of the key", hide_input=True, err=True))
