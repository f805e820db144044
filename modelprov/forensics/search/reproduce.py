"""Does one checkpoint hold exactly what another says it should? Counts equal bits, everywhere. Explains nothing.

The expected checkpoint may be one that exists only on paper (a recipe); this module does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.called import called
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.common_layout import in_common_layout
from modelprov.checkpoints.layouts.quantised import refuse_packed
from modelprov.checkpoints.layouts.realignment import Realignment
from modelprov.checkpoints.plan import Plan, plan_pass
from modelprov.checkpoints.types import AlignedTensor, Alignment, Checkpoint, Component
from modelprov.errors import CouldNotJudgeError
from modelprov.forensics.preparing import prepare_kernels
from modelprov.forensics.sampling.scout import plan_sample, stratify
from modelprov.forensics.search.coordinates.looking import of_originals, views
from modelprov.forensics.search.element_by_element import chunks
from modelprov.forensics.search.renamed import both_hold_others, by_numbers, in_words
from modelprov.forensics.sums.kernels.choose import pick_device
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan
from modelprov.forensics.sums.moments import NONFINITE
from modelprov.forensics.sums.sweep import block_bytes, sweep
from modelprov.machine import processors
from modelprov.progress import Progress
from modelprov.records import AnyFloat, Frozen

SHOWN = 5
Int64 = npt.NDArray[np.int64]
Candidates = Callable[[], Iterable[tuple[str, Checkpoint]]]


class Part(Frozen):
    """A layer, a component or a tensor: how many of its elements hold the expected bits."""

    name: str
    elements: int
    equal: int

    @property
    def share(self) -> float:
        """Share of equal elements, 0 to 1."""
        return self.equal / self.elements if self.elements else 0.0


class Difference(Frozen):
    """A tensor that is not as expected: its first differing element (row-major), what it holds and what it should."""

    name: str
    elements: int
    equal: int
    first: int
    found: AnyFloat
    expected: AnyFloat


class Alternative(Frozen):
    """Another way to have made it, and the share of the sampled elements that it reproduces."""

    name: str
    bit_equal: float
    elements: int


class Absent(Frozen):
    """Tensors that could not be compared, of the suspect or of the expected checkpoint, and why."""

    of: str
    reason: str
    tensors: int
    elements: int
    examples: tuple[str, ...]


class Verification(Frozen):
    """What was found. `reproduced` when every element of the suspect was compared and holds the expected bits.

    `tensors` counts those compared, `whole` those of them that are equal to the last bit; `absent` what is not in both.
    `cautions` are sentences: what of the suspect was not read, and under which names tensors were taken for each other.
    """

    reproduced: bool
    bit_equal: float
    elements: int
    equal: int
    tensors: int
    whole: int
    coverage: float
    layers: tuple[Part, ...]
    components: tuple[Part, ...]
    differences: tuple[Difference, ...]
    absent: tuple[Absent, ...]
    as_claimed: float | None = None
    alternatives: tuple[Alternative, ...] = ()
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """How to run; nothing here changes a count. `sample` elements are read for every alternative."""

    memory: int = 512 << 20
    threads: int | None = None
    seed: int = 0
    sample: int = 1 << 18


def reproduce(
    suspect: Checkpoint, expected: Checkpoint, candidates: Candidates, limits: Limits, progress: Progress,
    realignment: Realignment | None = None,
) -> Verification:  # fmt: skip
    """Compare every element; when some differ, try the `candidates` (other checkpoints on paper) on a sample.

    With a `realignment` all but the suspect are seen in its coordinates; nothing is reproduced through one that loses
    bits, and what it has no counterpart of counts as not compared. Without, one is looked for where names
    pair not all matrices.

    Raises `CouldNotJudgeError` where nothing can be compared, and what reading raises.
    """
    refuse_packed(suspect, "verified bit for bit")
    progress.stage("aligning tensors")
    suspect, expected = models = in_common_layout((suspect, expected))
    given = realignment is not None
    if realignment is None:
        realignment = by_numbers(models, limits.seed, progress)
    alignment = _aligned(*(models if realignment is None else views(models, realignment)))
    whole = alignment if realignment is None else of_originals(alignment, models, realignment)
    device = pick_device("cpu")
    prepare_kernels(progress)
    threads = limits.threads or max(2, processors())
    plan = plan_pass(alignment, block_bytes(limits.memory, threads, 2, device))
    progress.stage("comparing every weight", plan.bytes)
    elements, equal = _counts(alignment, plan, device, threads, progress)
    differences = _differences(alignment, elements, equal)
    coverage = whole.share()
    total, same = int(elements.sum()), int(equal.sum())
    reproduced = same == total and coverage == 1.0 and (realignment is None or realignment.exact)
    alternatives: tuple[Alternative, ...] = ()
    claimed = None
    if not reproduced and same < total:
        progress.stage("trying other arithmetics on a sample")
        claimed, alternatives = _tried(suspect, alignment, candidates, device, limits, realignment)
    for checkpoint in alignment.checkpoints:
        checkpoint.source.check_unchanged()
    return Verification(
        reproduced=reproduced,
        bit_equal=same / total,
        elements=total,
        equal=same,
        tensors=len(alignment.tensors),
        whole=int((elements == equal).sum()),
        coverage=coverage,
        layers=_parts(alignment, elements, equal, lambda one: None if one.layer is None else f"layer {one.layer}"),
        components=_parts(alignment, elements, equal, lambda one: str(one.component), [str(one) for one in Component]),
        differences=differences,
        absent=_absent(whole),
        as_claimed=claimed,
        alternatives=alternatives,
        cautions=_cautions(suspect, alignment, None if given else realignment),
    )


def _aligned(suspect: Checkpoint, expected: Checkpoint) -> Alignment:
    alignment = align((suspect, expected), whole=True)
    if not alignment.tensors:
        raise CouldNotJudgeError(
            "no tensor has the same name and shape in the suspect and in the recipe's output",
            "Check that these are the same kind of model: `modelprov inspect` works on both, the recipe file too.",
        )
    return alignment


def _counts(
    alignment: Alignment, plan: Plan, device: Device, threads: int, progress: Progress | None
) -> tuple[Int64, Int64]:
    """Elements and equal elements of every aligned tensor; values that are not finite are compared bit by bit."""
    tensors = len(alignment.tensors)
    moments = sweep(
        alignment.checkpoints, plan, tensors, RecipePlan.none(1, tensors), device,
        threads=threads, on_bytes=progress.advance if progress else None,
    )  # fmt: skip
    elements = moments.counts[:, 0] + moments.counts[:, NONFINITE]
    equal = np.array([moments[row].equal(0, 1) for row in range(tensors)], np.int64)
    if progress is not None:
        for row in np.flatnonzero(moments.counts[:, NONFINITE]).tolist():
            equal[row] = elements[row] - sum(differing for differing, *_ in chunks(alignment, row))
    return elements, equal


def _differences(alignment: Alignment, elements: Int64, equal: Int64) -> tuple[Difference, ...]:
    """The first tensors, in file order, that are not as expected."""
    found = []
    for row in np.flatnonzero(elements != equal)[:SHOWN].tolist():
        for differing, first, one, other in chunks(alignment, row):
            if differing:
                found.append(
                    Difference(
                        name=alignment.tensors[row].name,
                        elements=int(elements[row]),
                        equal=int(equal[row]),
                        first=first,
                        found=one,
                        expected=other,
                    )
                )
                break
    return tuple(found)


def _tried(
    suspect: Checkpoint, alignment: Alignment, candidates: Candidates, device: Device, limits: Limits,
    realignment: Realignment | None,
) -> tuple[float, tuple[Alternative, ...]]:  # fmt: skip
    """What the claim and each candidate reproduce of the same sample; best first."""

    def share(of: Alignment) -> tuple[float, int]:
        plan = plan_sample(of, stratify(of), limits.sample, limits.seed)
        elements, equal = _counts(of, plan, device, limits.threads or 2, None)
        return int(equal.sum()) / max(int(elements.sum()), 1), int(elements.sum())

    claimed, _ = share(alignment)
    tried = []
    for name, checkpoint in candidates():
        models = in_common_layout((suspect, checkpoint))
        bit_equal, elements = share(_aligned(*(models if realignment is None else views(models, realignment))))
        tried.append(Alternative(name=name, bit_equal=bit_equal, elements=elements))
    return claimed, tuple(sorted(tried, key=lambda one: -one.bit_equal))


def _parts(
    alignment: Alignment, elements: Int64, equal: Int64, key: Callable[[AlignedTensor], str | None],
    order: list[str] | None = None,
) -> tuple[Part, ...]:  # fmt: skip
    sums: dict[str, list[int]] = {name: [0, 0] for name in order or ()}
    for row, tensor in enumerate(alignment.tensors):
        name = key(tensor)
        if name is not None:
            held = sums.setdefault(name, [0, 0])
            held[0] += int(elements[row])
            held[1] += int(equal[row])
    parts = [Part(name=name, elements=n, equal=same) for name, (n, same) in sums.items() if n]
    return tuple(parts if order else sorted(parts, key=lambda part: int(part.name.split()[-1])))


def _cautions(suspect: Checkpoint, alignment: Alignment, renamed: Realignment | None) -> tuple[str, ...]:
    """What was not read, and what was paired by something else than its name."""
    guessed = [tensor.name for tensor in alignment.tensors if tensor.guessed]
    told = (
        [f"{len(guessed):,} tensors were paired by layer and shape, not by name, e.g. {guessed[0]}"] if guessed else []
    )
    told += in_words(renamed) if renamed else []
    if both_hold_others(alignment):
        told.append(
            "matrices have other names or shapes than the recipe's, and their numbers do not pair them as they stand; "
            f"`compare` may do so in another order: give what it writes with {called('save_alignment')} as "
            f"{called('alignment')}"
        )
    return (*suspect.notes, *alignment.notes, *told)


def _absent(alignment: Alignment) -> tuple[Absent, ...]:
    groups: dict[tuple[int, str], list[tuple[str, int]]] = {}
    for item in alignment.unaligned:
        groups.setdefault((item.checkpoint, item.reason), []).append((item.name, item.count))
    return tuple(
        Absent(
            of="suspect" if checkpoint == 0 else "recipe",
            reason=reason,
            tensors=len(members),
            elements=sum(count for _, count in members),
            examples=tuple(name for name, _ in members[:3]),
        )
        for (checkpoint, reason), members in groups.items()
    )
