"""What may be said where a checkpoint was decoded from a packed form: less than its bits would say, never more.

A quantised copy shows its maker's numbers to within a step. A mixture of the parents is then on the line, if cells are
known and confine its share; its bits are the quantiser's, and no recipe is proved by them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.types import Checkpoint, Packing, is_decisive
from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.few_bits import UNBOUNDED, beside_finer
from modelprov.forensics.mixing import LeastSquares, Mixing
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.search.fits import Exact, Fits
from modelprov.forensics.search.weighted_sum import distinct
from modelprov.forensics.thresholds import BLURRED, KNOWN


def packing_of(checkpoint: Checkpoint) -> Packing | None:
    """How the decisive tensors of a checkpoint are packed, the commonest form first; None where none of them is."""
    found = []
    for name, packing in checkpoint.packings.items():
        shape = checkpoint.tensors[name].shape
        if is_decisive(component_of(name, shape)[1], shape):
            found.append((packing, checkpoint.tensors[name].count))
    if not found:
        return None
    elements: Counter[str] = Counter()
    for packing, count in found:
        elements[packing.format] += count
    total = sum(count for _, count in found)
    bits = sum(packing.bits * count for packing, count in found) / max(total, 1)
    formats = ", ".join(name for name, _ in elements.most_common())
    supposed = any(packing.supposed for packing, _ in found)
    return Packing(formats, bits, all(packing.nearest for packing, _ in found), supposed)


def bounded(packed: tuple[Packing | None, ...], sample: Sample | None) -> tuple[Packing | None, ...]:
    """The same, with nothing said to bound a suspect's numbers whose cells did not come with the sample."""
    if not packed or packed[0] is None or (sample is not None and sample.given is not None):
        return packed
    return (replace(packed[0], nearest=False), *packed[1:])


def with_width(facts: Facts, fits: Fits | None) -> Facts:
    """The same facts with the weights that all cells allow, if any do, and the half width of their interval as error.

    In cells so wide the likelihood is flat between their borders: its maximum is any place between them, where it is
    found at all. What lies in every cell is straight, as far as the cells show. Where numbers are only supposed to be
    the nearest, nothing bounds them unless all cells have one mixture in common, which moved numbers would not.
    """
    suspect = facts.packed[0] if facts.packed else None
    if suspect is None:
        return facts
    exact = None if fits is None else fits.exact
    if suspect.supposed and not _all_agree(exact):
        facts = replace(facts, packed=(replace(suspect, nearest=False), *facts.packed[1:]))
    if exact is None:
        return facts
    error = float((exact.high - exact.low)[exact.explained].max(initial=0.0)) / 2
    rows, _ = distinct(exact.weights)
    if len(rows) > 1 or not exact.explained.all():
        return replace(facts, weight_error=error, weight_errors=None)
    weights = tuple(map(float, rows[0]))
    inside = any(0 < weight < 1 for weight in weights)
    straight = 1.0 if inside else facts.straightness
    return replace(facts, weights=weights, weight_error=error, weight_errors=None, straightness=straight)


def _all_agree(exact: Exact | None) -> bool:
    """Whether one mixture lies in the cells of every tensor."""
    return exact is not None and bool(exact.explained.all()) and len(distinct(exact.weights)[0]) == 1


def in_view_of_packing(decision: Decision, facts: Facts, labels: Sequence[str]) -> Decision:
    """The decision, or inconclusive where numbers that were rounded to steps do not carry it."""
    if not any(facts.packed):
        return decision
    suspect, *parents = facts.packed
    if decision.rule == "near-one-parent" and (hidden := _blurred(facts, decision)):
        form = parents[hidden - 1]
        assert form is not None
        return inconclusive(
            "quantised",
            f"{labels[hidden]} is quantised ({form.format}), and what its rounding added makes its share look smaller "
            "than it is: a small share beyond its error may be a large one",
            hidden,
        )
    if suspect is not None and decision.rule == "identical" and _but_for_single(facts, decision.parent or 1):
        return inconclusive(
            "quantised",
            f"nearly all its numbers are those of {labels[decision.parent or 1]}, but for single ones: in so few bits "
            "those of a near relative are too",
            decision.parent or 1,
        )
    if decision.class_ not in (VerdictClass.MERGE, VerdictClass.ON_LINE):
        return decision
    number = next((number for number, packing in enumerate(parents, 1) if packing is not None), None)
    if number is not None:
        form = parents[number - 1]
        assert form is not None
        return inconclusive(
            "quantised",
            f"{labels[number]} is quantised ({form.format}): what lies between parents is known only where they are",
            number,
        )
    assert suspect is not None
    if decision.class_ is VerdictClass.MERGE:
        return inconclusive(
            "quantised", f"its bits are those that quantising to {suspect.format} left, and prove no recipe"
        )
    if not suspect.nearest:
        return inconclusive("quantised", f"in {suspect.format} {UNBOUNDED}")
    if facts.weight_error is None or facts.weight_error > KNOWN:
        width = "not known" if facts.weight_error is None else f"known to ±{facts.weight_error:.2f} only"
        return inconclusive(
            "quantised",
            f"the steps of {suspect.format} are wide beside what differs between the parents: their shares are {width}",
        )
    if facts.falls_back is not None:
        return inconclusive(
            "extrapolated",
            "the mixture of the parents falls back upon numbers of 16 bits nearer than rounding a mixture puts it, as "
            f"where a parent was made from it before it was quantised to {suspect.format}",
            facts.falls_back,
        )
    return beside_finer(decision, facts, labels)  # of numbers in 16 bits `before_quantising.py` asks their steps


def _but_for_single(facts: Facts, parent: int) -> bool:
    """Whether a copy of a parent has single numbers of its own."""
    return bool(facts.equal) and facts.equal[parent - 1] < 1


def _blurred(facts: Facts, decision: Decision) -> int | None:
    """A quantised parent, not the nearest one, that has some share beyond its error: what rounding adds makes it small.

    It makes that share's own error small too, so that those of other parents say nothing of it.
    """
    weights = facts.weights or ()
    errors = facts.weight_errors or (facts.weight_error or 0.0,) * len(weights)
    for number, (weight, error) in enumerate(zip(weights, errors, strict=True), 1):
        packed = facts.packed[number] is not None and number != decision.parent
        if packed and abs(weight) > BLURRED * error:
            return number
    return None


def shown(mixing: Mixing, facts: Facts) -> Mixing:
    """The mixture as it may be told: none where nothing bounds the suspect's numbers, as any figure would be sure."""
    if not facts.packed or facts.packed[0] is None or facts.packed[0].nearest:
        return mixing
    bare = [
        one.model_copy(update={"alpha": None, "low": None, "high": None, "least_squares": None, "simplex": None})
        for one in mixing.coefficients
    ]
    return mixing.model_copy(
        update={
            "alpha": None, "low": None, "high": None, "method": None, "assumes": None, "coefficients": tuple(bare),
            "least_squares": LeastSquares(collinearity=mixing.least_squares.collinearity),
            "coverage": None, "null_coverage": None, "coverage_curve": (), "reason": UNBOUNDED,
        }
    )  # fmt: skip
