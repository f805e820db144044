"""`modelprov library`: the group of commands on a folder of fingerprints. Parses and calls the jobs."""

from __future__ import annotations

import typer

from modelprov.cli.given import GivenCommand
from modelprov.cli.options import library as options
from modelprov.cli.options import shared
from modelprov.cli.terminal import say, say_exact, terminal

library = typer.Typer(
    name="library",
    help="Keep fingerprints of known models in a folder, for `identify`: add, list, build, pull, push.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


@library.callback()
def group() -> None:
    """Keep fingerprints of known models in a folder, for `identify`: add, list, build, pull, push."""


@library.command(cls=GivenCommand)
def add(
    checkpoint: options.Checkpoint, folder: options.Library, name: options.Name = None, size: options.Size = None,
    quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Take a model's fingerprint into the library; one of the same name makes room.

    Example: modelprov library add org/name --library ./known
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.library import add as job

    with Bar(terminal(error=True), quiet, "library add") as bar:
        made = job(checkpoint, folder, name=name, size=size, progress=bar)
    if not quiet:
        for line in made.said():
            terminal(error=True).print(line)


@library.command("list", cls=GivenCommand)
def show(folder: options.Library, pinned: options.Pinned = False) -> None:
    """Show what the library holds: name, revision, size, where it came from.

    Example: modelprov library list --library ./known
    """
    from modelprov.jobs.library import listed, pinned_list

    if pinned:
        say_exact(pinned_list(folder))
        return
    console = terminal()
    found = listed(folder)
    for entry in found.entries:
        console.print(
            f"{entry.name}  {(entry.revision or 'no revision')[:12]}  {entry.bytes:,} bytes  from {entry.location}",
            soft_wrap=True,
        )
    say(f"{len(found.entries)} entries, {sum(entry.bytes for entry in found.entries):,} bytes")


@library.command(cls=GivenCommand)
def build(
    folder: options.Library, models: options.Models = None, size: options.Size = None, limit: options.Limit = None,
    quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Take the fingerprints of a list of models into the library. Run it again to go on.

    The list is TOML: tables called model, with location, and revision and name where you know them. Without one it is
    that of public base models which comes along. A model that cannot be read is told and left out.

    Exit codes: 0 all are there, 2 bad usage, 3 some could not be read.

    Example: modelprov library build models.toml --library ./known --limit 20
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.library import build as job

    with Bar(terminal(error=True), quiet) as bar:
        built = job(models, folder, size=size, limit=limit, progress=bar)
    if not quiet:
        say(f"{len(built.made)} made, {len(built.kept)} were there, {len(built.failed)} could not be read")
        for name, revision in built.pinned:
            say(f"{name} had no revision in the list: taken at {revision}")
        for name, reason in built.failed:
            say(f"left out: {name}: {reason}")
    raise typer.Exit(3 if built.failed else 0)


@library.command(cls=GivenCommand)
def pull(source: options.Source, folder: options.Library, quiet: shared.Quiet = False) -> None:
    """Fetch what a library elsewhere has and this one has not, each file held against its digest.

    Example: modelprov library pull hf://datasets/org/known --library ./known
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.library import pull as job

    with Bar(terminal(error=True), quiet) as bar:
        fetched = job(source, folder, progress=bar)
    if not quiet:
        say(f"{len(fetched)} entries are new here")


@library.command(cls=GivenCommand)
def push(target: options.Target, folder: options.Library, quiet: shared.Quiet = False) -> None:
    """Hand what this library has to one in another folder, or in a data set of the Hub that exists, in one commit.

    Example: modelprov library push /mnt/shared/known --library ./known
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.library import push as job

    with Bar(terminal(error=True), quiet) as bar:
        handed = job(folder, target, progress=bar)
    if not quiet:
        say(f"{len(handed)} entries are new there")
