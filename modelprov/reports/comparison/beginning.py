"""What a report begins with, in words and formatted numbers: headline, summary, key figures. No layout."""

from __future__ import annotations

from modelprov.forensics.results import VerdictClass
from modelprov.reports import numbers as n
from modelprov.reports.comparison import words
from modelprov.reports.comparison.report import Report
from modelprov.reports.comparison.sections import beside_the_mix
from modelprov.reports.comparison.tables import parents
from modelprov.reports.document import Figure
from modelprov.shares import rough_percent

MIXED = frozenset({VerdictClass.MERGE, VerdictClass.ON_LINE})
MOST_FIGURES = 4
MOST_BITS = 0.5  # the same in two models, from which the headline says how many


def suspect(report: Report) -> str:
    """Return the label of the checkpoint under test."""
    return n.clean(next((item.label for item in report.inputs if item.role == "suspect"), "suspect"))


def headline(report: Report) -> str:
    """What the verdict says of which models, on what share of the weights."""
    verdict = report.verdict
    class_, share = verdict.class_, report.coverage.share if verdict.share is None else verdict.share
    labels = [label for _, label in parents(report)]
    used = {label for group in report.reproduction.groups for label, weight in group.weights.items() if weight}
    if class_ in MIXED and len(used) > 1:
        labels = [label for label in labels if label in used]
    whole = share == 1 or class_ is VerdictClass.INCONCLUSIVE
    said = words.VERDICTS[class_].headline.format(
        suspect=suspect(report) if whole else f"{n.at_least(share)} of {suspect(report)}",
        parent=verdict.parent or labels[0],
        parents=(" or " if class_ is VerdictClass.UNRELATED else " and ").join(labels),
    )
    if class_ is VerdictClass.ON_LINE:
        said += _place(report)
    same = report.overall.equal.get(verdict.parent or "", 0.0)
    if class_ is VerdictClass.SAME_ORIGIN and same >= MOST_BITS:
        said += f", and {n.at_least(same)} of its bits"
    if report.mode == "sample":
        said += f" ({rough_percent(report.coverage.read_share)} of it read)"
    return n.clean(said)


def _place(report: Report) -> str:
    """Where on the line between two parents, and how much lies beside it."""
    mixing, beside = report.mixing, n.finite(report.after_merge.sigma_relative)
    between = n.finite(mixing.alpha) is not None and len(parents(report)) == 2
    place = f" at {n.coefficient(mixing.alpha)}" if between else ""
    return place + (f", with {n.share(beside)} of their distance beside it" if beside else "")


def summary(report: Report) -> str:
    """Return the verdict in one or two sentences."""
    return n.clean(report.verdict.summary)


def _compared(report: Report) -> Figure:
    """How much was compared; of a sample how much that was, beside how much it stands for."""
    covered = report.coverage
    share, whole = n.at_least(covered.share), n.compact(covered.elements)
    if report.mode == "sample":
        said = f"a sample of {whole}" if covered.share >= 1 else f"a sample; {share} of {whole} can be compared"
        return Figure("Weights compared", n.at_least(covered.read_share), said)
    return Figure("Weights compared", share, f"{whole} of the suspect's")


def key_figures(report: Report) -> tuple[Figure, ...]:
    """Up to four figures, those that carry this kind of verdict first."""
    after, row = report.after_merge, report.overall
    mixed = report.verdict.class_ in MIXED
    compared = _compared(report)
    found: list[Figure] = []
    if mixed and report.verdict.rule != "method":  # whose parameters are no shares of a sum
        found.extend(_mix_figures(report))
    if report.verdict.class_ is VerdictClass.MERGE:  # near a line, rounding alone gives most bits
        found.append(_reproduced(report))
    if report.verdict.class_ is VerdictClass.ON_LINE:
        found.append(Figure("Beside the line", beside_the_mix(report), "of the distance between the parents"))
    equal = [
        Figure(f"Bit-equal to {label}", n.at_least(row.equal.get(label)), f"of {n.compact(row.elements)} weights")
        for _, label in parents(report)
    ]
    correlated = [
        Figure(f"Correlation with {label}", n.cosine(row.raw_correlation.get(label)), "of the raw weights, centred")
        for _, label in parents(report)
    ]
    cosine = Figure("Collinearity", n.cosine(row.least_squares.collinearity), "0 independent, 1 same direction")
    if report.verdict.class_ is VerdictClass.COPY:
        found.extend(equal)
    if mixed:
        found.append(Figure("Agreement", n.share(after.agreement), "kept where the parents are equal"))
    undone = report.coordinates is not None and report.coordinates.undone and not report.coordinates.exact
    found.extend([cosine, *correlated, *([] if undone else equal)])
    kept = [item for item in found if item.value != n.MISSING][: MOST_FIGURES - 1]
    return tuple(Figure(*map(n.clean, item)) for item in (*kept, compared))


def _reproduced(report: Report) -> Figure:
    """The bits that the recipe gives, or the method."""
    recipe, method = report.reproduction, report.method
    if method is None or report.verdict.rule != "method":
        of = f"of {n.compact(recipe.elements)} {'read ' if report.mode == 'sample' else ''}by one recipe"
        return Figure("Weights reproduced bit for bit", n.at_least(recipe.bit_equal), of)
    name = "Weights reproduced bit for bit" if method.by_chance is None else "Changed weights that some draw explains"
    return Figure(name, n.at_least(method.bit_equal), f"of {n.compact(method.elements)} by {method.name}")


def _mix_figures(report: Report) -> list[Figure]:
    mixing = report.mixing
    several = [item for item in mixing.coefficients if n.finite(item.alpha) is not None]
    if len(several) > 1:
        return [
            Figure(
                f"Share of {item.parent}",
                n.coefficient(item.alpha, item.low, item.high),
                n.interval(item.low, item.high).replace(n.MISSING, ""),
            )
            for item in several[: MOST_FIGURES - 2]
        ]
    named = parents(report)
    label = several[0].parent if several else named[0][1] if named else "the first parent"
    bounds = n.interval(mixing.low, mixing.high)
    return [
        Figure(
            f"Share of {label} (α)",
            n.coefficient(mixing.alpha, mixing.low, mixing.high),
            f"interval {bounds}" if bounds != n.MISSING else f"by {mixing.method}" if mixing.method else "",
        )
    ]
