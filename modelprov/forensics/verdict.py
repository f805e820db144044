"""The verdict: from evidence to one of six classes. Pure; the rules stand here, in the order in which they are tried.

Only decisive tensors (matrices of at least 16 x 16, no norms, no biases) carry a verdict. Thresholds come from the
generated families of `benchmarks/calibration.py`; `docs/method.md` says what each one costs.

1.  no-evidence         fewer than 1,000 finite decisive elements                             -> inconclusive
2.  identical           every decisive element holds the bits of one parent                   -> copy
                        (if only norms, biases and other vectors differ: finetune)
3.  unrelated           mean-centred correlation with every parent below 0.1                  -> unrelated
4.  weak-kinship        that correlation below 0.5 for every parent                           -> inconclusive
5.  other-child         another argument lies between the rest, and the suspect does not      -> inconclusive
6.  reproduced          a recipe with more than one parent gives the same bits in 99.99 % of the elements where the
                        parents differ                                                        -> merge
7.  exact-to-rounding   one weighting (or one per piece) lies in every rounding cell sampled, agreement and
                        betweenness are complete                                              -> merge
    (6 and 7: if that holds in at least half of the weights and not in the rest, rule partly-exact
                                                                                          -> merge-then-trained)
8.  merge-then-trained  the likelihood puts the suspect inside the parents' span (rounding-corrected collinearity at
                        least 0.95), no parent has more than 0.95 of the weight, and the coefficient is the same
                        across layers and components (spread at most 0.05)                    -> merge-then-trained
9.  near-one-parent     one parent has more than 0.9 of the weight                            -> finetune
10. shared-direction    anything else                                                         -> inconclusive
A control that fares as the suspect does turns rules 6 to 8 into inconclusive.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelprov.forensics.results import VerdictClass
from modelprov.forensics.roles import Between

MINIMUM_ELEMENTS = 1_000
UNRELATED, KIN = 0.1, 0.5
REPRODUCED = 0.9999
COMPLETE = 0.9999  # agreement and betweenness of an exact merge
COLLINEAR = 0.95
INTERIOR = 0.95  # a merge leaves no parent more than this weight, unless it is exact
SPREAD = 0.05
NEAR = 0.9


@dataclass(frozen=True)
class Facts:
    """What the rules look at; parents are numbered 1 ... k as arguments, the reference last.

    `identical` the parents whose bits every decisive element holds; `vectors_differ` whether anything else differs.
    `correlations` mean-centred raw correlation by parent (None: no variance). `bit_equal` is the best recipe's share
    where parents differ, at worst; `mixes` whether that recipe uses more than one parent. `exact` whether one weighting
    fits every rounding cell; it does so in the share `explained` of the decisive elements, and `bit_equal`,
    `agreement` and `betweenness` are measured there. `boundary`: nothing beyond rounding was added. `weights` by parent: likelihood, else least squares. `spread` is the standard deviation
    of the first coefficient over layers and components beyond its own error.
    """

    elements: int
    parents: int
    identical: tuple[int, ...] = ()
    vectors_differ: bool = False
    correlations: tuple[float | None, ...] = ()
    between: tuple[Between, ...] = ()
    other_exact: int | None = None
    bit_equal: float | None = None
    mixes: bool = False
    interior: bool = True
    exact: bool = False
    explained: float = 1.0
    agreement: float | None = None
    betweenness: float | None = None
    weights: tuple[float, ...] | None = None
    collinearity: float | None = None
    spread: float | None = None
    boundary: bool = False


@dataclass(frozen=True)
class Decision:
    """The class, the rule that decided, the parent it is about (argument number) and why nothing firmer can be said."""

    class_: VerdictClass
    rule: str
    parent: int | None = None
    reason: str | None = None


def decide(facts: Facts) -> Decision:
    """Apply the rules in order."""
    if facts.elements < MINIMUM_ELEMENTS:
        return _inconclusive("no-evidence", "too few comparable matrix elements; norms and biases decide nothing")
    if facts.identical:
        if facts.vectors_differ:
            return Decision(VerdictClass.FINETUNE, "identical", facts.identical[0])
        return Decision(VerdictClass.COPY, "identical", facts.identical[0])
    related = max((value for value in facts.correlations if value is not None), default=0.0)
    if related < UNRELATED:
        return Decision(VerdictClass.UNRELATED, "unrelated")
    if related < KIN:
        return _inconclusive(
            "weak-kinship", f"the raw weights correlate at {related:.2f}: more than chance, less than a descendant does"
        )
    if facts.parents == 1:
        return Decision(VerdictClass.FINETUNE, "near-one-parent", 1)
    return _among_parents(facts)


def _among_parents(facts: Facts) -> Decision:
    """Rules 5 to 10: the suspect is kin, and there are at least two parents."""
    own = any(one.child == 0 for one in facts.between)
    others = [one for one in facts.between if one.child != 0]
    exact_interior = (facts.exact or (facts.bit_equal or 0) >= REPRODUCED) and facts.interior
    if facts.other_exact is not None and not exact_interior:
        return _inconclusive("other-child", "another argument is an exact mixture of the rest", facts.other_exact)
    complete = min(facts.agreement if facts.agreement is not None else 1.0, facts.betweenness or 0.0) >= COMPLETE
    reproduced = facts.bit_equal is not None and facts.bit_equal >= REPRODUCED
    if facts.mixes and (reproduced or (facts.exact and (complete or not facts.interior))):
        if facts.explained < 1:
            return Decision(VerdictClass.MERGE_THEN_TRAINED, "partly-exact")
        return Decision(VerdictClass.MERGE, "reproduced" if reproduced else "exact-to-rounding")
    if others and not own:
        return _inconclusive("other-child", "another argument lies between the rest", others[0].child)
    if facts.weights is None:
        return _inconclusive("shared-direction", "the parents cannot be told apart")
    heaviest = max(range(len(facts.weights)), key=lambda parent: facts.weights[parent])  # type: ignore[index]
    weight = facts.weights[heaviest]
    if weight <= INTERIOR and min(facts.weights) >= -SPREAD and (facts.collinearity or 0) >= COLLINEAR:
        if facts.spread is None or facts.spread <= SPREAD:
            return Decision(VerdictClass.MERGE_THEN_TRAINED, "merge-then-trained")
        return _inconclusive(
            "shared-direction",
            f"near the line between the parents, but the coefficient varies by ±{facts.spread:.2f} from part to part, "
            "as in an earlier stage of the same training",
        )
    if weight > NEAR:
        return Decision(VerdictClass.FINETUNE, "near-one-parent", heaviest + 1)
    if facts.agreement is not None and facts.agreement >= COMPLETE:
        return _inconclusive(
            "shared-direction",
            "wherever the parents agree the suspect agrees too, as in a merge, but no linear recipe fits "
            "(methods that drop or pick elements, such as TIES and DARE, look like this)",
        )
    return _inconclusive(
        "shared-direction",
        "the suspect shares a direction with a parent without lying on the line: a merge trained much further, "
        "or training on similar data",
    )


def _inconclusive(rule: str, reason: str, parent: int | None = None) -> Decision:
    return Decision(VerdictClass.INCONCLUSIVE, rule, parent, reason)
