"""The tables of measures: by component, by layer, and of the tensors that stand out; cells already in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import nsmallest
from typing import NamedTuple

from modelprov.forensics.results import Measures
from modelprov.reports import numbers as n
from modelprov.reports.comparison.report import Report
from modelprov.reports.comparison.tables import parents
from modelprov.reports.document import Column, Table, make_table


class _Spec(NamedTuple):
    column: Column
    cell: Callable[[Measures], str]


def _equal_to(label: str) -> Callable[[Measures], str]:
    return lambda row: n.share(row.equal.get(label))


def _correlated_to(label: str) -> Callable[[Measures], str]:
    return lambda row: n.cosine(row.raw_correlation.get(label))


def _name(row: Measures) -> str:
    return row.name + ("" if row.decisive else " *") + (" ?" if row.guessed else "")


def _alpha_narrow(row: Measures) -> str:
    return f"{n.coefficient(row.alpha, row.low, row.high)} {n.tolerance(row.alpha, row.low, row.high)}".strip()


def _specs(report: Report, kind: str, narrow: bool) -> list[_Spec]:
    alpha = [_Spec(Column("α", "α", priority=2), _alpha_narrow)]
    if not narrow:
        alpha = [
            _Spec(Column("α", "α"), lambda row: n.coefficient(row.alpha, row.low, row.high)),
            _Spec(Column("Interval for α", "interval"), lambda row: n.interval(row.low, row.high)),
        ]
    named = parents(report)
    return [
        _Spec(Column(kind, kind.lower(), numeric=False), _name),
        _Spec(Column("Weights", "weights", priority=1), lambda row: n.compact(row.elements)),
        *alpha,
        _Spec(Column("α by least squares", "LS α", priority=8), lambda row: n.coefficient(row.least_squares.alpha)),
        _Spec(Column("Collinearity", "cosine", priority=3), lambda row: n.cosine(row.least_squares.collinearity)),
        _Spec(Column("Bit-equal to recipe", "same bits", priority=4), lambda row: n.share(row.bit_equal)),
        _Spec(Column("Agreement", "agree", priority=5), lambda row: n.share(row.agreement)),
        _Spec(Column("Betweenness", "between", priority=6), lambda row: n.share(row.betweenness)),
        *(_Spec(Column(f"Equal to {label}", f"={short}", priority=7), _equal_to(label)) for short, label in named),
        *(
            _Spec(Column(f"Correlation with {label}", f"r({short})", priority=7), _correlated_to(label))
            for short, label in named
        ),
        _Spec(Column("Coverage of α", "holds α", priority=9), lambda row: n.share(row.coverage)),
        _Spec(Column("σ / distance of parents", "σ rel.", priority=9), lambda row: n.share(row.sigma_relative)),
        _Spec(
            Column("Not finite", "NaN/Inf", priority=10),
            lambda row: n.count(row.nonfinite) if row.nonfinite else n.MISSING,
        ),
        _Spec(Column("Remark", "remark", numeric=False, priority=20), lambda row: row.note or n.MISSING),
    ]


def measures_table(report: Report, rows: Sequence[Measures], kind: str, caption: str, narrow: bool = False) -> Table:
    """One row of numbers for each component, layer or tensor; `narrow` puts alpha and its tolerance in one column."""
    specs = _specs(report, kind, narrow)
    notes = []
    if any(not row.decisive for row in rows):
        notes.append("* not decisive: norms and biases are alike in unrelated models.")
    if any(row.guessed for row in rows):
        notes.append("? matched by shape alone.")
    return make_table(
        caption,
        [spec.column for spec in specs],
        [[spec.cell(row) for spec in specs] for row in rows],
        " ".join(notes),
    )


def components_table(report: Report, narrow: bool = False) -> Table:
    """One row per component, and the whole model last."""
    rows = [*report.components, report.overall]
    return measures_table(report, rows, "Component", "By component", narrow)


def layers_table(report: Report) -> Table:
    """One row per layer."""
    return measures_table(report, report.layers, "Layer", "By layer")


def notable_tensors(report: Report, *limits: int) -> tuple[Table, ...]:
    """Return the tensors worth a look: those with remarks first, then those that the finding explains least.

    A table for each of the limits, of which the largest decides how many are looked for.
    """

    def order(row: Measures) -> tuple[bool, bool, float, int, str]:
        explained = (row.bit_equal, row.coverage, row.least_squares.collinearity, *row.raw_correlation.values())
        known = next((value for value in explained if n.finite(value) is not None), None)
        return (
            not (row.note or row.nonfinite or row.guessed),
            not row.decisive,
            -1.0 if known is None else known,
            -1 if row.layer is None else row.layer,
            row.name,
        )

    chosen = nsmallest(max(limits), report.tensors, key=order)
    return tuple(_standing_out(report, chosen[:limit]) for limit in limits)


def _standing_out(report: Report, chosen: Sequence[Measures]) -> Table:
    table = measures_table(report, chosen, "Tensor", "Tensors that stand out")
    left_out = len(report.tensors) - len(chosen)
    more = f"{n.plural(left_out, 'more tensor')} left out here; the JSON report has all of them." if left_out else ""
    order_note = "Those with remarks first, then those that the finding explains least."
    return table._replace(note=" ".join(part for part in (order_note, table.note, more) if part))
