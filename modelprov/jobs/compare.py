"""The job of `modelprov compare`: a suspect and its possible parents in, a report out. Writes and shows nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from modelprov.called import DEVICES, called, refuse_other
from modelprov.checkpoints.labels import unique_labels
from modelprov.checkpoints.layouts.alignment_file import alignment_bytes, read_alignment
from modelprov.errors import UsageError
from modelprov.forensics.compare import Comparison, Options
from modelprov.forensics.compare import compare as compare_checkpoints
from modelprov.jobs.arguments import (
    READINGS,
    Location,
    command_line,
    path_of,
    refuse_below,
    refuse_repeated,
    several,
    text_of,
    with_reference_last,
)
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.jobs.reach import Before, Reach, compared
from modelprov.merge.virtual import open_any
from modelprov.progress import SILENT, Progress
from modelprov.reports.comparison.build import build_report
from modelprov.reports.comparison.report import Report
from modelprov.reports.writing import refuse_weights, write_atomically

SMALLEST_SAMPLE = 4096  # elements of each checkpoint
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
        progress: Hears how far the run has come; by default nobody does, and in a notebook a bar.
        command: What the report says was run; by default, the command line that does the same.

    Returns:
        The report. `report.verdict` is the conclusion, `report.mixing.alpha` the first parent's share (0 to 1, None
        where there is none), with the ends of its interval in `low` and `high`; `components`, `layers`, `cells` and
        `tensors` are rows of the same measures, one for each part. `report.save("report.html")` writes it.

    Raises:
        UsageError: the arguments do not fit together.
        CheckpointNotFoundError: nothing is at a location.
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
    controls, possible = several(control), several(candidates)
    ordered = with_reference_last(several((suspect, *parents)), None if reference is None else text_of(reference))
    refuse_repeated([*ordered, *controls, *possible])
    refuse_other("device", device, DEVICES)
    refuse_other("reading", reading, READINGS)
    refuse_below(1, sample_size=sample_size, memory=memory, threads=threads, budget=budget)
    if sample and full:
        raise UsageError(f"{called('sample')} and {called('full')} exclude each other", "Keep one of them.")
    refuse_below(0, seed=seed)
    saved = None if save_alignment is None else path_of(save_alignment)
    if saved is not None:
        refuse_weights(saved)
    options = Options(
        memory=memory,
        threads=threads,
        device=device,
        seed=seed,
        sample=sample,
        sample_elements=max(SMALLEST_SAMPLE, sample_size // 2) if sample else Options.sample_elements,
        method=reading,
        thorough=thorough,
        alignment=None if alignment is None else read_alignment(path_of(alignment)),
    )
    reach = Reach(max(SMALLEST_SAMPLE, sample_size // 2), full, budget)
    line = command or command_for(ordered, controls, possible, options, alignment, saved, reach)
    return run(ordered, controls, options, line, progress, possible, saved, reach)


def run(
    locations: Sequence[str], controls: Sequence[str], options: Options, command: str, progress: Progress = SILENT,
    candidates: Sequence[str] = (), save_alignment: Path | None = None, reach: Reach = REACH,
) -> Report:  # fmt: skip
    """Open, compare and assemble the report. `locations` are the suspect and its parents, the reference last.

    What was undone, if anything, is written to `save_alignment`; `reach` is about what is elsewhere.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    given = [*locations, *controls, *candidates]
    labels = unique_labels(given)
    progress.stage("opening checkpoints")
    opened = [open_any(where, label) for where, label in zip(given, labels, strict=True)]
    suspect_and_parents, beside = opened[: len(locations)], opened[len(locations) :]
    progress.stage("loading")

    def job(chosen: Options, before: Before | None) -> Comparison:
        return compare_checkpoints(
            suspect_and_parents, chosen, progress, beside[: len(controls)], beside[len(controls) :], before
        )

    comparison = compared(job, opened, options, reach, progress)
    if save_alignment is not None and comparison.realignment is not None and comparison.coordinates is not None:
        parent = next(one for one in suspect_and_parents if one.label == comparison.coordinates.parent)
        content = alignment_bytes(comparison.realignment, suspect_and_parents[0].location, parent.location)
        write_atomically(save_alignment, content)
    progress.stage("assembling the report")
    return build_report(comparison, suspect_and_parents, command, started, time.perf_counter() - clock)


def command_for(
    locations: Sequence[str], controls: Sequence[str], candidates: Sequence[str], options: Options,
    alignment: Location | None = None, save_alignment: Location | None = None, reach: Reach = REACH,
) -> str:  # fmt: skip
    """The command that does the same; what is the default is left out."""
    usual = Options()
    return command_line(
        "compare",
        locations,
        (
            ("--control", list(controls), []),
            ("--candidates", list(candidates), []),
            ("--sample", options.sample, False),
            ("--sample-size", 2 * reach.elements, None if options.sample else 2 * REACH.elements),
            ("--full", reach.full, False),
            ("--budget", reach.budget, None),
            ("--thorough", options.thorough, False),
            ("--alignment", alignment, None),
            ("--save-alignment", save_alignment, None),
            ("--memory", options.memory, usual.memory),
            ("--threads", options.threads, usual.threads),
            ("--device", options.device, usual.device),
            ("--seed", options.seed, usual.seed),
            ("--reading", options.method, usual.method),
        ),
    )
