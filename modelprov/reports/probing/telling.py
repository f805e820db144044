"""A probe as JSON, and back, and as Markdown. Lays out; formats no numbers."""

from __future__ import annotations

import json

from pydantic import ValidationError

from modelprov.behavior.probing.results import SCHEMA_VERSION, ProbeReport
from modelprov.errors import UsageError
from modelprov.foreign.json_text import parse_json
from modelprov.reports import numbers as n
from modelprov.reports.comparison.markdown import bullet_lines, code_block, escape, fact_lines, folded, table_lines
from modelprov.reports.comparison.tables import Table
from modelprov.reports.probing import tables as t
from modelprov.reports.probing import words as w


def render_probe_json(report: ProbeReport) -> str:
    """The whole report; all keys always present, ASCII only, ends in a line feed."""
    return json.dumps(report.model_dump(mode="json"), indent=2, allow_nan=False, ensure_ascii=True) + "\n"


def load_probe(text: str) -> ProbeReport:
    """The report that `render_probe_json` wrote; raises `UsageError` for anything else."""
    try:
        data = parse_json(text, unique=True)
        version = str(data["schema_version"])
        if data["tool"] != "modelprov probe" or version.split(".", maxsplit=1)[0] != SCHEMA_VERSION.split(".")[0]:
            raise UsageError(f"this is {data['tool']} with schema {version}", f"This reads probe {SCHEMA_VERSION}.")
        return ProbeReport.model_validate(data)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise UsageError("this is no report of a probe", "Give a file that `modelprov probe --json` wrote.") from error


def _title(table: Table) -> list[str]:
    return [f"### {escape(table.caption)}", "", *table_lines(table)] if table.rows else []


def _hidden(report: ProbeReport) -> list[str]:
    lines = []
    for model in report.models:
        for one in model.hidden_prompts:
            lines += [escape(w.place(model, one)), "", *code_block(n.clean(one.text, keep="\n"))]
        if model.stripped_template:
            shown = code_block(n.clean(model.stripped_template, keep="\n"), "jinja")
            lines += folded(f"Template without it, for {model.label}", shown)
    return ["### Prompts hidden in chat templates", "", *lines] if lines else []


def render_probe_markdown(report: ProbeReport) -> str:
    """The report as GitHub-flavoured Markdown."""
    lines = [
        f"## Identity probe: {escape(w.suspect(report))}", "",
        f"**{escape(w.headline(report))}.** {escape(w.summary(report))}", "",
        *bullet_lines(w.findings(report)),
        *_title(t.greedy_table(report)),
        *_hidden(report),
        *_title(t.templates_table(report)),
        *_title(t.code_table(report)),
        *_title(t.affirmation_table(report)),
        *_title(t.probability_table(report)),
        *_title(t.backstory_table(report)),
    ]  # fmt: skip
    for table in (t.sampled_table(report), t.thinking_table(report), t.split_table(report)):
        if table.rows:
            lines += folded(table.caption, table_lines(table))
    for model in report.models:
        examples = t.examples_table(report, model.label)
        if examples.rows:
            lines += folded(f"{examples.caption}, word for word", table_lines(examples))
    lines += ["### What this does not show", "", *bullet_lines(report.does_not_show)]
    lines += ["### How to read it", "", *bullet_lines(f"{one.term}: {one.meaning}" for one in w.READERS)]
    lines += [
        *_title(t.models_table(report)),
        *fact_lines(w.settings_facts(report)),
        *code_block(n.clean(report.command)),
    ]
    lines += fact_lines(w.environment_facts(report))
    return "\n".join(lines).rstrip("\n") + "\n"
