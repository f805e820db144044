"""The tables and lists of facts of an evaluation report, as cells already in words. No layout of any format."""

from __future__ import annotations

from modelprov.behavior.evaluation.results import Estimate, EvaluationReport, PairedResult, Row
from modelprov.reports import numbers as n
from modelprov.reports.document import Column, Fact, Table, facts, make_table
from modelprov.reports.evaluation import words as w


def results_table(report: EvaluationReport) -> Table:
    """A line for each model and method."""
    columns = (
        Column("Model", "model", False, 0), Column("Method", "method", False, 1), Column("Right", "right", True, 2),
        Column("Accuracy", "accuracy", True, 3), Column("95 % interval", "95 % interval", True, 4),
        Column("Unfinished", "unfinished", True, 6), Column("Tokens per answer", "tokens", True, 5),
        Column("Tokens per right answer", "per right", True, 7), Column("Thought in latent space", "latent", True, 8),
        Column("Switches per answer", "switches", True, 9),
    )  # fmt: skip
    latent = any(row.latent_share for row in report.rows)
    rows = [
        (
            row.model, row.method, f"{n.count(row.right)} of {n.count(row.answers)}", w.percent(row.accuracy.value),
            w.between(row.accuracy), _unfinished(row), w.tokens(row.tokens), w.tokens(row.tokens_per_right),
            w.percent(row.latent_share) if latent else "", n.number(row.switches, 1) if latent else "",
        )
        for row in report.rows
    ]  # fmt: skip
    return make_table("Accuracy and tokens", columns, rows)


def _unfinished(row: Row) -> str:
    return n.count(row.unfinished_thoughts + row.cut_answers)


def tests_table(report: EvaluationReport) -> Table:
    """A line for each paired test."""
    columns = (
        Column("Compared", "compared", False, 0), Column("In points", "points", True, 1),
        Column("95 % interval", "95 % interval", True, 3), Column("Only the first right", "only 1st", True, 6),
        Column("Only the second right", "only 2nd", True, 7), Column("p", "p", True, 5),
        Column("Adjusted p", "adjusted p", True, 2), Column("Meaning", "meaning", False, 1),
    )  # fmt: skip
    rows = [
        (
            _compared(test, report), w.points(test.difference.value),
            w.points_between(test.difference), n.count(test.only_first), n.count(test.only_second),
            w.p_value(test.p), w.p_value(test.adjusted), w.meaning(test),
        )
        for test in report.tests
    ]  # fmt: skip
    kinds = " and ".join(dict.fromkeys(test.test for test in report.tests))
    note = f"Same questions on both sides; {kinds}; p adjusted for {n.plural(len(report.tests), 'test')} (Holm)."
    return make_table("Differences", columns, rows, note if rows else "")


def _compared(test: PairedResult, report: EvaluationReport) -> str:
    first, second = w.names(test)
    if test.compared == "models":
        return f"{first} against {second} ({n.clean(test.first_method)})"
    model = f" ({n.clean(test.first_model)})" if len(report.models) > 1 else ""
    return f"{first.partition(' @')[0]} against {second}{model}"


def curve_table(report: EvaluationReport) -> Table:
    """A line for each point of accuracy against tokens."""
    columns = (
        Column("Model", "model", False), Column("Method", "method", False, 1), Column("Budget", "budget", True, 2),
        Column("Tokens spent", "tokens", True, 3), Column("Accuracy", "accuracy", True, 3),
        Column("95 % interval", "95 % interval", True, 4), Column("On the front", "front", False, 5),
    )  # fmt: skip
    rows = [
        (
            one.model, one.method_name, n.count(one.budget), n.number(one.tokens, 1), w.percent(one.accuracy),
            w.between(Estimate(value=one.accuracy, low=one.low, high=one.high)), "yes" if one.on_front else "no",
        )
        for one in report.curve
    ]  # fmt: skip
    note = "The front goes by the values measured; look at the intervals before calling one point better."
    return make_table("Accuracy against tokens", columns, rows, note if rows else "")


def methods_table(report: EvaluationReport) -> Table:
    """What each method is, completely."""
    columns = (
        Column("Method", "method", False),
        Column("What it is", "what", False),
        Column("Settings", "settings", False),
    )
    rows = [
        (
            one.label,
            w.METHODS.get(one.name, one.name),
            ", ".join(f"{key} {value}" for key, value in _flat(one.settings) if key != "name" and value is not None),
        )
        for one in report.methods
    ]
    return make_table("Methods", columns, rows)


def _flat(settings: dict[str, object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in settings.items():
        found += _flat(value) if isinstance(value, dict) else [(key, value)]
    return found


def models_table(report: EvaluationReport) -> Table:
    """Which weights and chat templates answered."""
    columns = (
        Column("Model", "model", False), Column("Where", "where", False),
        Column("Digest of the weights", "digest", False),
        Column("Digest of the chat template", "template", False), Column("Number format", "format", False),
        Column("Device", "device", False),
    )  # fmt: skip
    rows = [
        (one.label, one.location, one.digest, one.template or "none used", one.dtype, one.device)
        for one in report.models
    ]
    return make_table("Models", columns, rows, f"The digest covers {report.models[0].digest_covers}.")


def run_facts(report: EvaluationReport) -> tuple[Fact, ...]:
    """Task, seed, samples, reuse, place of the answers."""
    task = report.task
    graders = ", ".join(f"{name} ({n.count(count)})" for name, count in task.graders.items())
    samples = sorted({one.samples for one in report.methods})
    return facts(
        ("Task", f"{task.name}, {n.plural(len(task.questions), 'question')}, digest {task.digest[:16]}"),
        ("Where it is from", task.location),
        ("Asked and graded by", task.source),
        ("Graders", graders),
        ("Answers a question", " or ".join(map(str, samples))),
        ("Seed", str(report.seed)),
        ("Answers taken from the log", n.count(report.answers_reused) if report.answers_reused else ""),
        ("Logs of all answers", _logs(report)),
    )


def environment_facts(report: EvaluationReport) -> tuple[Fact, ...]:
    """What the run needs to be repeated."""
    here = report.environment
    return facts(
        ("modelprov", here.modelprov),
        ("Python", ", ".join([here.python, *(f"{name} {one}" for name, one in here.packages.items())])),
        ("Machine", f"{here.platform}, {n.plural(here.processor_count, 'processor')}, {here.device}, {here.dtype}"),
        ("Time", f"{here.started}, {n.duration(here.seconds)}"),
    )


def _logs(report: EvaluationReport) -> str:
    if not report.logs:
        return "none kept (--log keeps them)"
    folder = report.logs[0].rpartition("/")[0] or "."
    return f"{n.plural(len(report.logs), 'file')} in {folder}"
