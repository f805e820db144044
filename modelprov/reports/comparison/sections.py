"""What each section of a report says, in words and formatted numbers; shared by all renderers. No layout."""

from __future__ import annotations

from modelprov.forensics.results import Evidence, History, VerdictClass
from modelprov.reports import numbers as n
from modelprov.reports.comparison import words
from modelprov.reports.comparison.report import Report, UnalignedGroup
from modelprov.reports.comparison.tables import parents
from modelprov.reports.document import Fact, Figure, facts
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
    if mixed:
        found.extend(_mix_figures(report))
    if report.verdict.class_ is VerdictClass.MERGE:  # near a line, rounding alone gives most bits
        found.append(_reproduced(report))
    if report.verdict.class_ is VerdictClass.ON_LINE:
        found.append(Figure("Beside the line", _beside(report), "of the distance between the parents"))
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


def evidence(item: Evidence) -> str:
    """One measure that the verdict rests on, in a sentence."""
    text = f"{item.measure}: {item.value}"
    if item.uncertainty:
        text += f", {item.uncertainty}"
    if item.elements is not None:
        text += f", from {n.compact(item.elements)} weights"
    if item.null:
        text += f" (to compare: {item.null})"
    return text


def history(item: History) -> str:
    """A history that fits, in a sentence."""
    return f"{item.history} (to settle it: {item.settled_by})"


def not_compared(item: UnalignedGroup) -> str:
    """What could not be compared for one reason, in a sentence."""
    return (
        f"Not compared: {item.reason}: {n.plural(item.tensors, 'tensor')} of {item.checkpoint}, "
        f"{n.share(item.share)} of its weights" + (f", such as {item.examples[0]}" if item.examples else "")
    )


def mixing_facts(report: Report) -> tuple[Fact, ...]:
    """How the mixing coefficient was found and how well it fits."""
    mixing = report.mixing
    squares = mixing.least_squares
    return facts(
        ("α", n.coefficient(mixing.alpha, mixing.low, mixing.high)),
        ("Interval for α", n.interval(mixing.low, mixing.high)),
        ("It holds what was mixed if", n.clean(mixing.assumes or "")),
        ("Found by", mixing.method or ""),
        ("Coverage of α", n.share(mixing.coverage)),
        ("Coverage by chance (null)", n.share(mixing.null_coverage)),
        ("Weights that confine α", n.count(mixing.informative_elements) if mixing.informative_elements else ""),
        ("α by least squares, for comparison", n.with_error(squares.alpha, squares.standard_error)),
        ("Collinearity", n.cosine(squares.collinearity)),
        ("z of collinearity", n.count(squares.z)),
        ("Sum of coefficients, unconstrained", n.number(mixing.coefficient_sum)),
        ("R² of the fit", n.cosine(mixing.r_squared)),
        ("Condition number (large: parents hard to tell apart)", n.scientific(mixing.condition_number)),
    )


def mixing_absent(report: Report) -> str:
    """Why there is no mixing coefficient, or nothing if there is one."""
    if n.finite(report.mixing.alpha) is not None or mixing_has_coefficients(report):
        return ""
    return _sentence(report.mixing.reason) or (words.NO_PARENTS if len(parents(report)) < 2 else words.NOT_MEASURED)


def mixing_has_coefficients(report: Report) -> bool:
    """Whether any parent's coefficient was measured."""
    return any(n.finite(item.alpha) is not None for item in report.mixing.coefficients)


def recipe_facts(report: Report) -> tuple[Fact, ...]:
    """Return the exact recipe and how much of the suspect it reproduces."""
    found, method = report.reproduction, report.method
    if method is not None:
        return facts(
            ("Method", n.clean(method.words)),
            ("Arithmetic", method.arithmetic),
            ("Bit-equal", n.at_least(method.bit_equal)),
            ("Of weights", n.count(method.elements)),
            ("Tensors computed again", f"{n.count(method.tensors)} of {n.count(method.recomputed)} as they are stored"),
            ("Gives as much", n.clean("; ".join(method.alternatives))),
        )
    return facts(
        ("Recipe", found.recipe or ""),
        ("Arithmetic", found.arithmetic or ""),
        ("Known to compute so", (found.programs or "") if report.verdict.class_ is VerdictClass.MERGE else ""),
        ("Bit-equal", n.at_least(found.bit_equal)),
        ("Of weights", n.count(found.elements) if found.elements else ""),
    )


def recipe_absent(report: Report) -> str:
    """Why there is no recipe, or nothing if there is one."""
    found = report.reproduction
    return "" if found.recipe or report.method else _sentence(found.reason) or words.NO_RECIPE


def recipe_yaml(report: Report) -> str:
    """Return the merge config that can be run, or nothing."""
    config = report.reproduction.yaml if report.method is None else report.method.yaml
    return n.clean(config or "", keep="\n\t").strip("\n")


def after_facts(report: Report) -> tuple[Fact, ...]:
    """Return what the tests for changes after mixing measured."""
    after = report.after_merge
    return facts(
        ("Agreement", _of(n.share(after.agreement), after.agreement_elements)),
        ("Betweenness", _of(n.share(after.betweenness), after.betweenness_elements)),
        ("Beside the mix, of the parents' distance", _beside(report)),
        ("σ", _plus(n.scientific(after.sigma), n.scientific(after.sigma_standard_error))),
        ("α by likelihood", n.with_error(after.alpha, after.alpha_standard_error)),
    )


def beyond_facts(report: Report) -> tuple[Fact, ...]:
    """Return what is left beyond the parents: how much of what shape, and which other models it is like."""
    found = report.beyond
    if found is None or found.relative is None:
        return ()
    of = "the parents' distance" if found.of == "distance" else "the parent's weights"
    likenesses = (
        (f"Correlation with what is only in {one.label} ({one.kind})", n.cosine(one.correlation))
        for one in found.likenesses
    )
    return facts(
        ("Size", f"{n.share(found.relative)} of {of}"),
        ("Matrices read", n.count(found.matrices)),
        ("Changed beyond rounding", n.count(found.changed)),
        ("Of these of low rank", n.count(found.low_rank)),
        ("Rank, at most", n.count(found.rank) if found.rank is not None else ""),
        *likenesses,
    )


def _beside(report: Report) -> str:
    """What lies beside the mix; a zero was counted where a recipe gives every bit, else it is hidden by rounding."""
    measured = report.after_merge.sigma_relative
    return "no more than rounding" if measured == 0 and report.reproduction.bit_equal != 1 else n.share(measured)


def _of(value: str, elements: int) -> str:
    return f"{value} of {n.count(elements)} weights" if value != n.MISSING and elements else value


def _plus(value: str, error: str) -> str:
    return value if n.MISSING in {value, error} else f"{value} ± {error}"


def after_absent(report: Report) -> str:
    """Why nothing is said of changes after mixing, or nothing if something is."""
    return "" if after_facts(report) else _sentence(report.after_merge.reason) or words.NO_AFTER


def coverage_facts(report: Report) -> tuple[Fact, ...]:
    """How much of the suspect was compared."""
    item = report.coverage
    return facts(
        ("Compared", f"{n.share(item.share)} of {n.count(item.elements)} weights"),
        ("Read", f"{n.share(item.read_share)} ({n.count(item.elements_read)} weights)"),
        ("Tensors compared", n.count(item.tensors)),
        ("Matched by shape alone", n.plural(item.guessed, "tensor") if item.guessed else ""),
        ("NaN or infinite", n.plural(item.nonfinite, "weight") if item.nonfinite else "none"),
        *(("Note", n.clean(note)) for note in item.notes),
    )


def environment_facts(report: Report) -> tuple[Fact, ...]:
    """Return what the run needs to be repeated."""
    item = report.environment
    return facts(
        ("modelprov", item.modelprov),
        ("Python", item.python),
        ("Packages", ", ".join(f"{name} {version}" for name, version in item.packages.items())),
        ("Platform", f"{item.platform}, {n.plural(item.processor_count, 'processor')}"),
        ("Device", item.device),
        ("Seed", str(item.seed)),
        ("Started (UTC)", item.started),
        ("Took", f"{n.duration(item.seconds)}, {n.size(item.bytes_read)} read"),
        ("Report schema", report.schema_version),
    )


def _sentence(reason: str | None) -> str:
    """A reason as it stands alone."""
    text = n.clean(reason or "")
    first = text[:1] if text.startswith("α") else text[:1].upper()
    return first + text[1:].removesuffix(".") + "." if text else ""
