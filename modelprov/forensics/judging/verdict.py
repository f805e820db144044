"""The verdict: from evidence to one of seven classes. Pure; all rules are listed here, in the order in which they come.

Rules 3 and 4, of relatives and strangers, are in `relatives.py`; rules 5 to 10, of a relative among its parents, in
`mixtures.py`; those of fingerprints in `of_blocks.py`.

Only decisive tensors (matrices of at least 16 x 16, no norms, no biases) carry a verdict. Thresholds come from the
generated families of `benchmarks/calibration.py`; `docs/method.md` says what each one costs.

1.  no-evidence         fewer than 1,000 finite decisive elements, more than half of them not finite, or no variance
                                                                                              -> inconclusive
2.  identical           every decisive element holds the bits of one parent, as the suspect's format stores them, but
                        for at most 3 elements of a matrix, or 0.01 %
                                                                                              -> copy
                        (norms, biases and other vectors may differ: the share says so)
    beneath-rounding    the same, but the parent's numbers are finer, and lie nearer the suspect's than numbers that
                        were rounded to these                                                 -> inconclusive
3.  unrelated           mean-centred correlation with every parent below 0.1, by signs too, and in no single tensor
                        above 0.5                                                             -> unrelated
    coordinates-open    the same, but sorted sizes of rows and columns are a parent's beyond chance, or could not be
                        compared; or a quarter of the heads of attention have singular values that are a
                        parent's                                                              -> inconclusive
    matrices-elsewhere  the same, but a single matrix correlates above 0.5 with one of a parent's that stands elsewhere
                                                                                              -> inconclusive
4.  weak-kinship        the correlation below 0.5 for every parent, or below 0.1 though signs or units are akin, or
                        above though signs are not (below 0.25)
                                                                                              -> inconclusive
5.  other-child         another argument is an exact mixture of the suspect and the rest, and the suspect is not one
                                                                                              -> inconclusive
    extrapolated        a parent is, to its own rounding, the suspect carried on beyond it (a weight above 1); a recipe
                        that gives every bit of weights of float32 precision rules that out, unless the mixture lies
                        nearer the middle of the suspect's cells than rounding puts it. Likewise a weight
                        below 0 in float32 precision that gives no bits                       -> inconclusive
    ties                rule 7 would hold, but where the mixture falls on a border the suspect does not hold the even
                        number, as where elements were picked, or a change was taken in part  -> inconclusive
    whole-parts         what follows would hold, but no part by itself is a mixture; or every tensor holds all bits of
                        one parent or of another                                              -> inconclusive
6.  reproduced          a recipe with more than one parent gives the same bits in 99.99 % of the elements where the
                        parents differ                                                        -> merge
7.  exact-to-rounding   one weighting (or one per piece) lies in every rounding cell sampled; agreement is complete,
                        and betweenness too unless a weight is negative; not in weights of float32 precision, whose
                        cells are too small to say anything                                   -> merge
    6 and 7 need elements that tell a mixture from each parent alone: at least 500 (and 100 for each piece) that do not
    hold that parent's bits, of which the recipe of rule 6 misses at most 1 %. What holds in at least half of the
    weights and not in the rest is rule partly-exact                                          -> merge, of that share
    (in less than half                                                                        -> inconclusive)
    other-child again   another argument lies between the suspect and a third                 -> inconclusive
    method              what no weighted sum explains, after rules 7 to 10: a merge method, computed again in whole
                        tensors, gives the bits as rule 6 asks for (`named_method.py`), or, where its masks are random,
                        the survivors hold a known program's bits (else thinned), and no parent was made for it (else
                        extrapolated) nor could have been: 200 elements at least are mixtures of two parents, and no
                        parent's number (else picked); or every layer is a parent's, and one is there
                        as two related parents have it (`stacked.py`)                         -> merge
    scaled              before rules 6 and 7: in every tensor the suspect is a parent times a factor, to rounding; one
                        weighting may fit the few significands of multiples of one model. Or rule 9 would hold, but it
                        is that parent times a factor for each row and column                 -> inconclusive
    recoded             rule 6, 7 or `traced` would hold, but of what differs there more than 0.7 is in tensors in which
                        elements that are equal in one parent are equal in all, or the suspect is a parent times a
                        factor, but for a hundredth of the elements; or rule 9 would hold, but the numbers of
                        such tensors are another value for each of that parent's (`altered.py`)
                                                                                              -> inconclusive
8.  traced              a recipe of several parents, in steps of 16 bits: where it gives another number than the mixture
                        rounded once, and no parent's, 0.8 of what holds either hold the recipe's, at least 500
                                                                                              -> on-line
    near-the-line       by the likelihood, which knows rounding, the suspect lies between one parent and the mixture
                        of the others, seen from it under an angle with a cosine of at most -0.97; no parent has more
                        than 0.95 of the weight; and the weights are the same across layers, of which at least three
                        must be measured, and across components (spread at most 0.02); and it lies strictly between
                        the parents as often as that mixture would, in at least 500 elements  -> on-line
9.  near-one-parent     one parent has 0.9 to 1.5 of the weight, known to 0.05                -> same-origin
    near-copy           the same, but all that differs is of the size of rounding, and follows the weights' own size
                        as rounding, scaling and noise do                                     -> inconclusive
    pruned              the same, but all that differs are zeros in place of that parent's numbers
                                                                                              -> inconclusive
    projected           the same, but what changed is that parent's with directions taken out or of another size
                        (`one_parents.py`)                                                    -> inconclusive
    layers-mixed        the same, but half of what differs is that parent's next layers (`one_parents.py`)
                                                                                              -> inconclusive
    sparsified          the same, but a hundredth or more of that parent's numbers are zeros, and others moved
                        (`altered.py`)                                                        -> inconclusive
    proportional        the same, but all that differs follows the weights' own size (`altered.py`)
                                                                                              -> inconclusive
    near-a-mixture      the same, but that parent is an exact mixture of two others           -> inconclusive
    points-elsewhere    the same, but what it has beyond that parent is a candidate's (`beyond.py`)
                                                                                              -> inconclusive
    thinned             the same, but it holds another parent's numbers far oftener; or it looks as random masks leave
                        it, and its bits are not a known program's (`named_method.py`)        -> inconclusive
    two-directions      the same, but a second one has at least 0.1, or three quarters of what differs from the first
                        moved towards the second, or most of a component by itself is its     -> inconclusive
10. shared-direction    anything else                                                         -> inconclusive

Where the test of units (`search/coordinates/`) finds the suspect in other coordinates, these are undone first, and the
rules look at what is then there. Rules 2 and 6, which speak of bits, hold as ever if no bit was lost in undoing and at
least half of the weights that may carry a verdict could be compared; whatever else the rules say becomes
    other-coordinates                                                                         -> other-coordinates
but where the weights then correlate below 0.5, and fewer than half of them are in tensors above it
    coordinates-open                                                                          -> inconclusive

Of a suspect that was decoded from a packed form, whose bits are its quantiser's, rules 6 and 7 say nothing, nor rule 8
where cells are not known or leave the shares open by more than 0.05, nor where a parent holds numbers of float32
precision and the other ones do too, or no mixture lies in all cells; of a parent that was, none of the three
    quantised                                                                                 -> inconclusive
Near one parent, few numbers that do not show whose they are, packed or unpacked again (`few_bits.py`), leave neither
rule 9 nor near-copy
    quantised                                                                                 -> inconclusive
(`rounded` where they are the parent's, to the nearest, or in one 16-bit format and then the other).
And rule 8 says nothing where a parent was made from it before it was quantised, as the mixture shows
(`before_quantising.py`)
    extrapolated                                                                              -> inconclusive

Where fingerprints are compared, `unrelated` (rule 3) asks as well that what no coordinates change tells strangers from
disguised relatives with noise as large as the weights: embeddings of shared tokens, and overlaps of matrices
    coordinates-open    they may be a relative's, or are not there                              -> inconclusive
Fingerprints hold blocks of what a whole pass would look for elsewhere: `unrelated`,
`same-origin` and whatever is open give way to
    layers-elsewhere    layers are like a parent's of other numbers, and not like that of their own   -> inconclusive
    coordinates-open    of a model near one parent, kinds of matrices are not so at their places, or are of another
                        size (same-origin alone gives way)                                    -> inconclusive
(where every layer holds a parent's bits under another number, the rules look at the layers so).

A control that fares as the suspect does turns rules 6 to 8 into inconclusive, and so does, for every class, a suspect
of whose weights that may carry a verdict less than half could be compared, nine tenths for a copy and for unrelated
(rule partial).
"""

from __future__ import annotations

from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.facts import Facts, PairedUnits, Stacked
from modelprov.forensics.judging.mixtures import PARTS, among_parents, near
from modelprov.forensics.judging.of_blocks import of_blocks
from modelprov.forensics.judging.relatives import by_design, partly_kin, strangers, units_in_words
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.thresholds import (
    DISTINCT,
    HALF,
    KIN,
    MINIMUM_ELEMENTS,
    NEARLY_ALL,
    UNRELATED,
)


def decide(facts: Facts) -> Decision:
    """Apply the rules in order."""
    decision = _by_rules(facts)
    if facts.stacked is not None:
        decision = _stacked(decision, facts.stacked)
    decision = of_blocks(decision, facts)
    if facts.paired is not None and facts.paired.undone:
        return _undone(decision, facts, facts.paired)
    if decision.class_ is VerdictClass.INCONCLUSIVE or _enough(decision, facts):
        return decision
    alone = f"those alone would be called {decision.class_}"
    if held(decision, facts) < 1:
        alone = f"only {held(decision, facts):.0%} of those would be called {decision.class_}"
    return inconclusive(
        "partial",
        f"only {facts.compared:.0%} of its weights, and {facts.compared_decisive:.0%} of those in matrices, could be "
        f"compared; {alone}",
    )


def _enough(decision: Decision, facts: Facts) -> bool:
    """Whether the class is about enough of the suspect's weights.

    A public part with something new beside it is a copy of that part and no more, and what could not be compared may
    hold anything: both a copy and an all-clear have to be about nearly all.
    """
    if (
        decision.class_ in (VerdictClass.COPY, VerdictClass.UNRELATED)
        and min(facts.compared, facts.compared_decisive) < NEARLY_ALL
    ):
        return False
    if decision.class_ is VerdictClass.UNRELATED and facts.compared_decisive * facts.finite < NEARLY_ALL:
        return False
    return facts.compared_decisive * held(decision, facts) >= HALF


def held(decision: Decision, facts: Facts) -> float:
    """The share of the weights compared that the class is about, 0 to 1: less than all where it holds in a part."""
    shares = {
        "partly-exact": facts.explained,
        "identical": facts.alike * facts.finite,
        "unrelated": facts.finite,
    }
    return shares.get(decision.rule, 1.0)


def _stacked(decision: Decision, stacked: Stacked) -> Decision:
    """Layers put together: a stack where they cannot be one model's own, else parts as training may leave them too."""
    if decision.class_ is VerdictClass.COPY or decision.rule == "no-evidence":
        return decision
    if stacked.versions >= DISTINCT or (stacked.scaled and stacked.moved and len(stacked.parents) == 1):
        return Decision(VerdictClass.MERGE, "method")
    return inconclusive("whole-parts", PARTS) if len(stacked.parents) > 1 else decision


def _undone(decision: Decision, facts: Facts, paired: PairedUnits) -> Decision:
    """What holds in other coordinates: bits are bits there too, and nothing else says more than the units."""
    bits = decision.class_ in (VerdictClass.COPY, VerdictClass.MERGE) and decision.rule != "exact-to-rounding"
    if bits and paired.exact and _enough(decision, facts):
        return decision
    if paired.doubts:
        return inconclusive(
            "coordinates-open",
            f"the units of {' and '.join(paired.doubts)} agree as well, which nobody suspects: what they share is no "
            "sign of kinship",
            paired.parent,
        )
    reason = f"{units_in_words(paired)}, and {paired.kin} of {paired.layers} layers are related so"
    reached = max((value for value in facts.correlations if value is not None), default=0.0)
    if reached < KIN and facts.kin_tensors < HALF:
        return inconclusive(
            "coordinates-open",
            f"{reason}; but once other coordinates are undone the raw weights correlate at {reached:.2f}, less than a "
            "descendant's do, and undoing alone brings strangers as far in small models",
            paired.parent,
        )
    return Decision(VerdictClass.OTHER_COORDINATES, "other-coordinates", paired.parent, reason)


def _by_rules(facts: Facts) -> Decision:
    """Rules 1 to 4, then the rest."""
    if facts.finite < HALF:
        return inconclusive(
            "no-evidence",
            "more than half of the matrix elements are not finite in one of the files: compare again without that file",
        )
    if facts.elements < MINIMUM_ELEMENTS:
        return inconclusive(
            "no-evidence",
            "hardly any matrix has a counterpart of the same name and shape; norms and biases decide nothing",
        )
    if facts.identical:
        return _identical(facts)
    known = [value for value in facts.correlations if value is not None]
    if not known:
        return inconclusive("no-evidence", "the matrices of the suspect or of the parents do not vary")
    related = max(known)
    if related < UNRELATED and not facts.kin_tensors:
        return strangers(facts)
    if related < KIN:
        return partly_kin(facts, related)
    if by_design(facts):
        parent = facts.correlations.index(related)
        return inconclusive(
            "weak-kinship",
            f"the raw weights correlate at {related:.2f}, but by their signs at {facts.signs[parent] or 0:.2f} only: a "
            "few large numbers own it, as where matrices of both began as the identity",
            parent + 1,
        )
    if facts.parents == 1:
        return near(facts, 1)
    return among_parents(facts)


def _identical(facts: Facts) -> Decision:
    """A copy of a parent whose numbers these are, rounded or not, unless that parent was made from these."""
    copied = [parent for parent in facts.identical if parent not in facts.beneath]
    if copied:
        return Decision(VerdictClass.COPY, "identical", copied[0])
    return inconclusive(
        "beneath-rounding",
        "the finer numbers of that parent lie nearer the suspect's than numbers that were rounded to these lie, as "
        "after training by less than one rounding step",
        facts.identical[0],
    )
