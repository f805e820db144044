"""The job of `modelprov compare`: a suspect and its possible parents in, a report out. Writes and shows nothing."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from modelprov.checkpoints.labels import unique_labels
from modelprov.forensics.compare import Options
from modelprov.forensics.compare import compare as compare_checkpoints
from modelprov.jobs.arguments import (
    DEVICES,
    READINGS,
    Location,
    refuse_below,
    refuse_other,
    refuse_repeated,
    with_reference_last,
)
from modelprov.merge.virtual import open_any
from modelprov.progress import SILENT, Progress
from modelprov.reports.comparison.build import build_report
from modelprov.reports.comparison.report import Report

SMALLEST_SAMPLE = 4096  # elements of each checkpoint


def compare(
    suspect: Location,
    *parents: Location,
    reference: Location | None = None,
    control: Location | Sequence[Location] = (),
    sample: bool = False,
    sample_size: int = 16 << 20,
    memory: int = 512 << 20,
    threads: int | None = None,
    device: str = "auto",
    seed: int = 0,
    reading: str = "auto",
    progress: Progress = SILENT,
    command: str | None = None,
) -> Report:
    """Compare a model with its possible parents: copy, merge, merge then trained, finetune, or unrelated.

    Reads every weight once, in bounded memory. The same as `modelprov compare`, with the same numbers.

    Args:
        suspect: The model in question: a folder, a .safetensors file, an org/name in the local Hugging Face cache, or a
            merge recipe (.yml).
        *parents: One or more possible sources; the last is the reference, usually the common base.
        reference: Which parent is the reference, if not the last.
        control: One or more unsuspected finetunes of the same base; each gets the same numbers.
        sample: Read only about `sample_size` of each checkpoint, and say what share that is.
        sample_size: Bytes that `sample` reads of each checkpoint, about.
        memory: Most bytes for buffers.
        threads: How many; None for all cores.
        device: Where to compute: auto, cpu or cuda.
        seed: Chooses the sampled blocks; written into the report.
        reading: How files are read: auto, map, direct or buffered.
        progress: Hears how far the run has come; by default nobody does.
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

    """
    given = [os.fspath(location) for location in (suspect, *parents)]
    controls = [os.fspath(control)] if isinstance(control, str | os.PathLike) else [os.fspath(one) for one in control]
    ordered = with_reference_last(given, None if reference is None else os.fspath(reference))
    refuse_repeated([*ordered, *controls])
    refuse_other("device", device, DEVICES)
    refuse_other("reading", reading, READINGS)
    for name, value, least in (
        ("sample_size", sample_size, 1), ("memory", memory, 1), ("threads", threads, 1), ("seed", seed, 0),
    ):  # fmt: skip
        refuse_below(name, value, least)
    options = Options(
        memory=memory,
        threads=threads,
        device=device,
        seed=seed,
        sample=sample,
        sample_elements=max(SMALLEST_SAMPLE, sample_size // 2) if sample else Options.sample_elements,
        method=reading,
    )
    return run(ordered, controls, options, command or command_line(ordered, controls, options), progress)


def run(
    locations: Sequence[str], controls: Sequence[str], options: Options, command: str, progress: Progress = SILENT
) -> Report:
    """Open, compare and assemble the report. `locations` are the suspect and its parents, the reference last."""
    started, clock = datetime.now(UTC), time.perf_counter()
    labels = unique_labels([*locations, *controls])
    progress.stage("opening checkpoints")
    opened = [open_any(where, label) for where, label in zip([*locations, *controls], labels, strict=True)]
    suspect_and_parents = opened[: len(locations)]
    progress.stage("loading")
    comparison = compare_checkpoints(suspect_and_parents, options, progress, opened[len(locations) :])
    progress.stage("assembling the report")
    return build_report(comparison, suspect_and_parents, command, started, time.perf_counter() - clock)


def command_line(locations: Sequence[str], controls: Sequence[str], options: Options) -> str:
    """The command that does the same; what is the default is left out."""
    words = ["modelprov", "compare", *locations]
    for control in controls:
        words += ["--control", control]
    if options.sample:
        words += ["--sample", "--sample-size", str(2 * options.sample_elements)]
    usual = Options()
    for option, value, default in (
        ("--memory", options.memory, usual.memory), ("--threads", options.threads, usual.threads),
        ("--device", options.device, usual.device), ("--seed", options.seed, usual.seed),
        ("--reading", options.method, usual.method),
    ):  # fmt: skip
        if value != default:
            words += [option, str(value)]
    return shlex.join(words)
