"""Why ours left a question open or missed it, and what would settle it: by the rule that spoke, not by the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.lineage.labels import Label

PARENTS = "all parents whole, or a checkpoint between them and the suspect"
BY_RULE: dict[str, tuple[str, str]] = {
    "shared-direction": (
        "it shares a direction with a parent, lies on no line, and no method that was tried gives its bits; a merge, "
        "training on like data and a stage of a run look so",
        PARENTS,
    ),
    "extrapolated": (
        "a parent is, to its own rounding, the suspect carried on beyond it: whoever has the suspect can make such a "
        "file, so that nobody is accused by it",
        "an older copy of the parent, dated by others",
    ),
    "other-coordinates": (
        "related in other coordinates; the turning left its own rounding, so that no bits tell the act",
        "the files before they were turned",
    ),
    "near-the-line": (
        "on the line between parents with something beside it: trained merges lie so, and curves, stages and sweeps",
        "a checkpoint between, a log, or an unsuspected finetune as a control",
    ),
    "weak-kinship": (
        "what is shared is more than chance and less than a descendant's",
        "the rest of the files: embeddings alone, or noise, cannot carry more",
    ),
    "picked": (
        "its numbers are those of one parent or of another, which a forger can pick as well",
        "the recipe, or a parent that was dated by others",
    ),
    "rounded": ("a parent's numbers, rounded by a quantiser; who came first is open", "the unpacked file"),
    "pruned": ("a parent's numbers, some of them zeros; who came first is open", "dates of the files"),
    "projected": (
        "a parent's matrices, or its change, with directions taken out; who came first is open",
        "dates of the files",
    ),
    "layers-mixed": ("what differs is a parent's own next layers", "dates of the files"),
    "proportional": ("all that differs follows the weights' own size, as factors leave it", "the models themselves"),
    "sparsified": (
        "zeros where a parent has numbers, and other numbers moved: trained after pruning, or corrected for it",
        "the log of that training",
    ),
    "recoded": (
        "each matrix holds a parent's numbers under values of its own, of which any two mix to a third",
        "a checkpoint between, or a log",
    ),
    "other-child": ("another argument is an exact mixture of the suspect and the rest", "dates of the files"),
    "whole-parts": (
        "each part is, bit for bit, one parent's or another's: training in stages leaves that too",
        "a checkpoint between",
    ),
    "two-directions": ("near one parent, with another's direction in it: like data and merges look so", PARENTS),
    "partial": ("too little of its weights could be compared", "parents of the same layout"),
    "near-one-parent": (
        "the best fit gives the other parents no weight: what picks or rounds weights may hide one, and a quantiser's "
        "corrections are no rounding that could be recognised",
        PARENTS,
    ),
    "ties": (
        "where the mixture falls on a border, rounding went too often to odd numbers",
        "the files before rounding",
    ),
    "near-copy": ("it differs from a parent by no more than rounding would", "the file that it was rounded from"),
    "unrelated": (
        "nothing is alike at its places and units are paired no better than by chance: noise of more than the weights' "
        "size, with other embeddings, leaves no trace that the test of units finds",
        "the model before the noise",
    ),
    "reproduced": (
        "a known limit: the accuser's file was ground until the suspect fills its rounding cells as a merge does",
        "an older copy of the parent, dated by others",
    ),
    "quantised": (
        "a quantiser's corrections are no rounding that could be recognised, and are larger than what training changes",
        "the unpacked file",
    ),
    "identical": ("too few of its weights could be compared, or what could is one part", "the rest of the files"),
    "partly-exact": ("a part is an exact merge; whether the rest was trained or taken elsewhere is open", PARENTS),
}


def reason(label: Label, row: Mapping[str, Any]) -> tuple[str, str]:
    """The two sentences of a case."""
    words = str(row["words"])
    rule = words.partition("(")[2].partition(")")[0]
    why, settled = BY_RULE.get(rule, (words.partition(": ")[2][:160] or words, "nothing that we know of"))
    return why, label.settled_by or settled
