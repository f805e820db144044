"""Rules 5 to 10 of the verdict: where a relative lies among its parents. `verdict.py` lists all, and has those before.

Pure; looks at facts alone.
"""

from __future__ import annotations

from modelprov.forensics.estimators.scaled import Scaled
from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.thresholds import (
    ANOTHERS,
    BEYOND,
    BLENDED,
    COMPLETE,
    DISTINCT,
    DISTINCT_PER_PIECE,
    EVEN,
    HALF,
    INTERIOR,
    KNOWN,
    MISSED,
    NEAR,
    PROPORTIONAL,
    REPRODUCED,
    ROUNDING_SIZED,
    SECOND,
    SPREAD,
    STRAIGHT,
    STRICTLY,
    TIES,
    TOWARDS,
    TRACED,
)

PARTS = (
    "each of its parts is, bit for bit, that of one parent or of another: parts put together look so, and so does "
    "training in stages, of which one left those parts as they were"
)


def near(facts: Facts, parent: int) -> Decision:
    """Near one parent: of the same origin, unless all that differs is a factor, zeros, or of the size of rounding.

    Nor where it holds another parent's numbers far oftener: a share of a change that is enlarged as much is, on the
    mean, the whole change.
    """
    if facts.scaled is not None:
        return _multiple(facts.scaled)
    if facts.pruned is not None and facts.pruned[0] == parent:
        return inconclusive(
            "pruned",
            f"{facts.pruned[1]:.1%} of that model's numbers are zero in it, and the others are the same to the bit "
            f"(but for at most {MISSED:.0%} as many), where training would have moved them and set none to zero",
            parent,
        )
    others = [share for number, share in enumerate(facts.equal, 1) if number != parent]
    if others and max(others) - facts.equal[parent - 1] > ANOTHERS:
        return inconclusive(
            "thinned",
            f"{max(others):.0%} of its numbers are another parent's and {facts.equal[parent - 1]:.0%} those of the one "
            "it is near, as where a share of a change was kept and enlarged (DARE, DELLA), or part was trained on",
            parent,
        )
    if facts.rounded_twice:
        return inconclusive(
            "rounded",
            "number by number it holds that model's, rounded to one 16-bit format (bf16, F16) and then to the other",
            parent,
        )
    if facts.proportional is not None:
        more, change = facts.proportional
        if more <= PROPORTIONAL and change <= ROUNDING_SIZED:
            return inconclusive(
                "near-copy",
                f"{_same_matrices(facts, parent)}its weights differ by {change:.2%} of their size on the mean, small "
                "ones no more than large ones: so do rounding, scaling and noise, while training moves small weights "
                "as far as large ones",
                parent,
            )
    if facts.near_mixture:
        return inconclusive(
            "near-a-mixture",
            "that one is, to its own rounding, a mixture of two others that are named: what it has of these is in "
            "whatever was made from it",
            parent,
        )
    return Decision(VerdictClass.SAME_ORIGIN, "near-one-parent", parent)


def _same_matrices(facts: Facts, parent: int) -> str:
    """How much of a near copy is a copy: a mean over all weights would hide that a few matrices hold every change."""
    same = facts.same_matrices[parent - 1] if facts.same_matrices else 0
    return f"{same:,} of its {facts.matrices:,} matrices are the same bit for bit, and over all " if same else ""


def among_parents(facts: Facts) -> Decision:
    """Rules 5 to 10: the suspect is kin, and there are at least two parents."""
    own = any(one.child == 0 for one in facts.between)
    others = [one for one in facts.between if one.child and 0 in (one.first, one.second)]
    exact_interior = (facts.exact or (facts.bit_equal or 0) >= REPRODUCED) and facts.interior
    if facts.other_exact is not None and not exact_interior:
        return inconclusive("other-child", "another of the models is an exact mixture of the rest", facts.other_exact)
    exact = exact_rule(facts)
    carried_on = facts.extrapolated if facts.short or exact != "reproduced" else None
    if exact == "exact-to-rounding" and not (facts.short or facts.interior):
        return inconclusive(
            "extrapolated",
            "one weighting fits, but beyond a parent, in weights of float32 precision and without giving their bits: "
            "that parent may as well be a merge made from it",
        )
    if carried_on is not None or facts.centred is not None:
        return inconclusive(
            "extrapolated",
            "a parent is, to its own rounding, the suspect carried on beyond it: a merge of the parents and a parent "
            "made from the suspect are the same weights"
            if carried_on is not None
            else "the mixture of the parents falls back nearer to it than rounding a mixture puts it, as where a "
            "parent was made from it",
            facts.centred if carried_on is None else carried_on,
        )
    if exact == "exact-to-rounding" and _picked(facts):
        return inconclusive(
            "ties",
            f"a mixture would hold the even of two equally near numbers, the suspect does so in {facts.ties_even:.0%} "
            "of such elements: values picked from either parent look so, and so does a change of which one model took "
            "the whole and the other a small part",
        )
    if exact == "exact-to-rounding" and not facts.short:
        exact = None  # Float32 hardly rounds: an adapter between two other scales of it fits too. Only bits tell.
    multiples = _of_multiples(facts, exact)
    if multiples is not None:
        return multiples
    if facts.patched or (exact and not facts.blends):
        return inconclusive("whole-parts", PARTS)
    if exact and facts.explained < HALF:
        return inconclusive(
            "partly-exact", f"{facts.explained:.0%} of the matrix weights are exactly a mixture, the larger part is not"
        )
    if exact and facts.explained < 1:
        return Decision(VerdictClass.MERGE, "partly-exact")
    if exact:
        return Decision(VerdictClass.MERGE, exact)
    if traced(facts):
        return Decision(VerdictClass.ON_LINE, "traced")
    if others and not own:
        return inconclusive("other-child", "another of the models lies between the rest", others[0].child)
    return _by_weights(facts, facts.weights)


def _of_multiples(facts: Facts, exact: str | None) -> Decision | None:
    """Of few numbers one weighting fits all, so that sizes of one matrix look like a mixture of each other."""
    if facts.patched:
        return None
    if facts.scaled is not None:
        return _multiple(facts.scaled)
    if (facts.recoded or 0) <= 1 - BLENDED or not (exact or traced(facts)):
        return None
    return inconclusive(
        "recoded",
        f"it looks like a mixture and need not be one. {facts.recoded:.0%} of what differs is in matrices that have "
        "one pattern in all of these models, number by number, and only other values for it in each, as where a matrix "
        "shrinks (weight decay) or its scale or codebook moves in training; such models look like mixtures of one "
        "another",
    )


def _multiple(scaled: Scaled) -> Decision:
    """Of a parent's multiple: scaling a copy leaves it, and so does decay of the weights without any other training."""
    low, high = f"{scaled.low:.3f}", f"{scaled.high:.3f}"  # 128 significands of bf16 do not average out further
    return inconclusive(
        "scaled",
        f"times {low if low == high else f'{low} to {high}'} it leaves at most {scaled.left:.2f} times what rounding "
        f"alone leaves, in each of {scaled.tensors} matrices, and {scaled.moved:.1f} times that without a factor",
        scaled.parent,
    )


def _picked(facts: Facts) -> bool:
    """Whether ties fall as no rounding lets them, where nothing else speaks or every arithmetic keeps them.

    Nothing else speaks where a parent has little weight: a change, and a tenth of it, each rounded, fit as well.
    """
    uneven = facts.ties >= TIES and (facts.ties_even or 0) < EVEN
    return uneven and (facts.ties_firm or facts.slight or facts.roomy < DISTINCT)


def traced(facts: Facts) -> bool:
    """Whether more of the suspect's numbers are rounded as a merging program rounds than chance explains."""
    return facts.trace is not None and facts.trace.kept >= max(DISTINCT, TRACED * facts.trace.telling)


def exact_rule(facts: Facts) -> str | None:
    """Rules 6 and 7, whatever the share of the weights they hold in: the rule's name, or None."""
    if not facts.mixes or facts.distinct < max(DISTINCT, DISTINCT_PER_PIECE * facts.pieces):
        return None
    if (facts.bit_equal or 0) >= REPRODUCED and facts.missed <= MISSED * facts.distinct:
        return "reproduced"
    agrees = facts.agreement is None or facts.agreement >= COMPLETE
    inside = not facts.interior or (facts.betweenness or 0) >= COMPLETE
    return "exact-to-rounding" if facts.exact and agrees and inside else None


def _by_weights(facts: Facts, weights: tuple[float, ...] | None) -> Decision:
    """Rules 8 to 10: nothing is exact."""
    if facts.pruned is not None:  # the bits that are left name the parent, however little the parents' weights tell
        return near(facts, facts.pruned[0])
    if weights is None:
        return inconclusive("shared-direction", "the parents cannot be told apart")
    heaviest = max(range(len(weights)), key=lambda parent: weights[parent])
    weight = weights[heaviest]
    if weight <= INTERIOR and min(weights) >= -SPREAD and (facts.straightness or 0) >= STRAIGHT:
        if facts.roomy < DISTINCT or (facts.strictly or 0) < STRICTLY:
            return inconclusive(
                "shared-direction",
                "near the line between the parents, but hardly ever strictly between them: values picked from either "
                "parent look so",
            )
        if facts.spread is not None and facts.spread <= SPREAD:
            return Decision(VerdictClass.ON_LINE, "near-the-line")
        if facts.spread is None:
            return inconclusive(
                "shared-direction",
                "between the parents, but in too few layers to see whether it is so in all of them alike",
            )
        return inconclusive(
            "shared-direction",
            f"near the line between the parents, but the coefficient varies by ±{facts.spread:.2f} from part to part, "
            "as in an earlier stage of the same training, or in a merge with a ratio for each part",
        )
    if (facts.weight_error or 0) > KNOWN:
        return inconclusive(
            "shared-direction",
            f"the parents differ too little for their shares to be known (±{facts.weight_error:.2f})",
        )
    if NEAR < weight <= BEYOND:
        second = _second_direction(facts, weights, heaviest)
        if second is not None:
            return second
        return near(facts, heaviest + 1)
    if facts.agreement is not None and facts.agreement >= COMPLETE:
        return inconclusive(
            "shared-direction",
            "wherever the parents agree the suspect agrees too, as in a merge, but no linear recipe fits "
            "(methods that drop or pick elements, such as TIES and DARE, look like this)",
        )
    return inconclusive(
        "shared-direction",
        "it shares a direction with a parent without lying on the line: a merge trained much further, training on "
        "similar data, an earlier or later stage of the same training, or an ancestor of the parents",
    )


def _second_direction(facts: Facts, weights: tuple[float, ...], heaviest: int) -> Decision | None:
    """Whether another parent is in it too, by its weight or by where small differences went."""
    for parent, weight in enumerate(weights):
        share = facts.towards[parent] if parent < len(facts.towards) else None
        if parent == heaviest or (weight < SECOND and (share or 0) < TOWARDS):
            continue
        words = (
            f"the best fit has {weight:.2f} of it"
            if weight >= SECOND
            else f"{share:.0%} of what differs from the nearer parent went its way"
        )
        return inconclusive(
            "two-directions",
            f"{words}, as in merges that drop, pick or swap elements",
            parent + 1,
        )
    if facts.follows is not None:
        parent, component = facts.follows
        return inconclusive(
            "two-directions",
            f"the {component} by itself is mostly that parent's, as where a part was taken from it",
            parent,
        )
    return None
