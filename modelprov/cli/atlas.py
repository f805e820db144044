"""`modelprov atlas`: parses, calls the job, publishes."""

from __future__ import annotations

from modelprov.cli.given import typed
from modelprov.cli.options import library as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


def atlas(
    folder: options.Library, json_file: shared.Json = None, markdown: shared.Markdown = None,
    html: shared.Html = None, form: shared.Form = None,
    open_it: shared.Open = False, threads: shared.Threads = None, seed: options.Seed = 0,
    quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Draw the tree of a library: who is whose kin, and what is made of what, with shares.

    Every entry that has kin is judged by the rules of compare, among the rest of its family. Arrows are drawn only
    where bits show that numbers can be computed from others, mixed or rounded; all other lines have no direction.

    Exit codes: 0 drawn, 2 bad usage or input, 3 no entry could be read.

    Example: modelprov atlas --library ./known --html atlas.html
    """
    from modelprov.cli.progress import Bar
    from modelprov.compiled import without_linear_algebra
    from modelprov.jobs.atlas import atlas as job

    without_linear_algebra()
    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, form=form, open_it=open_it)
    with Bar(terminal(error=True), quiet, "atlas") as bar:
        found = job(folder, threads=threads, seed=seed, progress=bar, command=typed())
    outputs.publish(found, quiet=quiet)
