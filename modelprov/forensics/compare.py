"""The main job: align, scout, sweep, fit, judge. Calls the rooms in order; every number comes from one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace

import numpy as np

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.quantised import refuse_quantised
from modelprov.checkpoints.layouts.realignment import Realignment
from modelprov.checkpoints.plan import Plan, plan_pass
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.errors import CouldNotJudgeError
from modelprov.forensics.estimators.precision import effective, suspect_formats
from modelprov.forensics.judging.beyond import describe_beyond
from modelprov.forensics.judging.coordinates import (
    coordinates,
    leaves_open,
    paired_units,
    settled,
    tells_more,
    with_units,
)
from modelprov.forensics.judging.findings import Findings, collect
from modelprov.forensics.judging.rows import Table
from modelprov.forensics.results import Beyond, Coordinates, VerdictClass
from modelprov.forensics.sampling.matrices import BUDGET
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.sampling.scout import Strata, load_sample, plan_sample, stratify
from modelprov.forensics.search.beyond import measure_beyond
from modelprov.forensics.search.coordinates.looking import Found, look, of_originals, views
from modelprov.forensics.search.fits import Fits, fit_sample
from modelprov.forensics.search.methods.find import FoundMethod, find
from modelprov.forensics.search.methods.whole import ELEMENTS, Wholes
from modelprov.forensics.search.profiles import Resemblance, choose, resemblance
from modelprov.forensics.search.recipes import tied
from modelprov.forensics.sums.kernels.choose import pick_device
from modelprov.forensics.sums.kernels.cpu import compile_for
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan
from modelprov.forensics.sums.sweep import block_bytes, sweep
from modelprov.progress import Progress
from modelprov.records import processors


@dataclass(frozen=True)
class Options:
    """How to run: none of these but the last two changes what a full comparison counts or sums.

    `memory` bytes for buffers; `sample` stops after the scout; `sample_elements` elements of each checkpoint that the
    scout reads; `method` how local files are read (auto, map, direct, buffered). `thorough` looks for other coordinates
    whatever the weights say at their places; `alignment` is what undoes them, found before.
    """

    memory: int = 512 << 20
    threads: int | None = None
    device: str = "auto"
    seed: int = 0
    sample: bool = False
    sample_elements: int = 1 << 20
    method: str = "auto"
    thorough: bool = False
    alignment: Realignment | None = None


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
    candidates: Sequence[Checkpoint] = (), before: Callable[[Alignment, Plan], None] | None = None,
) -> Comparison:  # fmt: skip
    """Compare a suspect with one or more parents, the reference last, and with controls on the same parents.

    `before` hears of every plan before anything of it is read. What is left beyond the parents is held against the
    `candidates`, with the controls for comparison.
    Raises `CouldNotJudgeError` where nothing can be compared, and what opening and reading raise.
    """
    for checkpoint in (*checkpoints, *controls, *candidates):
        refuse_quantised(checkpoint)
    measured = []
    with ThreadPoolExecutor(1) as aside:  # a GPU takes seconds to get ready: meanwhile, align and scout
        size = sum(ref.count * ref.dtype.size for checkpoint in checkpoints for ref in checkpoint.tensors.values())
        device = aside.submit(
            copy_context().run, pick_device, options.device, 0 if options.sample else size, _threads(options)
        )
        run = _Run(options, device, progress, before=before)
        for control in controls:
            progress.stage(f"control {control.label}")
            result = _measure((control, *checkpoints[1:]), run)
            measured.append((control.label, result.findings))
        run = replace(run, known=tuple(measured), beside=Beside(tuple(candidates), tuple(controls)))
        try:
            result = _measure(tuple(checkpoints), run)
        except CouldNotJudgeError:
            found = _look(checkpoints, controls, run)
            if found is None or found.realignment is None:
                raise
            result = _undone(checkpoints, found, run)
        else:
            if options.thorough or options.alignment is not None or leaves_open(result.findings, result.alignment):
                result = _elsewhere_too(result, _look(checkpoints, controls, run), checkpoints, run)
    return replace(result, controls=tuple(controls), candidates=tuple(candidates))


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
    found = look(checkpoints, options.seed, advance, options.alignment)
    if found is None or found.realignment is None:
        return found
    doubts = []
    for control, (label, findings) in zip(controls, run.known, strict=True):
        if findings.verdict.class_ is VerdictClass.UNRELATED:
            other = look((control, checkpoints[found.parent]), options.seed, advance, found.realignment)
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
    return replace(result, coordinates=coordinates(found, labels), realignment=found.realignment)


@dataclass(frozen=True, eq=False)
class _Undone:
    """What a comparison of views is truly of."""

    checkpoints: Sequence[Checkpoint]
    found: Found

    def alignment(self, aligned: Alignment) -> Alignment:
        """The alignment of the checkpoints themselves."""
        assert self.found.realignment is not None
        return of_originals(aligned, self.checkpoints, self.found.realignment)


def _measure(checkpoints: tuple[Checkpoint, ...], run: _Run, undone: _Undone | None = None) -> Comparison:
    """One suspect against the parents: scout, then sweep. `undone` says what these are views of."""
    options, progress, beside = run.options, run.progress, run.beside
    progress.stage("aligning tensors")
    alignment = align(checkpoints)
    if not alignment.tensors:
        raise CouldNotJudgeError(
            "no tensor has the same name and shape in every checkpoint",
            "Check that these are the same kind of model: `modelprov inspect CKPT` shows each one's tensors.",
        )
    whole = alignment if undone is None else undone.alignment(alignment)
    strata = stratify(alignment)
    progress.stage("preparing kernels (compiled once, on the first run)")
    compile_for(len(checkpoints))
    scout = plan_sample(alignment, strata, options.sample_elements, options.seed)
    if run.before is not None:
        run.before(alignment, scout if options.sample else plan_pass(alignment))
    progress.stage("scouting: precision and candidate recipes, from a sample")
    sample, fits = _scout(alignment, strata, scout, options.seed)
    recipes = _recipe_plan(fits, strata, len(checkpoints) - 1)
    if not run.device.done():
        progress.stage("preparing the GPU")
    device = run.device.result()
    threads = min(_threads(options), device.threads or _threads(options))
    size = block_bytes(options.memory, threads, len(checkpoints), device)
    plan = scout if options.sample else plan_pass(alignment, size)
    progress.stage("reading a sample" if options.sample else "reading every weight once", plan.bytes)
    moments = sweep(
        checkpoints, plan, len(alignment.tensors), recipes, device,
        threads=threads, method=options.method, on_bytes=progress.advance,
        precision=None if sample is None else suspect_formats(sample, strata.of_tensor, alignment),
    )  # fmt: skip
    progress.stage("judging")
    table = Table(alignment.tensors, moments, tuple(one.label for one in checkpoints))
    findings = collect(
        table, strata, fits, options.seed, run.known, tuple(one.location for one in checkpoints[1:]),
        (whole.share(), whole.decisive_share()),
        (lambda: _elsewhere(alignment, options, progress)) if undone is None else None, sample,
        None if undone is None else paired_units(undone.found),
        lambda: _method(alignment, options, progress),
        None if beside is None else lambda: _left(alignment, beside, options, progress),
    )  # fmt: skip
    return Comparison(whole, findings, options, device.description, plan.bytes + (0 if options.sample else scout.bytes))


def _threads(options: Options) -> int:
    return options.threads or max(2, processors())


def _elsewhere(alignment: Alignment, options: Options, progress: Progress) -> Resemblance:
    """Before an all-clear: whether the suspect is a parent in other coordinates."""
    chosen = choose(alignment, options.seed)
    size = sum(view.count * view.ref.dtype.size for number in chosen for view in alignment.tensors[number].views)
    progress.stage("looking for the same sizes of rows and columns in another order", size)
    return resemblance(alignment, chosen, progress.advance)


def _left(alignment: Alignment, beside: Beside, options: Options, progress: Progress) -> Beyond:
    """Where no recipe explains the bits: what is left beyond the named parents, and which candidate it is like."""
    progress.stage("reading some matrices for what is left beyond the parents")
    budget = options.sample_elements if options.sample else BUDGET
    found = measure_beyond(alignment, (*beside.candidates, *beside.controls), options.seed, budget)
    candidates, controls = ([other.label for other in others] for others in (beside.candidates, beside.controls))
    return describe_beyond(found, candidates, controls, [one.label for one in alignment.checkpoints[1:]])


def _method(alignment: Alignment, options: Options, progress: Progress) -> FoundMethod | None:
    """Where no weighted sum explains a relative: the merge method that does."""
    progress.stage("looking for other merge methods, in whole tensors")
    return find(
        Wholes(alignment, options.seed, options.memory, options.sample_elements if options.sample else ELEMENTS)
    )


def _scout(alignment: Alignment, strata: Strata, plan: Plan, seed: int) -> tuple[Sample | None, Fits | None]:
    """The decisive part of the sample, in the formats that its values show, and its fits where there are two parents.

    None where there is none.
    """
    sample = load_sample(alignment, plan)
    decisive = np.array([tensor.decisive for tensor in alignment.tensors])
    sample = sample.take(decisive[sample.group])
    if not sample.elements:
        return None, None
    sample = effective(sample)
    if len(sample.parents) < 2:
        return sample, None
    return sample, fit_sample(sample, strata.of_tensor[sample.group], len(strata.names), seed)


def _recipe_plan(fits: Fits | None, strata: Strata, parents: int) -> RecipePlan:
    """The scout's candidates, spread over tensors, for the sweep to count."""
    tensors = len(strata.of_tensor)
    if fits is None or not fits.candidates:
        return RecipePlan.none(parents, tensors)
    recipes = [one.recipe for one in fits.candidates[: tied(fits.candidates)]]
    return RecipePlan(
        np.array([int(recipe.arithmetic) for recipe in recipes], np.int64),
        np.array([recipe.order for recipe in recipes], np.int64),
        np.stack([recipe.weights[strata.of_tensor] for recipe in recipes]),
    )
