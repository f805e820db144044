"""What an evaluation report says, in sentences and formatted numbers. No tables, no layout, no statistics."""

from __future__ import annotations

import math
from typing import NamedTuple

from modelprov.behavior.evaluation.results import Estimate, EvaluationReport, PairedResult
from modelprov.reports import numbers as n
from modelprov.reports.document import Colours, Fact

COLOURS = Colours("#0b645a", "#74cfc0", "cyan")
METHODS = {
    "cot": "chain of thought, sampled",
    "cot-greedy": "chain of thought, the most likely token each time",
    "cot-budget": "chain of thought, sampled, thinking cut off at a budget",
    "soft-gumbel": "soft thinking: each thought token read as a mixture with Gumbel noise",
    "multiplex": "Multiplex Thinking: each thought token read as the mean of several draws",
    "swir": "SwiReasoning: switches between thinking in words and in latent space",
}
TERMS = (
    Fact("Accuracy", "Right answers among all that were asked. What did not come to an end counts as wrong."),
    Fact(
        "Interval",
        "95 %. Wilson's for one answer a question. For several answers a question, whole questions are resampled, "
        "since answers to one question are no independent evidence.",
    ),
    Fact(
        "Difference",
        "Of accuracies on the same questions, so that hard questions count for both sides. One answer a question: "
        "McNemar's exact test and Newcombe's interval for paired shares. Several: Fisher's paired randomisation test, "
        "and an interval that resamples questions.",
    ),
    Fact(
        "Adjusted p",
        "The p value after Holm's correction for all tests of this report. With many tests, some look significant by "
        "chance alone.",
    ),
    Fact("Within noise", "The adjusted p value is above 0.05. It does not say that there is no difference."),
    Fact(
        "Unfinished",
        "The limit of tokens was reached while thinking, or while answering before a result stood in a box. Such an "
        "answer is not graded; it counts as wrong.",
    ),
    Fact("Pareto front", "What no other point of the same model beats in accuracy without spending more tokens."),
)


def columns(report: EvaluationReport) -> str:
    """What the short headings of a terminal mean."""
    said = (
        "Unfinished: stopped by the limit of tokens, and counted as wrong. Tokens: of a mean answer; per right: all "
        "tokens over the right answers."
    )
    latent = (
        " Latent: share of the tokens thought without words; switches: from words to that or back, in a mean answer."
    )
    return said + latent * any(row.latent_share for row in report.rows)


class Headline(NamedTuple):
    """The answer in one sentence, and what to make of it in a second."""

    title: str
    text: str


def headline(report: EvaluationReport) -> Headline:
    """What came out, without a claim that the numbers do not carry."""
    asked = f"{n.plural(len(report.task.questions), 'question')} of {n.clean(report.task.name)}"
    if not report.graded:
        return Headline("No answer could be graded", f"No answer to {asked} came to an end within the limit of tokens.")
    if len(report.rows) == 1:
        row = report.rows[0]
        return Headline(
            f"{percent(row.accuracy.value)} right",
            f"{n.clean(row.model)} with {row.method}: {n.count(row.right)} of {n.plural(row.answers, 'answer')} to "
            f"{asked} {'is' if row.right == 1 else 'are'} right (95 % interval {between(row.accuracy)}).",
        )
    real = [test for test in report.tests if not test.noise]
    tests = n.plural(len(report.tests), "comparison")
    if not report.tests:
        return Headline("Nothing to compare", f"No two rows answered {asked} so that they can be compared.")
    if not real:
        return Headline(
            "Differences within noise",
            f"On {asked}, {'the one comparison shows no' if len(report.tests) == 1 else f'none of {tests} shows a'} "
            "difference that chance alone would not often make.",
        )
    more = f"; and {n.count(len(real) - 3)} more." if len(real) > 3 else "."
    said = "; ".join(_said(test) for test in real[:3]) + more
    return Headline(
        f"{n.count(len(real))} of {tests} beyond noise", " ".join([f"On {asked}: {said}", *swireasoning(report)])
    )


def swireasoning(report: EvaluationReport) -> tuple[str, ...]:
    """In how many cases SwiReasoning beats every chain of thought beside it; nothing where it was not compared."""
    cases: dict[tuple[str, str], list[bool]] = {}
    for test in report.tests:
        sides = [test.first_method, test.second_method]
        is_swir = [side.partition(" @")[0] == "swir" for side in sides]
        if test.compared == "methods" and any(is_swir):
            sign = 1 if is_swir[0] else -1
            better = not test.noise and sign * (test.difference.value or 0.0) > 0
            cases.setdefault((test.first_model, sides[0] if is_swir[0] else sides[1]), []).append(better)
    if not cases:
        return ()
    beaten = sum(map(all, cases.values()))
    return (
        f"SwiReasoning does better than every other method beside it in {n.count(beaten)} of "
        f"{n.plural(len(cases), 'case')}.",
    )


def _said(test: PairedResult) -> str:
    first, second = names(test)
    value = test.difference.value or 0.0
    better, worse = (first, second) if value > 0 else (second, first)
    return f"{better} is right more often than {worse} ({points(abs(value), signed=False)} points)"


def difference(test: PairedResult) -> str:
    """A test whose difference is beyond noise, in a line: between what, how much, and how sure."""
    aside = test.first_method if test.compared == "models" else test.first_model
    interval = points_between(test.difference)
    return f"{_said(test)}: {n.clean(aside)}, 95 % interval {interval}, adjusted p {p_value(test.adjusted)}"


def names(test: PairedResult) -> tuple[str, str]:
    """The two sides of a test, by what differs between them."""
    if test.compared == "models":
        return n.clean(test.first_model), n.clean(test.second_model)
    return n.clean(test.first_method), n.clean(test.second_method)


def meaning(test: PairedResult) -> str:
    """One test in words."""
    if test.noise:
        return "within noise"
    first, second = names(test)
    return f"{first if (test.difference.value or 0) > 0 else second} better"


def percent(value: float | None) -> str:
    """A share with one decimal."""
    return n.share(value, 1)


def between(estimate: Estimate) -> str:
    """An interval of shares in percent, rounded outwards: "86.2 to 96.7 %"."""
    if estimate.low is None or estimate.high is None:
        return n.MISSING
    low, high = math.floor(estimate.low * 1000 + 1e-9) / 10, math.ceil(estimate.high * 1000 - 1e-9) / 10
    return f"{low:.1f} to {high:.1f} %"


def points(value: float | None, signed: bool = True) -> str:
    """A difference of shares in percentage points."""
    if value is None:
        return n.MISSING
    return f"{100 * value:+.1f}" if signed and value else f"{100 * value:.1f}"


def points_between(estimate: Estimate) -> str:
    """An interval of differences in percentage points, rounded outwards: "-3.4 to +1.2"."""
    if estimate.low is None or estimate.high is None:
        return n.MISSING
    low, high = math.floor(estimate.low * 1000 + 1e-9) / 10, math.ceil(estimate.high * 1000 - 1e-9) / 10
    return f"{low:{'+' if low else ''}.1f} to {high:{'+' if high else ''}.1f}"


def p_value(value: float) -> str:
    """A p value that never reads as zero."""
    return "<0.0001" if value < 0.0001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def tokens(estimate: Estimate) -> str:
    """A number of tokens, with a decimal where there are few."""
    value = n.finite(estimate.value)
    return n.MISSING if value is None else n.number(value, 1) if value < 1000 else n.count(value)


def does_not_show(report: EvaluationReport) -> tuple[str, ...]:
    """What a reader must not conclude."""
    found = [
        f"How the models do on anything but {report.task.name}: {n.plural(len(report.task.questions), 'question')} "
        "stand for themselves.",
    ]
    widths = [test.difference.high - test.difference.low for test in report.tests
              if test.difference.high is not None and test.difference.low is not None]  # fmt: skip
    if any(test.noise for test in report.tests):
        found.append(
            f"That methods or models are equally good. With these questions, differences below about "
            f"{points(max(widths) / 2, signed=False) if widths else '?'} points can stay unseen."
        )
    if len({one.samples for one in report.methods}) == 1 and report.methods[0].samples == 1:
        found.append(
            "How much answers vary from draw to draw: every question was asked once. --samples asks more often."
        )
    return tuple(found)
