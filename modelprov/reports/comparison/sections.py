"""What each section of a report says, in words and formatted numbers; shared by all renderers. No layout."""

from __future__ import annotations

from modelprov.forensics.results import Evidence, History, VerdictClass
from modelprov.reports import numbers as n
from modelprov.reports.comparison import words
from modelprov.reports.comparison.report import Report, UnalignedGroup
from modelprov.reports.comparison.tables import parents
from modelprov.reports.document import Fact, facts


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
        ("Beside the mix, of the parents' distance", beside_the_mix(report)),
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


def beside_the_mix(report: Report) -> str:
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
