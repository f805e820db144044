"""The job of `identify`: rank the entries, propose mixtures of few, have `compare` judge them. Every word is compare's.

Only where no entry is kin does this file say something of its own: that none of them is in it, if sizes of rows and
columns, which survive reordering, are no entry's either; else that this is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.common_layout import in_usual_layout
from modelprov.checkpoints.remote.source import is_far
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import CouldNotJudgeError
from modelprov.forensics.compare import Comparison, Options, compare
from modelprov.forensics.identify.mixing import Mixture, gram, mixtures
from modelprov.forensics.identify.places import shared
from modelprov.forensics.identify.ranking import Ranking, ranking
from modelprov.forensics.judging.of_blocks import doubt
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.search.coordinates.frame_free import frame_free
from modelprov.forensics.search.layers_alike import relocated
from modelprov.forensics.search.profiles import Resemblance, resemblance_of
from modelprov.forensics.search.sizes import OwnSizes
from modelprov.forensics.search.sizes_by_layer import by_layer, with_layers
from modelprov.forensics.thresholds import KIN, MINIMUM_ELEMENTS, UNRELATED
from modelprov.machine import one_blas_thread
from modelprov.progress import Progress

ALARMING = (
    VerdictClass.COPY,
    VerdictClass.MERGE,
    VerdictClass.ON_LINE,
    VerdictClass.OTHER_COORDINATES,
    VerdictClass.INCONCLUSIVE,
    VerdictClass.SAME_ORIGIN,
    VerdictClass.UNRELATED,
)
"""The verdict that stands, where proposals were judged differently: the first of these."""
PROVEN = (VerdictClass.COPY, VerdictClass.MERGE)
SIZES_ELEMENTS = 1 << 27  # of the suspect's whole matrices that are read, where no entry is kin


@dataclass(frozen=True, eq=False)
class Judged:
    """A proposed mixture, and the comparison of its members with the suspect."""

    mixture: Mixture
    comparison: Comparison


@dataclass(frozen=True, eq=False)
class Found:
    """What came of it; entries are numbered as they were given.

    `comparable` are those with enough common places; `resembling` by entry where no entry is kin. `chosen` is the
    judgement that stands, None where no entry was proposed.
    """

    ranking: Ranking
    comparable: tuple[int, ...]
    kin: tuple[int, ...]
    judged: tuple[Judged, ...]
    resembling: dict[int, Resemblance]
    chosen: Judged | None
    verdict: VerdictClass
    rule: str
    summary: str
    elements: int


@one_blas_thread()
def identify(suspect: Checkpoint, entries: Sequence[Checkpoint], options: Options, progress: Progress) -> Found:
    """Which of the entries (fingerprints) the suspect is made of.

    Raises `CouldNotJudgeError` where none can be compared, and what reading and `compare` raise.
    """
    progress.stage(f"reading the places of {len(entries):,} entries")
    suspect = in_usual_layout(suspect)
    values = shared(suspect, entries)
    near = ranking(values)
    comparable = np.flatnonzero(near.elements >= MINIMUM_ELEMENTS)
    if not len(comparable):
        raise CouldNotJudgeError(
            "no entry of the library has tensors of the same names and shapes, with enough places in common",
            "Add models of this kind (`modelprov library add`); `modelprov inspect` shows what the suspect holds.",
        )
    related = near.found & (near.correlation >= UNRELATED)
    kin = comparable[related[comparable] & (near.correlation[comparable] >= KIN)]
    judged: list[Judged] = []
    resembling: dict[int, Resemblance] = {}
    if len(kin):
        progress.stage(f"looking for mixtures among {len(kin):,} entries that are kin")
        products = gram(values, kin)
        judged = _judge(suspect, entries, mixtures(products), products.central, options, progress)
    proven = any(each.comparison.findings.verdict.class_ in PROVEN for each in judged)
    moved = None if proven else _moved(suspect, entries, comparable.tolist(), progress)
    if moved is not None and all(each.mixture.members != (moved,) for each in judged):
        judged += _judge(suspect, entries, [Mixture((moved,), (1.0,), 0.0)], moved, options, progress)
    if not judged:
        nearest = int(comparable[np.argmax(near.correlation[comparable])])
        judged = _judge(suspect, entries, [Mixture((nearest,), (1.0,), 0.0)], nearest, options, progress)
        verdict = judged[0].comparison.findings.verdict
        if verdict.class_ is VerdictClass.UNRELATED or verdict.rule == "coordinates-open":  # which one, all are asked
            progress.stage("comparing sizes of rows and columns")
            resembling = _resembling(suspect, entries, comparable.tolist(), options.seed)
    found = Found(
        near, tuple(comparable.tolist()), tuple(kin.tolist()), tuple(judged), resembling, None,
        VerdictClass.UNRELATED, "", "", len(values.suspect),
    )  # fmt: skip
    return _none(found, entries) if resembling else _standing(found)


def _moved(
    suspect: Checkpoint, entries: Sequence[Checkpoint], comparable: Sequence[int], progress: Progress
) -> int | None:
    """The entry of which most layers are in the suspect under other numbers, of equal ones the nearest; or None."""
    progress.stage("looking for entries' layers under other numbers")
    found = {
        number: each.layers
        for number, each in zip(comparable, relocated(suspect, [entries[n] for n in comparable]), strict=True)
        if each is not None
    }
    mean = {number: sum(correlation for *_, correlation in layers) / len(layers) for number, layers in found.items()}
    return max(found, key=lambda number: (len(found[number]), mean[number]), default=None)


def _judge(
    suspect: Checkpoint, entries: Sequence[Checkpoint], proposed: Sequence[Mixture], central: int, options: Options,
    progress: Progress,
) -> list[Judged]:  # fmt: skip
    """The proposals as `compare` judges them, smallest first, until one is proven by bits.

    Where bits are those of a recipe that leaves a member out, that member is not in the suspect, however near it lies:
    the others are judged without it.
    """
    judged: list[Judged] = []
    waiting = list(proposed)
    while waiting:
        each = waiting.pop(0)
        pairs = sorted(zip(each.members, each.weights, strict=True), key=lambda pair: pair[0] == central)
        mixture = replace(each, members=tuple(a for a, _ in pairs), weights=tuple(b for _, b in pairs))
        parents = [entries[member] for member in mixture.members]
        comparison = compare([suspect, *parents], options, progress)
        judged.append(Judged(mixture, comparison))
        if comparison.findings.verdict.class_ not in PROVEN:
            if each.doubtful:
                judged.pop()
            continue
        used = _used(comparison, [entries[member].label for member in mixture.members])
        if all(used):
            break
        kept = [number for number, needed in enumerate(used) if needed]
        total = sum(mixture.weights[number] for number in kept) or 1.0
        smaller = tuple(mixture.members[number] for number in kept)
        waiting = [replace(mixture, members=smaller, weights=tuple(mixture.weights[n] / total for n in kept))]
        judged.pop()
    return judged


def _used(comparison: Comparison, labels: Sequence[str]) -> list[bool]:
    """Which of the members are in it: the one copied, those of the recipe of its bits, or whose interval holds no 0."""
    findings = comparison.findings
    if findings.verdict.class_ is VerdictClass.COPY:
        return [label == findings.verdict.parent for label in labels]
    if findings.reproduction.groups:
        used = [any(group.weights.get(label) for group in findings.reproduction.groups) for label in labels]
    else:
        none = {
            each.parent
            for each in findings.mixing.coefficients
            if each.low is not None and each.high is not None and each.low <= 0 <= each.high
        }
        used = [label not in none for label in labels]
    return used if sum(used) > 1 else [True] * len(labels)


def _standing(found: Found) -> Found:
    """The most alarming verdict stands; of equal ones that of the fewest entries."""
    chosen = min(found.judged, key=lambda each: ALARMING.index(each.comparison.findings.verdict.class_))
    verdict = chosen.comparison.findings.verdict
    return replace(found, chosen=chosen, verdict=verdict.class_, rule=verdict.rule, summary=verdict.summary)


def _none(found: Found, entries: Sequence[Checkpoint]) -> Found:
    """No entry is kin at its places: that none is in it, if none can be in other coordinates either."""
    count = len(found.comparable)
    weak = [each for each in found.comparable if found.ranking.correlation[each] >= UNRELATED]
    elsewhere = [each for each in found.comparable if found.resembling[each].parent is not None]
    untested = [each for each in found.comparable if not found.resembling[each].tested]
    if elsewhere or weak:
        names = ", ".join(entries[each].label for each in (elsewhere or weak)[:3])
        what = (
            f"sorted by size, its rows and columns agree with those of {names} more closely than chance allows, as "
            "after reordering, rotating or rescaling a model inside"
            if elsewhere
            else f"its weights correlate with those of {names} more than chance allows, less than a descendant's do"
        )
        return replace(
            found, verdict=VerdictClass.INCONCLUSIVE, rule="coordinates-open" if elsewhere else "weak-kinship",
            summary=f"Weight by weight no entry is in the suspect, but {what}. Compare them whole.",
        )  # fmt: skip
    if untested:
        return replace(
            found, verdict=VerdictClass.INCONCLUSIVE, rule="coordinates-open",
            summary=f"Weight by weight none of the {count:,} entries that could be compared is in the suspect. Whether "
            f"one is in other coordinates, its layers perhaps moved, could not be seen for {len(untested):,} of them: "
            "comparing whole models settles it.",
        )  # fmt: skip
    free = {each: found.resembling[each].frame_free[0] for each in found.comparable}
    hidden = {each: seen for each, seen in free.items() if seen is not None and not seen.strangers}
    if hidden:
        first = max(hidden, key=lambda each: (hidden[each].reused, hidden[each].common))
        return replace(
            found, verdict=VerdictClass.INCONCLUSIVE, rule="coordinates-open",
            summary=f"Weight by weight none of the {count:,} entries that could be compared is in the suspect, but "
            f"{len(hidden):,} may be in it in disguise. Of {entries[first].label}: {doubt(hidden[first])}. Comparing "
            "whole models settles it.",
        )  # fmt: skip
    return replace(
        found, verdict=VerdictClass.UNRELATED, rule="unrelated",
        summary=f"The suspect is made of none of the {count:,} entries that could be compared: its weights share no "
        "more with any of them than independently trained models do. Layers were looked for under other numbers too, "
        "sizes of rows and columns in any order, and how matrices overlap, which no coordinates change. It may hold a "
        "model that is not in the library, or one of these that was changed inside and had noise added that is larger "
        "than its weights, which only whole models would show.",
    )  # fmt: skip


def _resembling(
    suspect: Checkpoint, entries: Sequence[Checkpoint], comparable: Sequence[int], seed: int
) -> dict[int, Resemblance]:
    """Whether the sizes of rows and columns are an entry's, by entry; of a whole suspect those that entries hold."""
    alignment = align((suspect,))
    held = [entries[number].fingerprint for number in comparable]
    names = {name for each in held if each is not None for name, _ in each.sizes}
    rows, budget = [], SIZES_ELEMENTS
    left = TRAFFIC.left() if is_far(suspect.source) else None
    for row in np.random.default_rng(seed).permutation(len(alignment.tensors)).tolist():
        tensor = alignment.tensors[row]
        size = tensor.count * tensor.views[0].ref.dtype.size
        if left is not None and size > left:
            continue  # whoever sets a budget is told what was not looked at
        if tensor.name in names and len(tensor.shape) == 2 and tensor.decisive and tensor.count <= budget:
            rows.append(row)
            budget -= tensor.count
            left = None if left is None else left - size
    model, own = OwnSizes(suspect), dict[int, dict[str, Float64]]()
    if suspect.fingerprint is None:
        own = {row: dict(sides) for row, sides in zip(sorted(rows), model.of(alignment, 0, sorted(rows)), strict=True)}
    else:
        sizes = suspect.fingerprint.sizes
        for row in rows:
            name = alignment.tensors[row].name
            own[row] = {side: sizes[name, side] for side in ("rows", "columns") if (name, side) in sizes}
    found = {}
    for number, fingerprint in zip(comparable, held, strict=True):
        compared: dict[int, dict[str, Float64]] = {}
        for row in sorted(own):
            name = alignment.tensors[row].name
            both = {
                side: np.stack([values, fingerprint.sizes[name, side]])
                for side, values in own[row].items()
                if fingerprint is not None and len(fingerprint.sizes.get((name, side), ())) == len(values)
            }
            if both:
                compared[row] = both
        found[number] = resemblance_of({row: alignment.tensors[row] for row in compared}, compared)
    known = [entries[number] for number in comparable]
    layers, free = by_layer(model, [OwnSizes(each) for each in known]), frame_free(suspect, known)
    return {
        number: replace(with_layers(found[number], [each]), frame_free=(seen,))
        for number, each, seen in zip(comparable, layers, free, strict=True)
    }
