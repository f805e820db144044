"""The job of `modelprov identify`: a suspect and a library in, the known models that it is made of out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from modelprov.called import called
from modelprov.checkpoints.library_folder import Entry, path_in, read_library
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote.source import is_far
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import CouldNotJudgeError, ModelprovError, UsageError
from modelprov.forensics.compare import Options
from modelprov.forensics.identify.identify import Found, Judged
from modelprov.forensics.identify.identify import identify as look
from modelprov.forensics.identify.results import Identified, Proposal, Ranked, Skipped
from modelprov.jobs.arguments import Location, command_line, path_of, refuse_below, several, text_of
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.jobs.reach import tell_spent
from modelprov.merge.virtual import open_any
from modelprov.progress import SILENT, Progress
from modelprov.shares import of_what_was_read

OTHER_SHAPES = "no tensors of the same names and shapes, or too few places in common"


@shown_in_notebooks
def identify(
    suspect: Location, *, library: Location, leave_out: Location | Sequence[Location] = (), budget: int | None = None,
    threads: int | None = None, seed: int = 0, progress: Progress = SILENT, command: str | None = None,
) -> Identified:  # fmt: skip
    """Say which known models a suspect is made of: one, two or three of a library's, or none of them.

    Proposes mixtures of few entries and has `compare` judge them, on the places that fingerprints hold: its rules and
    words are the only ones by which an entry is named.

    Args:
        suspect: The model in question, as `compare` takes it, or its fingerprint. Of one that is elsewhere only the
            library's places are fetched, and some whole matrices where no entry is kin.
        library: The folder of the library.
        leave_out: Names of entries to leave out, such as the suspect's own.
        budget: Most bytes to fetch over the network, headers included; None for any number. Where no entry is kin and
            too little of it is left for whole matrices, other coordinates stay open.
        threads: How many; None for all cores.
        seed: Chooses what is drawn; written into the comparisons.
        progress: Hears how far it has come; by default nobody does, and in a notebook a bar.
        command: What the answer says was run; by default, the command line that does the same.

    Returns:
        The answer. `verdict` and `summary` are of the comparison with `members`; `proposals` are all mixtures that were
        judged, `ranked` the entries that could be compared, nearest first, `skipped` the others, with the reason.

    Raises:
        UsageError: the arguments do not fit together.
        CheckpointNotFoundError: nothing is at a location.
        InvalidLibraryError: the folder's index cannot be followed.
        CouldNotJudgeError: no entry can be compared with the suspect.
        BudgetSpentError: nothing can be concluded within the budget.
        ModelprovError: the suspect cannot be read; its subclasses say why.

    Example:
        found = modelprov.identify("rio", library="known")
        print(found.verdict, found.members, found.summary)

    """
    started = time.perf_counter()
    refuse_below(0, seed=seed)
    refuse_below(1, threads=threads, budget=budget)
    folder, location, without = path_of(library), text_of(suspect), several(leave_out)
    index = read_library(folder)
    unknown = next((name for name in without if index.named(name) is None), None)
    if unknown is not None:
        raise UsageError(
            f"{called('leave_out')} names {unknown!r}, and the library has no such entry",
            "See `modelprov library list`.",
        )
    progress.stage("opening the suspect and the library")
    before = TRAFFIC.so_far
    with TRAFFIC.within(budget):
        opened = open_any(location)
    entries, models, skipped = opened_entries(folder, [entry for entry in index.entries if entry.name not in without])
    if opened.label in {entry.name for entry in entries}:
        opened = replace(opened, label=f"{opened.label} (the suspect)")
    if not models:
        raise CouldNotJudgeError("no entry of the library can be read", "Fetch the library again, or build it anew.")
    options = Options(threads=threads, seed=seed, sample=True, device="cpu")
    spent = TRAFFIC.so_far.since(before).bytes
    with TRAFFIC.within(None if budget is None else max(0, budget - spent)):
        found = look(opened, models, options, progress)
    if is_far(opened.source):
        tell_spent(before, progress)
    skipped += [
        Skipped(name=entry.name, reason=OTHER_SHAPES)
        for number, entry in enumerate(entries)
        if number not in found.comparable
    ]
    line = command or command_line(
        "identify",
        [location],
        (
            ("--library", text_of(library), None),
            ("--leave-out", without, []),
            ("--budget", budget, None),
            ("--threads", threads, None),
            ("--seed", seed, 0),
        ),
    )
    share = found.elements / max(1, opened.parameters)
    summary = found.summary  # in compare's words it carries the share that was read
    return Identified(
        command=line,
        suspect=opened.label,
        location=opened.location,
        library=folder.name,
        entries=len(index.entries) - len(without),
        share=share,
        seconds=round(time.perf_counter() - started, 3),
        verdict=found.verdict,
        rule=found.rule,
        summary=summary if found.chosen else of_what_was_read(share, summary),
        members=() if found.chosen is None else tuple(entries[each].name for each in found.chosen.mixture.members),
        alone=found.chosen is None,
        ranked=_ranked(found, entries),
        proposals=tuple(_proposal(each, entries) for each in found.judged),
        skipped=tuple(skipped),
    )


def opened_entries(folder: Path, wanted: Sequence[Entry]) -> tuple[list[Entry], list[Checkpoint], list[Skipped]]:
    """The entries that can be read, as checkpoints under their own names, and the others."""
    entries, models, skipped = [], [], []
    for entry in wanted:
        try:
            models.append(open_checkpoint(str(path_in(folder, entry)), entry.name, near=True))
            entries.append(entry)
        except ModelprovError as error:
            skipped.append(Skipped(name=entry.name, reason=error.message, unread=True))
    return entries, models, skipped


def _ranked(found: Found, entries: Sequence[Entry]) -> tuple[Ranked, ...]:
    near, rows = found.ranking, []
    for number in sorted(found.comparable, key=lambda each: (-near.correlation[each], -near.equal[each], each)):
        sizes = found.resembling.get(number)
        rows.append(
            Ranked(
                name=entries[number].name,
                revision=entries[number].revision,
                elements=int(near.elements[number]),
                correlation=float(near.correlation[number]),
                equal=float(near.equal[number]),
                chance=float(near.chance[number]),
                found=bool(near.found[number]),
                kin=number in found.kin,
                profiles=None if sizes is None else sizes.profiles,
                rare=None if sizes is None else sizes.rare[0],
                elsewhere=sizes is not None and sizes.parent is not None,
            )
        )
    return tuple(rows)


def _proposal(judged: Judged, entries: Sequence[Entry]) -> Proposal:
    findings = judged.comparison.findings
    return Proposal(
        members=tuple(entries[each].name for each in judged.mixture.members),
        weights=judged.mixture.weights,
        gain=judged.mixture.gain,
        usual=judged.mixture.usual,
        left=judged.mixture.left,
        verdict=findings.verdict.class_,
        rule=findings.verdict.rule,
        summary=findings.verdict.summary,
        alpha=findings.mixing.alpha,
        recipe=findings.reproduction.recipe,
    )
