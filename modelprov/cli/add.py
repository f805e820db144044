"""`modelprov add`: parses, calls the job, publishes."""

from __future__ import annotations

from modelprov.cli.compared import publish
from modelprov.cli.given import typed
from modelprov.cli.options import compare as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


def add(
    parts: options.Parts, json_file: shared.Json = None, markdown: shared.Markdown = None, html: shared.Html = None,
    form: shared.Form = None, open_it: shared.Open = False, save_alignment: options.SaveAlignment = None,
    tables: shared.Tables = False, quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Add up the parts of a comparison that `compare --part` did, and judge: the report of the whole.

    The report is that of `compare` on one machine, to the last bit where all parts ran on one kind of machine. The
    models are opened where the parts found them, and small samples of them read once more. What lies in other
    coordinates is read whole, here. Exit codes are those of `compare`.

    Example: modelprov add part*.mpsums --html report.html
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.add import add as job

    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, form=form, open_it=open_it, tables=tables)
    asked({"save-alignment": save_alignment})
    with Bar(terminal(error=True), quiet, "add") as bar:
        report = job(*parts, save_alignment=save_alignment, progress=bar, command=typed())
    publish(report, outputs, save_alignment, quiet=quiet)
