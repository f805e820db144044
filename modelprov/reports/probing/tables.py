"""The tables of a probe's report, as cells in words. No layout of any format, no statistics."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.behavior.probing.arms import SHIPPED, STRIPPED
from modelprov.behavior.probing.results import NOTHING, OTHER, REFUSAL, SEVERAL, ArmResult, ProbeReport
from modelprov.reports import numbers as n
from modelprov.reports.document import Column, Table, make_table
from modelprov.reports.probing.words import conditions, interval

CLASSES = {SEVERAL: "several", REFUSAL: "refusal", OTHER: "other", NOTHING: "no answer"}


MAIN_ARMS = (SHIPPED, STRIPPED)


def _words(*headings: str) -> list[Column]:
    """Columns of words, the first the most important."""
    return [Column(heading, heading.lower(), False, priority) for priority, heading in enumerate(headings)]


def _rows(report: ProbeReport, *, sampled: bool) -> list[ArmResult]:
    return [one for one in report.arms if one.answers and (one.temperature > 0) == sampled]


def _shares(report: ProbeReport, caption: str, rows: Sequence[ArmResult], *, thinking: bool = False) -> Table:
    names = [one.name for one in report.settings.names]
    sampled = any(one.temperature for one in rows)
    columns = [Column("Model", "model", False, 0), Column("Arm", "arm", False, 1)]
    if sampled:
        columns.append(Column("T", "T", True, 2))
    columns += [Column(f"Says {n.clean(name)}", n.clean(name)[:16], True, 3 + (i > 1)) for i, name in enumerate(names)]
    rest_of = [name for name in CLASSES if any(one.name == name and one.count for row in rows for one in row.classes)]
    columns += [Column(name.capitalize(), CLASSES[name], True, 5) for name in rest_of]
    columns.append(Column("Answers", "n", True, 6))  # last: a phone shows the first columns
    cells = []
    for row in rows:
        shares = {one.name: one for one in (row.thinking if thinking else row.classes)}
        if not shares:
            continue
        shown = [interval(shares[name]) if name in shares else n.MISSING for name in names]
        rest = [n.share(shares[name].share, 0) if name in shares else n.MISSING for name in rest_of]
        arm = row.arm + (f" (= {row.same_as})" if row.same_as else "")
        heat = [f"{row.temperature:g}"] if sampled else []
        total = n.count(next(iter(shares.values())).total)
        cells.append([f"{row.model} ({row.role})", arm, *heat, *shown, *rest, total])
    absent = [name for name in CLASSES if name not in rest_of]
    note = "Share of answers about name, maker and origin, with 95 % intervals." + (
        f" Classes without an answer: {', '.join(absent)}." if absent else ""
    )
    return make_table(caption, columns, cells, note)


def greedy_table(report: ProbeReport) -> Table:
    """The one table: every model in every arm, greedy answers."""
    return _shares(report, "Who the models say they are", _rows(report, sampled=False))


def narrow_table(report: ProbeReport, *, short: bool = False) -> Table:
    """The same for 80 columns: the commonest class with its interval, and the share of every class in percent.

    `short`: of each model as shipped and stripped only, or in whichever arms it was asked where that is neither.
    """
    rows, names = _rows(report, sampled=False), [one.name for one in report.settings.names]
    if short:
        leading = {row.model for row in rows if row.arm in MAIN_ARMS}
        rows = [row for row in rows if row.arm in MAIN_ARMS or row.model not in leading]
    classes = [
        *names,
        *(name for name in CLASSES if any(one.name == name and one.count for row in rows for one in row.classes)),
    ]
    columns = [Column("Model", "model", False, 0), Column("Arm", "arm", False, 1), Column("Mostly", "mostly", False, 2)]
    columns += [Column(n.clean(name), CLASSES.get(name, n.clean(name)[:12]), True, 3) for name in classes]
    cells, before = [], ""
    for row in rows:
        shares = {one.name: one for one in row.classes}
        most = max(row.classes, key=lambda one: one.count)
        percents = [n.share(shares[name].share, 0).removesuffix(" %") for name in classes]
        label, before = "\u2003" if row.model == before else row.model, row.model
        cells.append([label, row.arm, f"{most.name[:12]} {interval(most)}", *percents])
    note = "Percent of the answers about name, maker and origin; the commonest with its 95 % interval."
    return make_table("Who the models say they are", columns, cells, note)


def sampled_table(report: ProbeReport) -> Table:
    """The same for sampled answers."""
    return _shares(report, "Sampled answers", _rows(report, sampled=True))


def thinking_table(report: ProbeReport) -> Table:
    """The same for what stands in the thoughts."""
    rows = [one for one in report.arms if one.thinking]
    return _shares(report, "In the thinking, before the answer", rows, thinking=True)


def affirmation_table(report: ProbeReport, *, narrow: bool = False) -> Table:
    """How many answers to "Are you NAME?" claim it, deny it, or do neither; `narrow` shows two arms."""
    rows = [one for one in _rows(report, sampled=False) if not narrow or one.arm in MAIN_ARMS]
    names = [one.name for one in report.settings.names]
    columns = [Column("Model", "model", False, 0), Column("Arm", "arm", False, 1)]
    columns += [Column(f"{n.clean(name)}: is, is not, unclear", n.clean(name)[:16], True, 2) for name in names]
    columns.append(Column("Says yes, of all", "yes", True, 3))
    cells = []
    for row in rows:
        found = {one.name: one for one in row.affirmations}
        counts = [f"{found[name].says_is}, {found[name].says_is_not}, {found[name].unclear}" for name in names]
        yes, total = sum(one.yes for one in row.affirmations), sum(one.total for one in row.affirmations)
        cells.append([row.model, row.arm, *counts, f"{yes} of {total}" if total else n.MISSING])
    note = (
        "Greedy answers. Half of the questions ask the other way round (“Are you a different model from NAME?”); "
        "that is taken into account."
    )
    return make_table("“Are you NAME?”: claims, denials, unclear", columns, cells, note)


def probability_table(report: ProbeReport, *, narrow: bool = False) -> Table:
    """How likely each name is after "I am": the likeliest of its aliases; `narrow` shows two arms."""
    names = [one.name for one in report.settings.names]
    columns = [Column("Model", "model", False, 0), Column("Arm", "arm", False, 1)]
    columns += [Column(f"ln P of {n.clean(name)}", n.clean(name)[:16], True, 2) for name in names]
    cells = []
    for model, arm in dict.fromkeys((one.model, one.arm) for one in report.log_probabilities):
        if narrow and arm not in MAIN_ARMS:
            continue
        mine = [one for one in report.log_probabilities if (one.model, one.arm) == (model, arm)]
        best = [max((one.whole for one in mine if one.name == name), default=None) for name in names]
        cells.append([model, arm, *(n.number(value, 2) for value in best)])
    questions = max((one.questions for one in report.log_probabilities), default=0)
    note = f"Mean over {questions} questions; the likeliest spelling of each name; every alias is in the JSON report."
    return make_table("Probability of each name after “I am”", columns, cells, note)


def backstory_table(report: ProbeReport) -> Table:
    """How often each phrase comes word for word."""
    phrases = report.settings.backstory
    columns = [
        Column("Model", "model", False, 0),
        Column("Arm", "arm", False, 1),
        Column("Answers", "answers", False, 2),
    ]
    columns += [Column(f"“{n.clean(one[:60])}”", n.clean(one)[:20], True, 2) for one in phrases]
    cells = [
        [f"{row.model} ({row.role})", row.arm, row.sampling, *(interval(one) for one in row.backstory)]
        for row in report.arms
        if row.backstory and row.answers and phrases
    ]
    note = "Share of all answers (or thoughts) that hold the phrase; compare with the rate of the controls."
    return make_table("Phrases, word for word", columns, cells, note)


def split_table(report: ProbeReport) -> Table:
    """Counts by kind of question and by language, as shipped."""
    rows = [one for one in _rows(report, sampled=False) if one.arm == SHIPPED]
    names = [one.name for one in report.settings.names]
    columns = [Column("Model", "model", False, 0), Column("Questions", "questions", False, 1)]
    columns += [Column(n.clean(name), n.clean(name)[:16], True, 2) for name in names]
    columns += [Column(name.capitalize(), short, True, 3) for name, short in CLASSES.items()]
    cells = [
        [row.model, group, *(n.count(counts.get(name, 0)) for name in (*names, *CLASSES))]
        for row in rows
        for group, counts in (row.by_kind | row.by_language).items()
    ]
    return make_table("By kind of question and by language, as shipped", columns, cells, "Counts of greedy answers.")


def templates_table(report: ProbeReport) -> Table:
    """Every chat template that was found, and what rendering it told."""
    columns = _words("Model: file", "Template", "Empty system message", "Adds text", "Remarks")
    cells = []
    for model in report.models:
        for one in model.templates:
            added = [
                hidden for hidden in model.hidden_prompts if (hidden.source, hidden.template) == (one.source, one.name)
            ]
            remarks = [
                one.error or "",
                "depends on the date (it was told 17 May 2031)" if one.depends_on_date else "",
                *one.refuses[:1],
            ]
            cells.append([
                f"{model.label}: {one.source}", one.name + (", in use" if one.used else ""),
                one.empty_system or n.MISSING,
                ", ".join(dict.fromkeys(f"{hidden.where}: {conditions(hidden)}" for hidden in added)) or "no",
                "; ".join(filter(None, remarks)),
            ])  # fmt: skip
    return make_table("Chat templates, rendered in a sandbox", columns, cells)


def code_table(report: ProbeReport) -> Table:
    """Code in the checkpoints."""
    columns = _words("Model", "File", "What it is")
    cells = [[model.label, one.file, one.what] for model in report.models for one in model.code]
    return make_table("Code in the checkpoints (not run)", columns, cells)


def models_table(report: ProbeReport) -> Table:
    """Which models these were."""
    columns = _words("Model", "Role", "Location", "Digest")
    cells = [[one.label, one.role, one.location, one.digest or n.MISSING] for one in report.models]
    covers = next((one.digest_covers for one in report.models if one.digest_covers), None)
    return make_table("Models", columns, cells, f"The digest (SHA-256) covers {covers}." if covers else "")


def examples_table(report: ProbeReport, model: str) -> Table:
    """Answers of one model, word for word."""
    columns = [
        Column(text, text.lower(), False, i) for i, text in enumerate(("Arm", "Question", "Answer", "Counted as"))
    ]
    cells = [
        [one.arm, one.question, (f"[thinking: {one.thinking}] " if one.thinking else "") + one.answer, one.counted_as]
        for one in report.examples
        if one.model == model
    ]
    return make_table(f"Answers of {model}", columns, cells)
