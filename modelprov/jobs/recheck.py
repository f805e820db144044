"""The job of `modelprov report verify`: a report in, which of its claims hold when it is computed anew out."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from modelprov.called import DEVICES, called, parse_size, refuse_other
from modelprov.checkpoints.layouts.alignment_file import AlignmentFile, open_alignment
from modelprov.checkpoints.remote.locations import pinned
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import CheckpointNotFoundError, CouldNotJudgeError, ModelprovError, UsageError
from modelprov.foreign.shown import clean
from modelprov.forensics.compare import Options, compare
from modelprov.jobs.arguments import Location, path_of, refuse_below, text_of
from modelprov.jobs.asked import SMALLEST_SAMPLE
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.jobs.recorded import Places, labelled, parse_report, read_file
from modelprov.merge.virtual import open_any
from modelprov.progress import SILENT, Progress
from modelprov.reports.comparison.build import build_report
from modelprov.reports.comparison.report import BESIDE, GivenFile, Input, Report
from modelprov.reports.evidence.rechecking import TOLERANCE, Rechecked
from modelprov.reports.evidence.rechecking import recheck as compare_reports

DEFAULT_SAMPLE = "16M"
LOOSEST = 0.01
ALIGNMENT = "alignment"
"""The label of the file that undid other coordinates, where a comparison was given one."""


@shown_in_notebooks
def recheck(
    report: Location,
    *,
    location: Places = (),
    tolerance: float = TOLERANCE,
    memory: int = Options.memory,
    threads: int | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
) -> Rechecked:
    """Compute a report anew from the inputs it names, and say claim by claim what holds.

    Opens every input where the report says, compares the digests, repeats the comparison with the report's settings,
    and compares every number and word.

    Args:
        report: The JSON file of a comparison's report.
        location: Where inputs are now, if not where the report says: by label, as in `{"rio": "/data/rio"}`. The file
            that undid other coordinates, where one was given, has the label `alignment`.
        tolerance: How far numbers may differ, relative to the larger (0 to 0.01); counts and words may not.
        memory: Most bytes for buffers.
        threads: How many; None for all cores.
        device: Where to compute: auto, cpu or cuda.
        progress: Hears how far the run has come; by default nobody does, and in a notebook a bar.

    Returns:
        `holds`, and `found.claims` behind it: each with `claim`, `says`, `holds`, `values` compared and `differences`.
        `save("recheck.html")` writes it, also as .json or .md.

    Raises:
        UsageError: the file is no report of a comparison, or the arguments do not fit it.
        CouldNotJudgeError: an input is missing.
        ModelprovError: a checkpoint cannot be read; its subclasses say why.

    Example:
        report.save("report.json")
        found = modelprov.recheck("report.json")
        print(found.holds, [claim.claim for claim in found.found.claims if not claim.holds])

    """
    started = datetime.now(UTC)
    refuse_other("device", device, DEVICES)
    refuse_below(1, memory=memory, threads=threads)
    if not 0 <= tolerance <= LOOSEST:
        raise UsageError(f"{called('tolerance')} is from 0 to {LOOSEST}, not {tolerance}")
    recorded = parse_report(read_file(report), report)
    labels = [each.label for each in recorded.inputs]
    given = recorded.settings.alignment if recorded.settings else None
    if given is not None and ALIGNMENT not in labels:
        labels.append(ALIGNMENT)
    moved = labelled(location, labels, needed=True)
    folder = path_of(report).parent
    options = _options(recorded, memory, threads, device)
    if given is not None:
        options = replace(options, alignment=_alignment(given, moved.get(ALIGNMENT), folder))
    opened, notes = _open(recorded, moved, folder)
    found = compare_reports(recorded, _anew(recorded, opened, options, progress), tolerance)
    return Rechecked(found, text_of(report), tuple(notes), started.isoformat(timespec="seconds"))


def _options(report: Report, memory: int, threads: int | None, device: str) -> Options:
    """As the comparison was asked for. Reports older than `settings` have a sample's size in their command only."""
    options = Options(memory=memory, threads=threads, device=device, seed=report.environment.seed)
    asked = report.settings
    if asked is not None:
        return replace(
            options,
            seed=asked.seed,
            sample=asked.sample,
            sample_elements=asked.sample_elements,
            thorough=asked.thorough,
        )
    if report.mode == "full":
        return options
    size = DEFAULT_SAMPLE
    with suppress(ValueError):
        words = shlex.split(report.command)
        for number, word in enumerate(words):
            if word.startswith("--sample-size="):
                size = word.partition("=")[2]
            elif word == "--sample-size" and number + 1 < len(words):
                size = words[number + 1]
    elements = max(SMALLEST_SAMPLE, parse_size(size, "the report's --sample-size") // 2)
    return replace(options, sample=True, sample_elements=elements)


def _alignment(given: GivenFile, moved: str | None, folder: Path) -> AlignmentFile:
    """The file that undid other coordinates: where it is now, else where the report says, else beside the report.

    It keeps the location that the report gives; whether it is the same file, its digest tells.
    """
    said = Path(given.location)
    places = [Path(moved)] if moved is not None else [said, folder / said, folder / said.name]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise CouldNotJudgeError(
            f"not found: the alignment {clean(moved or given.location)}",
            f"Say where: {called('location')} {ALIGNMENT}=PATH.",
        )
    return replace(open_alignment(found), location=given.location)


def _open(report: Report, moved: dict[str, str], folder: Path) -> tuple[list[Checkpoint], list[str]]:
    """Every input, under its label and location of then; and what cannot be checked about them.

    Raises `CouldNotJudgeError` that lists all inputs that are not there.
    """
    opened, notes, missing = [], [], []
    if report.mode == "sample":
        notes.append("Not checked: weights that the sample did not read; the digests do not cover them.")
    for each in report.inputs:
        try:
            checkpoint = _open_input(each, moved.get(each.label), folder)
        except CheckpointNotFoundError as error:
            missing.append((each, error))
            continue
        if checkpoint.revision is None and each.revision is not None:
            notes.append(f"Not checked: that {each.label} is revision {each.revision}; the files found do not say.")
            checkpoint = replace(checkpoint, revision=each.revision)
        opened.append(replace(checkpoint, location=each.location))
    if missing:
        named = clean(", ".join(f"{each.label} ({each.location})" for each, _ in missing))
        first = clean(missing[0][0].label)
        raise CouldNotJudgeError(
            f"not found: {named}",
            f"Say where: {called('location')} {shlex.quote(f'{first}=PATH')}. {clean(missing[0][1].advice)}",
        )
    return opened, notes


def _open_input(recorded: Input, moved: str | None, folder: Path) -> Checkpoint:
    """The input where it is now; else as the report says: a hub's at its revision, a path from here or the file."""
    if moved is not None:
        return open_any(moved, recorded.label)
    places = [recorded.location, str(folder / recorded.location)]
    if recorded.revision is not None and not Path(recorded.location).exists():
        there = pinned(recorded.location, recorded.revision)
        places = places if there == recorded.location else [there]  # another revision is another model
    failure: ModelprovError | None = None
    for place in places:
        try:
            return open_any(place, recorded.label)
        except CheckpointNotFoundError as error:
            failure = failure or error
    raise failure or CheckpointNotFoundError(f"nothing is at {recorded.location!r}")


def _anew(report: Report, opened: list[Checkpoint], options: Options, progress: Progress) -> Report:
    count = sum(each.role not in BESIDE for each in report.inputs)
    beside: dict[str, list[Checkpoint]] = {role: [] for role in BESIDE}
    for each, checkpoint in zip(report.inputs[count:], opened[count:], strict=True):
        beside[each.role].append(checkpoint)
    progress.stage("comparing anew")
    comparison = compare(opened[:count], options, progress, beside["control"], beside["candidate"])
    return build_report(comparison, opened[:count], report.command, datetime.now(UTC), 0.0)
