"""From sums and fits to findings: gathers the facts, lets the rules decide, fills every section of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.plan import Int64
from modelprov.checkpoints.types import AlignedTensor, Packing
from modelprov.forensics.judging import rows, stacked, wording
from modelprov.forensics.judging.altered import in_view_of_values
from modelprov.forensics.judging.beyond import beyond_zeros, in_view_of
from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.evidence import Evidence
from modelprov.forensics.judging.facts import Facts, PairedUnits
from modelprov.forensics.judging.few_bits import in_few_bits
from modelprov.forensics.judging.gathering import explained_rows, gather, whole_rows
from modelprov.forensics.judging.named_method import (
    claim,
    decision_of,
    named,
    open_to_methods,
    told,
    told_open,
)
from modelprov.forensics.judging.packed import bounded, in_view_of_packing, shown, with_width
from modelprov.forensics.judging.part_alphas import PartAlpha, moved_along, part_alphas, same_bits_alphas
from modelprov.forensics.judging.relatives import akin
from modelprov.forensics.judging.rows import COMPONENTS, Table, grouped
from modelprov.forensics.judging.sections import after_merge, mixing, reproduction
from modelprov.forensics.judging.stacked import ScaleOf, pieces_of
from modelprov.forensics.judging.verdict import decide, held
from modelprov.forensics.mixing import Mixing, NamedMethod, Reproduction
from modelprov.forensics.results import AfterMerge, Beyond, Control, Measures, Verdict, VerdictClass
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.sampling.scout import Strata
from modelprov.forensics.search.fits import Fits
from modelprov.forensics.search.recipes import Scored, tied
from modelprov.forensics.thresholds import REPRODUCED

if TYPE_CHECKING:
    from modelprov.forensics.search.methods.find import FoundMethod
    from modelprov.forensics.search.methods.stacks import Stack
    from modelprov.forensics.search.profiles import Resemblance

NOT_KIN = "the models share nothing at their places, so that a mixture of them has no meaning"
MERGES = (VerdictClass.MERGE, VerdictClass.ON_LINE)
EXPLAINED = (VerdictClass.COPY, VerdictClass.MERGE)
Parts = dict[str, dict[object, PartAlpha]]


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything a comparison found, section by section (see `results.py`), and the facts the rules looked at.

    `held` is the share of the weights compared that the verdict is about.
    """

    verdict: Verdict
    facts: Facts
    held: float
    mixing: Mixing
    reproduction: Reproduction
    after_merge: AfterMerge
    method: NamedMethod | None
    overall: Measures
    components: tuple[Measures, ...]
    layers: tuple[Measures, ...]
    cells: tuple[Measures, ...]
    tensors: tuple[Measures, ...]
    beyond: Beyond | None = None


@dataclass(frozen=True, eq=False)
class FurtherLooks:
    """What may be looked for once more in the weights, each only where the rules ask for it; None where it cannot be.

    `elsewhere` looks for sizes of a parent's in other places: before any all-clear. `methods` looks for a method that
    is no weighted sum: where no weighted sum explains a relative, with the tensors of which one does explain the bits.
    `left` measures what is left beyond the parents: where no recipe explains everything. `scale` says whether a tensor
    is a parent's times a factor: where the parents are seen with other layers than their own.
    """

    elsewhere: Callable[[], Resemblance] | None = None
    methods: Callable[[Int64], FoundMethod | None] | None = None
    left: Callable[[], Beyond] | None = None
    scale: ScaleOf | None = None


def collect(
    table: Table, strata: Strata, fits: Fits | None, seed: int, *, controls: Sequence[tuple[str, Findings]],
    locations: Sequence[str], looks: FurtherLooks, compared: tuple[float, float] = (1.0, 1.0),
    sample: Sample | None = None, paired: PairedUnits | None = None, stack: Stack | None = None,
    packed: tuple[Packing | None, ...] = (), may_differ: float = 0.0,
) -> Findings:  # fmt: skip
    """All findings of one suspect; `controls` are those of checkpoints nobody suspects, measured before.

    `locations` are those of the parents. `compared` are the shares of the suspect's weights, and of those that may
    carry a verdict, that the alignment could compare, 0 to 1. `sample` is the decisive part of the sample, `paired`
    what the test of units found, where other coordinates were undone before. `stack` says which layers the parents are
    seen as, where other ones than those of their own numbers. `packed` is how each argument is packed that was decoded
    when it was read; no method is looked for in what a quantiser left. `may_differ` is
    the share of a sampled model's weights that may differ where nothing that was read does.
    """
    decisive = np.flatnonzero(table.decisive)
    swept = tied(fits.candidates) if fits else 0
    recipes = [one.recipe for one in fits.candidates[:swept]] if fits else []
    runners_up = fits.candidates[swept:] if fits else ()
    recomputed = explained_rows(strata, fits, decisive)
    remade_by = table.rows(recomputed)
    slots = sorted(range(len(recipes)), key=lambda slot: -remade_by.recipe(slot))
    table = Table(table.tensors, table.moments, table.labels, slots[0] if slots else None, table.shows)
    total = table.rows(decisive)
    parts = _parts(fits, strata, table.tensors, seed)
    evidence = Evidence(table, strata, fits, recipes, parts, seed, compared, sample, bounded(packed, sample))
    facts = with_width(replace(gather(evidence), paired=paired, may_differ=may_differ), fits)
    pieces = None
    if stack is not None or facts.patched:
        pieces = pieces_of(table, stack, None if stack is None else looks.scale)
    if pieces is not None:
        facts = replace(facts, stacked=pieces.facts)
    if looks.elsewhere is not None and decide(facts).class_ is VerdictClass.UNRELATED:
        found = looks.elsewhere()
        facts = replace(
            facts, elsewhere=found.parent, untested=not found.tested,
            profiles=found.profiles, rare=found.rare, by_chance=found.by_chance,
            heads=found.heads, displaced=found.displaced, frame_free=found.frame_free,
        )  # fmt: skip
    decision, method = decide(facts), None
    asked = looks.methods if not any(packed) and open_to_methods(decision, facts.parents) else None
    found_method = None if asked is None else _claimed(asked, _given(decision, table, recomputed))
    if found_method is not None and decision_of(decision, found_method).rule in ("method", "picked"):
        method = named(found_method, table, locations)
    elif pieces is not None:
        method = stacked.named(pieces, table, locations, compared[1])
    reproduced = facts.bit_equal is not None and facts.bit_equal >= REPRODUCED and facts.explained == 1
    kin = akin(facts)
    tensors = rows.measure_each(table, mixed=kin)
    decision = in_view_of_packing(decision_of(decision, found_method), facts, table.labels)
    decision = _check_controls(decision, facts, tensors, controls)
    mix, remade, after = Mixing(reason=NOT_KIN), Reproduction(reason=NOT_KIN), AfterMerge(reason=NOT_KIN)
    best = fits.candidates[slots[0]] if fits and slots and (facts.bit_equal or 0) >= REPRODUCED else None
    if kin:
        parts = _parts(fits, strata, table.tensors, seed, best, parts) if best else parts
        mix = shown(mixing(total, fits, table.labels, best), facts)
        remade = reproduction(table, strata, recipes, slots, runners_up, locations)
        after = after_merge(
            total, fits, reproduced or method is not None, facts.trace if decision.rule == "traced" else None
        )
    beyond = looks.left() if looks.left is not None and kin and not _is_explained(decision) else None
    decision = in_few_bits(decision, facts, beyond, table.labels)
    decision = in_view_of_values(in_view_of(decision, beyond, table.labels), facts, sample, seed)
    verdict = wording.verdict(
        decision, facts, mix, remade, after, table.labels, tuple(_control(label, found) for label, found in controls)
    )
    if method is not None and pieces is not None and decision.rule != "method":
        verdict = stacked.told(verdict, method)
    elif method is not None and decision.rule == "method":
        verdict = told(verdict, method, table.labels[0])
    elif found_method is not None and decision.rule in ("extrapolated", "picked"):
        verdict = told_open(verdict, found_method, decision, table.labels)
    return Findings(
        verdict, facts, held(decision, facts), mix, remade, after, method,
        *_rows(table, parts if kin else {}, reproduced, kin), tensors, beyond_zeros(beyond, decision),
    )  # fmt: skip


def _is_explained(decision: Decision) -> bool:
    """Whether the class leaves nothing beyond the parents to look at."""
    return decision.class_ in EXPLAINED and decision.rule != "partly-exact"


def _given(decision: Decision, table: Table, explained: Int64) -> Int64:
    """The tensors of which a recipe gives the bits, where it is one of a part; else none."""
    return whole_rows(table, explained) if decision.rule == "partly-exact" and table.slot is not None else explained[:0]


def _claimed(methods: Callable[[Int64], FoundMethod | None], given: Int64) -> FoundMethod | None:
    """The method that is found, where it may be claimed."""
    return claim(methods(given), given)


def _parts(
    fits: Fits | None, strata: Strata, tensors: Sequence[AlignedTensor], seed: int,
    remade: Scored | None = None, before: Parts | None = None,
) -> Parts:  # fmt: skip
    """Rounding-aware alpha by layer, component and cell; only for one parent beside the reference.

    With a recipe that was `remade`, those of its parts as they are, in place of what was found `before`.
    """
    if fits is None or len(fits.sample.parents) != 2:
        return {}
    firsts = np.flatnonzero(np.diff(np.maximum.accumulate(strata.of_tensor), prepend=-1)).tolist()
    component = {stratum: tensors[row].component for stratum, row in enumerate(firsts)}
    keys: dict[str, dict[int, object]] = {
        "layer": {s: layer for s, layer in enumerate(strata.layers) if layer is not None},
        "component": dict(component),
        "cell": {s: (strata.layers[s], one) for s, one in component.items() if strata.layers[s] is not None},
    }
    found: Parts = {}
    for kind, key_of in keys.items():
        numbers = {key: number for number, key in enumerate(dict.fromkeys(key_of.values()))}
        parts = {s: numbers[key] for s, key in key_of.items()}
        if remade is None or before is None:
            alphas = part_alphas(fits, parts, seed, use_likelihood=kind != "cell")
        else:
            known = {numbers[key]: part for key, part in before.get(kind, {}).items()}
            alphas = same_bits_alphas(fits, remade, parts, known)
        found[kind] = {key: alphas[number] for key, number in numbers.items() if number in alphas}
    return found


def _rows(
    table: Table, parts: Parts, reproduced: bool, kin: bool
) -> tuple[Measures, tuple[Measures, ...], tuple[Measures, ...], tuple[Measures, ...]]:
    """Overall, components, layers, cells; without figures of a mixture where the models are not `kin`."""

    def measure(table: Table, name: str, members: npt.ArrayLike, **fields: object) -> Measures:
        return rows.measure(table, name, members, mixed=kin, **fields)

    def fixed(kind: str, key: object) -> dict[str, object]:
        part = parts.get(kind, {}).get(key)
        if part is None:
            return {}
        along = 0.0 if reproduced or part.error is None else moved_along(part.sigma_relative)
        return {
            "alpha": part.alpha, "low": part.low - along, "high": part.high + along, "coverage": part.coverage,
            "sigma_relative": part.sigma_relative,
        }  # fmt: skip

    kinds = len(COMPONENTS)
    components = [(COMPONENTS[key], rows) for key, rows in sorted(grouped(table.component).items())]
    layers = sorted(grouped(table.layer).items())
    cells = grouped(np.where(table.layer < 0, -1, table.layer * kinds + table.component))
    placed = [((key // kinds, COMPONENTS[key % kinds]), rows) for key, rows in cells.items()]
    return (
        measure(table, "all tensors", np.arange(len(table.tensors))),
        tuple(
            measure(table, str(key), rows, component=str(key), **fixed("component", key)) for key, rows in components
        ),
        tuple(measure(table, f"layer {key}", rows, layer=key, **fixed("layer", key)) for key, rows in layers),
        tuple(
            measure(table, f"layer {key[0]}, {key[1]}", rows, layer=key[0], component=str(key[1]), **fixed("cell", key))
            for key, rows in placed
        ),
    )


def _control(label: str, findings: Findings) -> Control:
    """The control's numbers beside the suspect's."""
    return Control(
        label=label,
        kind="checkpoint",
        alpha=findings.mixing.alpha,
        collinearity=findings.mixing.least_squares.collinearity,
        coverage=findings.mixing.coverage,
        agreement=findings.after_merge.agreement,
        betweenness=findings.after_merge.betweenness,
        verdict=str(findings.verdict.class_),
        note="run on the same parents",
    )


def _check_controls(
    decision: Decision, facts: Facts, tensors: tuple[Measures, ...], controls: Sequence[tuple[str, Findings]]
) -> Decision:
    """A finding that an unsuspected checkpoint shares says nothing about the suspect."""
    whole = decision.class_ is VerdictClass.COPY and facts.alike == 1 and facts.compared == 1
    if whole or decision.class_ not in (*MERGES, VerdictClass.COPY):
        return decision
    for label, findings in controls:
        if findings.tensors == tensors:
            continue  # the suspect's own numbers under another name: no control
        if findings.verdict.class_ in (MERGES if decision.class_ in MERGES else (VerdictClass.COPY,)):
            return Decision(
                VerdictClass.INCONCLUSIVE,
                decision.rule,
                None,
                f"{label}, given as a control, gives the same finding ({findings.verdict.class_})",
            )
    return decision
