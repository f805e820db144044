"""What the search for methods found, as a claim: held to the standard of exact recipes, in words, as a recipe.

The rule `method`: computed again in every decisive tensor that was read whole, it gives the bits (the thresholds are
those of rule `reproduced`). Rule `extrapolated` goes before it: a parent that was made from the suspect gives the bits
as well, and shows in the rounding, or is so fine that it could.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.found_recipe import formats
from modelprov.forensics.judging.rows import Table
from modelprov.forensics.mixing import NamedMethod
from modelprov.forensics.results import Evidence, Verdict, VerdictClass
from modelprov.forensics.thresholds import CENTRED, DISTINCT, MISSED, REPRODUCED, SHUFFLED, SURVIVORS
from modelprov.recipes.recipe import Extension, Recipe, SourceModel
from modelprov.shares import floor_percent

if TYPE_CHECKING:
    from modelprov.forensics.search.methods.find import FoundMethod
    from modelprov.forensics.search.methods.remake import Made

MIXED = 2  # parents that numbers of the suspect have to be mixed of
LATER = frozenset(
    {
        "no-evidence", "unrelated", "coordinates-open", "layers-elsewhere", "matrices-elsewhere", "other-coordinates",
        "weak-kinship", "other-child", "extrapolated", "ties", "whole-parts", "partial",
        "scaled", "recoded",
    }
)  # fmt: skip
"""Rules after which no method is looked for: no kin, or what speaks against a line speaks against every method."""

MADE_FOR_IT = (
    "before the last rounding the method's result falls back nearer to the suspect's numbers than rounding a merge "
    "puts it, as where that parent was made from the suspect"
)
TOO_FINE = (
    "a parent holds finer numbers than the suspect and could have been made to fit; whether it was, too few elements "
    "tell, or the arithmetic rounds at every step"
)


PICKED = (
    "hardly a number of the suspect is a mixture of two parents: they are one parent's or another's, or hang on one "
    "alone, so that a parent made from the suspect gives the bits as well, and nothing in the rounding tells which "
    "came first"
)


STACKS = "stacked matrices that were merged as one, which `verify` does only where the parents' files stack them"


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
        computed = found.remade is not None and found.remade.computed
        return computed and found.distinct >= DISTINCT and found.by_chance <= SHUFFLED
    return (
        found is not None
        and found.bits.share >= REPRODUCED
        and found.distinct >= DISTINCT
        and found.bits.missed <= MISSED * found.distinct
        and found.whole == found.tensors
    )


def claim(found: FoundMethod | None, given: Iterable[int]) -> FoundMethod | None:
    """The method where it may be claimed: it was tried on more than the tensors `given`, whose bits a recipe gives.

    One of random masks comes too where it may not, as it leaves open what else would be said.
    """
    if found is None or not (claimed(found) or found.by_chance is not None):
        return None
    return None if found.rows and set(found.rows) <= set(map(int, given)) else found


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
        stacks=found.stacks,
        small=found.small,
        small_whole=found.small_whole,
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
    from modelprov.recipes.methods import METHODS
    from modelprov.recipes.methods.interface import THREADS

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
            arithmetic=made.arithmetic,
            bit_equal=found.bits.equal / found.bits.elements,
            stored_as=stored_as,
            threads=None if made.threads == THREADS else made.threads,
        ),
    )


def decision_of(decision: Decision, found: FoundMethod | None) -> Decision:
    """A merge by rule `method` where the claim holds and no parent was made for it, else what was decided before.

    What looks like a random choice, and is not computed by a known program to the bit, is open.
    """
    if found is None:
        return decision
    if claimed(found):
        return _carried_on(found) or Decision(VerdictClass.MERGE, "method")
    if found.by_chance is None or decision.class_ not in (VerdictClass.SAME_ORIGIN, VerdictClass.INCONCLUSIVE):
        return decision
    return inconclusive("thinned", _looks_thinned(found), decision.parent)


def _looks_thinned(found: FoundMethod) -> str:
    """Why no method is named for what looks like one of random masks."""
    said = f"{floor_percent(found.bits.share)} of the changes that can tell are a parent's at another size or none, as "
    said += "where chance kept a share (DARE, DELLA) and where training moved a random part of the weights"
    if found.remade is None or found.remade.told < SURVIVORS:
        return f"{said}; too few are fine enough for their bits to tell which"
    if not found.remade.computed:
        return (
            f"{said}; {floor_percent(found.remade.share)} of {found.remade.told:,} fine enough to tell hold bits of "
            "a known program, of such a merge nearly all would"
        )
    return f"{said}; they are of so few sizes that any choice explains many"


def _carried_on(found: FoundMethod) -> Decision | None:
    """That a parent falls back on the suspect when the method is applied, or is too fine for that to be excluded."""
    centred = [middle for middle in found.middles if middle.share >= CENTRED]
    if centred:  # of two that show it, the one that holds finer numbers had them made
        nearest = max(centred, key=lambda middle: (middle.finer, middle.share))
        return Decision(VerdictClass.INCONCLUSIVE, "extrapolated", nearest.parent + 1, MADE_FOR_IT)
    finer = [middle for middle in found.middles if middle.finer]
    if finer and not any(middle.told for middle in finer):
        return Decision(VerdictClass.INCONCLUSIVE, "extrapolated", None, TOO_FINE)
    if sum(middle.told for middle in found.middles) < MIXED:
        return Decision(VerdictClass.INCONCLUSIVE, "picked", None, PICKED)
    return None


def told_open(verdict: Verdict, found: FoundMethod, decision: Decision, labels: Sequence[str]) -> Verdict:
    """The verdict where a method gives the bits and a parent may have been made for it; `labels` suspect first."""
    suspect = labels[0]
    made = "" if decision.parent is None else f" {labels[decision.parent]} may have been made from {suspect}:"
    summary = (
        f"{suspect} comes out again as {in_words(found.made, labels[1:])}, but whether it was made so the weights do "
        f"not settle:{made} {decision.reason}."
    )
    return verdict.model_copy(update={"summary": summary})


def told(verdict: Verdict, method: NamedMethod, suspect: str) -> Verdict:
    """The verdict with what the method says: its name first, then what was computed again."""
    if method.by_chance is not None:
        return _told_of_chance(verdict, method, suspect, method.by_chance)
    bits = "every bit" if method.bit_equal == 1 else f"{floor_percent(method.bit_equal)} of the bits"
    others = f" {' and '.join(method.alternatives)} would give as much." if method.alternatives else ""
    evidence = Evidence(
        measure=f"bits reproduced by {method.words} in {method.arithmetic} arithmetic, matrices read whole",
        value=floor_percent(method.bit_equal),
        elements=method.elements,
        null="no method reproduces a trained model",
    )
    summary = (
        f"{suspect} is {method.words}. Computed again ({method.arithmetic} arithmetic) in {_counted(method)}, it gives "
        f"{bits}{_small(method)}: the method explains the weights, not who made which file.{others}"
    )
    return verdict.model_copy(update={"summary": summary, "rests_on": (evidence, *verdict.rests_on)})


def _counted(method: NamedMethod) -> str:
    """Which tensors were computed again, of those that carry a verdict."""
    matrices = "matrix" if method.recomputed == 1 else "matrices"
    stacks = "" if not method.stacks else f" ({method.stacks:,} of them {STACKS})"
    if method.share == 1:
        return (
            f"the only {matrices}{stacks}"
            if method.recomputed == 1
            else f"all {method.recomputed:,} {matrices}{stacks}"
        )
    return f"{method.recomputed:,} {matrices}{stacks}, {floor_percent(method.share)} of the matrix weights"


def _small(method: NamedMethod) -> str:
    """Whether norms and the like come out too, which were not counted."""
    if not method.small:
        return ""
    if method.small_whole == method.small:
        return f", as it does in the {method.small:,} norms and other small tensors"
    return f" (of {method.small:,} norms and other small tensors, which are not counted, in {method.small_whole:,})"


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
