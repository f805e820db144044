"""Puts a decision into words: the summary, what it rests on, what it does not show. Numbers come from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.grounds import grounds, nulls
from modelprov.forensics.judging.histories import histories
from modelprov.forensics.judging.unread import left_open, recipe_left_open
from modelprov.forensics.judging.unsettled import left_unsettled, roles
from modelprov.forensics.judging.verdict import held
from modelprov.forensics.mixing import Mixing, Reproduction
from modelprov.forensics.results import AfterMerge, Control, Verdict, VerdictClass
from modelprov.forensics.thresholds import ASTRAY, HALF, NO_SHARE, REPRODUCED
from modelprov.shares import floor_percent

WHO = "who made the weights, how the parents came to be used, or with what intent and permission"
TASK_VECTOR = (
    "whether this was made as a merge with {reference} or as a scaled task vector: if {reference} is the base of "
    "{parent}, the two are the same weights"
)
VECTORS = "norm weights and biases are listed but carry no weight in the verdict"


def verdict(
    decision: Decision, facts: Facts, mixing: Mixing, reproduction: Reproduction, after: AfterMerge,
    labels: Sequence[str], controls: tuple[Control, ...],
) -> Verdict:  # fmt: skip
    """The decision with its words; `labels` of all checkpoints, suspect first."""
    return Verdict(
        class_=decision.class_,
        summary=_summary(decision, facts, mixing, reproduction, after, labels) + _undone(facts),
        rule=decision.rule,
        share=facts.compared * held(decision, facts),
        parent=labels[decision.parent]
        if decision.parent and decision.class_ is not VerdictClass.INCONCLUSIVE
        else None,
        reason=decision.reason,
        histories=histories(decision, facts, labels),
        rests_on=tuple(grounds(facts, mixing, reproduction, after, labels, controls)),
        controls=controls + nulls(facts, mixing),
        does_not_show=_limits(decision, labels),
        roles=roles(facts.between, labels),
    )


def _summary(
    decision: Decision, facts: Facts, mixing: Mixing, reproduction: Reproduction, after: AfterMerge,
    labels: Sequence[str],
) -> str:  # fmt: skip
    kind, suspect = decision.class_, _compared(facts, labels[0])
    alone = " A merge was not tested: that takes a second parent." if len(labels) == 2 else ""
    parent = labels[decision.parent] if decision.parent else ""
    if kind is VerdictClass.COPY:
        copied = _copied(facts, suspect, labels[0], parent, decision.parent or 1)
        return f"{copied}{_alike(decision, facts, labels)}{left_open(facts)}{alone}"
    if kind is VerdictClass.MERGE:
        merged = _merge_summary(decision, facts, mixing, reproduction, [suspect, *labels[1:]])
        return f"{merged}{recipe_left_open(decision, facts, reproduction)}"
    if kind is VerdictClass.ON_LINE:
        return _line_summary(decision, facts, after, reproduction, [suspect, *labels[1:]])
    if kind is VerdictClass.OTHER_COORDINATES:
        return (
            f"{suspect} is related to {parent}, in other coordinates: {decision.reason}. Who came first, and what else "
            f"was done, is open.{alone}"
        )
    if kind is VerdictClass.SAME_ORIGIN:
        return (
            f"{suspect} shares its origin with {parent}; who came first is open.{_same_bits(decision, facts, labels)}"
            f"{_others(decision, facts, labels)}{alone}"
        )
    if kind is VerdictClass.UNRELATED:
        return f"{suspect} shares no more with {' or '.join(labels[1:])} than independently trained models do.{alone}"
    return left_unsettled(decision, facts, labels, alone)


def _copied(facts: Facts, suspect: str, label: str, parent: str, number: int) -> str:
    """Of how much the suspect is a copy, and what differs."""
    precision = f"to the precision that {label} holds"
    if facts.alike == 1:
        return f"{suspect} is a copy of {parent}: the same numbers, {precision}; who copied whom is open."
    if facts.equal and facts.equal[number - 1] < 1:
        return (
            f"{suspect} is a copy of {parent} but for single numbers: {floor_percent(facts.alike)} of the weights "
            "compared are the same ones; who copied whom is open."
        )
    return (
        f"All matrices of {suspect} of at least 16 × 16 are those of {parent}, {precision}, which makes "
        f"{floor_percent(facts.alike)} of the weights compared; only smaller ones, norms, biases or the like differ. "
        "Who copied whom is open."
    )


def _undone(facts: Facts) -> str:
    """What was undone before anything else was measured."""
    if facts.paired is None or not facts.paired.undone:
        return ""
    kept = "no bit was lost in it" if facts.paired.exact else "what is left of the weights is rounded anew"
    return f" Undone first: {'; '.join(facts.paired.undone)} ({kept})."


def _compared(facts: Facts, suspect: str) -> str:
    """The suspect, or as much of it as a sentence may be about."""
    return suspect if facts.compared == 1 else f"The {floor_percent(facts.compared)} of {suspect} that can be compared"


def _alike(decision: Decision, facts: Facts, labels: Sequence[str]) -> str:
    """That other parents have the same matrices, so that the one named is one of several."""
    others = [labels[parent] for parent in facts.identical if parent != decision.parent]
    return (
        f" The matrices of {' and '.join(others)} are the same ones, so it may come from there as well."
        if others
        else ""
    )


def _same_bits(decision: Decision, facts: Facts, labels: Sequence[str]) -> str:
    """What is the very same: how much, where that is most of it, and which components as a whole."""
    nearest = decision.parent or 1
    share = facts.equal[nearest - 1] if facts.equal else 0.0
    said = f" {floor_percent(share)} of the matrix weights compared are those of {labels[nearest]}, bit for bit."
    read = " read" if facts.may_differ else ""
    whole = [(names, labels[parent]) for parent, names in enumerate(facts.whole, 1) if names]
    parts = "".join(f" All bits{read} of its {' and '.join(names)} are those of {label}." for names, label in whole)
    return (said if share >= HALF else "") + parts


def _others(decision: Decision, facts: Facts, labels: Sequence[str]) -> str:
    """What a finetune has of the parents it was not trained from."""
    shares = [
        (weight, label)
        for number, (weight, label) in enumerate(zip(facts.weights or (), labels[1:], strict=False), 1)
        if number != decision.parent
    ]
    if not shares:
        return ""
    astray = any((share or 0) > ASTRAY for share in facts.towards)
    if not astray and all(abs(weight) < NO_SHARE for weight, _ in shares):
        none = " or ".join(label for _, label in shares)
        return f" The best fit gives no weight to {none}; methods that pick weights can hide one."
    fitted = " and ".join(f"{weight:.2f} of {label}" for weight, label in shares)
    return f" The best fit has {fitted} in it, but the suspect is not on a line to there."


def _merge_summary(
    decision: Decision, facts: Facts, mixing: Mixing, reproduction: Reproduction, labels: Sequence[str]
) -> str:
    suspect, parents = labels[0], " and ".join(labels[1:])
    if decision.rule == "partly-exact":
        reproduced = (facts.bit_equal or 0) >= REPRODUCED and reproduction.recipe and len(reproduction.groups) == 1
        exact = f"exactly {reproduction.recipe}" if reproduced else f"an exact merge of {parents}"
        return (
            f"{floor_percent(facts.explained)} of the matrix weights of {suspect} are {exact}; the rest was changed "
            "afterwards, comes from elsewhere or was computed in a way that was not tried."
        )
    if decision.rule == "reproduced" and reproduction.recipe:
        pieces = len(reproduction.groups)
        recipe = f"a merge in {pieces} pieces of {parents}" if pieces > 1 else reproduction.recipe
        programs = f" (as {reproduction.programs}, among others)" if reproduction.programs else ""
        arithmetic = f"Recomputing this merge in {reproduction.arithmetic} arithmetic{programs} gives"
        if reproduction.bit_equal == 1:
            return (
                f"{suspect} is {recipe}. {arithmetic} every bit again: the recipe explains every bit, not who made "
                f"which file.{_made_from(facts, labels)}"
            )
        return (
            f"{suspect} is {recipe}. {arithmetic} {floor_percent(reproduction.bit_equal)} of the weights again; the "
            "few others were changed afterwards, or merged by other weights or in another way."
            f"{_made_from(facts, labels)}"
        )
    if facts.pieces > 1:
        made = f"a merge of {parents} in {facts.pieces} pieces: one weighting for each"
    elif mixing.low is not None and mixing.high is not None:
        made = f"a merge of {parents}: one weighting, with {mixing.low:.7g} to {mixing.high:.7g} of {labels[1]},"
    else:
        made = f"a merge of {parents}: one weighting"
    return (
        f"{suspect} is {made} fits every weight of the sample to within rounding. Which program's arithmetic made it "
        "was not identified."
    )


def _made_from(facts: Facts, labels: Sequence[str]) -> str:
    """A parent that has no part in the recipe and was, as far as its rounding can tell, made from the suspect."""
    if facts.made_from is None:
        return ""
    return (
        f" {labels[facts.made_from]} has no part in it: to its own rounding it is {labels[0]} carried on beyond another"
        " model, as a file made from it is."
    )


def _line_summary(
    decision: Decision, facts: Facts, after: AfterMerge, reproduction: Reproduction, labels: Sequence[str]
) -> str:
    suspect, weights = labels[0], facts.weights or ()
    mixed = [(weight, label) for weight, label in zip(weights, labels[1:], strict=True) if abs(weight) >= NO_SHARE]
    without = [label for weight, label in zip(weights, labels[1:], strict=True) if abs(weight) < NO_SHARE]
    parents = " and ".join(label for _, label in mixed)
    none = f" ({' and '.join(without)} {'has' if len(without) == 1 else 'have'} no share)" if without else ""
    place = f"the line between {parents}{none}" if len(mixed) == 2 else f"the plane through {parents}{none}"
    parts = " + ".join(f"{weight:.3f} × {label}" for weight, label in mixed)
    beside = "a little" if after.sigma_relative is None else "no more than rounding"
    if after.sigma_relative:
        beside = f"{100 * after.sigma_relative:.2g} % of their distance"
    if decision.rule == "traced" and facts.trace is not None:
        kept = facts.trace.kept / facts.trace.telling
        return (
            f"{suspect} lies near {place}, at {reproduction.recipe}, with {beside} beside it, and is rounded as this "
            f"merge is: where {reproduction.arithmetic} arithmetic gives another number than the plain mixture, "
            f"{floor_percent(kept)} of the weights that hold either hold that one. Training alone leaves no such "
            "trace; a merge that was changed afterwards does, and a model that was multiplied by a factor."
        )
    return (
        f"{suspect} lies on {place}, at {parts}, with {beside} beside it. A merge that was trained afterwards lies "
        "so, and so do models that nobody merged: the weights alone do not tell them apart."
    )


def _limits(decision: Decision, labels: Sequence[str]) -> tuple[str, ...]:
    limits = [WHO]
    if decision.class_ in (VerdictClass.MERGE, VerdictClass.ON_LINE) and decision.rule != "method":
        limits.append(TASK_VECTOR.format(reference=labels[-1], parent=labels[1]))
    if decision.class_ is VerdictClass.ON_LINE:
        limits.append("that anything was merged, or what happened first: see the histories that fit")
    if decision.class_ is VerdictClass.SAME_ORIGIN:
        limits.append(
            f"the order in time: {labels[decision.parent or 1]} could also have been trained from {labels[0]}, or both "
            "from a third checkpoint"
        )
        if len(labels) == 2:
            limits.append("a merge with a model that was not given: name it as a further parent")
    if decision.class_ is VerdictClass.UNRELATED:
        limits.append(
            "reuse that leaves no trace in weights at the same place: distillation, or other coordinates that also "
            "change the sizes of rows and columns"
        )
    if decision.class_ is VerdictClass.MERGE:
        limits.append(
            "which file was made first: whoever holds the suspect and one parent can make another parent so that the "
            "suspect comes out as their mixture, and a patient maker can hide it in the rounding"
        )
    if decision.class_ is VerdictClass.COPY:
        limits.append("anything outside the weights: prompt, tokenizer, code")
    return (*limits, VECTORS)
