"""Looks for the merge method that gives the suspect's bits: families propose, whole tensors decide. Judges nothing.

A few tensors are enough to throw out what does not give the bits; what remains is computed again in every tensor that
was chosen, and only that is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.search.methods import arcs, graded, means, summed, swaps, voted, voted_by_layer
from modelprov.forensics.search.methods.middles import Middle, of_masks, of_method
from modelprov.forensics.search.methods.random_masks import thinned
from modelprov.forensics.search.methods.remake import Bits, Made, bits, by_threads, total
from modelprov.forensics.search.methods.survivors import Remade
from modelprov.forensics.search.methods.whole import THIN, Whole, Wholes
from modelprov.forensics.thresholds import MISSED, MISSED_FEW, REPRODUCED
from modelprov.recipes.methods.interface import PRESETS as PROGRAMS

MIDDLING = 1 << 20
LOOKS, LOOK_ELEMENTS = 4, 1 << 16  # tensors that are looked at first, and their best size
FIRST, SECOND = 0.97, 0.999  # share of the bits at the first look, and in all first tensors, to go on
COUNTED = 4  # merges that are counted in every tensor
SEED = 0  # of the steps that chance is measured with


@dataclass(frozen=True)
class FoundMethod:
    """A merge and what it gives of the decisive tensors that were computed again.

    `whole` of `tensors` come out but for single bits; `distinct` elements hold, of each parent, another number (the
    fewest over the parents). `others` are merges that give as much. Of the `small` tensors that carry no verdict (norms
    and the like) `small_whole` come out to the last bit. `middles` say, of each parent that takes part, where the
    unrounded result lies in the suspect's cells. Of a random method the mask is unknown: `bits` count the changed
    elements that tell who took part, and those that are what some mask makes of them; `by_chance` is the share of those
    after shuffling, and `remade` are the survivors computed again. `rows` are the decisive tensors of the alignment
    that were chosen, empty for such a method; `stacks` of the `tensors` are several of them taken as one.
    """

    made: Made
    bits: Bits
    whole: int
    tensors: int
    distinct: int
    others: tuple[Made, ...] = ()
    by_chance: float | None = None
    remade: Remade | None = None
    small: int = 0
    small_whole: int = 0
    middles: tuple[Middle, ...] = ()
    rows: tuple[int, ...] = ()
    stacks: int = 0


def find_in(ways: Iterable[Wholes], given: Iterable[int] = ()) -> FoundMethod | None:
    """What gives most bits of any of the `ways` to see the tensors (`units.py`), in the first that gives (nearly) all.

    Stacks that are too large to be read whole are not asked: what is left beside them may be the smaller part. What
    chance chose it chose element by element, whatever was stacked.
    """
    explained = tuple(given)
    best: FoundMethod | None = None
    for wholes in ways:
        found = find(wholes, explained) if wholes.fits else None
        if found is not None and (found.by_chance is not None or found.bits.share >= REPRODUCED):
            return found
        if found is not None and (best is None or found.bits.share > best.bits.share):
            best = found
    return best


def find(wholes: Wholes, given: Iterable[int] = ()) -> FoundMethod | None:
    """The merge that gives most bits, if it gives (nearly) all of them in the tensors looked at first.

    Of the tensors `given` a recipe gives the bits: others are looked at first, and where there are none, nothing is.
    """
    explained = frozenset(map(int, given))
    known = frozenset(row for row in wholes.decisive if explained.issuperset(wholes.members(row)))
    if known.issuperset(wholes.decisive):
        return None
    looks = _looks(wholes, known)
    if not looks:
        return None
    first = min(looks, key=lambda look: (look.differ.sum() < 1000, look.row in known, look.elements))
    kept: dict[str, list[tuple[float, Made]]] = {}  # the arithmetics of each
    for made in _proposed(wholes, looks, first):
        if bits(made, first).share >= FIRST and (share := total(made, looks).share) >= SECOND:
            kept.setdefault(made.key, []).append((share, made))
    ranked = sorted(kept.values(), key=lambda own: -max(share for share, _ in own))
    counted = [_of_arithmetics(own, wholes) for own in ranked[:COUNTED]]
    if not counted:
        return _of_chance(wholes, first)
    counted.sort(key=_standing)
    best = _with_small_ones(counted[0], wholes)
    others = tuple(found.made for found in counted[1:] if found.bits.share >= REPRODUCED)
    return replace(
        best,
        others=others,
        middles=of_method(best.made, lambda: _loaded(wholes, _smaller_first(wholes)), SEED),
    )


def _standing(found: FoundMethod) -> tuple[bool, bool, bool, float]:
    """How a merge ranks, the lowest first: every bit, all but single ones, the likelier history, the most bits.

    NuSLERP of two is SLERP with another name for t, and hardly anybody's first choice.
    """
    missed = found.bits.missed
    return missed > 0, missed >= MISSED_FEW, found.made.method == "nuslerp", -found.bits.share


def _with_small_ones(found: FoundMethod, wholes: Wholes) -> FoundMethod:
    """The merge in the program's arithmetic that gives most of the small tensors, of those that give the large ones.

    Programs differ in what they make of a few elements: one keeps nothing where no outlier is to be dropped.
    """
    decisive = set(wholes.decisive)

    def held(made: Made) -> list[bool]:
        return [
            bits(made, whole).missed == 0
            for whole in _loaded(wholes, (row for row in wholes.rows if row not in decisive))
        ]

    told = held(found.made)
    for arithmetic, dtype in product(PROGRAMS, (found.made.dtype, None, DType.F32)):
        if all(told):
            break
        made = replace(found.made, arithmetic=arithmetic, dtype=dtype)
        own = held(made)
        if sum(own) > sum(told) and (again := _counted(made, wholes)).bits.equal >= found.bits.equal:
            found, told = again, own
    return replace(found, small=len(told), small_whole=sum(told))


def _of_chance(wholes: Wholes, first: Whole) -> FoundMethod | None:
    """A method whose masks are random."""
    found = thinned(lambda: (whole.thinned(THIN) for whole in _loaded(wholes, wholes.decisive)), first.thinned(THIN))
    if found is None:
        return None
    each = [{"weight": w, "density": d} for w, d in zip(found.weights, found.densities, strict=True)]
    if found.epsilons is not None:
        each = [{**own, "epsilon": epsilon} for own, epsilon in zip(each, found.epsilons, strict=True)]
    made = Made(found.method, found.models, found.base, tuple(each))
    seen = Bits(found.told, found.explained, found.told)
    middles = of_masks(made, lambda: (whole.thinned(THIN) for whole in _loaded(wholes, wholes.decisive)), SEED)
    return FoundMethod(
        made, seen, found.tensors, found.tensors, found.told, by_chance=found.shuffled, remade=found.remade,
        middles=middles,
    )  # fmt: skip


def _proposed(wholes: Wholes, looks: Sequence[Whole], first: Whole) -> Iterator[Made]:
    """Every merge worth computing, by family."""
    if len(looks[0].parents) < 2:
        return
    yield from graded.graded(lambda: _loaded(wholes, wholes.rows), looks)
    yield from summed.summed(lambda: _loaded(wholes, wholes.rows), looks)
    yield from arcs.slerp(lambda: _loaded(wholes, wholes.rows), looks)
    longest = max(map(wholes.count, wholes.decisive))
    yield from by_threads(arcs.nuslerp(looks), first, longest)
    yield from means.karcher(looks)
    yield from by_threads(means.model_stock(looks), first, longest)
    yield from means.multislerp(looks)
    yield from swaps.nearswap(looks)
    yield from swaps.arcee_fusion(looks)
    thin, few = [look.thinned(THIN) for look in looks], first.thinned(THIN)
    yield from voted.ties(thin, few)
    yield from voted_by_layer.ties(lambda: _loaded(wholes, wholes.decisive), thin)
    yield from voted.breadcrumbs(thin, few)
    yield from voted.sce(few)


def _loaded(wholes: Wholes, rows: Iterable[int]) -> Iterator[Whole]:
    return (whole for row in rows if (whole := wholes.load(row)) is not None)


def _smaller_first(wholes: Wholes) -> list[int]:
    """The decisive tensors, the largest last: a few are enough, and what a large one takes is not needed."""
    return sorted(wholes.decisive, key=lambda row: wholes.count(row) > MIDDLING)


def _looks(wholes: Wholes, known: frozenset[int] = frozenset()) -> list[Whole]:
    """A few decisive tensors in which the parents differ, of a middling size, from different layers if possible.

    Those that are `known` come last.
    """
    decisive = sorted(wholes.decisive, key=lambda row: (row in known, abs(np.log(wholes.count(row) / LOOK_ELEMENTS))))
    found = [whole for whole in _loaded(wholes, decisive[: 8 * LOOKS]) if whole.differ.any()]
    layers: set[int | None] = set()
    ordered: list[tuple[bool, bool, int, Whole]] = []
    for whole in found:
        ordered.append((whole.row in known, whole.layer in layers, len(ordered), whole))
        layers.add(whole.layer)
    ordered.sort(key=lambda item: item[:3])
    return [whole for *_, whole in ordered[:LOOKS]]


def _of_arithmetics(own: Sequence[tuple[float, Made]], wholes: Wholes) -> FoundMethod:
    """The best of a merge's arithmetics, counted: of those that the first tensors cannot tell apart, all if need be."""
    best = max(share for share, _ in own)
    found: FoundMethod | None = None
    for made in (made for share, made in own if share == best):
        again = _counted(made, wholes)
        if found is None or again.bits.equal > found.bits.equal:
            found = again
        if not found.bits.missed:
            break
    assert found is not None
    return found


def _counted(made: Made, wholes: Wholes) -> FoundMethod:
    """The merge computed again in every decisive tensor that was chosen."""
    held, whole, tensors = Bits(), 0, 0
    same = np.zeros(wholes.parents, np.int64)
    for tensor in _loaded(wholes, wholes.decisive):
        own = bits(made, tensor)
        held, tensors = held + own, tensors + 1
        whole += own.missed <= MISSED * own.differ or own.missed < MISSED_FEW
        same += (tensor.parents == tensor.suspect).sum(axis=1)
    rows = tuple(member for row in wholes.decisive for member in wholes.members(row))
    stacks = sum(len(wholes.members(row)) > 1 for row in wholes.decisive)
    return FoundMethod(made, held, whole, tensors, held.elements - int(same.max(initial=0)), rows=rows, stacks=stacks)
