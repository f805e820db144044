"""What may be said of a suspect near one parent whose numbers are few: as a quantiser packed them, or unpacked again.

Numbers that are the nearest to what was there show whose they were: a parent's, or a mixture's, if all of its values
lie in their cells. Where roundings were corrected (GPTQ, AWQ) or drawn, or the form is not known, nothing bounds what
was there: within a step may be the parent itself, a relative or a mixture. That is no accusation and no all-clear.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.types import Packing
from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.results import Beyond, VerdictClass
from modelprov.forensics.thresholds import NEARLY_ALL

UNBOUNDED = (
    "its numbers are not known to be the nearest to what they were made from, so that nothing bounds what was there: "
    "no share is given"
)
NEAR = ("near-one-parent", "near-copy")
LOOKS_SO = "a copy with its roundings corrected, a near relative, or a mixture with little of another looks like this"


def in_few_bits(decision: Decision, facts: Facts, beyond: Beyond | None, labels: Sequence[str]) -> Decision:
    """The decision, or what few numbers leave of it; `labels` of all arguments.

    Where few steps hide the parents' shares, one parent that has the same numbers everywhere is still named.
    """
    packing = facts.packed[0] if facts.packed else None
    if decision.class_ is VerdictClass.ON_LINE and packing is None and beyond is not None and beyond.lattice:
        return beside_finer(decision, facts, labels)
    hidden = decision.rule == "shared-direction" and beyond is not None and len(beyond.same_steps) == 1
    if decision.rule not in NEAR and not hidden:
        return decision
    if beyond is not None and beyond.same_steps and _neither(beyond) == 0:
        rest = f", and {beyond.as_stored} others hold its numbers as they are" if beyond.as_stored else ""
        return inconclusive(
            "rounded",
            f"in {beyond.lattice} those of {beyond.same_steps[0]} are the same in {beyond.lattice_matrices} of "
            f"{beyond.matrices} matrices read{rest}",
            list(labels).index(beyond.same_steps[0]),
        )
    open_ = "" if hidden else _why_open(packing, beyond, labels, labels[decision.parent or 1])
    return inconclusive("quantised", open_, decision.parent or 1) if open_ else decision


def beside_finer(decision: Decision, facts: Facts, labels: Sequence[str]) -> Decision:
    """The decision on a suspect of few numbers, but where a parent may have been made around it: in finer numbers."""
    finer = [each.shows in (DType.F32, DType.F64) for each in facts.precision[1:]]
    if not any(finer) or (facts.exact and not all(finer)):
        return decision
    return inconclusive(
        "quantised",
        f"{labels[finer.index(True) + 1]} holds numbers of float32 precision, which can be made from the suspect "
        "so that it lies between them; only the bits that a quantiser took would tell",
        finer.index(True) + 1,
    )


def _why_open(packing: Packing | None, beyond: Beyond | None, labels: Sequence[str], parent: str) -> str:
    """Why few numbers allow no all-clear beside a parent; nothing where they do."""
    if packing is not None and not packing.nearest:
        return f"in {packing.format} {UNBOUNDED}, and {LOOKS_SO}"
    if beyond is None or beyond.lattice is None:
        return ""
    where = (
        f"its values are rounded to {beyond.lattice} in {beyond.lattice_matrices} of {beyond.matrices} matrices read"
    )
    if beyond.same_steps and _is_whole(beyond):
        return (
            f"{where}, and those of {' and of '.join(beyond.same_steps)} round to the same; but the values of "
            f"{_neither(beyond)} others are neither rounded nor its own, which a copy's would be: a near relative, or "
            "a copy that was trained there, looks like this"
        )
    if beyond.mixture_same_steps:
        return f"{where}, and those of a mixture of {' and '.join(labels[1:])} round to the same"
    if packing is None and parent in beyond.within_steps:
        return f"{where}, which puts them no further from those of {parent} than a step: {LOOKS_SO}"
    if beyond.as_stored and _is_whole(beyond):
        return f"{where}, and the others are a parent's, bit for bit: {LOOKS_SO}"
    return ""


def _neither(beyond: Beyond) -> int:
    """Matrices that hold no few numbers and are no parent's as they stand."""
    return beyond.matrices - beyond.lattice_matrices - beyond.as_stored


def _is_whole(beyond: Beyond) -> bool:
    """Whether nearly all matrices hold few numbers or are a parent's as they stand."""
    return _neither(beyond) <= (1 - NEARLY_ALL) * beyond.matrices
