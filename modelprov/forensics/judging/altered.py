"""What is said of a suspect near one parent that holds its numbers, altered as training alone alters none."""

from __future__ import annotations

from modelprov.forensics.estimators.at_their_places import emptied
from modelprov.forensics.estimators.recoded import recoded_alone
from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.thresholds import BLENDED, PROPORTIONAL

NEAR = "near-one-parent"


def in_view_of_values(decision: Decision, facts: Facts, sample: Sample | None, seed: int) -> Decision:
    """The decision, or what takes the place of kinship: zeros, other values one by one, changes by size.

    Asked last, since what was rounded holds zeros too, and a value for each.
    """
    if decision.rule != NEAR or decision.parent is None or sample is None:
        return decision
    share = recoded_alone(sample, decision.parent - 1, seed)
    if share is not None and share > 1 - BLENDED:
        return inconclusive(
            "recoded",
            f"in matrices with {share:.0%} of what differs its values follow from that model's, equal ones to equal "
            "ones or in the same order: training moves each number its own way, and a codebook all of one code",
            decision.parent,
        )
    zeros = emptied(sample, decision.parent - 1)
    if zeros is not None:
        return inconclusive(
            "sparsified",
            f"{zeros:.1%} of that model's numbers are zeros in it, in most of what differs: pruning leaves zeros, and "
            "training by itself none; whether it was then trained, or corrected for what was pruned, is not told",
            decision.parent,
        )
    if facts.proportional is not None and facts.proportional[0] <= PROPORTIONAL:
        return inconclusive(
            "proportional",
            f"its weights differ by {facts.proportional[1]:.1%} of their size on the mean, small ones no more than "
            "large ones: factors of rows and columns do so, as where gains of norms were taken into matrices, and "
            "training moves small weights as far as large ones",
            decision.parent,
        )
    return decision
