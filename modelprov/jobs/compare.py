"""The job of `modelprov compare`: a suspect and its possible parents in, a report out. Writes and shows nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from modelprov.called import called
from modelprov.checkpoints.layouts.alignment_file import alignment_bytes
from modelprov.engines.ray import cluster
from modelprov.errors import UsageError
from modelprov.forensics.compare import Comparison, Options
from modelprov.forensics.compare import compare as compare_checkpoints
from modelprov.forensics.measuring import Looked
from modelprov.jobs.arguments import Location, command_line, path_of, refuse_below
from modelprov.jobs.asked import SMALLEST_SAMPLE, Asked, asked, opened
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.jobs.reach import Before, Reach, compared
from modelprov.progress import SILENT, Progress
from modelprov.reports.writing import refuse_weights, write_atomically

if TYPE_CHECKING:
    from modelprov.forensics.sums.ledger import Ledger
    from modelprov.reports.comparison.report import Report

REACH = Reach(8 << 20)


@shown_in_notebooks
def compare(
    suspect: Location,
    *parents: Location,
    reference: Location | None = None,
    control: Location | Sequence[Location] = (),
    candidates: Location | Sequence[Location] = (),
    sample: bool = False,
    sample_size: int = 16 << 20,
    full: bool = False,
    budget: int | None = None,
    thorough: bool = False,
    alignment: Location | None = None,
    save_alignment: Location | None = None,
    memory: int = 512 << 20,
    threads: int | None = None,
    device: str = "auto",
    seed: int = 0,
    reading: str = "auto",
    resume: Location | None = None,
    engine: str = "local",
    address: str | None = None,
    progress: Progress = SILENT,
    command: str | None = None,
) -> Report:
    """Compare a model with its possible parents: copy, merge, on a line, same origin, or unrelated.

    Reads every weight once, in bounded memory. The same as `modelprov compare`, with the same numbers.

    Args:
        suspect: The model in question: a folder, a .safetensors file, an org/name on the Hugging Face Hub (or in its
            local cache), an address (https://, s3://, gs://), or a merge recipe (.yml).
        *parents: One or more possible sources; the last is the reference, usually the common base.
        reference: Which parent is the reference, if not the last.
        control: One or more unsuspected finetunes of the same base; each gets the same numbers.
        candidates: One or more models that may be in it beside the parents: what no mixture of the parents explains is
            held against what is only theirs (`report.beyond`).
        sample: Read only about `sample_size` of each checkpoint, and say what share that is. The default where any is
            not on this machine.
        sample_size: Bytes that `sample` reads of each checkpoint, about; of those elsewhere at most, as a smaller one
            may settle it.
        full: Read every weight of checkpoints that are elsewhere too.
        budget: Most bytes to fetch over the network; None for any number.
        thorough: Look for the suspect in other coordinates whatever the weights say at their places.
        alignment: A file that `save_alignment` wrote: other coordinates are undone as it says. Whether the models are
            related is tested all the same.
        save_alignment: Where to write what was undone, for others to check; nothing is written where nothing was.
        memory: Most bytes for buffers.
        threads: How many; None for all cores.
        device: Where to compute: auto, cpu or cuda.
        seed: Chooses the sampled blocks; written into the report.
        reading: How files are read: auto, map, direct or buffered.
        resume: A file for the sums so far, written about every minute. Where a stopped run left one, this run goes on
            from it; a model that has changed since is refused.
        engine: Who reads the weights: this machine (local), or a Ray cluster whose nodes see the same files (ray). The
            numbers are the same.
        address: Where the cluster is; without one the environment's (RAY_ADDRESS), or this machine alone.
        progress: Hears how far the run has come; by default nobody does, and in a notebook a bar.
        command: What the report says was run; by default, the command line that does the same.

    Returns:
        The report. `report.verdict` is the conclusion, `report.mixing.alpha` the first parent's share (0 to 1, None
        where there is none), with the ends of its interval in `low` and `high`; `components`, `layers`, `cells` and
        `tensors` are rows of the same measures, one for each part. `report.save("report.html")` writes it.

    Raises:
        UsageError: the arguments do not fit together.
        CheckpointNotFoundError: nothing is at a location.
        OtherRunError: the sums in `resume` are of a run of other weights, or one that was asked something else.
        ClusterError: the cluster cannot be reached, or loses a task again and again.
        CouldNotJudgeError: nothing can be compared.
        ModelprovError: a checkpoint cannot be read; its subclasses say why.

    Example:
        report = modelprov.compare("rio", "nex", "qwen", control="sibling")
        print(report.verdict.class_, "-", report.verdict.summary)
        print(report.mixing.alpha, report.mixing.low, report.mixing.high)
        for row in report.layers:
            print(row.name, row.alpha, row.bit_equal)
        report.save("report.html")

    """
    given = asked(
        (suspect, *parents), reference=reference, control=control, candidates=candidates, sample=sample,
        sample_size=sample_size, thorough=thorough, alignment=alignment, memory=memory, threads=threads,
        device=device, seed=seed, reading=reading, engine=engine,
    )  # fmt: skip
    saved = None if save_alignment is None else path_of(save_alignment)
    if saved is not None:
        refuse_weights(saved)
    if sample and resume is not None:
        raise UsageError(f"{called('sample')} reads too little to be stopped: it leaves nothing to go on from")
    refuse_below(1, budget=budget)
    if sample and full:
        raise UsageError(f"{called('sample')} and {called('full')} exclude each other", "Keep one of them.")
    reach = Reach(max(SMALLEST_SAMPLE, sample_size // 2), full or resume is not None, budget)
    line = command or command_for(given, saved, replace(reach, full=full))
    if address is not None and engine != "ray":
        raise UsageError(f"{called('address')} is that of a cluster", f"Give {called('engine', 'ray')} with it.")
    with cluster(address) if engine == "ray" else nullcontext(), _kept(resume) as ledger:
        return run(
            given.locations,
            given.controls,
            given.options,
            line,
            progress,
            given.candidates,
            saved,
            ledger=ledger,
            reach=reach,
        )


def _kept(state: Location | None) -> AbstractContextManager[Ledger | None]:
    """The ledger in a file; without one nothing of it is imported."""
    if state is None:
        return nullcontext()
    from modelprov.jobs.kept import kept

    return kept(state)


def run(
    locations: Sequence[str], controls: Sequence[str], options: Options, command: str, progress: Progress = SILENT,
    candidates: Sequence[str] = (), save_alignment: Path | None = None, ledger: Ledger | None = None,
    reach: Reach = REACH,
) -> Report:  # fmt: skip
    """Open, compare and assemble the report. `locations` are the suspect and its parents, the reference last.

    What was undone, if anything, is written to `save_alignment`; sums that the `ledger` knows are not made again.
    `reach` is about what is elsewhere.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    suspect_and_parents, beside = opened(locations, [*controls, *candidates], progress)
    unsuspected, possible = beside[: len(controls)], beside[len(controls) :]

    looked = Looked()

    def job(chosen: Options, before: Before | None) -> Comparison:
        return compare_checkpoints(
            suspect_and_parents, chosen, progress, unsuspected, possible, ledger, before, _get_ready_to_report, looked
        )

    comparison = compared(job, [*suspect_and_parents, *beside], options, reach, progress)
    told = comparison.coordinates
    if save_alignment is not None and comparison.realignment is not None and told is not None and told.paired:
        parent = next(each for each in suspect_and_parents if each.label == told.parent)
        content = alignment_bytes(comparison.realignment, suspect_and_parents[0].location, parent.location)
        write_atomically(save_alignment, content)
    progress.stage("assembling the report")
    from modelprov.reports.comparison.build import build_report

    return build_report(comparison, suspect_and_parents, command, started, time.perf_counter() - clock)


def _get_ready_to_report() -> None:
    """Load what judges and reports, which takes as long as reading some gigabytes, while weights are read."""
    from modelprov.reports.comparison.build import get_ready

    get_ready()


def command_for(given: Asked, save_alignment: Location | None = None, reach: Reach = REACH) -> str:
    """The command that does the same; what is the default is left out."""
    options, usual = given.options, Options()
    return command_line(
        "compare",
        given.locations,
        (
            ("--control", given.controls, ()),
            ("--candidates", given.candidates, ()),
            ("--sample", options.sample, False),
            ("--sample-size", 2 * reach.elements, None if options.sample else 2 * REACH.elements),
            ("--full", reach.full, False),
            ("--budget", reach.budget, None),
            ("--thorough", options.thorough, False),
            ("--alignment", given.alignment, None),
            ("--save-alignment", save_alignment, None),
            ("--memory", options.memory, usual.memory),
            ("--threads", options.threads, usual.threads),
            ("--device", options.device, usual.device),
            ("--seed", options.seed, usual.seed),
            ("--reading", options.method, usual.method),
            ("--engine", options.engine, usual.engine),
        ),
    )
