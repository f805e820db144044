"""`modelprov identify`: parses, calls the job, publishes."""

from __future__ import annotations

import typer

from modelprov.cli.given import typed
from modelprov.cli.options import compare as compare_options
from modelprov.cli.options import library as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal
from modelprov.errors import CouldNotJudgeError


def identify(
    suspect: options.Suspect, folder: options.Library, leave_out: options.LeaveOut = None,
    budget: compare_options.Budget = None,
    json_file: shared.Json = None, markdown: shared.Markdown = None, html: shared.Html = None, form: shared.Form = None,
    open_it: shared.Open = False, threads: shared.Threads = None, seed: options.Seed = 0, tables: shared.Tables = False,
    quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Say which known models a suspect is made of: one, two or three of a library's, or none of them.

    Nobody has to name a parent. Entries are ranked by how their weights correlate with the suspect's, mixtures of few
    are proposed, and `compare` judges them by all of its rules, at the places that fingerprints hold. "None of these"
    is said only where sizes of rows and columns agree with no entry's either. Entries of other shapes are skipped
    aloud. Compare whole models before you accuse anybody: `modelprov compare SUSPECT PARENT BASE`.

    Exit codes, as compare's: 0 none of these, or no more than a common origin; 1 a copy or merge; 2 bad usage or
    input; 3 somebody has to look, also where nothing was found and an entry's file cannot be read.

    Example: modelprov library build models.toml --library ./known; modelprov identify ./suspect --library ./known
    """
    from modelprov.cli.compared import exit_code
    from modelprov.cli.progress import Bar
    from modelprov.compiled import without_linear_algebra
    from modelprov.jobs.identify import identify as job

    without_linear_algebra()
    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, form=form, open_it=open_it, tables=tables)
    with Bar(terminal(error=True), quiet, "identify") as bar:
        found = job(
            suspect, library=folder, leave_out=leave_out or (), budget=budget, threads=threads, seed=seed, progress=bar,
            command=typed(),
        )  # fmt: skip
    outputs.publish(found, quiet=quiet)
    raise typer.Exit(exit_code(found.verdict) or (CouldNotJudgeError.exit_code if found.unread else 0))
