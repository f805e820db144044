"""What the entries of a library are to each other: families of kin, each entry judged as `identify` judges, one tree.

A tie has a direction only where bits give it: numbers that are others' mixed, or rounded, can be computed from these
and not the other way round. All else is nearness, which has none; its tree is the shortest that connects a family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.plan import Int64
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import CouldNotJudgeError
from modelprov.forensics.compare import Options
from modelprov.forensics.identify.identify import PROVEN, Found, identify
from modelprov.forensics.identify.kinship import Kinship, kinship
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.thresholds import NEAR_MADE, SAME_NUMBERS
from modelprov.progress import SILENT, Progress


@dataclass(frozen=True)
class Judgement:
    """What `identify` says of an entry among others; `members` and `shares` in its order, entries by number."""

    verdict: VerdictClass
    rule: str
    summary: str
    members: tuple[int, ...]
    shares: tuple[float, ...]
    looked_at: frozenset[int]


@dataclass(frozen=True)
class Hung:
    """An entry of the drawing: `under` which it hangs (None where it begins), and whether that has a direction."""

    entry: int
    under: int | None
    depth: int


@dataclass(frozen=True, eq=False)
class Charted:
    """Families of entries (by number), largest first, in the order of the drawing; `same` says whose copy an entry is.

    `directed` are entries whose numbers can be computed from their judgement's members, and not the other way round.
    """

    near: Kinship
    families: tuple[tuple[Hung, ...], ...]
    judged: dict[int, Judgement]
    same: dict[int, int]
    directed: frozenset[int]


def chart(entries: Sequence[Checkpoint], options: Options, progress: Progress) -> Charted:
    """Families and their trees. Raises what reading and `compare` raise."""
    from scipy.sparse.csgraph import connected_components

    progress.stage(f"reading the places of {len(entries):,} entries")
    near = kinship(entries)
    _, label = connected_components(near.kin, directed=False)
    groups = [np.flatnonzero(label == each).tolist() for each in np.unique(label)]
    groups = sorted((each for each in groups if len(each) > 1), key=lambda each: (-len(each), each[0]))
    judged: dict[int, Judgement] = {}
    same: dict[int, int] = {}
    directed: set[int] = set()
    families = []
    for members in groups:
        court = _Court(entries, options, progress)
        copies = _copies(members, near, court)
        firsts = [number for number in members if number not in copies]
        own = {each: court.judge(each, set(firsts) - {each}) for each in firsts}
        own |= _again(own, court)
        follows = {number for number in own if _proven(own[number]) and number not in _below(own, number)}
        same |= {number: first for number, (first, _) in copies.items()}
        judged |= {number: found for number, (_, found) in copies.items()}
        judged |= {number: found for number, found in own.items() if found is not None}
        directed |= follows
        families.append(_hung(members, near, own, same, follows))
    return Charted(near, tuple(families), judged, same, frozenset(directed))


@dataclass(frozen=True, eq=False)
class _Court:
    """Asks `identify` about members of one family."""

    entries: Sequence[Checkpoint]
    options: Options
    progress: Progress

    def judge(self, suspect: int, others: set[int]) -> Judgement | None:
        """What it says of one among these others; None where there is nobody to compare it with."""
        known = sorted(others)
        if not known:
            return None
        self.progress.stage(f"judging {self.entries[suspect].label}")
        try:
            found = identify(self.entries[suspect], [self.entries[each] for each in known], self.options, SILENT)
        except CouldNotJudgeError:
            return None
        looked_at = frozenset(known[each] for judged in found.judged for each in judged.mixture.members)
        members = () if found.chosen is None else tuple(known[each] for each in found.chosen.mixture.members)
        return Judgement(found.verdict, found.rule, found.summary, members, _shares(found), looked_at)


def _shares(found: Found) -> tuple[float, ...]:
    """The shares of the members that stand, where bits or cells give them; else none.

    The reference, last, has what is left to 1.
    """
    if found.chosen is None or found.verdict not in (VerdictClass.MERGE, VerdictClass.ON_LINE):
        return ()
    coefficients = found.chosen.comparison.findings.mixing.coefficients
    alphas = [each.alpha for each in coefficients]
    if len(alphas) != len(found.chosen.mixture.members) - 1 or any(alpha is None for alpha in alphas):
        return ()
    given = [float(alpha) for alpha in alphas if alpha is not None]
    return (*given, 1 - sum(given))


def _copies(members: Sequence[int], near: Kinship, court: _Court) -> dict[int, tuple[int, Judgement]]:
    """Of entries that are copies of each other, all but the first: with the first, and what was said of the two.

    A rounded copy has other numbers and is none of these.
    """
    found: dict[int, tuple[int, Judgement]] = {}
    for place, number in enumerate(members):
        for first in members[:place]:
            if first in found or near.equal[number, first] < SAME_NUMBERS:
                continue
            judgement = court.judge(number, {first})
            if judgement is not None and judgement.verdict is VerdictClass.COPY:
                found[number] = first, judgement
                break
    return found


def _proven(found: Judgement | None) -> bool:
    """Whether bits say that the entry's numbers are the members'."""
    return found is not None and found.verdict in PROVEN


def _below(judged: dict[int, Judgement | None], number: int) -> set[int]:
    """Entries whose numbers were shown to be made of this one's, however many steps away."""
    found: set[int] = set()
    waiting = [number]
    while waiting:
        at = waiting.pop()
        for other, judgement in judged.items():
            if judgement is not None and _proven(judgement) and at in judgement.members and other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _again(judged: dict[int, Judgement | None], court: _Court) -> dict[int, Judgement | None]:
    """Entries that were held against what is made of them, judged without that."""
    anew: dict[int, Judgement | None] = {}
    for number, found in judged.items():
        below = _below(judged, number) - {number}
        if found is not None and not _proven(found) and below & found.looked_at:
            anew[number] = court.judge(number, set(judged) - {number} - below)
    return anew


def _hung(
    members: Sequence[int], near: Kinship, judged: dict[int, Judgement | None], same: dict[int, int],
    directed: set[int],
) -> tuple[Hung, ...]:  # fmt: skip
    """The drawing of a family: the shortest tree of kin, what is computed from others below the first of these."""
    below: dict[int, list[int]] = {number: [] for number in members}
    for number in directed:
        found = judged[number]
        assert found is not None
        below[_foremost(found)].append(number)
    for number in members:
        if number in same:
            below[same[number]].append(number)
    free = [number for number in members if number not in directed and number not in same]
    for number in free[:]:
        middle = _nearest_made(number, near, judged, directed)
        if middle is not None:
            below[middle].append(number)
            free.remove(number)
    tree = _tree(np.array(free, int), near)
    drawn: list[Hung] = []
    seen: set[int] = set()

    def draw(number: int, under: int | None, depth: int) -> None:
        if number in seen:
            return
        seen.add(number)
        drawn.append(Hung(number, under, depth))
        kin = [other for other in tree.get(number, ()) if other not in seen]
        for other in sorted({*below[number], *kin}, key=lambda other: (other not in same, near.apart[number, other])):
            draw(other, number, depth + 1)

    for number in (*sorted(free, key=lambda each: _spread_of(each, free, near)), *members):
        draw(number, None, 0)
    return tuple(drawn)


def _nearest_made(
    number: int, near: Kinship, judged: dict[int, Judgement | None], directed: set[int]
) -> int | None:  # fmt: skip
    """The entry made of others that this one is much nearer than what that is made of; None where there is none."""
    found = []
    for other in directed:
        judgement = judged[other]
        assert judgement is not None
        sources = min(near.apart[other, list(judgement.members)])
        if near.kin[number, other] and near.apart[number, other] < NEAR_MADE * sources:
            found.append(other)
    return min(found, key=lambda other: near.apart[number, other]) if found else None


def _foremost(found: Judgement) -> int:
    """The member that has the largest share, the first where shares are not known."""
    return found.members[int(np.argmax(np.abs(found.shares))) if found.shares else 0]


def _spread_of(number: int, others: Sequence[int], near: Kinship) -> float:
    """How far an entry is from all others; from those that share nothing, farther than any."""
    apart = near.apart[number, list(others)]
    return float(np.where(near.kin[number, list(others)], apart, 1e6).sum())


def _tree(members: Int64, near: Kinship) -> dict[int, list[int]]:
    """The shortest tree over pairs that are kin, as neighbours of each."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import minimum_spanning_tree

    own = np.ix_(members, members)
    length = np.where(near.kin[own], near.apart[own] + 1e-9, 0)  # 0 is no edge there
    found = minimum_spanning_tree(csr_matrix(length)).tocoo()
    neighbours: dict[int, list[int]] = {int(number): [] for number in members}
    for first, second in zip(members[found.row].tolist(), members[found.col].tolist(), strict=True):
        neighbours[first].append(second)
        neighbours[second].append(first)
    return neighbours
