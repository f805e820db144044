"""The tables that every renderer shows, as cells already in words. No layout of any format, no arithmetic."""

from __future__ import annotations

from modelprov.reports import numbers as n
from modelprov.reports.comparison.report import Report
from modelprov.reports.document import Column, Table, make_table


def parents(report: Report) -> tuple[tuple[str, str], ...]:
    """Short name and label of each parent: P1, P2, ... and P0 for the reference, which comes last."""
    sources = [item.label for item in report.inputs if item.role == "parent"]
    named = [(f"P{i}", label) for i, label in enumerate(sources, 1)]
    return (*named, *(("P0", item.label) for item in report.inputs if item.role == "reference"))


def evidence_table(report: Report) -> Table:
    """Return what the verdict rests on."""
    columns = (
        Column("Measure", "measure", numeric=False),
        Column("Value", "value", numeric=False),
        Column("Uncertainty", "uncertainty", numeric=False),
        Column("Weights", "weights"),
        Column("To compare", "to compare", numeric=False),
    )
    rows = [
        (item.measure, item.value, item.uncertainty or "", n.compact(item.elements), item.null or "")
        for item in report.verdict.rests_on
    ]
    return make_table("What the verdict rests on", columns, rows)


def histories_table(report: Report) -> Table:
    """Return the histories that fit, and what would settle each."""
    columns = (
        Column("History", "history", numeric=False),
        Column("Would be settled by", "settled by", numeric=False),
    )
    rows = [(item.history, item.settled_by) for item in report.verdict.histories]
    return make_table("Histories that fit", columns, rows)


def controls_table(report: Report) -> Table:
    """Return the same numbers for checkpoints that nobody suspects."""
    columns = (
        Column("Control", "control", numeric=False),
        Column("Kind", "kind", numeric=False),
        Column("α", "α"),
        Column("Collinearity", "cosine"),
        Column("Coverage of α", "holds α"),
        Column("Agreement", "agree"),
        Column("Betweenness", "between"),
        Column("Verdict", "verdict", numeric=False),
        Column("Remark", "remark", numeric=False),
    )
    rows = [
        (
            item.label,
            item.kind,
            n.coefficient(item.alpha),
            n.cosine(item.collinearity),
            n.share(item.coverage),
            n.share(item.agreement),
            n.share(item.betweenness),
            item.verdict or "",
            item.note or "",
        )
        for item in report.verdict.controls
    ]
    return make_table("Controls", columns, rows)


def coefficients_table(report: Report) -> Table:
    """How much of each parent is in the suspect."""
    columns = (
        Column("Parent", "parent", numeric=False),
        Column("α", "α"),
        Column("Interval for α", "interval"),
        Column("By least squares", "LS α"),
        Column("Least squares, sum at most 1", "LS, sum ≤ 1"),
        Column("Standard error", "error"),
    )
    rows = [
        (
            item.parent,
            n.coefficient(item.alpha, item.low, item.high),
            n.interval(item.low, item.high),
            n.coefficient(item.least_squares),
            n.coefficient(item.simplex),
            n.scientific(item.standard_error),
        )
        for item in report.mixing.coefficients
    ]
    return make_table("How much of each parent", columns, rows)


def candidates_table(report: Report) -> Table:
    """All recipes that were tried, best first."""
    columns = (
        Column("Recipe tried", "recipe", numeric=False),
        Column("Arithmetic", "arithmetic", numeric=False),
        Column("Bit-equal", "same bits"),
        Column("Of weights", "weights"),
    )
    rows = [
        (item.description, item.arithmetic, n.share(item.bit_equal), n.compact(item.elements))
        for item in report.reproduction.candidates
    ]
    return make_table("Recipes tried, best first", columns, rows)


def groups_table(report: Report) -> Table:
    """Return the parts of the recipe, where it differs between groups of tensors."""
    groups = report.reproduction.groups
    labels = list(dict.fromkeys(label for group in groups for label in group.weights))
    columns = (
        Column("Tensors", "tensors", numeric=False),
        *(Column(label, label) for label in labels),
        Column("Weights", "weights"),
    )
    rows = [
        (group.tensors, *(n.number(group.weights.get(label)) for label in labels), n.compact(group.elements))
        for group in groups
    ]
    return make_table("Groups of tensors that share coefficients", columns, rows)


def unaligned_table(report: Report) -> Table:
    """Return what could not be compared, and why."""
    columns = (
        Column("Reason", "reason", numeric=False),
        Column("Checkpoint", "in", numeric=False),
        Column("Tensors", "tensors"),
        Column("Weights", "weights"),
        Column("Share", "share"),
        Column("For example", "for example", numeric=False, priority=9),
    )
    rows = [
        (
            item.reason,
            item.checkpoint,
            n.count(item.tensors),
            n.compact(item.elements),
            n.share(item.share),
            ", ".join(item.examples),
        )
        for item in report.coverage.unaligned
    ]
    return make_table("Not compared", columns, rows)


def inputs_table(report: Report) -> Table:
    """Return the checkpoints as they were read: what they are."""
    short = {label: name for name, label in parents(report)}
    columns = (
        Column("Checkpoint", "checkpoint", numeric=False),
        Column("Role", "role", numeric=False),
        Column("Weights", "weights"),
        Column("Size", "size"),
        Column("Shards", "shards"),
        Column("Formats (tensors)", "formats", numeric=False),
        Column("Architecture", "architecture", numeric=False),
    )
    rows = [
        (
            item.label,
            f"{item.role} {short.get(item.label, '') if item.role in {'parent', 'reference'} else ''}".strip(),
            n.compact(item.parameters),
            n.size(item.bytes),
            n.count(item.shards),
            ", ".join(f"{name} ({n.count(tensors)})" for name, tensors in item.dtypes.items()),
            item.architecture or "",
        )
        for item in report.inputs
    ]
    return make_table("Checkpoints", columns, rows)


def digests_table(report: Report) -> Table:
    """Return the checkpoints as they were read: how to tell that they are the same ones."""
    columns = (
        Column("Checkpoint", "checkpoint", numeric=False),
        Column("Location", "location", numeric=False),
        Column("Revision", "revision", numeric=False),
        Column("SHA-256", "SHA-256", numeric=False),
    )
    rows = [(item.label, item.location, item.revision or "", item.digest) for item in report.inputs]
    covers = list(dict.fromkeys(item.digest_covers for item in report.inputs))
    return make_table("Where they were read from", columns, rows, f"The digest covers {'; '.join(covers)}.")
