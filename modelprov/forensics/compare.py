"""The main job: align, scout, sweep, fit, judge. Calls the rooms in order; every number comes from one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace

from modelprov.called import called
from modelprov.checkpoints.layouts.alignment_file import AlignmentFile
from modelprov.checkpoints.layouts.common_layout import in_common_layout
from modelprov.checkpoints.layouts.quantised import refuse_quantised
from modelprov.checkpoints.layouts.realignment import Realignment
from modelprov.checkpoints.plan import Int64, Plan, plan_pass
from modelprov.checkpoints.remote.source import is_far
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.errors import CouldNotJudgeError, UsageError
from modelprov.forensics.judging.beyond import describe_beyond
from modelprov.forensics.judging.coordinates import (
    coordinates,
    leaves_open,
    paired_units,
    settled,
    tells_more,
    with_left,
    with_units,
)
from modelprov.forensics.judging.findings import Findings, collect
from modelprov.forensics.judging.packed import packing_of
from modelprov.forensics.judging.rows import Table
from modelprov.forensics.passes import scouted, summed
from modelprov.forensics.results import Beyond, Coordinates, VerdictClass
from modelprov.forensics.sampling.blocks import partial
from modelprov.forensics.sampling.matrices import BUDGET
from modelprov.forensics.search.beyond import measure_beyond
from modelprov.forensics.search.coordinates.head_spectra import heads_alike
from modelprov.forensics.search.coordinates.kinship import ELSEWHERE, HERE
from modelprov.forensics.search.coordinates.looking import Found, look, of_originals, views
from modelprov.forensics.search.methods.find import FoundMethod, find
from modelprov.forensics.search.methods.stacks import Stack, depths_differ
from modelprov.forensics.search.methods.stacks import find as find_stack
from modelprov.forensics.search.methods.stacks import of_originals as of_stack
from modelprov.forensics.search.methods.stacks import scale as scale_of
from modelprov.forensics.search.methods.stacks import views as stack_views
from modelprov.forensics.search.methods.whole import ELEMENTS, Wholes
from modelprov.forensics.search.profiles import Resemblance, choose, resemblance
from modelprov.forensics.sums.kernels.choose import pick_device
from modelprov.forensics.sums.kernels.interface import Device
from modelprov.forensics.sums.ledger import Ledger
from modelprov.progress import Progress
from modelprov.records import processors

UNDONE_BYTES = 1 << 30
"""Of checkpoints that are elsewhere: undoing other coordinates reads every matrix of both, and is left where that is
more."""
CLUSTER = ", on a Ray cluster"


@dataclass(frozen=True)
class Options:
    """How to run: none of these but the last two changes what a full comparison counts or sums.

    `memory` bytes for buffers; `sample` stops after the scout; `sample_elements` elements of each checkpoint that the
    scout reads; `method` how local files are read (auto, map, direct, buffered); `engine` who reads all weights: this
    process (local) or the cluster that it is connected to (ray). `thorough` looks for other coordinates whatever the
    weights say at their places; `alignment` is what undoes them, found before.
    """

    memory: int = 512 << 20
    threads: int | None = None
    device: str = "auto"
    seed: int = 0
    sample: bool = False
    sample_elements: int = 1 << 20
    method: str = "auto"
    engine: str = "local"
    thorough: bool = False
    alignment: AlignmentFile | None = None


@dataclass(frozen=True)
class Beside:
    """Models beside the suspect and its parents: candidates for what is left, and unsuspected controls."""

    candidates: tuple[Checkpoint, ...] = ()
    controls: tuple[Checkpoint, ...] = ()


@dataclass(frozen=True, eq=False)
class _Run:
    """What every measurement of a run shares; `device` may still be getting ready. `known` are the controls' findings.

    `beside` is None for a control, of which nothing is asked but how it fares.
    """

    options: Options
    device: Future[Device]
    progress: Progress
    ledger: Ledger | None
    known: tuple[tuple[str, Findings], ...] = ()
    beside: Beside | None = None
    before: Callable[[Alignment, Plan], None] | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """The findings of a run, with what a report says about how they came about."""

    alignment: Alignment
    findings: Findings
    options: Options
    device: str
    bytes_read: int
    controls: tuple[Checkpoint, ...] = field(default=())
    coordinates: Coordinates | None = None
    realignment: Realignment | None = None
    candidates: tuple[Checkpoint, ...] = field(default=())


def compare(
    checkpoints: Sequence[Checkpoint], options: Options, progress: Progress, controls: Sequence[Checkpoint] = (),
    candidates: Sequence[Checkpoint] = (), ledger: Ledger | None = None,
    before: Callable[[Alignment, Plan], None] | None = None,
) -> Comparison:  # fmt: skip
    """Compare a suspect with one or more parents, the reference last, and with controls on the same parents.

    What is left beyond the parents is held against the `candidates`, with the controls for comparison. Sums that the
    `ledger` knows are taken from there. `before` hears of every plan before anything of it is read.

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
        run = _Run(options, device, progress, ledger, before=before)
        for control in controls:
            progress.stage(f"control {control.label}")
            result = _measure((control, *checkpoints[1:]), run)
            measured.append((control.label, result.findings))
        run = replace(run, known=tuple(measured), beside=Beside(tuple(candidates), tuple(controls)))
        if given:
            return replace(_measure(tuple(checkpoints), run), controls=tuple(controls))
        try:
            result = _at_their_places(tuple(checkpoints), run)
        except CouldNotJudgeError:
            found = _look(checkpoints, controls, run)
            if found is None or found.realignment is None:
                raise
            result = _undone(checkpoints, found, run)
        else:
            if options.thorough or options.alignment is not None or leaves_open(result.findings, result.alignment):
                result = _elsewhere_too(result, _look(checkpoints, controls, run), checkpoints, run)
    return replace(result, controls=tuple(controls), candidates=tuple(candidates))


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


def _at_their_places(checkpoints: tuple[Checkpoint, ...], run: _Run) -> Comparison:
    """The comparison under the names that tensors have, or of a stack with the layers that it is made of.

    Layers are looked for under other numbers where the models have not equally many, or where their places leave
    something open; only if every tensor is then found, bit by bit, does that stand for the comparison.
    """
    first = run.ledger is not None or not depths_differ(checkpoints)  # a ledger's sums are those of their places
    result = _measure(checkpoints, run) if first else None
    if result is not None and not leaves_open(result.findings, result.alignment):
        return result
    run.progress.stage("looking for the same layers under other numbers")
    stack = find_stack(checkpoints, run.options.seed)
    read = 0 if result is None else result.bytes_read
    if stack is not None:
        again = _measure(stack_views(checkpoints, stack), run, _Restacked(checkpoints, stack))
        read += again.bytes_read
        if again.findings.facts.stacked is not None:
            return replace(again, bytes_read=read)
    if result is None:
        result = _measure(checkpoints, run)
        read += result.bytes_read
    return replace(result, bytes_read=read)


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


def _size(checkpoints: Sequence[Checkpoint]) -> int:
    return sum(ref.stop - ref.start for checkpoint in checkpoints for ref in checkpoint.tensors.values())


def _elsewhere_too(result: Comparison, found: Found | None, checkpoints: Sequence[Checkpoint], run: _Run) -> Comparison:
    """The result with other coordinates looked for: that of what was undone where it tells more, else as it was."""
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


def _look(checkpoints: Sequence[Checkpoint], controls: Sequence[Checkpoint], run: _Run) -> Found | None:
    """The test of units, what is undone, and which of the controls, strangers at their places, fare as the suspect."""
    options, advance = run.options, run.progress.advance
    run.progress.stage("looking for the same units in other coordinates")
    given = None if options.alignment is None else options.alignment.realignment
    far = options.sample and any(is_far(checkpoint.source) for checkpoint in checkpoints)
    left = TRAFFIC.left() if far else None
    depth, most = (ELSEWHERE, UNDONE_BYTES if left is None else min(left, UNDONE_BYTES)) if far else (HERE, None)
    found = look(checkpoints, options.seed, advance, given, depth, most)
    if found is None or not found.kinship.related:
        return found
    doubts = []
    for control, (label, findings) in zip(controls, run.known, strict=True):
        if findings.verdict.class_ is VerdictClass.UNRELATED:
            other = look((control, checkpoints[found.parent]), options.seed, advance, found.realignment, depth, 0)
            doubts += [label] if other is not None and other.kinship.related else []
    return replace(found, doubts=tuple(doubts))


def _undone(checkpoints: Sequence[Checkpoint], found: Found, run: _Run) -> Comparison:
    """The comparison of what is left when other coordinates are undone."""
    assert found.realignment is not None
    assert run.beside is not None
    run.progress.stage("comparing again, other coordinates undone")
    seen = views(checkpoints, found.realignment)
    others = Beside(
        views((checkpoints[0], *run.beside.candidates), found.realignment)[1:],
        views((checkpoints[0], *run.beside.controls), found.realignment)[1:],
    )
    result = _measure(seen, replace(run, beside=others), _Undone(checkpoints, found))
    labels = [checkpoint.label for checkpoint in checkpoints]
    told = with_left(coordinates(found, labels), result.findings)
    return replace(result, coordinates=told, realignment=found.realignment)


@dataclass(frozen=True, eq=False)
class _Restacked:
    """What a comparison of parents with their layers in the suspect's order is truly of."""

    checkpoints: Sequence[Checkpoint]
    stack: Stack
    seen = "layer by layer"

    def alignment(self, aligned: Alignment) -> Alignment:
        """The alignment of the checkpoints themselves."""
        return of_stack(aligned, self.checkpoints)


@dataclass(frozen=True, eq=False)
class _Undone:
    """What a comparison of views is truly of."""

    checkpoints: Sequence[Checkpoint]
    found: Found
    seen = "in other coordinates"

    def alignment(self, aligned: Alignment) -> Alignment:
        """The alignment of the checkpoints themselves."""
        assert self.found.realignment is not None
        return of_originals(aligned, self.checkpoints, self.found.realignment)


def _measure(checkpoints: tuple[Checkpoint, ...], run: _Run, undone: _Undone | _Restacked | None = None) -> Comparison:
    """One suspect against the parents: scout, then sweep. `undone` says what these are views of."""
    options, progress, beside = run.options, run.progress, run.beside
    found = scouted(checkpoints, options.sample_elements, options.seed, progress, lambda a, plan: _told(run, a, plan))
    alignment, blocks = found.alignment, partial(checkpoints)
    whole = alignment if undone is None else undone.alignment(alignment)
    if not run.device.done():
        progress.stage("preparing the GPU")
    device = run.device.result()
    name = checkpoints[0].label + ("" if undone is None else f" {undone.seen}")
    moments, read = summed(
        found, name, device, progress,
        memory=options.memory, threads=options.threads, method=options.method, sampled=options.sample,
        ledger=run.ledger, engine=options.engine, wanted=options.device,
    )  # fmt: skip
    progress.stage("judging")
    table = Table(alignment.tensors, moments, tuple(one.label for one in checkpoints))
    findings = collect(
        table, found.strata, found.fits, options.seed, run.known, tuple(one.location for one in checkpoints[1:]),
        (whole.share(), whole.decisive_share()),
        (lambda: _elsewhere(alignment, options, progress)) if undone is None else None, found.sample,
        paired_units(undone.found) if isinstance(undone, _Undone) else None,
        None if isinstance(undone, _Restacked) or blocks else lambda rows: _method(alignment, options, progress, rows),
        None if beside is None or blocks else lambda: _left(alignment, beside, options, progress),
        undone.stack if isinstance(undone, _Restacked) else None,
        lambda row, parent: scale_of(Wholes(alignment, options.seed, options.memory).load(row), parent),
        tuple(map(packing_of, whole.checkpoints)),
    )  # fmt: skip
    words = (None if run.ledger is None else run.ledger.device) or device.description
    return Comparison(whole, findings, options, f"{words}{CLUSTER if options.engine == 'ray' else ''}", read)


def _told(run: _Run, alignment: Alignment, scout: Plan) -> None:
    """Tell whoever asked what is about to be read."""
    if run.before is not None:
        run.before(alignment, scout if run.options.sample else plan_pass(alignment))


def _threads(options: Options) -> int:
    return options.threads or max(2, processors())


def _elsewhere(alignment: Alignment, options: Options, progress: Progress) -> Resemblance:
    """Before an all-clear: whether the suspect is a parent in other coordinates."""
    chosen = choose(alignment, options.seed)
    size = sum(view.count * view.ref.dtype.size for number in chosen for view in alignment.tensors[number].views)
    progress.stage("looking for the same sizes of rows and columns in another order", size)
    sizes = resemblance(alignment, chosen, progress.advance)
    if partial(alignment.checkpoints):  # heads are matrices, of which a fingerprint holds blocks
        return sizes
    progress.stage("looking for the same heads of attention in other coordinates")
    return replace(sizes, heads=heads_alike(alignment.checkpoints, progress.advance))


def _left(alignment: Alignment, beside: Beside, options: Options, progress: Progress) -> Beyond:
    """Where no recipe explains the bits: what is left beyond the named parents, and which candidate it is like."""
    progress.stage("reading some matrices for what is left beyond the parents")
    budget = options.sample_elements if options.sample else BUDGET
    found = measure_beyond(alignment, (*beside.candidates, *beside.controls), options.seed, budget)
    candidates, controls = ([other.label for other in others] for others in (beside.candidates, beside.controls))
    return describe_beyond(found, candidates, controls, [one.label for one in alignment.checkpoints[1:]])


def _method(alignment: Alignment, options: Options, progress: Progress, given: Int64) -> FoundMethod | None:
    """Where no weighted sum explains a relative, or only the tensors `given`: the merge method that does."""
    progress.stage("looking for other merge methods, in whole tensors")
    return find(
        Wholes(alignment, options.seed, options.memory, options.sample_elements if options.sample else ELEMENTS), given
    )
