"""The sentences that reports share: what a verdict means, what a term means, how to contest. No numbers, no layout."""

from __future__ import annotations

from typing import NamedTuple

from modelprov.forensics.results import VerdictClass
from modelprov.reports.document import Colours, Fact


class VerdictWords(NamedTuple):
    """How a verdict class is named, explained and coloured.

    `headline` names the models: {suspect}, {parent} (the one that the verdict is about) and {parents}.
    """

    name: str
    headline: str
    meaning: str
    colours: Colours


BY_RECIPE = "Whoever has the parents can compute that again, and needs no statistics for it. That is certain."
BY_METHOD = (
    "Computed again from the parents, the method that is named here gives {bits} of the weights that were read whole. "
    "That is certain, and says nothing of who made which file."
)
BY_MASK = (
    "The method that is named here drops changes at random: what was kept is what it makes of the parents, the "
    "draw itself cannot be repeated. It says nothing of who made which file."
)

VERDICTS: dict[VerdictClass, VerdictWords] = {
    VerdictClass.COPY: VerdictWords(
        "Copy",
        "{suspect} is a copy of {parent}",
        "The weights that the headline speaks of are those of one parent, to the precision that they hold. Whatever "
        "differs is listed by component.",
        Colours("#8a3d12", "#f0a679", "yellow"),
    ),
    VerdictClass.MERGE: VerdictWords(
        "Merge",
        "{suspect} is a mix of {parents}",
        "The weights that the headline speaks of lie where mixing the parents by fixed weights puts them, to within "
        "rounding. That is certain, and says nothing of who made which file.",
        Colours("#1c4f8f", "#8fbcf2", "blue"),
    ),
    VerdictClass.ON_LINE: VerdictWords(
        "On a line",
        "{suspect} lies on the line between {parents}",
        "The weights lie at a fixed mix of the parents or close to it, and no exact mix was shown. This asks for a "
        "look; it is no finding.",
        Colours("#5a3a8e", "#c3a8f0", "magenta"),
    ),
    VerdictClass.SAME_ORIGIN: VerdictWords(
        "Same origin",
        "{suspect} shares its origin with {parent}",
        "The weights lie near one parent. Which came first, or whether both come from a third checkpoint, they do not "
        "show.",
        Colours("#0b645a", "#74cfc0", "cyan"),
    ),
    VerdictClass.OTHER_COORDINATES: VerdictWords(
        "Related, in other coordinates",
        "{suspect} is related to {parent}, in other coordinates",
        "Once what was changed inside is undone, the weights share more than they do at their own places. Reordering, "
        "rotating or rescaling costs nothing and leaves what a model does as it was; cutting or repeating parts does "
        "not. What else was done is open.",
        Colours("#7a2e5d", "#eda3cf", "magenta"),
    ),
    VerdictClass.UNRELATED: VerdictWords(
        "Unrelated",
        "No relation of {suspect} to {parents} was found",
        "That is said of the checkpoints that were given, and of weights. It does not show that the model was made "
        "independently: other models were not looked at, and reuse can leave no trace in weights.",
        Colours("#3d5a26", "#add48a", "green"),
    ),
    VerdictClass.INCONCLUSIVE: VerdictWords(
        "Inconclusive",
        "The weights do not settle where {suspect} comes from",
        "This is neither a finding nor an all-clear.",
        Colours("#50555e", "#b9bfca", "white"),
    ),
}

BESIDE = "Beside that mix lies more than the rounding of the numbers compared."
BESIDE_ROUNDING = "What lies beside that mix may be rounding alone."
BESIDE_UNMEASURED = "How much lies beside that mix was not measured."
BESIDE_TRACED = "How much lies beside that mix was measured with its rounding in it."
"""What a place on a line has beside it, by how that was measured; said by the summary too, so never in a class."""
NO_PLAIN_MIX = "No plain mix with the others that were given accounts for what lies between the two."
FEW_OTHERS = "The few weights that the recipe does not give again may lie elsewhere."
MERGE_UNTESTED = "A merge was not tested"
ONE_PARENT = f"One parent was given. {MERGE_UNTESTED}: that takes a second one."
TWO_ADAPTERS = (
    "Both are adapters on {base}, whose weights are most of what they share. Whether their changes are alike shows "
    "where {base} is given as well: the collinearity is then that of the two changes."
)
NO_CONTROL = "No control was run: how a model that nobody suspects would fare here is not known."

HISTORIES = "The weights do not choose among these. Each can be settled by something else."
RENAMED = "This is a report of an older version, which called this verdict “{former}”."
FORMERLY: dict[str, str] = {
    "merge-then-trained": RENAMED + " It meant that the weights lie near a fixed mix of the parents, and named one of "
    "the histories that put them there. That anything was mixed, or trained afterwards, was not shown.",
    "finetune": RENAMED + " It meant that the weights share their origin with a parent, and no more than that: which "
    "came first was never shown.",
}
"""What a class meant that no longer exists, by its name in reports before schema version 2.0."""

TERMS: tuple[Fact, ...] = (
    Fact(
        "Suspect, parents, reference",
        "The suspect S is the checkpoint under test. The parents P1, P2, … are possible sources; the last one is the "
        "reference P0, usually the common base. Everything is measured as a difference from the reference.",
    ),
    Fact(
        "Mixing coefficient α (alpha)",
        "How much of a parent is in the suspect. With two parents, S ≈ α · P1 + (1 − α) · P0: at α = 0 the suspect is "
        "the reference, at α = 1 it is P1, and in between it lies on the straight line from one to the other.",
    ),
    Fact(
        "Rounding cell",
        "A stored number stands for all real numbers that round to it. A bf16 number keeps about three decimal "
        "digits, so each weight confines α to an interval. If the suspect is an exact mix, one α lies in all of these "
        "intervals at once, and millions of them leave very little room.",
    ),
    Fact(
        "Least squares, collinearity",
        "The usual estimate of α, and the cosine between the suspect's and the parent's difference from the reference "
        "(0 for independent models, 1 for the same direction). Least squares is biased by bf16 rounding: where parents "
        "differ by less than a rounding step, the suspect can only equal one or the other, and the estimate drifts "
        "away from the true α, most of all for norms and routers. Different values per component are therefore no "
        "sign of different mixing. Intervals from rounding cells do not have this bias.",
    ),
    Fact(
        "Coverage of α",
        "The share of weights whose interval holds α. An exact mix reaches 100 % at one α. The null is the same share "
        "after the suspect's differences were shuffled, which is what chance alone gives.",
    ),
    Fact(
        "Bit-equal to the recipe",
        "The recipe is computed again from the parents in a named arithmetic, and the results are compared bit for "
        "bit. This needs no statistics and anyone who has the parents can repeat it.",
    ),
    Fact(
        "Agreement",
        "Where the parents hold the same bits, a pure mix must hold them too. The share of such weights that the "
        "suspect kept; training afterwards lowers it.",
    ),
    Fact(
        "Betweenness",
        "Where the parents differ, a mix lies between them. The share of such weights for which the suspect does. It "
        "needs no estimate of α; an independent finetune reaches about a third.",
    ),
    Fact(
        "σ (sigma)",
        "How far the suspect scatters around the best mix before its last rounding. Divided by the distance of the "
        "parents it says how much lies beside the mix.",
    ),
    Fact(
        "Not decisive",
        "Norm weights and biases are alike in models that have nothing to do with each other, so they never carry a "
        "verdict alone. They are marked in the tables.",
    ),
)

CONTEST: tuple[str, ...] = (
    "Run the command above on the checkpoints with the digests listed; the seed makes the run repeatable.",
    "Where a recipe is given, compute it with any merging program and compare the files bit for bit.",
    "Add checkpoints that nobody suspects with --control: similar numbers there would weaken the finding.",
    "Name another parent. A better explanation of the same weights has a higher share of bit-equal elements.",
)

NO_PARENTS = "A mixing coefficient needs at least two parents to mix; this comparison has one."
NOT_MEASURED = "This was not measured."
NO_RECIPE = "No exact recipe was tried."
NO_AFTER = "Whether anything was added after mixing can only be asked of a mix; none was found here."
NO_LAYERS = "No tensor of this comparison belongs to a numbered layer, so there is nothing to show by layer."
NO_CONTROLS = (
    "No control was run: give a model of the same family that nobody suspects as a control, and see how it fares."
)
SAMPLED = "Only a seeded sample was read, {share} of the suspect's weights; shares refer to that sample."
