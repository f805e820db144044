"""What a bill of materials says of a model's relatives, whatever its format. Restates a `Report`; computes nothing new.

An ancestor is a parent that a merge was found of. For all other kin the weights do not show which came first, so the
parent is a variant: related, in a direction that is not known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from modelprov.forensics.results import VerdictClass
from modelprov.reports.comparison.report import Input, Report
from modelprov.reports.evidence.attestation import REPOSITORY
from modelprov.reports.numbers import coefficient, interval, share
from modelprov.shares import rough_percent

Kind = Literal["ancestor", "variant"]


@dataclass(frozen=True)
class Relative:
    """A checkpoint that the suspect is related to; `proportion` in words, `properties` as name and value."""

    input: Input
    kind: Kind
    proportion: str
    properties: tuple[tuple[str, str], ...]


def relatives(report: Report) -> tuple[Relative, ...]:
    """The relatives that the verdict names; none where it is unrelated or inconclusive.

    A parent that was given but is not in the mix (weight 0, or an interval that reaches 0) is no relative.
    """
    verdict = report.verdict
    parents = [one for one in report.inputs if one.role in ("parent", "reference")]
    if verdict.class_ is VerdictClass.MERGE:
        found = [_ancestor(one, report) for one in parents]
        return tuple(one for one in found if one is not None)
    if verdict.class_ is VerdictClass.ON_LINE:
        found = [_ancestor(one, report) for one in parents]
        return tuple(_on_line(one) for one in found if one is not None)
    return tuple(_variant(one, report) for one in parents if one.label == verdict.parent)


def _ancestor(one: Input, report: Report) -> Relative | None:
    """A parent of a merge, with its share: by the recipe where one reproduces every bit, and as estimated."""
    made, properties = report.reproduction, [("modelprov:verdict", str(report.verdict.class_))]
    words = []
    if made.bit_equal == 1 and made.groups:
        weights = sorted({group.weights.get(one.label, 0.0) for group in made.groups})
        if not any(weights):
            return None
        text = " to ".join(f"{weight:.12g}" for weight in dict.fromkeys((weights[0], weights[-1])))
        bits = "every bit"
        if report.mode == "sample":
            bits = f"every bit read, in {rough_percent(report.coverage.read_share)} of the weights"
        words.append(f"{text} by the recipe that reproduces {bits}")
        properties += [
            ("modelprov:weight", text),
            ("modelprov:recipe", made.recipe or ""),
            ("modelprov:arithmetic", made.arithmetic or ""),
        ]
    estimated = _estimate(one, report)
    if estimated is not None:
        alpha, low, high = estimated
        if not words and low <= 0 <= high:
            return None
        words.append(f"alpha {coefficient(alpha, low, high)}, interval {interval(low, high)} ({report.mixing.method})")
        properties += [
            ("modelprov:alpha", repr(alpha)),
            ("modelprov:alpha-low", repr(low)),
            ("modelprov:alpha-high", repr(high)),
            ("modelprov:alpha-method", str(report.mixing.method)),
        ]
    if not words:
        return None
    return Relative(one, "ancestor", "; ".join(words), tuple(properties))


def _estimate(one: Input, report: Report) -> tuple[float, float, float] | None:
    """Alpha and its interval; the reference has what the others leave, its interval the sum of theirs."""
    given = [each for each in report.mixing.coefficients if one.role == "reference" or each.parent == one.label]
    alphas = [each.alpha for each in given if each.alpha is not None]
    lows = [each.low for each in given if each.low is not None]
    highs = [each.high for each in given if each.high is not None]
    if not given or not len(given) == len(alphas) == len(lows) == len(highs):
        return None
    if one.role == "reference":
        return 1 - sum(alphas), 1 - sum(highs), 1 - sum(lows)
    return alphas[0], lows[0], highs[0]


def _on_line(found: Relative) -> Relative:
    """The same numbers of a parent that the suspect may be a merge of, or be related to in another way."""
    words = f"on a line at {found.proportion}; whether anything was merged, and what came first, is not known"
    return replace(found, kind="variant", proportion=words)


def _variant(one: Input, report: Report) -> Relative:
    equal = report.overall.equal.get(one.label)
    properties = [("modelprov:verdict", str(report.verdict.class_))]
    words = "which of the two came first is not known"
    if equal is not None:
        words = f"{share(equal)} of the weights compared hold the same bits; {words}"
        properties.append(("modelprov:same-bits", repr(equal)))
    return Relative(one, "variant", words, tuple(properties))


def not_shown(report: Report) -> str:
    """What the comparison does not show, as a sentence; empty where nothing is said of that."""
    missing = "; ".join(report.verdict.does_not_show)
    return f"Not shown by the weights: {missing}." if missing else ""


def package_url(one: Input) -> str | None:
    """The package URL (type huggingface) of an input that came from the hub; None for files of this machine."""
    if one.revision is None or REPOSITORY.fullmatch(one.location) is None:
        return None
    repository = one.location.partition("@")[0]
    return f"pkg:huggingface/{quote(repository, safe='/')}@{quote(one.revision, safe='')}"


def identity(sha256: str) -> UUID:
    """The document's identity: the same for the same report file."""
    return uuid5(NAMESPACE_URL, f"urn:modelprov:report:{sha256}")


def moment(report: Report) -> str:
    """When the comparison was made, as both formats write it: UTC, whole seconds."""
    made = datetime.fromisoformat(report.environment.started)
    aware = made if made.tzinfo is not None else made.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
