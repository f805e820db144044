"""A case as one HTML page or as Markdown. Fills a template or lines; computes nothing, writes nothing."""

from __future__ import annotations

from modelprov.reports import numbers as n
from modelprov.reports.case import models as case_models
from modelprov.reports.case import words as case_words
from modelprov.reports.case.telling import Case, known_table, parts_table, side_by_side, subject
from modelprov.reports.checking import telling as checking
from modelprov.reports.comparison import sections, tables, words
from modelprov.reports.comparison.markdown import bullet_lines, code_block, escape, fact_lines, folded, table_lines
from modelprov.reports.evaluation import tables as evaluation_tables
from modelprov.reports.evaluation import telling as evaluation
from modelprov.reports.evaluation.html import evaluation_view
from modelprov.reports.probing import tables as probing_tables
from modelprov.reports.probing import words as probing_words
from modelprov.reports.probing.html import probe_parts
from modelprov.reports.rendering.page import environment


def render_case(case: Case) -> str:
    """The case as one self-contained HTML page: no script, nothing fetched."""
    top = case_words.top(case)
    started, version = _made(case)
    return (
        environment()
        .get_template("case.html.j2")
        .render(
            case=case,
            label=subject(case),
            top=top,
            accent=top.accent,
            accent_dark=top.accent_dark,
            claims=case_words.claims(case),
            notes=case_words.notes(case),
            meaning=case_words.MEANING,
            not_shown=case_words.NOT_SHOWN,
            table=side_by_side(case),
            parts=parts_table(case),
            tied=len(case_models.match(case).links) > 1,
            commands=tuple(n.clean(one) for one in commands(case)),
            started=started,
            version=version,
            s=sections,
            t=tables,
            words=words,
            c=checking,
            known=known_table(case.known),
            probing=probe_parts(case.probe) if case.probe is not None else None,
            evaluation=evaluation_view(case.evaluation) if case.evaluation is not None else None,
        )
    )


def render_case_markdown(case: Case) -> str:
    """The case as GitHub-flavoured Markdown; foreign text is escaped."""
    top = case_words.top(case)
    lines = [f"## {escape(top.class_)}", "", f"**{escape(top.headline)}.** {escape(case_words.MEANING)}", ""]
    lines += [line for note in case_words.notes(case) for line in (f"> {escape(note)}", "")]
    lines += bullet_lines(case_words.claims(case))
    lines += ["### Side by side", "", *table_lines(side_by_side(case))]
    lines += ["### What none of this shows", "", *bullet_lines(case_words.NOT_SHOWN)]
    lines += _weights(case) + _claims(case) + _behaviour(case)
    if case.known:
        lines += ["### Models whose history is known", "", *table_lines(known_table(case.known))]
    lines += ["### Which model each part is about", "", *table_lines(parts_table(case))]
    lines += ["### Commands", "", *code_block("\n".join(n.clean(one) for one in commands(case)), "sh")]
    return "\n".join(lines).rstrip("\n") + "\n"


def commands(case: Case) -> tuple[str, ...]:
    """Those of the case, or else those of its parts."""
    parts = (case.weights, case.check, case.probe, case.evaluation)
    return case.commands or tuple(one.command for one in parts if one is not None)


def _weights(case: Case) -> list[str]:
    report = case.weights
    if report is None:
        return []
    lines = ["### What the weights show", ""]
    if report.verdict.rests_on:
        lines += table_lines(tables.evidence_table(report))
    lines += table_lines(tables.controls_table(report)) if report.verdict.controls else [words.NO_CONTROLS, ""]
    lines += fact_lines(sections.recipe_facts(report)) if not sections.recipe_absent(report) else []
    lines += folded("By component", table_lines(tables.components_table(report)))
    return lines + folded("What the weights do not show", bullet_lines(report.verdict.does_not_show))


def _claims(case: Case) -> list[str]:
    report = case.check
    if report is None:
        return []
    lines = ["### What the card claims", ""]
    found = checking.counted(report)
    lines += table_lines(checking.findings_table(found)) if found else ["No finding counts.", ""]
    if checking.accepted(report):
        lines += table_lines(checking.accepted_table(report))
    if report.claims:
        lines += folded("Claims", table_lines(checking.claims_table(report)))
    if report.not_judged:
        lines += folded("Not judged", table_lines(checking.not_judged_table(report)))
    return lines


def _behaviour(case: Case) -> list[str]:
    lines = []
    if case.probe is not None:
        greedy = probing_tables.greedy_table(case.probe)
        lines += ["### Who it says it is", "", *bullet_lines(probing_words.findings(case.probe)), *table_lines(greedy)]
    if case.evaluation is not None:
        said = evaluation.headline(case.evaluation)
        lines += ["### How it scores", "", f"{escape(said.title)}. {escape(said.text)}", ""]
        lines += table_lines(evaluation_tables.results_table(case.evaluation))
        lines += bullet_lines(case.evaluation.notes) if case.evaluation.notes else []
    return lines


def _made(case: Case) -> tuple[str, str]:
    """When the first part was made and by which version."""
    if case.weights is not None:
        return case.weights.environment.started, case.weights.environment.modelprov
    if case.check is not None:
        return case.check.started, case.check.version
    behaviour = case.probe or case.evaluation
    return (behaviour.environment.started, behaviour.environment.modelprov) if behaviour is not None else ("", "")
