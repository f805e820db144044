"""The histories that fit what was found, rule by rule, each with what would settle it. Words only; chooses none.

Weights show where a model lies, not what was done (`docs/adr/0014`). Whoever reads a verdict has to know which other
histories leave the same weights, and what to ask for. Placeholders: {suspect}, {parent} (the one that the verdict is
about, else the first), {parents} and {reference}.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    History(history="{suspect} was copied from {parent}", settled_by=DATES),
    History(history="{parent} was copied from {suspect}", settled_by=DATES),
    History(history="both were copied from a third place, such as a public model that both froze", settled_by=DATES),
)
MERGED = (
    History(history="{suspect} was merged from {parents}", settled_by=RECIPE),
    History(
        history="the change from {reference} to {parent} was scaled, or an adapter was merged at another scale",
        settled_by="nothing in the weights, as they are the same; a config or the adapter's file",
    ),
    History(history="{suspect} is an average of stages of one training, and the parents are such stages",
            settled_by=LOGS),
    History(history="a parent was made from {suspect}, so that {suspect} comes out as the mixture", settled_by=DATES),
)  # fmt: skip
FITTING: Final = MappingProxyType({
    "identical": COPIED,
    "beneath-rounding": (
        History(history="{parent} was made from {suspect}, and changed by less than one rounding step",
                settled_by=DATES),
        History(history="{suspect} is {parent}, rounded, and {parent} was rounded before in another way",
                settled_by=DATES),
    ),
    "reproduced": MERGED,
    "exact-to-rounding": MERGED,
    "partly-exact": (
        *MERGED,
        History(history="the rest was trained afterwards, or put in from another model",
                settled_by="the tensors that are not exact (column “Bit-equal to recipe”), compared with other models"),
        History(history="the rest was merged too, with another ratio or method, or in another arithmetic",
                settled_by=RECIPE),
    ),
    "method": (
        MERGED[0],
        History(history="the parents are stages or seeds of {suspect}'s own training, merged by whoever trained it",
                settled_by=LOGS),
        History(history="a parent was made from {suspect}, so that this method gives {suspect} again",
                settled_by=DATES),
        History(history="another method, which gives the same bits with these parents", settled_by=RECIPE),
    ),
    "traced": (
        History(history="a merge of {parents} that was trained, pruned or stored in fewer bits afterwards",
                settled_by="the checkpoint as it was before; a recipe gives every bit of it"),
        History(history="a merge of {parents} with something else in it, such as a small share of another model",
                settled_by=NAMED),
        History(history="both {suspect} and such a merge were made from one that is not here", settled_by=NAMED),
        History(history="a parent was made from {suspect} so that the merge has most of its numbers", settled_by=DATES),
    ),
    "near-the-line": (
        History(history="a merge of {parents} that was trained afterwards, or computed in a way that was not tried",
                settled_by="the checkpoint as it was before that training; a recipe gives every bit of it"),
        History(history="an earlier stage of the training that led to {parent}; nothing was merged", settled_by=LOGS),
        History(history="a sibling of {parent}: the same data and order, at another learning rate; nothing was merged",
                settled_by="the settings of both trainings; another such sibling, as a control, lies on the line too"),
        History(history="the same adapter as in {parent}, merged at another scale", settled_by="the adapter's file"),
        History(history="an average of checkpoints of one run (SWA, EMA)",
                settled_by="those checkpoints, named as further parents: their mean gives the bits"),
        History(history="a merge that was stored in fewer bits (int8, FP8) and unpacked again",
                settled_by="the packed file; or how few different values a row of a matrix has"),
        History(history="a merge on a curve (SLERP and its like), which stays near the line",
                settled_by="that method, computed with these parents and compared bit for bit"),
        History(history="a merge with a small share of a model that was not named", settled_by=NAMED),
        History(history="{parent} was made by carrying {suspect} on beyond itself, and trained a little",
                settled_by=DATES),
    ),
    "near-one-parent": (
        History(history="{suspect} was trained from {parent}", settled_by=LOGS),
        History(history="{parent} was trained from {suspect}", settled_by=LOGS),
        History(history="both were trained from a third model, or from each other's ancestors",
                settled_by="the common base, named as a further parent"),
        History(history="{parent}, with a share of a model that was not named", settled_by=NAMED),
        History(history="{parent} in fewer bits, or with parts removed, and unpacked again",
                settled_by="the packed file; or how few different values a row of a matrix has"),
        History(history="both began as the same numbers, of one seed or one formula, and were trained apart",
                settled_by="the seed and the code of both"),
    ),
    "points-elsewhere": (
        History(history="{suspect} was made from {parent} and the model that it points to, or a relative of that",
                settled_by="that model, named as a further parent"),
        History(history="the model that it points to was made from {suspect}", settled_by=DATES),
        History(history="both were trained from {parent} on nearly the same data", settled_by=LOGS),
    ),
    "rounded": (
        History(history="{suspect} is {parent}, stored in fewer bits and unpacked again", settled_by=DATES),
        History(history="{parent} was made from {suspect}, with something between its steps", settled_by=DATES),
        History(history="both were rounded from a third, more finely stored model", settled_by=NAMED),
        History(history="{suspect} is a sibling, a finetune or another near relative of {parent}, and what they differ "
                "in was lost in rounding", settled_by=BEFORE),
    ),
    "scaled": (
        History(history="{suspect} was copied from {parent}, and its weights were multiplied", settled_by=DATES),
        History(history="{parent} was made from {suspect} so", settled_by=DATES),
        History(history="the one was trained from the other with a decay of its weights, at a learning rate that left "
                "nothing else", settled_by=LOGS),
        History(history="{suspect} is a merge of {parent} with a model of zeros, or with another multiple of it",
                settled_by=RECIPE),
        History(history="factors of rows or columns were trained alone (IA3), or moved from a matrix to the next, "
                "which computes the same", settled_by=LOGS),
    ),
    "recoded": (
        History(history="in both trainings most matrices only shrank (weight decay) or were multiplied, and the "
                "rest was trained", settled_by=LOGS),
        History(history="stages or siblings of a training of few numbers (BitNet, codebooks, quantisation-aware "
                "training): scales or codebooks moved, and hardly a number took another code", settled_by=LOGS),
        History(history="{suspect} was merged from {parents}, which have one pattern in most matrices",
                settled_by=RECIPE),
    ),
    "proportional": (
        History(history="{suspect} was copied from {parent}, and factors moved between its matrices, which computes "
                "the same", settled_by="the models themselves, where fingerprints were compared"),
        History(history="factors of rows or columns were trained alone (IA3), or changes that multiply",
                settled_by=LOGS),
        History(history="{suspect} is {parent}, or a relative, with noise that follows its weights", settled_by=DATES),
    ),
    "sparsified": (
        History(history="{suspect} is {parent}, pruned with corrections (SparseGPT)", settled_by=DATES),
        History(history="{suspect} was pruned from {parent}, and trained", settled_by=LOGS),
        History(history="it was trained from {parent} with a penalty that leaves zeros", settled_by=LOGS),
        History(history="both were made from a third model", settled_by=NAMED),
    ),
    "projected": (
        History(history="{suspect} was copied from {parent}, and its matrices were brought to a lower rank (SVD), or "
                        "their singular values edited", settled_by=DATES),
        History(history="{suspect} is {parent} with a direction taken out or weakened (abliteration)",
                settled_by=DATES),
        History(history="of {parent} nothing but singular values was trained (SVF)", settled_by=LOGS),
        History(history="{parent} was made from {suspect}, with something in directions that it had none in",
                settled_by=DATES),
    ),
    "layers-mixed": (
        History(history="{suspect} is {parent}, with layers mixed with those beside them", settled_by=DATES),
        History(history="it was trained from {parent} with a penalty that draws layers together", settled_by=LOGS),
        History(history="both were made so from a third model", settled_by=NAMED),
    ),
    "pruned": (
        History(history="{suspect} was copied from {parent}, and pruned", settled_by=DATES),
        History(history="{parent} was made from {suspect} by training only what is zero there", settled_by=LOGS),
        History(history="both were made so from a third model", settled_by=NAMED),
    ),
    "quantised": (
        History(history="a merge of {parents}, quantised, or with a quantised parent",
                settled_by=BEFORE + ": a recipe gives every bit of them"),
        History(history="training, adapters or averages that lead to the same numbers but for the steps",
                settled_by=BEFORE),
        History(history="a stage, a sibling or a finetune of a parent, quantised; nothing was merged", settled_by=LOGS),
        History(history="{parent} itself, quantised, its roundings corrected (GPTQ, AWQ) or drawn", settled_by=BEFORE),
    ),
    "near-copy": (
        History(history="{suspect} was copied from {parent}, and rounded, scaled or given noise", settled_by=DATES),
        History(history="{parent} was made from {suspect} so", settled_by=DATES),
        History(history="the one was trained from the other by a few steps, in a format that keeps large changes alone",
                settled_by=LOGS),
        History(history="both were rounded from a third, more finely stored model", settled_by=NAMED),
    ),
    "unrelated": (
        History(history="{suspect} was trained on its own", settled_by=LOGS),
        History(history="{suspect} was trained on answers of {parents} (distillation)",
                settled_by="the training data; what it says about itself may hint at it"),
        History(history="it was related, and was trained until nothing was left at its place", settled_by=LOGS),
        History(history="it is related to a model that was not named", settled_by=NAMED),
    ),
    "no-evidence": (
        History(history="any", settled_by="files with matrices of the same names and shapes, and finite numbers"),
    ),
    "partial": (
        History(history="what could be compared was taken from, or is shared with, a parent, and the rest was added",
                settled_by="where the rest comes from: other models, named as parents"),
        History(history="two models share a public part, such as a frozen tower",
                settled_by="that public part, as a control"),
    ),
    "other-coordinates": (
        History(history="{suspect} was made from {parent} (copied, trained, merged, pruned or stacked), and then "
                "reordered, rotated or rescaled", settled_by=DATES),
        History(history="{parent} was made from {suspect} so", settled_by=DATES),
        History(history="both were made from a third model", settled_by=NAMED),
        History(history="a program rewrote the weights for its own use (norms folded in, heads or experts sorted)",
                settled_by="the program and the settings of that conversion; the files from before it"),
    ),
    "coordinates-open": (
        History(history="{parent}, or a relative, reordered, rotated, rescaled or shifted inside",
                settled_by="undoing it, and comparing weight by weight"),
        History(history="{suspect} was trained from {parent}, or it from {suspect}, by rotations alone (OFT)",
                settled_by=LOGS),
        History(history="independent models whose sizes agree by design, for example by the same normalisation",
                settled_by="another independent model of that design, as a control"),
    ),
    "layers-elsewhere": (
        History(history="layers of {parent}, or of a relative, were reordered, dropped, repeated or put among others, "
                "and perhaps trained", settled_by="comparing the models themselves, weight by weight"),
        History(history="{parent} was made from {suspect} so", settled_by=DATES),
    ),
    "matrices-elsewhere": (
        History(history="layers, experts or matrices of {parent}, or of a relative, were put at other places in a "
                "model of its own, and perhaps trained", settled_by="a comparison of those matrices alone; " + LOGS),
        History(history="{parent} was made from {suspect} so", settled_by=DATES),
        History(history="the same table or design in both, under another name", settled_by="the code of both"),
    ),
    "weak-kinship": (
        History(history="a relative that was trained, pruned or rescaled very far", settled_by=LOGS),
        History(history="a few tensors taken from a parent, in a model of its own",
                settled_by="the correlation tensor by tensor"),
        History(history="the same initialisation, or the same design", settled_by="the seed and the code of both"),
    ),
    "near-a-mixture": (
        History(history="{parent} was merged from two of the others, and {suspect} was made from it",
                settled_by=RECIPE + "; a comparison of {parent} with them"),
        History(history="{suspect} was there first, or is a sibling, and the others were set around {parent}",
                settled_by=DATES),
    ),
    "other-child": (
        History(history="the model in the middle is the mixture, of {suspect} among others",
                settled_by="a comparison with that one as the suspect; " + RECIPE),
        History(history="the model in the middle is a stage of the training of an end", settled_by=LOGS),
    ),
    "extrapolated": (
        History(history="{suspect} was merged from {parents}", settled_by=RECIPE),
        History(history="a parent was made by carrying {suspect} on beyond itself", settled_by=DATES),
    ),
    "picked": (
        History(history="{suspect} was merged so", settled_by=RECIPE),
        History(history="{suspect} was trained from one of them, and another was made from {suspect}, or trained on "
                "from it, in such weights as the method drops", settled_by=DATES),
    ),
    "thinned": (
        History(history="a merge of random masks (DARE, DELLA), by a program that rounds otherwise, or trained later",
                settled_by="the program, run with another seed; the checkpoint as it was before that training"),
        History(history="a random part of the weights was trained, on a parent's data at another learning rate",
                settled_by=LOGS),
        History(history="a parent was made from {suspect} by training on", settled_by=DATES),
    ),
    "ties": (
        History(history="each weight was picked from one parent or another", settled_by=RECIPE),
        History(history="a sibling of a parent: the same data and order, at a fraction of the learning rate",
                settled_by="the settings of both trainings"),
        History(history="a mixture in an arithmetic that breaks ties otherwise", settled_by=RECIPE),
        History(history="the parents were set around {suspect}", settled_by=DATES),
    ),
    "whole-parts": (
        History(history="parts of {parents} were put together", settled_by=RECIPE),
        History(history="training in stages, of which one left some parts as they were", settled_by=LOGS),
    ),
    "two-directions": (
        History(history="a merge that drops, picks or swaps elements (TIES, DARE, DELLA, nearswap)", settled_by=RECIPE),
        History(history="training on data like that of both parents", settled_by=LOGS),
    ),
    "shared-direction": (
        History(history="a merge that was trained much further, or by a method that drops or picks elements",
                settled_by=RECIPE),
        History(history="training on the same or similar data as a parent, or a stage of its training",
                settled_by=LOGS + "; another such model, as a control"),
        History(history="an ancestor of the parents", settled_by=DATES),
    ),
})  # fmt: skip
VECTORS = History(history="of that model, norms or biases alone were trained", settled_by=LOGS)
UNREAD = History(history="{suspect} was trained from {parent}, in a small part of the weights that was not read",
                 settled_by="comparing all weights (`--full`)")  # fmt: skip
ONE_PARENT = History(history="a merge of {parent} with a model that was not named", settled_by=NAMED)


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
        History(history=one.history.format(**names), settled_by=one.settled_by.format(**names)) for one in fitting
    )
