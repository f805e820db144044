"""The job of `modelprov attest`: a report in, evidence that travels out: a statement or a bill of materials."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelprov.called import called, refuse_other
from modelprov.checkpoints.digests import HashedWeights, hash_weights, manifest_digest
from modelprov.checkpoints.layouts.files import FINGERPRINT
from modelprov.errors import UsageError
from modelprov.foreign.shown import clean
from modelprov.jobs.arguments import FORMATS, Location, path_of
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.jobs.recorded import Places, labelled, parse_report, read_file
from modelprov.progress import SILENT, Progress, announce
from modelprov.reports.comparison.report import BESIDE, Report

LARGEST_KEY = 1 << 20  # bytes


@dataclass(frozen=True)
class Attested:
    """The evidence as `text`; `loose` are the inputs that it names by names, sizes and headers only."""

    text: str
    format: str
    signed: bool
    loose: tuple[str, ...]

    def save(self, path: Location) -> Path:
        """Write the text to a file, whole or not at all. Gives the path; raises `UnreadableFileError`."""
        from modelprov.reports.writing import write_atomically

        target = Path(path).expanduser()
        write_atomically(target, self.text)
        return target


@shown_in_notebooks
def attest(
    report: Location,
    *,
    format: str = "in-toto",  # noqa: A002  (the option's word)
    key: Location | None = None,
    passphrase: Callable[[], str] | None = None,
    weights: Places = (),
    progress: Progress = SILENT,
) -> Attested:
    """Write a report as an in-toto statement, signed or not, or as a CycloneDX or SPDX bill of materials.

    The report is quoted, not recomputed: `recheck` does that. One that contradicts itself is refused. Of a fingerprint
    the statement says which file it is, of which model, and how it was taken.

    Args:
        report: The JSON file of a comparison's report, or a fingerprint (.mpf).
        format: What to write: in-toto, cyclonedx or spdx.
        key: The file of an ed25519 key (PEM) to sign with, as a DSSE envelope; in-toto only.
        passphrase: Gives the passphrase of the key; called only where the key has one.
        weights: Inputs to hash every byte of and to name so: by label, as in `{"rio": "/data/rio"}`, or the suspect's
            place alone.
        progress: Hears how far the hashing has come; by default nobody does, and in a notebook a bar.

    Returns:
        The `text`, whether it is `signed`, and which inputs stay `loose`. `save("rio.dsse.json")` writes it.

    Raises:
        UsageError: the arguments do not fit together, or the file is no report, or contradicts itself.
        ModelprovError: a file cannot be read; its subclasses say why.

    Example:
        statement = modelprov.attest("report.json", weights={"rio": "rio"})
        print(statement.signed, statement.loose)
        statement.save("rio.statement.json")

    """
    from modelprov.reports.evidence.attestation_consistency import contradictions
    from modelprov.reports.evidence.attestation_envelope import private_key, sign

    refuse_other("format", format, FORMATS)
    if key is not None and format != "in-toto":
        raise UsageError(
            f"{called('key')} signs in-toto statements, not {format}", "Sign that file as a file (cosign sign-blob)."
        )
    signer = None if key is None else private_key(read_file(key, LARGEST_KEY), passphrase or _no_passphrase)
    if os.fspath(report).endswith(FINGERPRINT):
        if weights or format != "in-toto":
            raise UsageError(
                f"of a fingerprint a statement is written, without {called('weights')} and other forms",
                "A bill of materials is of a comparison: give its report.",
            )
        text = _of_fingerprint(report)
        return Attested(text if signer is None else sign(text.encode(), signer), format, signer is not None, ())
    content = read_file(report)
    quoted, sha256 = parse_report(content, report), hashlib.sha256(content).hexdigest()
    for contradiction in contradictions(quoted):
        file = clean(os.fspath(report))
        raise UsageError(
            f"{file} contradicts itself: {clean(contradiction)}",
            f"It was edited, or is damaged. What holds: modelprov report verify {file}",
        )
    hashed = _hashed_inputs(quoted, report, weights, progress)
    text = _text(format, quoted, sha256, hashed)
    loose = tuple(each.label for each in quoted.inputs if each.role not in BESIDE and each.label not in hashed)
    return Attested(text if signer is None else sign(text.encode(), signer), format, signer is not None, loose)


def _of_fingerprint(file: Location) -> str:
    """The statement on a fingerprint, without a signature."""
    from modelprov.checkpoints.fingerprint_file import read_fingerprint
    from modelprov.checkpoints.locating import located
    from modelprov.reports.evidence.attestation import statement_text
    from modelprov.reports.evidence.fingerprint_statement import make_fingerprint_statement

    home, name = located(os.fspath(path_of(file)), near=True)
    opened = read_fingerprint(home.source([name or ""]), clean(os.fspath(file)))
    sha256 = hashlib.sha256(read_file(file)).hexdigest()
    return statement_text(make_fingerprint_statement(path_of(file).name, sha256, opened))


def hashing(label: str) -> str:
    """The stage of `hashed_weights`."""
    return f"hashing every byte of {label}"


def hashed_weights(location: str, label: str, progress: Progress) -> tuple[HashedWeights, str]:
    """The digests of all bytes of a checkpoint, and that of its manifest."""
    from modelprov.merge.virtual import open_any

    opened = open_any(location, label)
    progress.stage(hashing(label), sum(shard.size for shard in opened.shards))
    return hash_weights(opened, progress.advance), manifest_digest(opened)


def _hashed_inputs(report: Report, file: Location, weights: Places, progress: Progress) -> dict[str, HashedWeights]:
    recorded = {each.label: each.digest for each in report.inputs}
    hashed = {}
    named = labelled(weights, list(recorded))
    announce(progress, [hashing(label) for label in named])
    for label, where in named.items():
        hashed[label], manifest = hashed_weights(where, label, progress)
        if manifest != recorded[label]:
            raise UsageError(
                f"{where} is not the {label} of {os.fspath(file)}: names, sizes or headers of its shards differ",
                "Give the files that were compared.",
            )
    return hashed


def _text(form: str, report: Report, sha256: str, hashed: dict[str, HashedWeights]) -> str:
    if form == "cyclonedx":
        from modelprov.reports.evidence.cyclonedx import render_cyclonedx

        return render_cyclonedx(report, sha256, hashed)
    if form == "spdx":
        from modelprov.reports.evidence.spdx import render_spdx

        return render_spdx(report, sha256, hashed)
    from modelprov.reports.evidence.attestation import make_statement, statement_text

    return statement_text(make_statement(report, sha256, hashed))


def _no_passphrase() -> str:
    raise UsageError("the key has a passphrase, and none is given", f"Give it: {called('passphrase')}.")
