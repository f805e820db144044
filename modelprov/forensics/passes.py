"""A pass over the weights: what it needs beforehand (alignment, a scout's recipes), and its sums. Judges nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.plan import Int64, Plan, plan_pass, tensor_bytes
from modelprov.checkpoints.reading import way_of_reading
from modelprov.checkpoints.types import Alignment, Checkpoint, decisive_of
from modelprov.errors import CouldNotJudgeError, UsageError
from modelprov.forensics.estimators.precision import effective, suspect_formats
from modelprov.forensics.preparing import prepare_kernels
from modelprov.forensics.sampling.blocks import held_plan, partial
from modelprov.forensics.sampling.closer import closer
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.sampling.scout import Strata, load_sample, plan_sample, stratify
from modelprov.forensics.search.fewer import fewer
from modelprov.forensics.search.fits import Fits, fit_sample
from modelprov.forensics.search.formulas import without_formulas
from modelprov.forensics.search.recipes import tied
from modelprov.forensics.search.reversal import turned
from modelprov.forensics.search.small_tensors import with_small_tensors
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan
from modelprov.forensics.sums.moments import Moments
from modelprov.forensics.sums.sweep import Complete, block_bytes, piece_bytes, sweep, threads_within
from modelprov.forensics.thresholds import REPRODUCED, TIED
from modelprov.machine import processors
from modelprov.progress import Progress

if TYPE_CHECKING:  # of runs that keep their sums
    from modelprov.forensics.sums.ledger import Ledger
    from modelprov.forensics.sums.partial import Pass


@dataclass(frozen=True, eq=False)
class Scouted:
    """What is known before the pass: `scout` is the plan of the `sample`, None where nothing in it may decide.

    `fits` are those of the sample, where there are two parents.
    """

    alignment: Alignment
    strata: Strata
    scout: Plan
    sample: Sample | None
    fits: Fits | None
    recipes: RecipePlan
    precision: Int64 | None


def scouted(
    checkpoints: tuple[Checkpoint, ...], elements: int, seed: int, progress: Progress,
    before: Callable[[Alignment, Plan], None] | None = None, close: bool = False,
) -> Scouted:  # fmt: skip
    """Align, and look at about `elements` elements of each checkpoint; `before` hears of the plan, and may refuse it.

    With fingerprints among them, at the places that all of these hold; `close`, where a small training hides as well.

    Raises `CouldNotJudgeError` where nothing aligns, `UsageError` where two of several parents are the same, and what
    reading raises.
    """
    progress.stage("aligning tensors")
    alignment = without_formulas(align(checkpoints))
    if not alignment.tensors:
        raise CouldNotJudgeError(
            "no tensor has the same name and shape in every checkpoint",
            "Check that these are the same kind of model: `modelprov inspect CKPT` shows each one's tensors.",
        )
    strata = stratify(alignment)
    prepare_kernels(progress)
    plan = held_plan(alignment) if partial(checkpoints) else plan_sample(alignment, strata, elements, seed)
    if close:
        plan = closer(alignment, plan, elements, seed)
    if before is not None:
        before(alignment, plan)
    progress.stage("taking a first look, at a sample: formats of numbers, possible recipes")
    sample, fits = _scout(alignment, strata, plan, seed)
    recipes = _recipe_plan(fits, strata, len(checkpoints) - 1)
    precision = None if sample is None else suspect_formats(sample, strata.of_tensor, alignment)
    return Scouted(alignment, strata, plan, sample, fits, recipes, precision)


def pass_over(found: Scouted, name: str, memory: int) -> Pass:
    """The pass over all weights that the scout prepared; `name` is what it is called in messages and files."""
    from modelprov.forensics.sums.partial import Pass

    digest = hashlib.sha256()
    if found.sample is not None:
        for values in (found.sample.suspect, found.sample.parents, found.sample.group):
            digest.update(np.ascontiguousarray(values).tobytes())
    piece = piece_bytes(memory, len(found.alignment.checkpoints))
    return Pass(name, found.alignment, found.recipes, found.precision, piece, digest.hexdigest())


def summed(
    found: Scouted, name: str, device: Device, progress: Progress,
    *, memory: int, threads: int | None, method: str, sampled: bool, ledger: Ledger | None, engine: str = "local",
    wanted: str = "cpu",
) -> tuple[Moments, int]:  # fmt: skip
    """The sums, a row a tensor, and the bytes that were read for them: all weights, or the sample alone.

    What a `ledger` knows of the pass called `name` is not read again, and counted all the same. With the engine "ray"
    the cluster reads, on the device that is `wanted`, unless a source cannot be sent there.
    """
    checkpoints, tensors = found.alignment.checkpoints, len(found.alignment.tensors)
    here = threads or max(2, processors())
    here = threads_within(memory, min(here, device.threads or here), len(checkpoints))

    def run(plan: Plan, total: Moments | None = None, on_sums: Complete | None = None) -> Moments:
        return sweep(
            checkpoints, plan, tensors, found.recipes, device, threads=here, method=method,
            on_bytes=progress.advance, precision=found.precision, total=total, on_sums=on_sums,
        )  # fmt: skip

    if sampled:
        progress.stage("reading a sample", found.scout.bytes)
        return run(found.scout), found.scout.bytes
    away, piece = None, piece_bytes(memory, len(checkpoints))
    if engine == "ray":
        from modelprov.forensics.sums.on_cluster import THREADS, Work, can_be_sent, sweep_on_cluster

        work = Work(found.alignment, found.recipes, found.precision, piece, memory, threads or THREADS, method, wanted)
        away = work if can_be_sent(work) else None
    if away is None and device.by_pieces is not None:
        method = way_of_reading(checkpoints, method)
    size = block_bytes(memory, here, len(checkpoints), device, method)

    def read(only: Int64 | None, total: Moments | None = None, on_sums: Complete | None = None) -> Moments:
        plan = plan_pass(found.alignment, size, piece, only)
        progress.stage(f"reading every weight once{'' if away is None else ', on the cluster'}", plan.bytes)
        if away is None:
            return run(plan, total, on_sums)
        rows = np.arange(tensors) if only is None else only
        total = Moments.empty(len(checkpoints), tensors) if total is None else total
        return sweep_on_cluster(away, rows, total, on_sums, progress.advance)

    sums = read(None) if ledger is None else ledger.sums(pass_over(found, name, memory), read)
    return sums, int(tensor_bytes(found.alignment).sum()) + found.scout.bytes


def _scout(alignment: Alignment, strata: Strata, plan: Plan, seed: int) -> tuple[Sample | None, Fits | None]:
    """The decisive part of the sample, in the formats that its values show, and its fits where there are two parents.

    None where there is none.
    """
    whole = load_sample(alignment, plan)
    decisive = np.array(decisive_of(alignment.tensors))[whole.group]
    sample = whole.take(decisive)
    if not sample.elements:
        return None, None
    sample = effective(sample)
    if len(sample.parents) < 2:
        return sample, None
    _refuse_equal(sample, [checkpoint.label for checkpoint in alignment.checkpoints])
    fits = fit_sample(sample, strata.of_tensor[sample.group], len(strata.names), seed)
    fits = _of_fewer(fits, len(strata.names), seed)
    if decisive.all():
        return sample, fits
    small = whole.take(~decisive)
    return sample, with_small_tensors(fits, small, strata.of_tensor[small.group])


def _refuse_equal(sample: Sample, labels: list[str]) -> None:
    """Raise `UsageError` where two of several parents are one: any share of one can be the other's.

    Where they are the suspect as well that is what has to be said, and no mixture is fitted.
    """
    parents = sample.parents
    for first, second in combinations(range(len(parents)), 2) if len(parents) > 2 else ():
        if np.array_equal(parents[first], parents[second]) and not np.array_equal(parents[first], sample.suspect):
            raise UsageError(
                f"{labels[first + 1]} and {labels[second + 1]} hold the same numbers in all {sample.elements:,} sampled"
                " weights",
                "Leave one out: what each has in the suspect cannot be told apart.",
            )


def _of_fewer(fits: Fits, strata: int, seed: int) -> Fits:
    """Where all parents together give no recipe that stands, one of fewer of them that does, in place of the best."""
    best = fits.candidates[0] if fits.candidates else None
    if len(fits.sample.parents) < 3 or (
        best is not None and best.share >= REPRODUCED and turned(fits, best.recipe.weights, seed) is None
    ):
        return fits
    for found in fewer(fits, strata, seed):
        if turned(fits, found.recipe.weights, seed) is None:
            others = [other for other in fits.candidates if other.share < found.share - TIED]
            return replace(fits, candidates=(found, *others))
    return fits


def _recipe_plan(fits: Fits | None, strata: Strata, parents: int) -> RecipePlan:
    """The scout's candidates, spread over tensors, for the sweep to count."""
    tensors = len(strata.of_tensor)
    if fits is None or not fits.candidates:
        return RecipePlan.none(parents, tensors)
    recipes = [candidate.recipe for candidate in fits.candidates[: tied(fits.candidates)]]
    return RecipePlan(
        np.array([int(recipe.arithmetic) for recipe in recipes], np.int64),
        np.stack([recipe.steps for recipe in recipes]),
        np.stack([recipe.weights[strata.of_tensor] for recipe in recipes]),
    )
