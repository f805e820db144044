"""The main job: which measurements a comparison takes, and which of them tells most. Every number comes from a room.

What judges is imported where it judges: `measuring.py` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import TYPE_CHECKING

from modelprov.called import called
from modelprov.checkpoints.layouts.common_layout import in_common_layout
from modelprov.checkpoints.layouts.components import layers_of
from modelprov.checkpoints.layouts.naming import canonical_names
from modelprov.checkpoints.layouts.quantised import refuse_quantised
from modelprov.checkpoints.plan import Plan
from modelprov.checkpoints.remote.source import is_far
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.errors import CouldNotJudgeError, UsageError
from modelprov.forensics.measuring import (
    Beside,
    Comparison,
    Looked,
    Options,
    Restacked,
    Run,
    Undone,
    labels_of,
    measure,
)
from modelprov.forensics.passes import scouted, summed
from modelprov.forensics.sampling.blocks import partial
from modelprov.forensics.sums.kernels.choose import pick_device
from modelprov.machine import one_blas_thread, processors
from modelprov.progress import Progress, Within

if TYPE_CHECKING:  # what only some comparisons call for is imported by those
    from modelprov.forensics.search.coordinates.looking import Found
    from modelprov.forensics.sums.ledger import Ledger

UNDONE_BYTES = 1 << 30
"""Of checkpoints that are elsewhere: undoing other coordinates reads every matrix of both, and is left where that is
more."""


@one_blas_thread()
def compare(
    checkpoints: Sequence[Checkpoint], options: Options, progress: Progress, controls: Sequence[Checkpoint] = (),
    candidates: Sequence[Checkpoint] = (), ledger: Ledger | None = None,
    before: Callable[[Alignment, Plan], None] | None = None, meanwhile: Callable[[], None] | None = None,
    looked: Looked | None = None,
) -> Comparison:  # fmt: skip
    """Compare a suspect with one or more parents, the reference last, and with controls on the same parents.

    What is left beyond the parents is held against the `candidates`, with the controls for comparison. Sums that the
    `ledger` knows are taken from there. `before` hears of every plan before anything of it is read,
    `meanwhile` is called while all weights are read, from another thread. `looked` is what a smaller sample of the same
    models left, and what this one adds to.

    Raises `CouldNotJudgeError` where nothing can be compared, and what opening and reading raise.
    """
    for checkpoint in (*checkpoints, *controls, *candidates):
        refuse_quantised(checkpoint)
    checkpoints, controls, candidates = _in_common_layout(checkpoints, controls, candidates)
    given = partial((*checkpoints, *controls, *candidates))
    if given:
        _refuse_whole(options, candidates, ledger)
        options = replace(options, sample=True)
    measured = []
    with ThreadPoolExecutor(1) as aside:  # a GPU takes seconds to get ready: meanwhile, align and scout
        by_others = options.engine == "ray" or (ledger is not None and ledger.device is not None)
        wanted = "cpu" if by_others else options.device
        size = 0 if options.sample else _size(checkpoints)
        device = aside.submit(copy_context().run, pick_device, wanted, size, _threads(options))
        run = Run(options, device, progress, ledger, before=before, meanwhile=meanwhile, looked=looked or Looked())
        for place, control in enumerate(controls, 1):
            inside = Within(progress, f"control {control.label}", place, len(controls))
            result = measure((control, *checkpoints[1:]), replace(run, progress=inside))
            measured.append((control.label, result.findings))
        run = replace(run, known=tuple(measured), beside=Beside(tuple(candidates), tuple(controls)))
        if given:
            result = _of_blocks(tuple(checkpoints), run)
            return _told_of_sample(replace(result, controls=tuple(controls)))
        try:
            result = _at_their_places(tuple(checkpoints), run)
        except CouldNotJudgeError:
            found = _look(checkpoints, controls, run)
            if found is None or found.realignment is None:
                raise
            result = _undone(checkpoints, found, run)
        else:
            from modelprov.forensics.judging.coordinates import leaves_open

            if options.thorough or options.alignment is not None or leaves_open(result.findings, result.alignment):
                result = _elsewhere_too(result, _look(checkpoints, controls, run), checkpoints, run)
    result = replace(result, controls=tuple(controls), candidates=tuple(candidates))
    return _told_of_sample(result) if options.sample else result


def _told_of_sample(result: Comparison) -> Comparison:
    from modelprov.forensics.judging.of_sample import of_sample

    return replace(result, findings=of_sample(result.findings, result.alignment))


def _in_common_layout(
    checkpoints: Sequence[Checkpoint], controls: Sequence[Checkpoint], candidates: Sequence[Checkpoint]
) -> tuple[tuple[Checkpoint, ...], tuple[Checkpoint, ...], tuple[Checkpoint, ...]]:
    """All of them in one layout, where they are in layouts of several families."""
    seen = in_common_layout((*checkpoints, *controls, *candidates))
    first, second = len(checkpoints), len(checkpoints) + len(controls)
    return seen[:first], seen[first:second], seen[second:]


def _refuse_whole(options: Options, candidates: Sequence[Checkpoint], ledger: Ledger | None) -> None:
    """Refuse what a fingerprint cannot answer: whatever needs whole tensors, or every weight."""
    wanted = {
        "candidates": bool(candidates), "thorough": options.thorough, "alignment": options.alignment is not None,
        "resume": ledger is not None,
    }  # fmt: skip
    for name, asked in wanted.items():
        if asked:
            raise UsageError(
                f"{called(name)} needs whole tensors, and a fingerprint holds some blocks of each",
                "Give the checkpoints themselves, or leave it out.",
            )


def _at_their_places(checkpoints: tuple[Checkpoint, ...], run: Run) -> Comparison:
    """The comparison under the names that tensors have, or of a stack with the layers that it is made of.

    Layers are looked for under other numbers where the models have not equally many, or where their places leave
    something open; only if every tensor is then found, bit by bit, does that stand for the comparison.
    """
    first = run.ledger is not None or not _depths_differ(checkpoints)  # a ledger's sums are those of their places
    result = measure(checkpoints, run) if first else None
    from modelprov.forensics.judging.coordinates import leaves_open

    if result is not None and not leaves_open(result.findings, result.alignment):
        return result
    from modelprov.forensics.search.methods.stacks import find, views

    run.progress.stage("looking for the same layers under other numbers")
    stack = find(checkpoints, run.options.seed)
    read = 0 if result is None else result.bytes_read
    if stack is not None:
        again = measure(views(checkpoints, stack), run, Restacked(checkpoints, stack))
        read += again.bytes_read
        if again.findings.facts.stacked is not None:
            return replace(again, bytes_read=read)
    if result is None:
        result = measure(checkpoints, run)
        read += result.bytes_read
    return replace(result, bytes_read=read)


def _of_blocks(checkpoints: tuple[Checkpoint, ...], run: Run) -> Comparison:
    """The comparison of what fingerprints hold: at their places, or with layers where they are found, if bits are.

    Where they are not, what stands elsewhere takes back every all-clear: only the models themselves settle it.
    """
    result = measure(checkpoints, run)
    from modelprov.forensics.judging.coordinates import with_blocks
    from modelprov.forensics.results import VerdictClass

    if result.findings.verdict.class_ in (VerdictClass.COPY, VerdictClass.MERGE):
        return result
    from modelprov.forensics.search.layers_alike import elsewhere
    from modelprov.forensics.search.methods.stacks import views

    run.progress.stage("looking for the same layers under other numbers")
    found = elsewhere(checkpoints)
    if found.relocated:
        again = measure(views(checkpoints, found.stack), run, Restacked(checkpoints, found.stack))
        if again.findings.facts.stacked is not None:
            return replace(again, bytes_read=again.bytes_read + result.bytes_read)
    labels = [checkpoint.label for checkpoint in checkpoints]
    return replace(result, findings=with_blocks(result.findings, found, labels))


def sum_part(
    checkpoints: Sequence[Checkpoint], options: Options, progress: Progress, controls: Sequence[Checkpoint],
    ledger: Ledger,
) -> str:  # fmt: skip
    """Add to the ledger its part of the sums that a comparison begins with: every control's and the suspect's.

    What the parts together show may call for another pass, in other coordinates; who adds them makes it. Returns words
    for what computed. Raises as `compare` does.
    """
    for checkpoint in (*checkpoints, *controls):
        refuse_quantised(checkpoint)
    if partial((*checkpoints, *controls)):
        raise UsageError(
            "a part is of all weights, and a fingerprint holds some blocks", "Give the checkpoints themselves."
        )
    checkpoints, controls, _ = _in_common_layout(checkpoints, controls, ())
    device = pick_device(options.device, _size(checkpoints), _threads(options))
    for suspect in (*controls, checkpoints[0]):
        found = scouted((suspect, *checkpoints[1:]), options.sample_elements, options.seed, progress)
        summed(
            found, suspect.label, device, progress, memory=options.memory, threads=options.threads,
            method=options.method, sampled=False, ledger=ledger,
        )  # fmt: skip
    return device.description


def _depths_differ(checkpoints: Sequence[Checkpoint]) -> bool:
    """Whether the models have not all equally many layers; those with the same names have."""
    if all(checkpoint.tensors.keys() == checkpoints[0].tensors.keys() for checkpoint in checkpoints):
        return False
    return len({len(layers_of(canonical_names(tuple(checkpoint.tensors)))) for checkpoint in checkpoints}) > 1


def _size(checkpoints: Sequence[Checkpoint]) -> int:
    return sum(ref.stop - ref.start for checkpoint in checkpoints for ref in checkpoint.tensors.values())


def _elsewhere_too(result: Comparison, found: Found | None, checkpoints: Sequence[Checkpoint], run: Run) -> Comparison:
    """The result with other coordinates looked for: that of what was undone where it tells more, else as it was."""
    from modelprov.forensics.judging.coordinates import coordinates, settled, tells_more, with_units

    if found is None:
        return result
    if found.realignment is not None and not settled(result.findings, result.alignment):
        again = _undone(checkpoints, found, run)
        if tells_more((again.findings, again.alignment), (result.findings, result.alignment)):
            return replace(again, bytes_read=again.bytes_read + result.bytes_read)
    labels = [checkpoint.label for checkpoint in checkpoints]
    return replace(
        result,
        findings=with_units(result.findings, found, labels),
        coordinates=coordinates(replace(found, realignment=None), labels),
    )


def _look(checkpoints: Sequence[Checkpoint], controls: Sequence[Checkpoint], run: Run) -> Found | None:
    """The test of units, what is undone, and which of the controls, strangers at their places, fare as the suspect."""
    from modelprov.forensics.results import VerdictClass
    from modelprov.forensics.search.coordinates.kinship import ELSEWHERE, HERE
    from modelprov.forensics.search.coordinates.looking import look

    options, advance, known = run.options, run.progress.advance, run.looked.coordinates
    models = labels_of(checkpoints)
    given = None if options.alignment is None else options.alignment.realignment
    far = options.sample and any(is_far(checkpoint.source) for checkpoint in checkpoints)
    left = TRAFFIC.left() if far else None
    depth, most = (ELSEWHERE, UNDONE_BYTES if left is None else min(left, UNDONE_BYTES)) if far else (HERE, None)
    if models not in known:
        run.progress.stage("looking for the same units in other coordinates")
        known[models] = look(checkpoints, options.seed, advance, given, depth, most)
    found = known[models]
    if found is None or not found.kinship.related:
        return found
    doubts = []
    for control, (label, findings) in zip(controls, run.known, strict=True):
        if findings.verdict.class_ is VerdictClass.UNRELATED:
            other = look((control, checkpoints[found.parent]), options.seed, advance, found.realignment, depth, 0)
            doubts += [label] if other is not None and other.kinship.related else []
    return replace(found, doubts=tuple(doubts))


def _undone(checkpoints: Sequence[Checkpoint], found: Found, run: Run) -> Comparison:
    """The comparison of what is left when other coordinates are undone."""
    from modelprov.forensics.judging.coordinates import coordinates, with_left
    from modelprov.forensics.search.coordinates.looking import views

    assert found.realignment is not None
    assert run.beside is not None
    run.progress.stage("comparing again, other coordinates undone")
    seen = views(checkpoints, found.realignment)
    others = Beside(
        views((checkpoints[0], *run.beside.candidates), found.realignment)[1:],
        views((checkpoints[0], *run.beside.controls), found.realignment)[1:],
    )
    result = measure(seen, replace(run, beside=others), Undone(checkpoints, found))
    labels = [checkpoint.label for checkpoint in checkpoints]
    told = with_left(coordinates(found, labels), result.findings)
    return replace(result, coordinates=told, realignment=found.realignment)


def _threads(options: Options) -> int:
    return options.threads or max(2, processors())


__all__ = ["Beside", "Comparison", "Options", "compare", "sum_part"]
