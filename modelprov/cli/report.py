"""`modelprov report`: the group of commands on reports that are there already."""

from __future__ import annotations

import typer

from modelprov.cli.given import GivenCommand
from modelprov.cli.report_combine import combine
from modelprov.cli.report_verify import verify

report = typer.Typer(
    name="report",
    help="Check what reports say, or put them on one page.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
report.command(cls=GivenCommand)(verify)
report.command(cls=GivenCommand)(combine)


@report.callback()
def group() -> None:
    """Check what a report of `modelprov compare` says, or put reports of one model on one page."""
