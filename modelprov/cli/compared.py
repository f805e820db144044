"""What a comparison ends in: a report that is published, or the sums of a part. Parses and computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from modelprov.cli.outputs import Outputs, asked
from modelprov.cli.terminal import say, terminal
from modelprov.errors import UsageError

if TYPE_CHECKING:
    from modelprov.forensics.results import VerdictClass
    from modelprov.reports.comparison.report import Report


def publish(report: Report, outputs: Outputs, save_alignment: Path | None, *, quiet: bool) -> NoReturn:
    """Publish the report, say what became of the alignment, and leave with the verdict's exit code."""
    outputs.publish(report, quiet=quiet)
    if save_alignment is not None and not quiet:
        paired = report.coordinates is not None and report.coordinates.paired
        say(f"wrote {save_alignment}" if paired else f"nothing was undone: {save_alignment} was not written")
    raise typer.Exit(exit_code(report.verdict.class_))


def exit_code(verdict: VerdictClass) -> int:
    """Give 1 for a copy or merge, 0 for no more than a common origin or none, 3 where somebody has to look."""
    return {"copy": 1, "merge": 1, "same-origin": 0, "unrelated": 0}.get(str(verdict), 3)


def sum_part(
    checkpoints: Sequence[str], part: str | None, output: Path | None, given: Mapping[str, Any],
    beside: Mapping[str, object], *, quiet: bool,
) -> NoReturn:  # fmt: skip
    """Have a part done, and say where its sums are; `beside` are options that a part has no use for."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.compare_part import compare_part as job

    if part is None or output is None:
        raise UsageError("--part and --output go together", "Give both: --part 3/16 --output part3.mpsums.")
    for option, value in beside.items():
        if value:
            raise UsageError(f"--part makes no report: --{option} has no place in it", "Give it to `modelprov add`.")
    asked({"output": output})
    with Bar(terminal(error=True), quiet, "compare_part") as bar:
        job(*checkpoints, part=part, output=output, progress=bar, **given)
    if not quiet:
        say(f"wrote {output}; `modelprov add` with the files of all parts makes the report")
    raise typer.Exit
