"""The two halves of `modelprov attest`: writing evidence, and confirming some. Each calls one job, and says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelprov.checkpoints.layouts.files import FINGERPRINT
from modelprov.cli.outputs import Outputs
from modelprov.cli.terminal import ask_passphrase, say, terminal
from modelprov.foreign.shown import clean

QUOTED = "note: The report is quoted, not recomputed: `modelprov report verify` recomputes it."


def write(report: Path, out: Path, form: str, key: Path | None, weights: Sequence[str], *, quiet: bool) -> None:
    """Write a report as evidence, and say what the evidence does not name."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.attest import attest
    from modelprov.reports.writing import write_atomically

    with Bar(terminal(error=True), quiet) as bar:
        made = attest(report, format=form, key=key, passphrase=ask_passphrase, weights=weights, progress=bar)
    write_atomically(out, made.text)
    if quiet:
        return
    if report.suffix != FINGERPRINT:
        say(QUOTED)
    if str(out) != "-":
        say(f"wrote {out} ({form}, {'signed' if made.signed else 'not signed'})")
    if made.loose:
        say(
            f"note: {clean(', '.join(made.loose))}: named by the digest of names, sizes and headers, which other "
            f"models of the same shape share. To name every byte: --weights {clean(made.loose[0])}=PATH",
        )


def confirm(
    file: Path, key: Path, against: Path | None, weights: Sequence[str], outputs: Outputs, *, quiet: bool
) -> bool:
    """Publish what of a signed statement can be confirmed; whether all of it."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.attested import confirm as job

    with Bar(terminal(error=True), quiet) as bar:
        found = job(file, key, report=against, weights=weights, progress=bar)
    outputs.publish(found, quiet=quiet)
    return found.holds
