"""The report as GitHub-flavoured Markdown, to paste into issues and model cards. Lays out; formats no numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from modelprov.reports import numbers as n
from modelprov.reports.comparison import sections, tables, words
from modelprov.reports.comparison.report import Report
from modelprov.reports.comparison.tables import Fact, Table

MOST_TENSORS = 20

_ENTITIES = {"&": "&amp;", "<": "&lt;", "|": "&#124;", "\\": "&#92;", "`": "&#96;", "$": "&#36;"}
_RULES = (
    (re.compile(r"[&<|\\`$]"), lambda match: _ENTITIES[match[0]]),
    (re.compile(r"[*\[~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"), r"\\\g<0>"),
    (re.compile(r"(?<=ttp):|(?<=ttps):|(?<=\bwww)\.", re.IGNORECASE), lambda match: f"&#{ord(match[0])};"),
    (re.compile(r"@(?=\w)|(?<!&)#(?=\w)"), r"\g<0>&#8203;"),
    (re.compile(r"^([-+=>#])"), lambda match: f"&#{ord(match[0])};"),
    (re.compile(r"^(\d+)([.)])(?=\s|$)"), lambda match: f"{match[1]}&#{ord(match[2])};"),
)


def escape(text: str) -> str:
    """Return text that shows as it is: no markup, table cell, link, mention or reference to an issue comes of it.

    A pipe becomes an entity because a backslash before it means something else inside tables. GitHub looks for
    mentions after it has resolved entities, so those are broken by an invisible space.
    """
    text = " ".join(text.split())
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def code_block(text: str, language: str = "") -> list[str]:
    """A fenced block that no run of backticks in the text can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", text, fence, ""]


def table_lines(table: Table) -> list[str]:
    """A table, its note below it in small print."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    rules = ["---:" if column.numeric else ":---" for column in table.columns]
    note = [f"<sub>{escape(table.note)}</sub>", ""] if table.note else []
    return [
        line(escape(column.heading) for column in table.columns),
        line(rules),
        *(line(map(escape, row)) for row in table.rows),
        "",
        *note,
    ]


def fact_lines(facts: Sequence[Fact]) -> list[str]:
    """Named values as a list; nothing where there are none."""
    return [*(f"- {escape(fact.name)}: **{escape(fact.value)}**" for fact in facts), ""] if facts else []


def bullet_lines(texts: Iterable[str]) -> list[str]:
    """A list of sentences, made safe to show."""
    return [*(f"- {escape(n.clean(text))}" for text in texts), ""]


def folded(title: str, body: Sequence[str]) -> list[str]:
    """A part that opens on a click."""
    return ["<details>", f"<summary>{escape(title)}</summary>", "", *body, "</details>", ""]


def _top(report: Report) -> list[str]:
    kind = words.VERDICTS[report.verdict.class_]
    figures = [
        f"- **{escape(figure.value)}** {escape(figure.name)}" + (f", {escape(figure.detail)}" if figure.detail else "")
        for figure in sections.key_figures(report)
    ]
    return [
        f"## {kind.name}: {escape(sections.suspect(report))}",
        "",
        f"**{escape(sections.summary(report))}** {kind.meaning}",
        "",
        *(line for note in sections.verdict_notes(report) for line in (f"> {escape(note)}", "")),
        *figures,
        "",
    ]


def _evidence(report: Report) -> list[str]:
    lines = ["### What the verdict rests on", ""]
    lines += table_lines(tables.evidence_table(report)) if report.verdict.rests_on else ["No measure was decisive.", ""]
    lines += ["### Controls", ""]
    lines += table_lines(tables.controls_table(report)) if report.verdict.controls else [words.NO_CONTROLS, ""]
    if report.verdict.does_not_show:
        lines += ["### What this does not show", "", *bullet_lines(report.verdict.does_not_show)]
    return lines


def _mixing(report: Report) -> list[str]:
    absent, after = sections.mixing_absent(report), sections.after_facts(report)
    lines = ["### Mixing", ""]
    if absent:
        lines += [escape(absent), ""]
    lines += fact_lines(sections.mixing_facts(report))
    if len(report.mixing.coefficients) > 1:
        lines += table_lines(tables.coefficients_table(report))
    if after:
        lines += ["### After mixing", "", *fact_lines(after)]
    elif not absent:
        lines += ["### After mixing", "", escape(sections.after_absent(report)), ""]
    return lines


def _recipe(report: Report) -> list[str]:
    absent = sections.recipe_absent(report)
    lines = ["### Recipe", ""]
    lines += [escape(absent), ""] if absent else fact_lines(sections.recipe_facts(report))
    if len(report.reproduction.groups) > 1:
        lines += table_lines(tables.groups_table(report))
    if sections.recipe_yaml(report):
        lines += code_block(sections.recipe_yaml(report), "yaml")
    if report.reproduction.candidates:
        lines += folded("Recipes tried", table_lines(tables.candidates_table(report)))
    return lines


def _details(report: Report) -> list[str]:
    lines = ["### By component", "", *table_lines(tables.components_table(report))]
    if report.layers:
        title = f"By layer ({n.plural(len(report.layers), 'layer')})"
        lines += folded(title, table_lines(tables.layers_table(report)))
    if report.tensors:
        lines += folded("Tensors that stand out", table_lines(tables.notable_tensors(report, MOST_TENSORS)))
    lines += ["### Coverage of the weights", "", *fact_lines(sections.coverage_facts(report))]
    if report.coverage.unaligned:
        lines += table_lines(sections.unaligned_table(report))
    return lines


def _run(report: Report) -> list[str]:
    return [
        "### Checkpoints and run",
        "",
        *table_lines(sections.inputs_table(report)),
        *table_lines(sections.digests_table(report)),
        *code_block(n.clean(report.command), "sh"),
        *folded("Environment", fact_lines(sections.environment_facts(report))),
    ]


def render_markdown(report: Report) -> str:
    """Render the report as GitHub-flavoured Markdown; long tables are folded, foreign text is escaped."""
    parts = (_top, _evidence, _mixing, _recipe, _details, _run)
    return "\n".join(line for part in parts for line in part(report)).rstrip("\n") + "\n"
