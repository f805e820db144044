"""The application that every subcommand adds itself to, and the options that belong to none. Knows no subcommand."""

from __future__ import annotations

from typing import Annotated

import typer

from modelprov import __version__

app = typer.Typer(
    name="modelprov",
    help="""Say, from the weights themselves, where a language model came from.

    Start with: [bold]modelprov demo[/]  (builds a small family of models and compares them; no network)

    Then: [bold]modelprov compare SUSPECT PARENT BASE[/]""",
    epilog="Exit codes: 0 nothing found, 1 findings (a copy or merge), 2 bad usage or input, 3 could not judge.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"modelprov {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Take the options that belong to no subcommand."""
