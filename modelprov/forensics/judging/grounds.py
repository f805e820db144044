"""What a verdict rests on, in words and numbers. Measures nothing, and says nothing about what follows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from modelprov.forensics.judging.facts import Facts, PairedUnits
from modelprov.forensics.judging.relatives import akin
from modelprov.forensics.judging.trace import Trace
from modelprov.forensics.mixing import Mixing, Reproduction
from modelprov.forensics.results import AfterMerge, Control, Evidence
from modelprov.forensics.thresholds import DISTINCT, KIN, OVERLAPS_LEFT
from modelprov.shares import floor_percent, short_of_one, wilson


def units(paired: PairedUnits, labels: Sequence[str]) -> Evidence:
    """What the test of units found."""
    return Evidence(
        measure=f"MLP units that two kinds of matrices (gate and up), each paired alone, put at the same place in "
        f"{labels[paired.parent]} "
        f"({paired.kin} of {paired.layers} layers related)",
        value=f"{paired.agreeing:,} of {paired.units:,}",
        uncertainty=f"chance at most {max(paired.chance, 1e-300):.1g} in the related layers" if paired.kin else None,
        null=f"{paired.expected:.2g} by chance",
    )


def grounds(
    facts: Facts, mixing: Mixing, reproduction: Reproduction, after: AfterMerge, labels: Sequence[str],
    controls: Sequence[Control],
) -> list[Evidence]:  # fmt: skip
    """The measures that the verdict rests on, each with its uncertainty and what it would be without a merge."""
    found = []
    for parent, value in enumerate(facts.correlations, 1):
        if value is not None:
            found.append(
                Evidence(
                    measure=f"correlation of raw weights with {labels[parent]}, mean-centred, matrices only",
                    value=short_of_one(value, 4),
                    elements=facts.elements,
                    null=f"0 ± {1 / math.sqrt(facts.elements):.1g} for independently trained weights",
                )
            )
    if facts.paired is not None:
        found.append(units(facts.paired, labels))
    found += _elsewhere(facts, labels)
    found += _frame_free(facts, labels)
    if facts.precision and (facts.paired is None or facts.paired.exact):  # else of numbers that were rounded anew
        found.append(_precision(facts, labels))
    if akin(facts):
        found += _rounded(facts, reproduction)
    fit = mixing.least_squares
    if fit.alpha is not None:
        error = f"α ± {1.96 * fit.standard_error:.2g}" if fit.standard_error is not None else None
        collinearity = f"{fit.collinearity:.4f}" if fit.collinearity is not None else "not defined"
        found.append(
            Evidence(
                measure="least squares: collinearity with the line between the parents (biased by rounding)",
                value=f"{collinearity} at α = {fit.alpha:.4f}",
                uncertainty=error,
                elements=facts.elements,
                null="collinearity 0 for independent training",
            )
        )
    if facts.straightness is not None and akin(facts):
        found.append(
            Evidence(
                measure="straightness: minus the cosine of the angle, at the suspect, between one parent and the "
                "mixture of the others (free of rounding)",
                value=short_of_one(facts.straightness, 4),
                elements=facts.elements,
                null="0 or less for independent training; 0 for a stage of a random walk; 1 on the line",
            )
        )
    if mixing.coverage is not None and mixing.alpha is not None:
        null = f"{mixing.null_coverage:.4f} after shuffling" if mixing.null_coverage is not None else None
        found.append(
            Evidence(
                measure="share of rounding cells that allow one common α (sample)",
                value=short_of_one(mixing.coverage, 6),
                uncertainty=f"α in [{mixing.low:.7g}, {mixing.high:.7g}] ({mixing.method})"
                if mixing.low is not None and mixing.high is not None else None,
                elements=mixing.informative_elements,
                null=null,
            )
        )  # fmt: skip
    if reproduction.bit_equal is not None:
        found.append(
            Evidence(
                measure=f"bits reproduced by {reproduction.recipe} in {reproduction.arithmetic}",
                value=floor_percent(reproduction.bit_equal),
                elements=reproduction.elements,
                null=_runner_up(reproduction),
            )
        )
    for name, key, count in (
        ("agreement: equal where all parents are equal (1 for a pure merge)", "agreement", after.agreement_elements),
        ("betweenness: between the parents where they differ (1 for a pure merge)", "betweenness",
         after.betweenness_elements),
    ):  # fmt: skip
        share = getattr(after, key)
        if share is not None:
            bounds = wilson(round(share * count), count)
            beside = [f"{one.label} {getattr(one, key):.3f}" for one in controls if getattr(one, key) is not None]
            found.append(
                Evidence(
                    measure=name,
                    value=short_of_one(share, 5),
                    uncertainty=f"95 %: {short_of_one(bounds.low, 5)} to {short_of_one(bounds.high, 5)}",
                    elements=count,
                    null="; ".join(beside) or None,
                )
            )
    return found


def _runner_up(reproduction: Reproduction) -> str | None:
    """What the next best recipe gives, and whether it is the same one in another arithmetic."""
    if len(reproduction.candidates) < 2:
        return None
    best, second = reproduction.candidates[:2]
    name = f"the same in {second.arithmetic}" if second.groups == best.groups else "the next best recipe"
    return f"{name} {floor_percent(second.bit_equal)}"


def _elsewhere(facts: Facts, labels: Sequence[str]) -> Iterator[Evidence]:
    """What was looked for before an all-clear, and how little of it there was."""
    for parent, rare in enumerate(facts.rare, 1):
        yield Evidence(
            measure=f"sorted sizes of rows and columns that are closer to those of {labels[parent]} than chance "
            "makes one in a thousand (other coordinates)",
            value=f"{rare} of {facts.profiles}",
            null=f"{facts.by_chance:.1g} of {facts.profiles}",
        )
    for parent, found in enumerate(facts.heads, 1):
        yield Evidence(
            measure="heads of attention whose singular values are less than half as far from those of a head of "
            f"{labels[parent]} as heads of one model are from each other (other coordinates)",
            value=f"{found.alike:,} of {found.heads:,}" if found.heads else "not tested: no heads were found",
            null="at most 6 % of models trained apart" if found.heads else None,
        )
    for parent, moved in enumerate(facts.displaced, 1):
        yield Evidence(
            measure=f"matrices that correlate at {KIN} or more with a matrix of {labels[parent]}, wherever that stands",
            value=f"{moved.count:,} of {moved.looked:,}",
            null="none of independent models" if moved.looked else None,
        )


def _frame_free(facts: Facts, labels: Sequence[str]) -> Iterator[Evidence]:
    """The same of fingerprints: what no coordinates change."""
    for parent, found in enumerate(facts.frame_free, 1):
        if found is None:
            continue
        angles, overlaps = found.angles, found.overlaps
        frame = "" if angles.frame is None else f", frame {angles.frame}"
        yield Evidence(
            measure=f"correlation of how embeddings of shared tokens stand to one another, with {labels[parent]} (no "
            "coordinates change it)",
            value="not tested: too few tokens"
            if angles.correlation is None
            else f"{angles.correlation:.2f} of {angles.tokens:,} tokens{frame}",
        )
        yield Evidence(
            measure=f"correlation of how matrices overlap one another, with {labels[parent]} (no coordinates change "
            "it)",
            value="not tested: not in both" if overlaps is None else f"{overlaps.correlation:.2f}",
            uncertainty=None if overlaps is None else f"standard error {overlaps.pairs**-0.5:.2f}",
            null=f"a relative with noise as large as its weights: {OVERLAPS_LEFT} or more",
        )


def _precision(facts: Facts, labels: Sequence[str]) -> Evidence:
    """In what format the numbers of each checkpoint are, whatever its file declares."""
    said = [
        f"{label} {one.shows}" + ("" if one.shows == one.stored else f" (stored as {one.stored})")
        for label, one in zip(labels, facts.precision, strict=True)
    ]
    return Evidence(
        measure="precision of the numbers themselves, whatever the file declares (the coarsest format that holds them "
        "where the parents differ)",
        value=", ".join(said),
        null="one number of F32 in 65,536 is also one of BF16"
        if any(one.stored != "BF16" for one in facts.precision)
        else None,
    )


def _rounded(facts: Facts, reproduction: Reproduction) -> Iterator[Evidence]:
    """What the last bits say, where enough elements say anything."""
    if facts.ties_even is not None:
        yield _parity(facts)
    if facts.trace is not None and facts.trace.telling >= DISTINCT:
        yield _trace(facts.trace, reproduction)


def _trace(trace: Trace, reproduction: Reproduction) -> Evidence:
    """Whose rounding the suspect has where the recipe's and the plain mixture's differ."""
    bounds = wilson(trace.kept, trace.telling)
    return Evidence(
        measure=f"trace: where {reproduction.recipe} in {reproduction.arithmetic} rounds otherwise than the plain "
        "mixture, and holds no parent's number, the share that holds the recipe's, of what holds either (sample)",
        value=f"{trace.kept / trace.telling:.4f}",
        uncertainty=f"95 %: {bounds.low:.4f} to {bounds.high:.4f}",
        elements=trace.telling,
        null="0.5 or less for models that were not computed from these parents",
    )


def _parity(facts: Facts) -> Evidence:
    """How often the suspect holds the even one of two numbers that are equally near to the mixture."""
    even = round((facts.ties_even or 0.0) * facts.ties)
    bounds = wilson(even, facts.ties)
    return Evidence(
        measure="parity: where the mixture falls on the border of two numbers, the share that hold the even one, as "
        "rounding does (sample)",
        value=f"{facts.ties_even:.4f}",
        uncertainty=f"95 %: {bounds.low:.4f} to {bounds.high:.4f}",
        elements=facts.ties,
        null="0.5 for values picked from either parent, and for a mixture that was changed since; near 1 for a "
        "mixture, 1 where its arithmetic keeps ties",
    )


def nulls(facts: Facts, mixing: Mixing) -> tuple[Control, ...]:
    """What independent training and a shuffled suspect would give, to stand beside the controls."""
    if facts.parents < 2 or not facts.elements or not akin(facts):
        return ()
    theory = Control(
        label="independent training",
        kind="theoretical null",
        collinearity=0.0,
        note=f"collinearity 0 ± {1 / math.sqrt(facts.elements):.1g} if elements were independent draws",
    )
    if mixing.null_coverage is None:
        return (theory,)
    shuffled = Control(
        label="suspect, shuffled", kind="shuffled suspect", coverage=mixing.null_coverage,
        note="best coverage that any α reaches once the suspect's deltas are shuffled within each part",
    )  # fmt: skip
    return (theory, shuffled)
