"""The main job: align, scout, sweep, fit, judge. Calls the rooms in order; every number comes from one of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace

import numpy as np

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.quantised import refuse_quantised
from modelprov.checkpoints.plan import Plan, plan_pass
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.errors import CouldNotJudgeError
from modelprov.forensics.estimators.precision import effective, suspect_formats
from modelprov.forensics.judging.beyond import describe_beyond
from modelprov.forensics.judging.findings import Findings, collect
from modelprov.forensics.judging.rows import Table
from modelprov.forensics.results import Beyond
from modelprov.forensics.sampling.matrices import BUDGET
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.sampling.scout import Strata, load_sample, plan_sample, stratify
from modelprov.forensics.search.beyond import measure_beyond
from modelprov.forensics.search.fits import Fits, fit_sample
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
    """How to run: none of these changes what a full comparison counts or sums.

    `memory` bytes for buffers; `sample` stops after the scout; `sample_elements` elements of each checkpoint that the
    scout reads; `method` how local files are read (auto, map, direct, buffered).
    """

    memory: int = 512 << 20
    threads: int | None = None
    device: str = "auto"
    seed: int = 0
    sample: bool = False
    sample_elements: int = 1 << 20
    method: str = "auto"


@dataclass(frozen=True)
class Beside:
    """Models beside the suspect and its parents: candidates for what is left, and unsuspected controls."""

    candidates: tuple[Checkpoint, ...] = ()
    controls: tuple[Checkpoint, ...] = ()


@dataclass(frozen=True, eq=False)
class Comparison:
    """The findings of a run, with what a report says about how they came about."""

    alignment: Alignment
    findings: Findings
    options: Options
    device: str
    bytes_read: int
    controls: tuple[Checkpoint, ...] = field(default=())
    candidates: tuple[Checkpoint, ...] = field(default=())


def compare(
    checkpoints: Sequence[Checkpoint], options: Options, progress: Progress, controls: Sequence[Checkpoint] = (),
    candidates: Sequence[Checkpoint] = (),
) -> Comparison:  # fmt: skip
    """Compare a suspect with one or more parents, the reference last, and with controls on the same parents.

    What is left beyond the parents is held against the `candidates`, with the controls for comparison.
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
        for control in controls:
            progress.stage(f"control {control.label}")
            result = _measure((control, *checkpoints[1:]), options, device, progress)
            measured.append((control.label, result.findings))
        beside = Beside(tuple(candidates), tuple(controls))
        result = _measure(tuple(checkpoints), options, device, progress, tuple(measured), beside)
    return replace(result, controls=tuple(controls), candidates=tuple(candidates))


def _measure(
    checkpoints: tuple[Checkpoint, ...], options: Options, picked: Future[Device], progress: Progress,
    controls: tuple[tuple[str, Findings], ...] = (), beside: Beside | None = None,
) -> Comparison:  # fmt: skip
    """One suspect against the parents: scout, then sweep."""
    progress.stage("aligning tensors")
    alignment = align(checkpoints)
    if not alignment.tensors:
        raise CouldNotJudgeError(
            "no tensor has the same name and shape in every checkpoint",
            "Check that these are the same kind of model: `modelprov inspect CKPT` shows each one's tensors.",
        )
    strata = stratify(alignment)
    progress.stage("preparing kernels (compiled once, on the first run)")
    compile_for(len(checkpoints))
    scout = plan_sample(alignment, strata, options.sample_elements, options.seed)
    progress.stage("scouting: precision and candidate recipes, from a sample")
    sample, fits = _scout(alignment, strata, scout, options.seed)
    recipes = _recipe_plan(fits, strata, len(checkpoints) - 1)
    if not picked.done():
        progress.stage("preparing the GPU")
    device = picked.result()
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
        table, strata, fits, options.seed, controls, tuple(one.location for one in checkpoints[1:]),
        (alignment.share(), alignment.decisive_share()), lambda: _elsewhere(alignment, options, progress), sample,
        None if beside is None else lambda: _left(alignment, beside, options, progress),
    )  # fmt: skip
    return Comparison(
        alignment, findings, options, device.description, plan.bytes + (0 if options.sample else scout.bytes)
    )


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
