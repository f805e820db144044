"""The tables of a case: its parts, its models side by side. No layout of any format; runs nothing."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.behavior.probing.arms import SHIPPED, STRIPPED
from modelprov.reports import numbers as n
from modelprov.reports.case import models as case_models
from modelprov.reports.case.parts import Case, Known
from modelprov.reports.comparison import beginning, words
from modelprov.reports.document import Column, Table, make_table
from modelprov.reports.probing import words as probing_words


def known_table(known: Sequence[Known]) -> Table:
    """The suspects whose history is known, with the verdict each got."""
    columns = (Column("Suspect", "suspect", False), Column("Its true history", "history", False),
               Column("Verdict", "verdict", False))  # fmt: skip
    rows = [(one.name, one.history, one.verdict) for one in known]
    return make_table("Models whose history is known", columns, rows)


def parts_table(case: Case) -> Table:
    """One row a part: the model it is about, and what says that it is the same model."""
    columns = (
        Column("Part", "part", False),
        Column("Model", "model", False),
        Column("Location", "location", False),
        Column("Taken to be the same because of", "because", False),
        Column("Digest", "digest", False),
        Column("Read from", "read from", False),
    )
    sources = dict(case.sources)
    found = case_models.match(case).links
    rows = [
        (link.subject.part, link.subject.model.label, link.subject.model.location, link.because,
         link.subject.model.digest, sources.get(link.subject.part, ""))
        for link in found
    ]  # fmt: skip
    covers: dict[str, list[str]] = {}
    for one in found:
        covers.setdefault(one.subject.model.covers, []).append(one.subject.part.lower())
    told = [f"The digest of {' and '.join(parts)} covers {what}." for what, parts in covers.items() if what]
    return make_table("Which model each part is about", columns, rows, " ".join(told))


def side_by_side(case: Case) -> Table:
    """One row a model: its place among the weights, what the card says of it, the names it says, what it gets right."""
    methods = [one.label for one in case.evaluation.methods] if case.evaluation is not None else []
    columns = [
        Column("Model", "model", False),
        Column("In the weights", "weights", False),
        Column("On the card", "card", False),
        Column("Says, as shipped", "shipped", False),
        Column("Says, hidden prompt taken away", "stripped", False),
        *(Column(f"Right with {one}", one) for one in methods),
    ]
    rows = [
        (label, _place(case, label), _declared(case, label), _says(case, label, SHIPPED), _says(case, label, STRIPPED),
         *(_right(case, label, method) for method in methods))
        for label in _labels(case)
    ]  # fmt: skip
    note = "Shares of the most likely answers about name, maker and origin, with 95 % intervals."
    return make_table("Weights, card and behaviour, side by side", columns, rows, note if case.probe else "")


def _labels(case: Case) -> list[str]:
    """Every model of every part once, those of the weights first."""
    named = [one.label for one in case.weights.inputs] if case.weights is not None else []
    if case.check is not None:
        same = {_same(case, one.label) for one in case.weights.inputs} if case.weights is not None else set()
        named += [one.label for one in case.check.inputs if one.label not in same]
    named += [one.label for one in case.probe.models] if case.probe is not None else []
    named += [one.label for one in case.evaluation.models] if case.evaluation is not None else []
    return list(dict.fromkeys(named))


def _place(case: Case, label: str) -> str:
    """The role of a model among the weights; the verdict for the suspect."""
    report = case.weights
    role = next((one.role for one in report.inputs if one.label == label), "") if report is not None else ""
    if report is None or role != "suspect":
        return {"reference": "parent, reference", "": n.MISSING}.get(role, role)
    name = words.VERDICTS[report.verdict.class_].name
    figures = beginning.key_figures(report)
    return f"{name}; {figures[0].name}: {figures[0].value}" if figures else name


def _same(case: Case, label: str) -> str:
    """What the check calls the checkpoint that the comparison calls `label`: by place, else by name."""
    mine = next((one for one in case.weights.inputs if one.label == label), None) if case.weights is not None else None
    inputs = case.check.inputs if case.check is not None else ()
    there = [one.label for one in inputs if mine is not None and one.location == mine.location]
    return there[0] if len(there) == 1 else label


def _declared(case: Case, label: str) -> str:
    """Whether the card names a possible parent."""
    name = _same(case, label)
    found = next((one for one in case.check.inputs if one.label == name), None) if case.check is not None else None
    if found is None or found.role != "candidate":
        return n.MISSING
    return "named as a base model" if found.declared else "not named"


def _says(case: Case, model: str, arm: str) -> str:
    found = probing_words.arm_of(case.probe, model, arm) if case.probe is not None else None
    share = probing_words.leading(found)
    return n.MISSING if share is None else f"{share.name}, {probing_words.interval(share)}"


def _right(case: Case, model: str, method: str) -> str:
    rows = case.evaluation.rows if case.evaluation is not None else ()
    row = next((one for one in rows if (one.model, one.method) == (model, method)), None)
    return n.MISSING if row is None else f"{row.right} of {row.answers}"
