"""The histories that fit what was found, rule by rule, each with what would settle it. Words only; chooses none.

Weights show where a model lies, not what was done (`docs/adr/0014`). Whoever reads a verdict has to know which other
histories leave the same weights, and what to ask for. Every entry is a history and what would settle it.
Placeholders: {suspect}, {parent} (the one that the verdict is about, else the first), {parents} and {reference}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.verdict import held
from modelprov.forensics.results import History

DATES = "dates and digests of both files, from whoever stored or published them first"
LOGS = "the log and the stored checkpoints of that training"
RECIPE = "the merge config and its receipt, with the digests of the models that went in"
BEFORE = "the weights as they were before they were quantised"
NAMED = "that model, named as a further parent"
COPIED = (
    ("{suspect} was copied from {parent}", DATES),
    ("{parent} was copied from {suspect}", DATES),
    ("both were copied from a third place, such as a public model that both froze", DATES),
)  # fmt: skip
MERGED = (
    ("{suspect} was merged from {parents}", RECIPE),
    ("the change from {reference} to {parent} was scaled, or an adapter was merged at another scale",
     "nothing in the weights, as they are the same; a config or the adapter's file"),
    ("{suspect} is an average of stages of one training, and the parents are such stages", LOGS),
    ("a parent was made from {suspect}, so that {suspect} comes out as the mixture", DATES),
)  # fmt: skip
FITTING: Final[Mapping[str, tuple[tuple[str, str], ...]]] = MappingProxyType({
    "identical": COPIED,
    "beneath-rounding": (
        ("{parent} was made from {suspect}, and changed by less than one rounding step", DATES),
        ("{suspect} is {parent}, rounded, and {parent} was rounded before in another way", DATES),
    ),
    "reproduced": MERGED,
    "exact-to-rounding": MERGED,
    "partly-exact": (
        *MERGED,
        ("the rest was trained afterwards, or put in from another model",
         "the tensors that are not exact (column “Bit-equal to recipe”), compared with other models"),
        ("the rest was merged too, with another ratio or method, or in another arithmetic", RECIPE),
    ),
    "method": (
        MERGED[0],
        ("the parents are stages or seeds of {suspect}'s own training, merged by whoever trained it", LOGS),
        ("a parent was made from {suspect}, so that this method gives {suspect} again", DATES),
        ("another method, which gives the same bits with these parents", RECIPE),
    ),
    "traced": (
        ("a merge of {parents} that was trained, pruned or stored in fewer bits afterwards",
         "the checkpoint as it was before; a recipe gives every bit of it"),
        ("a merge of {parents} with something else in it, such as a small share of another model", NAMED),
        ("both {suspect} and such a merge were made from one that is not here", NAMED),
        ("a parent was made from {suspect} so that the merge has most of its numbers", DATES),
    ),
    "near-the-line": (
        ("a merge of {parents} that was trained afterwards, or computed in a way that was not tried",
         "the checkpoint as it was before that training; a recipe gives every bit of it"),
        ("an earlier stage of the training that led to {parent}; nothing was merged", LOGS),
        ("a sibling of {parent}: the same data and order, at another learning rate; nothing was merged",
         "the settings of both trainings; another such sibling, as a control, lies on the line too"),
        ("the same adapter as in {parent}, merged at another scale", "the adapter's file"),
        ("an average of checkpoints of one run (SWA, EMA)",
         "those checkpoints, named as further parents: their mean gives the bits"),
        ("a merge that was stored in fewer bits (int8, FP8) and unpacked again",
         "the packed file; or how few different values a row of a matrix has"),
        ("a merge on a curve (SLERP and its like), which stays near the line",
         "that method, computed with these parents and compared bit for bit"),
        ("a merge with a small share of a model that was not named", NAMED),
        ("{parent} was made by carrying {suspect} on beyond itself, and trained a little", DATES),
    ),
    "near-one-parent": (
        ("{suspect} was trained from {parent}", LOGS),
        ("{parent} was trained from {suspect}", LOGS),
        ("both were trained from a third model, or from each other's ancestors",
         "the common base, named as a further parent"),
        ("{parent}, with a share of a model that was not named", NAMED),
        ("{parent} in fewer bits, or with parts removed, and unpacked again",
         "the packed file; or how few different values a row of a matrix has"),
        ("both began as the same numbers, of one seed or one formula, and were trained apart",
         "the seed and the code of both"),
    ),
    "points-elsewhere": (
        ("{suspect} was made from {parent} and the model that it points to, or a relative of that",
         "that model, named as a further parent"),
        ("the model that it points to was made from {suspect}", DATES),
        ("both were trained from {parent} on nearly the same data", LOGS),
    ),
    "rounded": (
        ("{suspect} is {parent}, stored in fewer bits and unpacked again", DATES),
        ("{parent} was made from {suspect}, with something between its steps", DATES),
        ("both were rounded from a third, more finely stored model", NAMED),
        ("{suspect} is a sibling, a finetune or another near relative of {parent}, and what they differ in was lost in "
         "rounding", BEFORE),
    ),
    "scaled": (
        ("{suspect} was copied from {parent}, and its weights were multiplied", DATES),
        ("{parent} was made from {suspect} so", DATES),
        ("the one was trained from the other with a decay of its weights, at a learning rate that left nothing else",
         LOGS),
        ("{suspect} is a merge of {parent} with a model of zeros, or with another multiple of it", RECIPE),
        ("factors of rows or columns were trained alone (IA3), or moved from a matrix to the next, which computes the "
         "same", LOGS),
    ),
    "recoded": (
        ("in both trainings most matrices only shrank (weight decay) or were multiplied, and the rest was trained",
         LOGS),
        ("stages or siblings of a training of few numbers (BitNet, codebooks, quantisation-aware training): scales or "
         "codebooks moved, and hardly a number took another code", LOGS),
        ("{suspect} was merged from {parents}, which have one pattern in most matrices", RECIPE),
    ),
    "proportional": (
        ("{suspect} was copied from {parent}, and factors moved between its matrices, which computes the same",
         "the models themselves, where fingerprints were compared"),
        ("factors of rows or columns were trained alone (IA3), or changes that multiply", LOGS),
        ("{suspect} is {parent}, or a relative, with noise that follows its weights", DATES),
    ),
    "sparsified": (
        ("{suspect} is {parent}, pruned with corrections (SparseGPT)", DATES),
        ("{suspect} was pruned from {parent}, and trained", LOGS),
        ("it was trained from {parent} with a penalty that leaves zeros", LOGS),
        ("both were made from a third model", NAMED),
    ),
    "projected": (
        ("{suspect} was copied from {parent}, and its matrices were brought to a lower rank (SVD), or their singular "
         "values edited", DATES),
        ("{suspect} is {parent} with a direction taken out or weakened (abliteration)", DATES),
        ("of {parent} nothing but singular values was trained (SVF)", LOGS),
        ("{parent} was made from {suspect}, with something in directions that it had none in", DATES),
    ),
    "layers-mixed": (
        ("{suspect} is {parent}, with layers mixed with those beside them", DATES),
        ("it was trained from {parent} with a penalty that draws layers together", LOGS),
        ("both were made so from a third model", NAMED),
    ),
    "pruned": (
        ("{suspect} was copied from {parent}, and pruned", DATES),
        ("{parent} was made from {suspect} by training only what is zero there", LOGS),
        ("both were made so from a third model", NAMED),
    ),
    "quantised": (
        ("a merge of {parents}, quantised, or with a quantised parent", BEFORE + ": a recipe gives every bit of them"),
        ("training, adapters or averages that lead to the same numbers but for the steps", BEFORE),
        ("a stage, a sibling or a finetune of a parent, quantised; nothing was merged", LOGS),
        ("{parent} itself, quantised, its roundings corrected (GPTQ, AWQ) or drawn", BEFORE),
    ),
    "near-copy": (
        ("{suspect} was copied from {parent}, and rounded, scaled or given noise", DATES),
        ("{parent} was made from {suspect} so", DATES),
        ("the one was trained from the other by a few steps, in a format that keeps large changes alone", LOGS),
        ("both were rounded from a third, more finely stored model", NAMED),
    ),
    "unrelated": (
        ("{suspect} was trained on its own", LOGS),
        ("{suspect} was trained on answers of {parents} (distillation)",
         "the training data; what it says about itself may hint at it"),
        ("it was related, and was trained until nothing was left at its place", LOGS),
        ("it is related to a model that was not named", NAMED),
    ),
    "no-evidence": (
        ("any", "files with matrices of the same names and shapes, and finite numbers"),
    ),
    "partial": (
        ("what could be compared was taken from, or is shared with, a parent, and the rest was added",
         "where the rest comes from: other models, named as parents"),
        ("two models share a public part, such as a frozen tower", "that public part, as a control"),
    ),
    "other-coordinates": (
        ("{suspect} was made from {parent} (copied, trained, merged, pruned or stacked), and then reordered, rotated "
         "or rescaled", DATES),
        ("{parent} was made from {suspect} so", DATES),
        ("both were made from a third model", NAMED),
        ("a program rewrote the weights for its own use (norms folded in, heads or experts sorted)",
         "the program and the settings of that conversion; the files from before it"),
    ),
    "coordinates-open": (
        ("{parent}, or a relative, reordered, rotated, rescaled or shifted inside",
         "undoing it, and comparing weight by weight"),
        ("{suspect} was trained from {parent}, or it from {suspect}, by rotations alone (OFT)", LOGS),
        ("independent models whose sizes agree by design, for example by the same normalisation",
         "another independent model of that design, as a control"),
    ),
    "layers-elsewhere": (
        ("layers of {parent}, or of a relative, were reordered, dropped, repeated or put among others, and perhaps "
         "trained", "comparing the models themselves, weight by weight"),
        ("{parent} was made from {suspect} so", DATES),
    ),
    "matrices-elsewhere": (
        ("layers, experts or matrices of {parent}, or of a relative, were put at other places in a model of its own, "
         "and perhaps trained", "a comparison of those matrices alone; " + LOGS),
        ("{parent} was made from {suspect} so", DATES),
        ("the same table or design in both, under another name", "the code of both"),
    ),
    "weak-kinship": (
        ("a relative that was trained, pruned or rescaled very far", LOGS),
        ("a few tensors taken from a parent, in a model of its own", "the correlation tensor by tensor"),
        ("the same initialisation, or the same design", "the seed and the code of both"),
    ),
    "near-a-mixture": (
        ("{parent} was merged from two of the others, and {suspect} was made from it",
         RECIPE + "; a comparison of {parent} with them"),
        ("{suspect} was there first, or is a sibling, and the others were set around {parent}", DATES),
    ),
    "other-child": (
        ("the model in the middle is the mixture, of {suspect} among others",
         "a comparison with that one as the suspect; " + RECIPE),
        ("the model in the middle is a stage of the training of an end", LOGS),
    ),
    "extrapolated": (
        ("{suspect} was merged from {parents}", RECIPE),
        ("a parent was made by carrying {suspect} on beyond itself", DATES),
    ),
    "picked": (
        ("{suspect} was merged so", RECIPE),
        ("{suspect} was trained from one of them, and another was made from {suspect}, or trained on from it, in such "
         "weights as the method drops", DATES),
    ),
    "thinned": (
        ("a merge of random masks (DARE, DELLA), by a program that rounds otherwise, or trained later",
         "the program, run with another seed; the checkpoint as it was before that training"),
        ("a random part of the weights was trained, on a parent's data at another learning rate", LOGS),
        ("a parent was made from {suspect} by training on", DATES),
    ),
    "ties": (
        ("each weight was picked from one parent or another", RECIPE),
        ("a sibling of a parent: the same data and order, at a fraction of the learning rate",
         "the settings of both trainings"),
        ("a mixture in an arithmetic that breaks ties otherwise", RECIPE),
        ("the parents were set around {suspect}", DATES),
    ),
    "whole-parts": (
        ("parts of {parents} were put together", RECIPE),
        ("training in stages, of which one left some parts as they were", LOGS),
    ),
    "two-directions": (
        ("a merge that drops, picks or swaps elements (TIES, DARE, DELLA, nearswap)", RECIPE),
        ("training on data like that of both parents", LOGS),
    ),
    "shared-direction": (
        ("a merge that was trained much further, or by a method that drops or picks elements", RECIPE),
        ("training on the same or similar data as a parent, or a stage of its training",
         LOGS + "; another such model, as a control"),
        ("an ancestor of the parents", DATES),
    ),
})  # fmt: skip
VECTORS = ("of that model, norms or biases alone were trained", LOGS)
UNREAD = (
    "{suspect} was trained from {parent}, in a small part of the weights that was not read",
    "comparing all weights (`--full`)",
)
ONE_PARENT = ("a merge of {parent} with a model that was not named", NAMED)


def histories(decision: Decision, facts: Facts, labels: Sequence[str]) -> tuple[History, ...]:
    """Those that fit this decision, with the labels put in; none where a rule has no list of its own."""
    fitting = FITTING.get(decision.rule, ())
    if decision.rule == "identical" and held(decision, facts) < 1:
        fitting = (*fitting, VECTORS)
    if decision.rule == "identical" and facts.may_differ:
        fitting = (*fitting, UNREAD)
    if decision.rule == "near-one-parent" and len(labels) == 2:
        fitting = (*fitting[:3], ONE_PARENT, *fitting[4:])
    if decision.rule == "quantised" and len(labels) == 2:
        fitting = (*fitting[:1:-1], ONE_PARENT)
    names = {
        "suspect": labels[0],
        "parent": labels[decision.parent or 1],
        "parents": " and ".join(labels[1:]),
        "reference": labels[-1],
    }
    return tuple(
        History(history=history.format(**names), settled_by=settled_by.format(**names))
        for history, settled_by in fitting
    )
