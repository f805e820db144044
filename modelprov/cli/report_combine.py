"""`modelprov report combine`: reports of one model as one page. Parses, calls the job, publishes."""

from __future__ import annotations

from modelprov.cli.options import report as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import say
from modelprov.errors import UsageError


def combine(
    files: options.Files = None, compare: options.Compare = None, check: options.Check = None,
    probe: options.Probe = None, evaluation: options.Evaluation = None, html: shared.Html = None,
    markdown: shared.Markdown = None, open_it: shared.Open = False,
) -> None:  # fmt: skip
    """Put what was found about one model on one page: weights, claims, names and scores side by side.

    At least one report is needed; which command wrote a file, the file says. They must be about the same model: where
    digests of the same kind differ, nothing is written; where only a name ties them, the page and standard error say
    so. Nothing is computed anew.

    Exit codes: 0 written, 2 bad usage or input, or reports about different files.

    Example: modelprov report combine compare.json check.json probe.json eval.json --html case.html
    """
    from modelprov.jobs.combine import combine as job
    from modelprov.jobs.combine import placed

    named = {"compare": compare, "check": check, "probe": probe, "evaluation": evaluation}
    if not files and not any(named.values()):
        raise UsageError(
            "combine needs at least one report", "Give it what --json of compare, check, probe or eval wrote."
        )
    if html is None and markdown is None and not open_it:
        raise UsageError("combine needs to know what to write", "Give --html FILE or --markdown FILE.")
    read = [file for file in (*(files or ()), *named.values()) if file is not None]
    outputs = asked({"html": html, "markdown": markdown}, open_it=open_it, read=read)
    found = placed(files or ())
    for kind, file in named.items():
        if file is not None and found.setdefault(kind, file) != file:
            raise UsageError(
                f"{file} and {found[kind]} are reports of one command", "Give at most one of each command."
            )
    case, warnings = job(**found)
    for warning in warnings:
        say(f"warning: {warning}")
    outputs.write(case.rendered)
    outputs.say()
    outputs.open()
