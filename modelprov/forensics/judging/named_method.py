"""What the search for methods found, as a claim: held to the standard of exact recipes, in words, as a recipe.

The rule `method`: computed again in every decisive tensor that was read whole, it gives the bits (the thresholds are
those of rule `reproduced`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelprov.forensics.judging.found_recipe import formats
from modelprov.forensics.judging.rows import Table
from modelprov.forensics.judging.verdict import Decision, by_method
from modelprov.forensics.results import Evidence, NamedMethod, Verdict, VerdictClass
from modelprov.forensics.search.methods.find import FoundMethod
from modelprov.forensics.search.methods.remake import Made
from modelprov.forensics.thresholds import DISTINCT, HALF, MISSED, REPRODUCED
from modelprov.recipes.methods import METHODS
from modelprov.recipes.recipe import Extension, Recipe, SourceModel
from modelprov.shares import floor_percent

LATER = frozenset(
    {
        "no-evidence", "unrelated", "coordinates-open", "other-coordinates", "weak-kinship", "other-child",
        "extrapolated", "ties", "whole-parts", "partial",
    }
)  # fmt: skip
"""Rules after which no method is looked for: no kin, or what speaks against a line speaks against every method."""


def open_to_methods(decision: Decision, parents: int) -> bool:
    """Whether a method may explain what no weighted sum does."""
    settled = decision.class_ in (
        VerdictClass.COPY,
        VerdictClass.MERGE,
        VerdictClass.UNRELATED,
        VerdictClass.OTHER_COORDINATES,
    )
    return parents > 1 and (not settled or decision.rule == "partly-exact") and decision.rule not in LATER


def claimed(found: FoundMethod | None) -> bool:
    """Whether the bits are enough to say so."""
    if found is not None and found.by_chance is not None:  # what a mask explains was held to a share in the search
        return found.distinct >= DISTINCT and found.by_chance <= HALF
    return (
        found is not None
        and found.bits.share >= REPRODUCED
        and found.distinct >= DISTINCT
        and found.bits.missed <= MISSED * found.distinct
        and found.whole == found.tensors
    )


def named(found: FoundMethod, table: Table, locations: Sequence[str]) -> NamedMethod:
    """The record of a claim; `locations` are the parents', in their order."""
    labels, made = table.labels[1:], found.made
    decisive = sum(tensor.count for tensor in table.tensors if tensor.decisive)
    return NamedMethod(
        name=made.method,
        words=in_words(made, labels),
        parents=tuple(labels[model] for model in made.models),
        base=None if made.base is None else labels[made.base],
        parameters={labels[model]: dict(own) for model, own in zip(made.models, made.each, strict=False) if own},
        options=dict(made.options),
        arithmetic=made.arithmetic,
        bit_equal=found.bits.equal / found.bits.elements,
        elements=found.bits.elements,
        tensors=found.whole,
        recomputed=found.tensors,
        share=found.bits.elements / decisive if decisive else 0.0,
        by_chance=found.by_chance,
        alternatives=tuple(in_words(other, labels) for other in found.others),
        yaml=_recipe(found, table, locations).as_yaml(),
    )


def in_words(made: Made, labels: Sequence[str]) -> str:
    """A merge in one line: `slerp of a and b on c (t 0.35)`."""
    weights = [f"{labels[model]}{_settings(own)}" for model, own in zip(made.models, _each(made), strict=True)]
    base = "" if made.base is None else f" on {labels[made.base]}"
    return f"{made.method} of {' and '.join(weights)}{base}{_settings(made.options)}"


def _each(made: Made) -> Sequence[Mapping[str, Any]]:
    return made.each or ({},) * len(made.models)


def _settings(given: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name} {_value(value)}" for name, value in given.items())
    return f" ({said})" if said else ""


def _value(value: Any) -> str:
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return "; ".join(f"{_value(item['value'])} in {item.get('filter', 'the rest')}" for item in value)
        return f"[{', '.join(_value(item) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else f"{value:.7g}"


def _recipe(found: FoundMethod, table: Table, locations: Sequence[str]) -> Recipe:
    """What `merge` and `verify` take; methods of two models name the base among them, as mergekit wants it."""
    made = found.made
    sources = [
        SourceModel(model=locations[model], parameters=dict(own))
        for model, own in zip(made.models, _each(made), strict=True)
    ]
    if made.base is not None and METHODS[made.method].most == 1:
        sources.insert(0, SourceModel(model=locations[made.base]))
    stored_as, out_dtype = formats(table)
    return Recipe(
        merge_method=made.method,
        models=tuple(sources),
        base_model=None if made.base is None else locations[made.base],
        parameters=dict(made.options),
        dtype=None if made.dtype is None else made.dtype.torch_name,
        out_dtype=out_dtype,
        modelprov=Extension(
            arithmetic=made.arithmetic, bit_equal=found.bits.equal / found.bits.elements, stored_as=stored_as
        ),
    )


def decision_of(decision: Decision, found: FoundMethod | None) -> Decision:
    """A merge by rule `method` where the claim holds, else what was decided before."""
    return by_method() if claimed(found) else decision


def told(verdict: Verdict, method: NamedMethod, suspect: str) -> Verdict:
    """The verdict with what the method says: its name first, then what was computed again."""
    if method.by_chance is not None:
        return _told_of_chance(verdict, method, suspect, method.by_chance)
    of = "every tensor" if method.share == 1 else f"{floor_percent(method.share)} of the matrix weights"
    bits = "every bit" if method.bit_equal == 1 else f"{floor_percent(method.bit_equal)} of the bits"
    others = f" {' and '.join(method.alternatives)} would give as much." if method.alternatives else ""
    evidence = Evidence(
        measure=f"bits reproduced by {method.words} in {method.arithmetic} arithmetic, matrices read whole",
        value=floor_percent(method.bit_equal),
        elements=method.elements,
        null="no method reproduces a trained model",
    )
    summary = (
        f"{suspect} is {method.words}. Computed again in {of} ({method.arithmetic} arithmetic) it gives {bits}: the "
        f"method explains the weights, not who made which file.{others}"
    )
    return verdict.model_copy(update={"summary": summary, "rests_on": (evidence, *verdict.rests_on)})


def _told_of_chance(verdict: Verdict, method: NamedMethod, suspect: str, by_chance: float) -> Verdict:
    """The same of a method whose masks are random: what the survivors hold."""
    evidence = Evidence(
        measure=f"changed elements that are what {method.words} makes of some mask, among those that tell, to within "
        "the rounding of its steps",
        value=floor_percent(method.bit_equal),
        elements=method.elements,
        null=f"{by_chance:.1%} after shuffling",
    )
    summary = (
        f"{suspect} is {method.words}: a random choice of elements, so no recipe gives its bits again, but "
        f"{floor_percent(method.bit_equal)} of the {method.elements:,} changed elements that can tell are what some "
        f"choice makes of them (shuffled: {by_chance:.1%}), in the same shares in {method.tensors} matrices. Shares "
        "and weights are estimates; who made which file is open."
    )
    return verdict.model_copy(update={"summary": summary, "rests_on": (evidence, *verdict.rests_on)})
