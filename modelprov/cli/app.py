"""The application: which commands there are, and the options that belong to none.

Of a command it knows what help says of it; its file, which knows nothing of the application, is imported when it is
called.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from copy import copy
from importlib import import_module
from inspect import cleandoc
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from modelprov import __version__
from modelprov.called import spelt
from modelprov.cli.closed_pipe import leave_quietly, told_of_broken_pipes
from modelprov.cli.given import GivenCommand

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

COMMANDS: Final = {
    "add": "Add up the parts of a comparison that `compare --part` did, and judge: the report of the whole.",
    "atlas": "Draw the tree of a library: who is whose kin, and what is made of what, with shares.",
    "attest": "Write a report as an in-toto statement, signed or not, or as a CycloneDX or SPDX bill of materials.",
    "check": "Check what a model card claims against what is in the folder, before the weights are published.",
    "compare": "Compare a model with its possible parents: copy, merge, on a line, same origin, or unrelated.",
    "demo": "Settle a case on small models: where the weights came from, what the model says it is, how it scores.",
    "eval": "Ask models the questions of a task, with one or several ways to think, and test the differences.",
    "fingerprint": "Take the fingerprint of a model: a file of a few MB that `compare` and `inspect` take in the "
    "model's place.",
    "identify": "Say which known models a suspect is made of: one, two or three of a library's, or none of them.",
    "inspect": "Show what a checkpoint is: parameters, formats, layers, experts, shards, digests. Reads headers only.",
    "library": "Keep fingerprints of known models in a folder, for `identify`: add, list, build, pull, push.",
    "merge": "Merge models exactly, streaming: memory stays within --memory however large they are.",
    "probe": "Ask a model who it is, with and without the prompts hidden in its files, beside its possible sources.",
    "report": "Check what reports say, or put them on one page.",
    "serve": "Show a page in the browser to read and combine reports, and to compare models of a folder.",
    "verify": 'Check a claim such as "this is 0.6 A + 0.4 B", bit for bit, without writing the merge.',
}
"""Each command, its file by the same name, with the first sentence of its help; a test compares."""
FUNCTIONS: Final = {"eval": "evaluate"}
"""What a file offers, where that has not the name of the command, which Python has taken."""

BREAK: Final = re.compile(r"\n(?! |modelprov |Example)")
"""An end of a line that is none of the sentence's."""

KIND_OF_VALUE: Final = getattr(TyperOption, "display_type_rich", None)
"""How newer typer names the kind of an option's value in help."""


class Commands(TyperGroup):
    """The commands by name; one is imported when it is called, and help imports none."""

    def main(self, *words: Any, **named: Any) -> Any:
        """Run the command; what it says of arguments, it says of options."""
        with spelt(option_called):
            return super().main(*words, **named)

    def make_context(self, *words: Any, **named: Any) -> Context:
        """Read the words of the command; some options print at once."""
        with told_of_broken_pipes():
            return super().make_context(*words, **named)

    def invoke(self, ctx: Context) -> Any:
        """Run the command."""
        with told_of_broken_pipes():
            return super().invoke(ctx)

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002
        """Every command."""
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002
        """The command of this name, imported now; None for an unknown one, whose likes are then known."""
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                self.commands[name] = loaded(name)
        return self.commands.get(cmd_name)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the help of the whole program."""
        named = copy(self)
        named.commands = {name: TyperCommand(name, help=says) for name, says in COMMANDS.items()}
        super(Commands, named).format_help(ctx, formatter)


def loaded(name: str) -> Command:
    """The command in the file of this name: a function, or a group of commands."""
    offered: typer.Typer | Callable[..., None] = getattr(
        import_module(f"modelprov.cli.{name}"), FUNCTIONS.get(name, name)
    )
    if isinstance(offered, typer.Typer):
        return flowing(typer.main.get_command(offered))
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name, cls=GivenCommand)(offered)
    return flowing(typer.main.get_command(alone))


def flowing(command: Command) -> Command:
    """The command with the paragraphs of its help on a line each, for a terminal to break at its own width.

    Typer does so for the first one alone, and breaks the others where their source does. Lines that are indented, or
    commands to type, stay lines.
    """
    said = cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(BREAK.sub(" ", paragraph) for paragraph in said)
    for inner in getattr(command, "commands", {}).values():
        flowing(inner)
    return command


def option_called(argument: str) -> str:
    """How an argument of a job is called on the command line."""
    return f"--{argument.replace('_', '-')}"


def prepare_help() -> None:
    """Load typer's help without the Markdown parser and the code highlighter that it names and we never use.

    They are half of its cost. Whoever imports them afterwards gets the real ones. A flag shows no kind of value, as if
    it took one.
    """
    if KIND_OF_VALUE is not None:
        TyperOption.display_type_rich = lambda option, ctx: (  # type: ignore[assignment]
            None if option.is_flag or option.count else KIND_OF_VALUE(option, ctx)
        )
    unused = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}
    standing_in = {name: ModuleType(name) for name in unused if name not in sys.modules}
    for name, module in standing_in.items():
        setattr(module, unused[name], type(unused[name], (), {}))
    sys.modules.update(standing_in)
    try:
        import rich.console
        import typer.rich_utils  # noqa: F401

        rich.console.Console.on_broken_pipe = lambda _: leave_quietly()  # type: ignore[assignment]  # help's own
    finally:
        for name in standing_in:
            del sys.modules[name]


app = typer.Typer(
    name="modelprov",
    cls=Commands,
    help="""Say, from the weights themselves, where a language model came from.

    Start with: [bold]modelprov demo[/]  (builds a small family of models and compares them; no network)

    Then: [bold]modelprov compare SUSPECT PARENT BASE[/]""",
    epilog="Exit codes: 0 nothing found, 1 findings (a copy or merge), 2 bad usage or input, 3 could not judge. "
    "Every option can be given as a variable (MODELPROV_COMPARE_THREADS=2; of all commands, MODELPROV_THREADS=2) or "
    "as a default in modelprov.toml, here or where MODELPROV_CONFIG says.",
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
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,  # noqa: ARG001
) -> None:
    """Take the options that belong to no subcommand, and the file of defaults for the one that is called."""
    from modelprov.cli import defaults

    path, name = defaults.defaults_file(), context.invoked_subcommand
    if path is not None and name in COMMANDS:
        context.default_map = {name: defaults.read_for(name, {each: loaded(each) for each in COMMANDS}, path)}
