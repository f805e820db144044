"""Copies, merges, finetunes in other coordinates and structures: disguises of `benchmarks/cases/side_by_side.py`.

Whose relation is a copy or merge stays one behind any disguise; where a rotation leaves no bit, naming it stays open.
"""

from __future__ import annotations

from benchmarks.cases.side_by_side import BEYOND, COPY, LISTED, MERGE, SHAPE, Disguise
from benchmarks.lineage import labels
from benchmarks.lineage.labels import KIN, NOTHING, OPEN, STRANGER, Label, Made
from benchmarks.lineage.layouts import heads_of
from benchmarks.lineage.sorts import add
from tests.generated import Rng

RELATED = frozenset({"related", "relation"})
"""What is doubted of a copy under noise of twice its size: in the right coordinates it correlates at 0.45. Models that
were trained apart from one start, of which nobody asks whether they are related, reach 0.39 to 0.78."""
IN_SMALL = 3
"""Every so manieth of the disguises that were thought of later is in the small set."""


def label_of(case: Disguise) -> Label:
    """Strangers; copies and merges where the disguise keeps bits; else what they share, with the act left open."""
    if not case.derived:
        if "embeddings" in case.name and "learnt" not in case.name:
            return Label(None, STRANGER, settled_by="where the embeddings came from")
        return Label(False, STRANGER)
    told = (case.name,)
    merged = "merge" in case.name or "two models" in case.name
    if case.right & COPY:
        return Label(True, labels.COPY, afterwards=told)
    if case.right & MERGE and "inconclusive" not in case.right:
        return Label(True, labels.MERGE, afterwards=told, merged=True)
    if case.name.startswith("finetune"):
        return Label(True, KIN, direction=OPEN, afterwards=told)
    settled = "the matrix that it was turned by" if "rotat" in case.name else "the files before the disguise"
    if merged:  # a rotation is rounded anew: what is left of a merge is a place on the line
        return Label(True, OPEN, afterwards=told, merged=True, settled_by=settled)
    doubted = RELATED if "inconclusive" in case.right else NOTHING
    return Label(True, labels.COPY | KIN, afterwards=told, settled_by=settled, doubted=doubted)


def _make(rng: Rng, case: Disguise) -> Made:
    return Made(case.make(rng), label_of(case), case.name, heads=heads_of(SHAPE))


for _place, _case in enumerate((*LISTED, *BEYOND)):
    _small = 1 if _place < len(LISTED) or _place % IN_SMALL == 0 else 0
    add(
        "other coordinates and structures",
        f"disguise: {_case.name}",
        lambda rng, _, _case=_case: _make(rng, _case),
        _small,
        10,
    )  # type: ignore[misc]
