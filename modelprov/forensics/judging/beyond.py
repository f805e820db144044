"""What is left beyond the named parents, in words: its size, evenness and rank, and which candidate it is like.

Never says trained: weights show what is there, not how it came there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, TypedDict

from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.few_bits import NEAR
from modelprov.forensics.judging.one_parents import alterations, one_parents_matrices
from modelprov.forensics.results import Beyond, LayerShare, Likeness
from modelprov.forensics.thresholds import (
    HALF,
    LIKE,
    LIKE_OTHERS,
    LIKE_TENSORS,
    LOW_RANK_TENSORS,
    MISSED,
    MIXED_STEPS,
    SAME_STEPS,
    WITHIN_STEPS,
)

if TYPE_CHECKING:  # whoever measured it has imported it
    from modelprov.forensics.search import beyond as measured

HARDLY = "hardly more than rounding is left, or the model has nothing of its own"
FEW = f"fewer than {LIKE_TENSORS} matrices differ from the best mixture by clearly more than rounding"
ZEROS = f"What differs are the numbers that were set to zero, and at most {MISSED:.0%} as many others."
MOST_KINDS = 4


def describe_beyond(
    found: measured.Beyond, candidates: Sequence[str], controls: Sequence[str], parents: Sequence[str]
) -> Beyond:
    """The section of the result; labels of the candidates, of the controls and of the named parents."""
    from modelprov.forensics.search.beyond import by_layer

    matrices = found.matrices
    changed = [one for one in matrices if one.changed]
    likenesses = tuple(
        Likeness(
            label=label,
            kind=kind,
            correlation=like.correlation if like.matrices >= LIKE_TENSORS else None,
            elements=like.elements,
            reason=_unlike(like),
        )
        for kind, labels in (("candidate", candidates), ("control", controls))
        for label, like in ((label, found.likes[label]) for label in labels)
    )
    named, rounded = _named(likenesses), _rounded(matrices, parents)
    steps = _steps_in_words(rounded, len(matrices), parents)
    altered = alterations(found, parents)
    if len(changed) < LIKE_TENSORS and not named:
        section = Beyond(matrices=len(matrices), changed=len(changed), likenesses=likenesses, reason=FEW)
        return section.model_copy(update={**rounded, **altered, "words": steps or None})
    ranked = [one for one in changed if one.ranked]
    ranks = [one.rank for one in ranked if one.rank is not None]
    low = len(ranked) >= LIKE_TENSORS and len(ranks) >= LOW_RANK_TENSORS * len(ranked)
    layers = by_layer(matrices)
    distance = sum(one.distance for one in matrices)
    relative = math.sqrt(sum(one.beyond for one in matrices) / distance) if distance else None
    section = Beyond(
        relative=relative,
        of="distance" if len(parents) > 1 else "weights",
        layers=tuple(LayerShare(layer=layer, relative=share) for layer, share in layers.items()),
        matrices=len(matrices),
        changed=len(changed),
        low_rank=len(ranks),
        rank=max(ranks) if low else None,
        kinds=tuple(dict.fromkeys(one.kind for one in changed)),
        likenesses=likenesses,
        named=named,
    )
    words = _words(section, len({one.kind for one in matrices}), parents)
    return section.model_copy(update={**rounded, **altered, "words": f"{steps} {words}".strip()})


def in_view_of(decision: Decision, beyond: Beyond | None, labels: Sequence[str]) -> Decision:
    """What is said of a suspect whose rest was looked at and is like a candidate.

    Where nothing was settled, the candidate that may settle it is named. `labels` of suspect and parents.
    """
    if beyond is None:
        return decision
    if decision.rule in ("shared-direction", "two-directions") and beyond.named:
        return replace(decision, reason=f"{decision.reason}; {_pointing(beyond, 'what is left beyond the parents')}")
    if decision.rule in NEAR and decision.parent:
        near = one_parents_matrices(decision.parent, labels, beyond)
        if near is None and beyond.named:
            said = _pointing(beyond, f"what it has beyond {labels[decision.parent]}")
            return inconclusive("points-elsewhere", said, decision.parent)
        return near or decision
    return decision


def beyond_zeros(beyond: Beyond | None, decision: Decision) -> Beyond | None:
    """What is beyond a parent, in words that know that a copy of it was pruned."""
    return beyond.model_copy(update={"words": ZEROS}) if beyond and decision.rule == "pruned" else beyond


def _pointing(beyond: Beyond, rest: str) -> str:
    known = {like.label: like.correlation or 0.0 for like in beyond.likenesses}
    named = " and ".join(f"{label} ({known[label]:.2f})" for label in beyond.named)
    return f"{rest} points the way of what is only in {named}: named as a further parent, that one may settle it"


class _Rounded(TypedDict, total=False):
    lattice: str
    lattice_matrices: int
    same_steps: tuple[str, ...]
    within_steps: tuple[str, ...]
    as_stored: int
    mixture_same_steps: bool


def _rounded(matrices: Sequence[measured.Left], parents: Sequence[str]) -> _Rounded:
    """What the values were rounded to, if half of the matrices that are not a parent's show that, and whose they are.

    Quantised copies keep some kinds of matrices as they were: embeddings, routers, whatever is small.
    """
    names = Counter(one.lattice for one in matrices if one.lattice is not None)
    own = [one.within for one in matrices if one.lattice is not None]
    steps = [one.steps for one in matrices if one.lattice is not None]
    kept = [one for one in matrices if one.lattice is None and any(one.same)]
    if len(own) < max(LIKE_TENSORS, HALF * (len(matrices) - len(kept))):
        return {}
    *alone, mixture = (min(shares) for shares in zip(*own, strict=True))
    same = tuple(label for label, share in zip(parents, alone, strict=True) if share >= SAME_STEPS)
    return {
        "lattice": " and ".join(name for name, _ in names.most_common()),
        "lattice_matrices": len(own),
        "same_steps": same,
        "within_steps": tuple(
            label
            for label, sizes in zip(parents, zip(*steps, strict=True), strict=False)
            if median(sizes) <= WITHIN_STEPS
        ),
        "as_stored": max(sum(one.same[list(parents).index(label)] for one in kept) for label in same or parents),
        "mixture_same_steps": mixture >= MIXED_STEPS and len(parents) > 1 and not same,
    }


def _steps_in_words(rounded: _Rounded, matrices: int, parents: Sequence[str]) -> str:
    if not rounded:
        return ""
    where = f"in {rounded['lattice_matrices']} of {matrices} matrices read"
    start = f"Its values are rounded to {rounded['lattice']}, {where}"
    whose = " and of ".join(rounded["same_steps"])
    if not whose and rounded["mixture_same_steps"]:
        whose = f"a mixture of {' and '.join(parents)}"
    if whose:
        return f"{start}; rounded so, those of {whose} are the same, and so may those of what is near be."
    return f"{start}."


def _unlike(like: measured.Like) -> str | None:
    if like.matrices < LIKE_TENSORS:
        return f"fewer than {LIKE_TENSORS} matrices could be compared"
    return HARDLY if like.correlation is None else None


def _named(likenesses: Sequence[Likeness]) -> tuple[str, ...]:
    """The candidates that are alike far beyond all others; two that are alike each other are both named."""
    close = [one for one in likenesses if one.kind == "candidate" and (one.correlation or 0) >= LIKE]
    best = max((one.correlation or 0 for one in close), default=0.0)
    rest = [abs(one.correlation or 0) for one in likenesses if one not in close]
    return tuple(one.label for one in close) if all(value <= LIKE_OTHERS * best for value in rest) else ()


def _words(found: Beyond, kinds: int, parents: Sequence[str]) -> str:
    whom = " and ".join(parents)
    size = "" if found.relative is None else f" of relative size {found.relative:.2g}"
    of = "the parents' distance" if found.of == "distance" else f"the weights of {whom}"
    where = _where(found, kinds)
    if found.rank is not None:
        change = f"a low-rank change (rank up to {found.rank}){size} (1 is {of}){where}"
        return f"Beyond {whom} there is {change}, as an adapter (LoRA) leaves.{_like_whom(found)}"
    return f"Something else{size} (1 is {of}) is in it beyond {whom}{where}.{_like_whom(found)}"


def _where(found: Beyond, kinds: int) -> str:
    shares = [one.relative for one in found.layers]
    spread = f", from {min(shares):.2g} to {max(shares):.2g} over the layers" if len(shares) > 1 else ""
    if 0 < len(found.kinds) < kinds:
        if len(found.kinds) > MOST_KINDS:
            return f", in {len(found.kinds)} of {kinds} kinds of matrices{spread}"
        return f", in {', '.join(found.kinds)} only{spread}"
    return spread


def _like_whom(found: Beyond) -> str:
    known = [(one, one.correlation) for one in found.likenesses if one.correlation is not None]
    tried = [(value, one.label) for one, value in known if one.kind == "candidate"]
    if not tried:
        return " What it is stays open; name models that it may be with --candidates."
    if not found.named:
        value, label = max(tried)
        return f" No candidate stands out (the nearest, {label}, correlates at {value:.2f}): it stays open."
    said = ", ".join(f"{label} ({value:.2f})" for value, label in tried if label in found.named)
    others = [abs(value) for one, value in known if one.label not in found.named]
    rest = f"all others reach {max(others):.2f}" if others else "no other model was tried beside it"
    return (
        f" It points the way of what is only in {said}; {rest}: that model, a relative of it, one made from the "
        "suspect, or training that was almost the same."
    )
