"""What a command was given, and by whom: the command line, the environment, a file of defaults.

The command line wins, then the environment, then the file. What the last two gave is said aloud and written into the
command that a report holds, so that nothing which shaped a verdict stays unseen.
"""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import typer
from typer.core import TyperCommand

from modelprov.cli.terminal import say
from modelprov.cli.variables import name_variables, options, without_meaning
from modelprov.cli.verbose import option as verbose_option
from modelprov.errors import UsageError

if TYPE_CHECKING:
    from typer._click import Context

ELSEWHERE = {"ENVIRONMENT": "the environment", "DEFAULT_MAP": "the file of defaults"}

ParserError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
"""What the parser raises for words that it cannot take: the error that typer's only public one is a kind of."""
_EXAMPLE = re.compile(r"^(?:Example: |Examples:\s+)(modelprov .+)$", re.MULTILINE)

_added: ContextVar[tuple[str, ...]] = ContextVar("added", default=())


def typed() -> str:
    """The command, quoted for a shell, without signatures of addresses: it stands in reports.

    As it was typed, and after that what came from the environment and the file of defaults.
    """
    from modelprov.checkpoints.remote.locations import without_secrets

    return shlex.join(["modelprov", *map(without_secrets, (*sys.argv[1:], *_added.get()))])


class GivenCommand(TyperCommand):
    """A command whose options have environment variables and may be given in a file."""

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self.params.append(verbose_option())

    def make_context(self, info_name: str | None, args: list[str], parent: Context | None = None, **extra: Any) -> Any:
        """Name the variables of this command, refuse those that no option has, and read the words."""
        path = [*_path(parent), info_name or ""]
        name_variables(self, path)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except ParserError as error:
            said = error.format_message().rstrip(".")
            raise UsageError(f"{' '.join(path)}: {said[:1].lower()}{said[1:]}", self._advice(path)) from error

    def _advice(self, path: Sequence[str]) -> str:
        """How the command is called: the example of its help, and where the rest stands."""
        rest = f"modelprov {' '.join(path)} --help"
        example = _EXAMPLE.search(inspect.cleandoc((self.callback and self.callback.__doc__) or ""))
        return f"For example: {example[1]} (more: {rest})" if example else f"Its options: {rest}"

    def invoke(self, ctx: Context) -> Any:
        """Run the command, having said what it was not given by whoever typed it."""
        found = dict(_given_elsewhere(self, ctx))
        _added.set(tuple(word for words, _ in found.values() for word in words))
        quiet = ctx.params.get("quiet")
        for said in [] if quiet else without_meaning(self, lambda: _every_command(ctx)):
            say(said)
        if found and not quiet:
            sources = " and ".join(dict.fromkeys(ELSEWHERE[source] for _, source in found.values()))
            say(f"from {sources}: {shlex.join(_added.get())}")
        return super().invoke(ctx)


def _every_command(ctx: Context) -> dict[str, Any]:
    """The commands of the program by name, all imported."""
    program: Any = ctx.find_root().command
    return {name: program.get_command(ctx, name) for name in program.list_commands(ctx)}


def _path(ctx: Context | None) -> list[str]:
    """The words that lead to a command inside a group, without the program's name."""
    return [] if ctx is None or ctx.parent is None else [*_path(ctx.parent), ctx.info_name or ""]


def _given_elsewhere(command: GivenCommand, ctx: Context) -> Iterator[tuple[str, tuple[list[str], str]]]:
    """Of each option that came from elsewhere: the words that say the same, and the source."""
    for name, each in options(command).items():
        source = ctx.get_parameter_source(each.name or "")
        if source is None or source.name not in ELSEWHERE:
            continue
        raw = each.value_from_envvar(ctx) if source.name == "ENVIRONMENT" else ctx.lookup_default(each.name or "")
        if each.is_flag:
            words = [f"--{name}"] if ctx.params.get(each.name or "") else []
        elif isinstance(raw, list | tuple):
            words = [word for value in raw for word in (f"--{name}", str(value))]
        else:
            words = [f"--{name}", str(raw)]
        if words:
            yield name, (words, source.name)
