"""When other coordinates are looked for, and what was found of them as facts and words. Finds nothing itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from modelprov.checkpoints.layouts.decoder import RESIDUAL, VOCABULARY
from modelprov.checkpoints.layouts.realignment import Axis, Realignment
from modelprov.checkpoints.types import BY_TOKEN, Alignment, Component
from modelprov.forensics.judging import wording
from modelprov.forensics.judging.facts import PairedUnits
from modelprov.forensics.judging.findings import Findings
from modelprov.forensics.judging.grounds import units
from modelprov.forensics.judging.verdict import decide, held
from modelprov.forensics.results import Coordinates, LayerPair, Measures, VerdictClass
from modelprov.forensics.thresholds import ALIKE, CLOSER, GAIN, HALF, KIN, MINIMUM_ELEMENTS
from modelprov.recipes.tensor_groups import kind_of

if TYPE_CHECKING:
    from modelprov.forensics.search.coordinates.looking import Found
    from modelprov.forensics.search.layers_alike import Elsewhere

NULL = (
    "two assignments that know nothing of each other agree in n/N of n units placed among N, Poisson; layers of one "
    "model share a frame, so that a share of the units is asked for as well"
)
NOT_UNDONE = (
    "the other coordinates were not undone, since that reads every matrix of both models, which are elsewhere: whether "
    "the weights are the parent's in them is open; comparing every weight undoes them"
)
KINDS = (
    ("units", "MLP units"), ("queries", "query dimensions"), ("keys", "key dimensions"), ("values", "value dimensions"),
    ("mixed", "attention outputs"), ("experts", "experts"),
)  # fmt: skip


def paired_units(found: Found) -> PairedUnits:
    """The test's numbers, and what was undone."""
    tests = found.tests
    related = [test for test in tests if test.related]
    return PairedUnits(
        found.parent,
        sum(test.agreeing for test in tests),
        sum(test.units for test in tests),
        sum(test.expected for test in tests),
        len(related),
        len(tests),
        max((test.chance for test in related), default=1.0),
        undone(found.realignment) if found.realignment else (),
        found.realignment is None or found.realignment.exact,
        found.doubts,
        min((test.chance for test in tests), default=1.0),
    )


def coordinates(found: Found, labels: Sequence[str]) -> Coordinates:
    """The section of the report."""
    facts = paired_units(found)
    return Coordinates(
        parent=labels[found.parent],
        related=found.kinship.related,
        frame=found.kinship.frame.kind,
        embedding_cosine=found.kinship.frame.cosine,
        given_by=found.kinship.given_by,
        tokens=found.kinship.tokens.by,
        layers=tuple(
            LayerPair(
                layer=test.layer,
                parent_layer=test.parent_layer,
                agreeing=test.agreeing,
                units=test.units,
                expected=test.expected,
                chance=test.chance,
                related=test.related,
            )
            for test in found.tests
        ),
        undone=facts.undone,
        exact=facts.exact,
        left=() if found.undone else (NOT_UNDONE,),
        renamed=len(found.realignment.renamed) if found.realignment else 0,
        null=NULL,
    )


def with_left(told: Coordinates, findings: Findings) -> Coordinates:
    """The section, with the matrices that undoing did not bring together: how many of each component."""
    rows = [row for row in findings.tensors if row.decisive and row.elements]
    apart = [row for row in rows if (row.raw_correlation.get(told.parent) or 0) < KIN]
    counts = Counter(str(row.component) for row in rows)
    left = tuple(
        f"{component}: {count:,} of {counts[component]:,} matrices correlate with the parent's below {KIN} all the "
        "same; what they are, or in which coordinates, was not found"
        for component, count in Counter(str(row.component) for row in apart).items()
    )
    return told.model_copy(update={"left": left})


def with_units(findings: Findings, found: Found, labels: Sequence[str]) -> Findings:
    """Findings about weights at their places, with what the units say beside them.

    They can take back an all-clear, and say why weights are kin in part.
    """
    said = replace(paired_units(found), undone=(), exact=True)
    facts = replace(findings.facts, paired=said)
    decision = decide(facts)
    cleared = findings.verdict.class_ is VerdictClass.UNRELATED and decision.class_ is not VerdictClass.UNRELATED
    if cleared or (findings.verdict.rule == decision.rule == "weak-kinship"):
        known = tuple(control for control in findings.verdict.controls if control.kind == "checkpoint")
        verdict = wording.verdict(
            decision, facts, findings.mixing, findings.reproduction, findings.after_merge, labels, known
        )
        return replace(findings, facts=facts, held=held(decision, facts), verdict=verdict)
    rests_on = (*findings.verdict.rests_on, units(said, labels))
    return replace(findings, facts=facts, verdict=findings.verdict.model_copy(update={"rests_on": rests_on}))


def with_blocks(findings: Findings, found: Elsewhere, labels: Sequence[str]) -> Findings:
    """Findings about the blocks of fingerprints, with what stands elsewhere or nowhere: no all-clear beside it."""
    most = max(found.relocated, key=lambda each: len(each.layers), default=None)
    kinds = tuple(sorted(found.rescaled.union(_scattered(findings))))
    facts = replace(findings.facts, relocated=most, scattered=kinds)
    decision = decide(facts)
    if decision == decide(findings.facts):
        return findings
    known = tuple(control for control in findings.verdict.controls if control.kind == "checkpoint")
    verdict = wording.verdict(
        decision, facts, findings.mixing, findings.reproduction, findings.after_merge, labels, known
    )
    return replace(findings, facts=facts, held=held(decision, facts), verdict=verdict)


def _scattered(findings: Findings) -> set[str]:
    """Kinds of matrices that correlate with no parent at their places as trained relatives do, over all layers."""
    total: Counter[str] = Counter()
    products: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in findings.tensors:
        if row.decisive and row.elements:
            total[kind_of(row.name)] += row.elements
            for label, correlation in row.raw_correlation.items():
                products[kind_of(row.name)][label] += row.elements * (correlation or 0.0)
    return {
        kind
        for kind, elements in total.items()
        if elements >= MINIMUM_ELEMENTS and max(products[kind].values(), default=0.0) < ALIKE * elements
    }


def leaves_open(findings: Findings, alignment: Alignment) -> bool:
    """Whether weights at their places leave something open: all of them, some, single matrices, or gains of norms."""
    if settled(findings, alignment):
        return False
    label = alignment.checkpoints[-1].label
    lowest = min(
        (row.raw_correlation.get(label) or 0 for row in findings.tensors if row.decisive and row.elements), default=0.0
    )
    if lowest < ALIKE or alignment.decisive_share() < 1 or any(_moved(row, label) for row in findings.tensors):
        return True
    return any(_exchanged(row) for row in findings.tensors)


def _exchanged(row: Measures) -> bool:
    """Whether what is not a parent's bits in a matrix is as far from it as other numbers are: a few rows exchanged.

    Rows of tokens are also begun anew, whoever adds tokens.
    """
    if not row.decisive or row.component in BY_TOKEN:
        return False
    return any(
        0 < HALF * (1 - row.equal.get(label, 0)) <= 1 - correlation < 1 - ALIKE
        for label, correlation in row.raw_correlation.items()
        if correlation is not None
    )


def _moved(row: Measures, label: str) -> bool:
    """Whether the gains of a norm are others, as where they went into what reads them: matrices hardly show it."""
    if row.component != Component.NORMS or row.equal.get(label, 1) == 1:
        return False
    return (row.raw_correlation.get(label) or 0) < KIN


def settled(findings: Findings, alignment: Alignment) -> bool:
    """Whether the bits of all weights that may carry a verdict are accounted for where they stand."""
    bits = findings.verdict.class_ in (VerdictClass.COPY, VerdictClass.MERGE)
    return bits and findings.facts.explained == 1 and alignment.decisive_share() == 1


def tells_more(again: tuple[Findings, Alignment], than: tuple[Findings, Alignment]) -> bool:
    """Whether undoing brought weights together, or brought more of them to be compared.

    Any pairing brings them a little together, since it pairs what is alike: models of one start gain a twelfth.
    """
    alike = [max((value or 0 for value in findings.facts.correlations), default=0) for findings, _ in (again, than)]
    return alike[0] - alike[1] > CLOSER * (1 - alike[1]) or again[1].decisive_share() > than[1].decisive_share() + GAIN


def undone(realignment: Realignment) -> tuple[str, ...]:
    """What a realignment undoes, in words, the largest first."""
    used = realignment.used()
    said = [_residual(used[RESIDUAL])] if RESIDUAL in used else []
    moved = sum(layer != theirs for layer, theirs in realignment.layers.items())
    if moved:
        said.append(f"{moved} of {len(realignment.layers)} layers stand elsewhere in the parent")
    for kind, name in KINDS:
        said += _inner(name, {key: axis for key, axis in used.items() if key.split(",")[0].endswith(f".{kind}")})
    copied = {tensor.parent for tensor in realignment.tensors if ".experts." in tensor.name and tensor.parent}
    if any(".experts." in tensor.name and ".experts." not in tensor.parent for tensor in realignment.tensors):
        said.append(f"experts copied from {sum('.mlp.gate_proj.' in name for name in copied)} MLPs")
    scaled = sum("read through" in key for key in used)
    if scaled:
        said.append(f"factors moved between {scaled} norms and what reads them")
    folded = len({tensor.norms for tensor in realignment.tensors if tensor.norms})
    if folded:
        said.append(f"{folded} norms folded into what reads them, in both models")
    if realignment.one_plus is not None:
        read_as = zip(("suspect", "parent"), realignment.one_plus, strict=True)
        said += [f"norms of the {whose} read as multiplying by 1 + weight" for whose, plus in read_as if plus]
    if VOCABULARY in used and not np.array_equal(used[VOCABULARY].own, used[VOCABULARY].theirs):
        said.append(f"{used[VOCABULARY].own.size:,} tokens in other rows")
    return tuple(text for text in said if text)


def _residual(axis: Axis) -> str:
    if axis.basis is not None:
        before, after = axis.basis.shape
        return f"residual stream of {before} dimensions turned" + (f", {after} of them kept" if after < before else "")
    if axis.idle:
        return ""
    signs = int((axis.factors < 0).sum()) if axis.factors is not None else 0
    picked = signs == 0 and bool((np.diff(axis.theirs) > 0).all())
    size = f"{axis.own.size:,} residual dimensions " + ("picked out" if picked else "in another order")
    return size + (f", {signs:,} of them negated" if signs else "")


def _inner(name: str, axes: Mapping[str, Axis]) -> list[str]:
    said = []
    places = {key.split(",")[0] for key, axis in axes.items() if not np.array_equal(axis.own, axis.theirs)}
    of = len({key.split(",")[0] for key in axes})
    picked = all(bool((np.diff(axis.theirs) > 0).all()) for axis in axes.values())
    if places and picked:
        said.append(f"{name} picked out, in {len(places)} of {of} places")
    elif places:
        said.append(f"{name} in another order, in {len(places)} of {of} places")
    turned = {key.split(",")[0] for key, axis in axes.items() if axis.blocks is not None}
    if turned:
        said.append(f"{name} in another basis inside each head, in {len(turned)} of {of} places")
    scaled = {
        key.split(",")[0]
        for key, axis in axes.items()
        if axis.factors is not None and (np.abs(axis.factors) != 1).any()
    }
    if scaled:
        said.append(f"{name} scaled, in {len(scaled)} of {of} places")
    return said
