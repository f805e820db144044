"""One suspect held against its parents, once: scout, sweep, judge; and what that calls for. Decides nothing.

Which of several ways to hold them against each other tells most is for `compare.py`. What judges is imported after the
pass: while weights are read, another thread loads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modelprov.checkpoints.layouts.alignment_file import AlignmentFile
from modelprov.checkpoints.layouts.realignment import Realignment
from modelprov.checkpoints.plan import Int64, Plan, plan_pass
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.errors import BudgetSpentError
from modelprov.forensics.passes import scouted, summed
from modelprov.forensics.sampling.blocks import partial
from modelprov.forensics.sampling.closer import may_differ
from modelprov.forensics.sums.kernels.interface import Device
from modelprov.forensics.sums.sweep import threads_within
from modelprov.machine import processors
from modelprov.progress import Progress

if TYPE_CHECKING:  # what only some comparisons call for is imported by those, and what judges after the pass
    from modelprov.forensics.judging.findings import Findings, FurtherLooks
    from modelprov.forensics.results import Beyond, Coordinates
    from modelprov.forensics.search.coordinates.looking import Found
    from modelprov.forensics.search.methods.find import FoundMethod
    from modelprov.forensics.search.methods.stacks import Stack
    from modelprov.forensics.search.profiles import Resemblance
    from modelprov.forensics.sums.ledger import Ledger

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
class Looked:
    """What whole tensors said, by the labels of suspect and parents, so that a larger sample does not ask again."""

    elsewhere: dict[tuple[str, ...], Resemblance] = field(default_factory=dict)
    coordinates: dict[tuple[str, ...], Found | None] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Run:
    """What every measurement of a run shares; `device` may still be getting ready. `known` are the controls' findings.

    `beside` is None for a control, of which nothing is asked but how it fares. `close`: a sample that looks closer.
    `meanwhile` is called while weights are read. `looked` is kept between the samples of one comparison.
    """

    options: Options
    device: Future[Device]
    progress: Progress
    ledger: Ledger | None
    known: tuple[tuple[str, Findings], ...] = ()
    beside: Beside | None = None
    before: Callable[[Alignment, Plan], None] | None = None
    close: bool = False
    meanwhile: Callable[[], None] | None = None
    looked: Looked = field(default_factory=Looked)


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


@dataclass(frozen=True, eq=False)
class Restacked:
    """What a comparison of parents with their layers in the suspect's order is truly of."""

    checkpoints: Sequence[Checkpoint]
    stack: Stack
    seen = "layer by layer"

    def alignment(self, aligned: Alignment) -> Alignment:
        """The alignment of the checkpoints themselves."""
        from modelprov.forensics.search.methods.stacks import of_originals

        return of_originals(aligned, self.checkpoints)


@dataclass(frozen=True, eq=False)
class Undone:
    """What a comparison of views is truly of."""

    checkpoints: Sequence[Checkpoint]
    found: Found
    seen = "in other coordinates"

    def alignment(self, aligned: Alignment) -> Alignment:
        """The alignment of the checkpoints themselves."""
        from modelprov.forensics.search.coordinates.looking import of_originals

        assert self.found.realignment is not None
        return of_originals(aligned, self.checkpoints, self.found.realignment)


def measure(checkpoints: tuple[Checkpoint, ...], run: Run, undone: Undone | Restacked | None = None) -> Comparison:
    """One suspect against the parents; where a sample of it is a copy's, a closer one decides.

    `undone` says what these are views of.
    """
    from modelprov.forensics.results import VerdictClass

    result = _measured(checkpoints, run, undone)
    if not run.options.sample or partial(checkpoints) or result.findings.verdict.class_ is not VerdictClass.COPY:
        return result
    run.progress.stage("looking closer, for a small part that was trained")
    try:
        again = _measured(checkpoints, replace(run, close=True), undone)
    except BudgetSpentError:
        return result
    return replace(again, bytes_read=again.bytes_read + result.bytes_read)


def _measured(checkpoints: tuple[Checkpoint, ...], run: Run, undone: Undone | Restacked | None) -> Comparison:
    """One suspect against the parents, once: scout, then sweep."""
    options, progress = run.options, run.progress
    found = scouted(
        checkpoints, options.sample_elements, options.seed, progress, lambda a, plan: _told(run, a, plan), run.close
    )
    alignment = found.alignment
    whole = alignment if undone is None else undone.alignment(alignment)
    if not run.device.done():
        progress.stage("preparing the GPU")
    device = run.device.result()
    name = checkpoints[0].label + ("" if undone is None else f" {undone.seen}")
    with ThreadPoolExecutor(1) as aside:
        ready = None if run.meanwhile is None else aside.submit(run.meanwhile)
        moments, read = summed(
            found, name, device, progress,
            memory=options.memory, threads=options.threads, method=options.method, sampled=options.sample,
            ledger=run.ledger, engine=options.engine, wanted=options.device,
        )  # fmt: skip
    progress.stage("judging")
    if ready is not None:
        ready.result()
    from modelprov.forensics.judging.coordinates import paired_units
    from modelprov.forensics.judging.findings import collect
    from modelprov.forensics.judging.packed import packing_of
    from modelprov.forensics.judging.rows import Table

    table = Table(alignment.tensors, moments, labels_of(checkpoints), shows=found.precision)
    findings = collect(
        table, found.strata, found.fits, options.seed,
        controls=run.known,
        locations=tuple(each.location for each in checkpoints[1:]),
        looks=_looks(alignment, run, undone),
        compared=(whole.share(), whole.decisive_share()),
        sample=found.sample,
        paired=paired_units(undone.found) if isinstance(undone, Undone) else None,
        stack=undone.stack if isinstance(undone, Restacked) else None,
        packed=tuple(map(packing_of, whole.checkpoints)),
        may_differ=may_differ(alignment, found.strata, found.scout) if options.sample else 0.0,
    )  # fmt: skip
    words = (None if run.ledger is None else run.ledger.device) or device.description
    return Comparison(whole, findings, options, f"{words}{CLUSTER if options.engine == 'ray' else ''}", read)


def _told(run: Run, alignment: Alignment, scout: Plan) -> None:
    """Tell whoever asked what is about to be read."""
    if run.before is not None:
        run.before(alignment, scout if run.options.sample else plan_pass(alignment))


def _looks(alignment: Alignment, run: Run, undone: Undone | Restacked | None) -> FurtherLooks:
    """What may be looked for beyond sums: all but other coordinates takes whole tensors, which blocks do not hold."""
    from modelprov.forensics.judging.findings import FurtherLooks

    options, progress, beside = run.options, run.progress, run.beside
    elsewhere = None if undone is not None else lambda: _elsewhere_once(alignment, run)
    if partial(alignment.checkpoints):
        return FurtherLooks(elsewhere)
    return FurtherLooks(
        elsewhere,
        methods=None if isinstance(undone, Restacked) else lambda rows: _method(alignment, options, progress, rows),
        left=None if beside is None else lambda: _left(alignment, beside, options, progress),
        scale=lambda row, parent: _scale(alignment, options, row, parent),
    )


def _scale(alignment: Alignment, options: Options, row: int, parent: int) -> float | None:
    """The factor that gives every bit of a tensor from a parent's, if any does."""
    from modelprov.forensics.search.methods.stacks import scale
    from modelprov.forensics.search.methods.whole import Wholes

    return scale(Wholes(alignment, options.seed, options.memory).load(row), parent)


def _elsewhere_once(alignment: Alignment, run: Run) -> Resemblance:
    models, known = labels_of(alignment.checkpoints), run.looked.elsewhere
    if models not in known:
        known[models] = _elsewhere(alignment, run.options, run.progress)
    return known[models]


def labels_of(checkpoints: Sequence[Checkpoint]) -> tuple[str, ...]:
    """What each is called, which in one run nothing else is."""
    return tuple(checkpoint.label for checkpoint in checkpoints)


def _elsewhere(alignment: Alignment, options: Options, progress: Progress) -> Resemblance:
    """Before an all-clear: whether the suspect is a parent in other coordinates."""
    from modelprov.forensics.search.profiles import choose, resemblance
    from modelprov.forensics.search.sizes import OwnSizes
    from modelprov.forensics.search.sizes_by_layer import by_layer, with_layers

    chosen = choose(alignment, options.seed)
    size = sum(view.count * view.ref.dtype.size for number in chosen for view in alignment.tensors[number].views)
    progress.stage("looking for the same sizes of rows and columns in another order", size)
    suspect, *others = alignment.checkpoints
    threads = threads_within(options.memory, options.threads or processors(), 1)
    models = [OwnSizes(checkpoint, threads, progress.advance) for checkpoint in alignment.checkpoints]
    sizes = resemblance(alignment, chosen, models)
    sizes = with_layers(sizes, by_layer(models[0], models[1:]))
    if partial(alignment.checkpoints):  # heads are matrices, of which a fingerprint holds blocks
        from modelprov.forensics.search.coordinates.frame_free import frame_free

        progress.stage("comparing what no coordinates change")
        return replace(sizes, frame_free=frame_free(suspect, others, progress.advance))
    from modelprov.forensics.search.coordinates.head_spectra import heads_alike
    from modelprov.forensics.search.matrices_alike import displaced

    progress.stage("looking for the same heads of attention in other coordinates")
    heads = heads_alike(alignment.checkpoints, progress.advance)
    progress.stage("looking for the same matrices at other places")
    return replace(sizes, heads=heads, displaced=displaced([model.alignment for model in models], options.seed))


def _left(alignment: Alignment, beside: Beside, options: Options, progress: Progress) -> Beyond:
    """Where no recipe explains the bits: what is left beyond the named parents, and which candidate it is like."""
    from modelprov.forensics.judging.beyond import describe_beyond
    from modelprov.forensics.sampling.matrices import BUDGET
    from modelprov.forensics.search.beyond import measure_beyond

    progress.stage("reading some matrices for what is left beyond the parents")
    budget = options.sample_elements if options.sample else BUDGET
    threads = options.threads or processors()
    found = measure_beyond(alignment, (*beside.candidates, *beside.controls), options.seed, budget, threads)
    candidates, controls = ([other.label for other in others] for others in (beside.candidates, beside.controls))
    return describe_beyond(found, candidates, controls, [one.label for one in alignment.checkpoints[1:]])


def _method(alignment: Alignment, options: Options, progress: Progress, given: Int64) -> FoundMethod | None:
    """Where no weighted sum explains a relative, or only the tensors `given`: the merge method that does."""
    from modelprov.forensics.search.methods.find import find_in
    from modelprov.forensics.search.methods.units import units_of
    from modelprov.forensics.search.methods.whole import ELEMENTS, Wholes

    progress.stage("looking for other merge methods, in whole tensors")
    elements = options.sample_elements if options.sample else ELEMENTS
    ways = units_of(alignment)
    return find_in((Wholes(alignment, options.seed, options.memory, elements, units=units) for units in ways), given)
