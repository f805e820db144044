"""`modelprov check`: is what a model's card claims what its files hold? Parses, calls the job, publishes."""

from __future__ import annotations

import typer

from modelprov.cli.given import typed
from modelprov.cli.options import check as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import say, say_exact, terminal

EXIT = {"passed": 0, "findings": 1, "could not judge": 3}


def check(
    model: options.Model, candidates: options.Candidates = None, control: options.Control = None,
    policy: options.Policy = None, baseline: options.Baseline = None, update_baseline: options.UpdateBaseline = None,
    expires: options.Expires = None, expected_digest: options.ExpectedDigest = None,
    write_card: options.WriteCard = False, json_file: shared.Json = None, markdown: shared.Markdown = None,
    html: shared.Html = None, form: options.Form = None,
    open_it: shared.Open = False, sarif: options.Sarif = None, junit: options.Junit = None,
    sample: options.Sample = False, memory: shared.Memory = shared.MEMORY, threads: shared.Threads = None,
    seed: options.Seed = 0, tables: shared.Tables = False, quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Check what a model card claims against what is in the folder, before the weights are published.

    Reads base_model, relation, licence, prose, recipes and scores from the card; compares the weights with the declared
    base models and the candidates that are on this machine; looks at template, code, config, tokenizer and digests.
    Nothing of the folder is executed. Each rule has a page in docs/rules.

    Exit codes: 0 all claims hold, 1 findings, 2 bad usage or input, 3 could not judge (never 0 without evidence).

    Example: modelprov check ./rio -c Qwen/Qwen3.5=./qwen -c nex-agi/Nex-N2=./nex --sarif check.sarif
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.check import check as job
    from modelprov.reports.numbers import plural

    files = {"json": json_file, "markdown": markdown, "html": html, "sarif": sarif, "junit": junit}
    outputs = asked(files, form=form, open_it=open_it, tables=tables)
    with Bar(terminal(error=True), quiet, "check") as bar:
        found = job(
            model, candidates=candidates or (), control=control or (), policy=policy, baseline=baseline,
            update_baseline=update_baseline, expires=expires, expected_digest=expected_digest, sample=sample,
            memory=memory, threads=threads, seed=seed, progress=bar, command=typed(),
        )  # fmt: skip
    outputs.write(found.rendered)
    if update_baseline is not None:
        to, count = found.accept()
        accepted = f"accepted in {to}, counted no more from the next run on: {plural(count, 'finding')}"
        say(accepted if count else f"there was no finding to accept: {to} holds none")
    if write_card:
        diff = found.card_diff()
        say_exact(diff) if diff else say("The weights settle no change of the front matter.")
    else:
        outputs.show(found.report, found.found.notes, quiet=quiet)
    outputs.open()
    raise typer.Exit(EXIT[found.outcome])
