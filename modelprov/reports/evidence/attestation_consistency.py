"""Whether a report agrees with itself, as far as that is seen without the weights. Opens nothing, recomputes nothing.

An edited report that still agrees with itself passes: only `modelprov report verify` sees that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from modelprov.errors import UsageError
from modelprov.forensics.mixing import Mixing, RecipeGroup, Reproduction
from modelprov.forensics.results import Measures, VerdictClass
from modelprov.recipes.weights_in_words import weighting
from modelprov.reports.comparison.report import Report

RULES: Final[Mapping[VerdictClass, frozenset[str]]] = {
    VerdictClass.COPY: frozenset({"identical"}),
    VerdictClass.MERGE: frozenset({"reproduced", "exact-to-rounding", "partly-exact", "method"}),
    VerdictClass.ON_LINE: frozenset({"near-the-line", "traced"}),
    VerdictClass.SAME_ORIGIN: frozenset({"near-one-parent"}),
    VerdictClass.OTHER_COORDINATES: frozenset({"other-coordinates"}),
    VerdictClass.UNRELATED: frozenset({"unrelated"}),
}
MOST_BITS = 0.9  # far below what the rules ask for, since those look at a part of the weights
ROUNDING = 1e-9


def contradictions(report: Report) -> Iterator[str]:
    """Every two things of the report that cannot both be so, in words; nothing where it agrees with itself."""
    labels = [one.label for one in report.inputs if one.role in ("parent", "reference")]
    yield from _verdict(report, labels)
    yield from _mixing(report.mixing, labels)
    yield from _recipe(report, labels)
    yield from _method(report, labels)
    yield from _rows(report)


def _verdict(report: Report, parents: list[str]) -> Iterator[str]:
    verdict, bits = report.verdict, report.reproduction.bit_equal
    if verdict.class_ in RULES and verdict.rule not in RULES[verdict.class_]:
        yield f"the verdict {verdict.class_} never comes from the rule {verdict.rule!r}"
    if verdict.parent is not None and verdict.class_ is not VerdictClass.INCONCLUSIVE and verdict.parent not in parents:
        yield f"the verdict is about {verdict.parent}, which is no parent of the report"
    if (
        verdict.class_ in (VerdictClass.COPY, VerdictClass.SAME_ORIGIN, VerdictClass.OTHER_COORDINATES)
        and verdict.parent is None
    ):
        yield f"the verdict is {verdict.class_}, of no parent"
    equal = report.overall.equal.get(verdict.parent or "")
    if verdict.rule == "identical" and (equal or 0) < MOST_BITS * (verdict.share or 1):
        yield f"the verdict is copy, but the bits equal to {verdict.parent}'s are {_said(equal)}"
    if verdict.rule == "reproduced" and (bits or 0) < MOST_BITS:
        yield f"the verdict {verdict.class_} rests on a recipe that gives the bits, but bit_equal is {_said(bits)}"
    if verdict.class_ is VerdictClass.UNRELATED and (bits or 0) >= MOST_BITS:
        yield f"the verdict is unrelated, but a recipe of the parents gives {_said(bits)} of the bits"
    recipe, one_recipe = report.reproduction.recipe, len(report.reproduction.groups) == 1
    if verdict.rule == "reproduced" and one_recipe and recipe is not None and recipe not in verdict.summary:
        yield f"the summary of the verdict does not name the recipe, {recipe}"


def _method(report: Report, parents: list[str]) -> Iterator[str]:
    method, verdict = report.method, report.verdict
    if (verdict.rule == "method") > (method is not None):
        yield "the verdict rests on a merge method, but none is named"
    if method is None:
        return
    if not {*method.parents, *([method.base] if method.base else [])} <= set(parents):
        yield f"{method.words} names models that are no parents of the report"
    if verdict.rule == "method" and method.bit_equal < MOST_BITS:
        yield f"the verdict rests on a method that gives the bits, but bit_equal is {_said(method.bit_equal)}"
    if verdict.rule == "method" and method.words not in verdict.summary:
        yield f"the summary of the verdict does not name the method, {method.words}"


def _mixing(mixing: Mixing, parents: list[str]) -> Iterator[str]:
    yield from _inside("mixing", mixing.alpha, mixing.low, mixing.high)
    for one in mixing.coefficients:
        yield from _inside(f"the coefficient of {one.parent}", one.alpha, one.low, one.high)
    named = [one.parent for one in mixing.coefficients]
    if mixing.coefficients and named != parents[:-1]:
        yield f"the coefficients are those of {', '.join(named)}, the parents beside the reference are others"
    elif mixing.coefficients:
        first = mixing.coefficients[0]
        for key in ("alpha", "low", "high"):
            if getattr(mixing, key) != getattr(first, key):
                yield f"mixing.{key} is {getattr(mixing, key)}, that of {first.parent} is {getattr(first, key)}"


def _inside(name: str, alpha: float | None, low: float | None, high: float | None) -> Iterator[str]:
    if alpha is None or low is None or high is None:
        return
    if not low - ROUNDING <= alpha <= high + ROUNDING:
        yield f"alpha of {name} is {alpha}, outside its interval [{low}, {high}]"


def _recipe(report: Report, parents: list[str]) -> Iterator[str]:
    made = report.reproduction
    if made.recipe is None:
        if made.groups or made.yaml is not None or made.bit_equal is not None:
            yield "there is no recipe, but weights, a config or a share of bits of one"
        return
    best = made.candidates[0] if made.candidates else None
    if best is None or best.description != made.recipe:
        yield f"the recipe is {made.recipe}, the best candidate {best.description if best else 'missing'}"
    else:
        for key in ("arithmetic", "groups", "bit_equal", "elements"):
            if getattr(best, key) != getattr(made, key):
                yield f"{key} of the recipe is not that of the best candidate"
    for group in made.groups:
        if list(group.weights) != parents:
            yield f"the recipe weighs {', '.join(group.weights)}, the parents are {', '.join(parents)}"
            return
    if made.recipe != (written := _written(made.groups)):
        yield f"the recipe is {made.recipe}, its weights say {written}"
    if report.overall.bit_equal is not None and report.overall.bit_equal != made.bit_equal:
        yield f"bit_equal of the recipe is {made.bit_equal}, of all tensors {report.overall.bit_equal}"
    yield from _weights(report)
    yield from _config(made, {one.location: one.label for one in report.inputs})


def _written(groups: tuple[RecipeGroup, ...]) -> str:
    """The recipe in words, as `compare` writes it from its weights."""
    words = [weighting(one.weights.values(), one.weights) for one in groups]
    if len(words) == 1:
        return words[0]
    return "; ".join(f"{said} in {one.tensors}" for said, one in zip(words, groups, strict=True))


def _weights(report: Report) -> Iterator[str]:
    """The proportion against the recipe, where one recipe gives every bit and the interval is that of all of them."""
    groups, mixing = report.reproduction.groups, report.mixing
    if (
        report.verdict.rule != "reproduced"
        or mixing.method not in ("same bits", "rounding interval")
        or len(groups) != 1
    ):
        return
    if abs(sum(groups[0].weights.values()) - 1) > ROUNDING:
        return
    for one in mixing.coefficients:
        weight = groups[0].weights.get(one.parent)
        if weight is None or one.low is None or one.high is None or one.alpha is None:
            continue
        if abs(weight - one.alpha) > max(one.high - one.low, 0.001):
            yield f"alpha of {one.parent} is {one.alpha}, its weight in the recipe {weight}"


def _config(made: Reproduction, labels: Mapping[str, str]) -> Iterator[str]:
    """The recipe's config against its weights and its share of bits."""
    from modelprov.recipes.reading import parse

    if made.yaml is None or not made.groups:
        return
    try:
        recipe = parse(made.yaml)
        weights = {labels.get(one.model): one.parameters["weight"] for one in recipe.models}
    except (UsageError, KeyError):
        yield "the config of the recipe (reproduction.yaml) is not what `compare` writes"
        return
    # A place that the inputs do not name, or name twice, says nothing of whose weight it is.
    told = None not in weights and len(weights) == len(recipe.models)
    if told and weights != made.groups[0].weights:
        yield "the config of the recipe (reproduction.yaml) has other models or weights than the recipe"
    bits = recipe.modelprov.bit_equal
    if bits != made.bit_equal:
        yield f"the config of the recipe (reproduction.yaml) gives bit_equal {bits}, the recipe {made.bit_equal}"


def _rows(report: Report) -> Iterator[str]:
    rows: tuple[Measures, ...] = (report.overall, *report.components, *report.layers, *report.cells, *report.tensors)
    for row in rows:
        yield from _inside(row.name, row.alpha, row.low, row.high)
    shares = {"coverage.share": report.coverage.share, "coverage.read_share": report.coverage.read_share}
    shares |= {"verdict.share": report.verdict.share or 0.0}
    shares |= {"bit_equal": report.reproduction.bit_equal or 0.0}
    for name, share in shares.items():
        if not 0 <= share <= 1 + ROUNDING:
            yield f"{name} is {share}, not between 0 and 1"
    if report.coverage.read_share > report.coverage.share + ROUNDING:
        yield "more was read than compared (coverage)"
    if (report.verdict.share or 0.0) > report.coverage.share + ROUNDING:
        yield "the verdict is about more than was compared (verdict.share, coverage.share)"


def _said(share: float | None) -> str:
    return "not known" if share is None else f"{share:.2%}"
