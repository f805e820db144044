"""The job of `modelprov atlas`: a library in, what its entries are to each other out."""

from __future__ import annotations

import time
from collections.abc import Sequence

from modelprov.checkpoints.library_folder import Entry, read_library
from modelprov.errors import CouldNotJudgeError
from modelprov.forensics.compare import Options
from modelprov.forensics.identify.atlas import Charted, Hung, chart
from modelprov.forensics.identify.charted import Alone, Atlas, Family, Placed, Tie
from modelprov.forensics.results import VerdictClass
from modelprov.jobs.arguments import Location, command_line, path_of, refuse_below, text_of
from modelprov.jobs.identify import opened_entries
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.progress import SILENT, Progress


@shown_in_notebooks
def atlas(
    library: Location, *, threads: int | None = None, seed: int = 0, progress: Progress = SILENT,
    command: str | None = None,
) -> Atlas:  # fmt: skip
    """Draw the tree of a library: which entries are kin, and which have numbers that others' give, mixed or rounded.

    Every entry that has kin is asked about as `identify` asks, among the rest of its family. A tie has a direction
    where bits show that the entry's numbers can be computed from the others', and not the other way round; which model
    was first, and who made it, is never said.

    Args:
        library: The folder of the library.
        threads: How many; None for all cores.
        seed: Chooses what is drawn; written into the comparisons.
        progress: Hears how far it has come; by default nobody does, and in a notebook a bar.
        command: What the answer says was run; by default, the command line that does the same.

    Returns:
        The atlas. `families` hold their entries in the order in which they are drawn, each with its `tie`; `alone` are
        entries without kin, `skipped` those that could not be read. `.save("atlas.html")` writes the page.

    Raises:
        UsageError: the arguments do not fit together.
        CheckpointNotFoundError: there is no library.
        InvalidLibraryError: its index cannot be followed.
        CouldNotJudgeError: no entry can be read.

    Example:
        drawn = modelprov.atlas("known")
        print([entry.name for family in drawn.families for entry in family.members])
        drawn.save("atlas.html")

    """
    started = time.perf_counter()
    refuse_below(0, seed=seed)
    refuse_below(1, threads=threads)
    folder = path_of(library)
    index = read_library(folder)
    progress.stage("opening the library")
    entries, models, skipped = opened_entries(folder, index.entries)
    if not models:
        raise CouldNotJudgeError("no entry of the library can be read", "Fetch the library again, or build it anew.")
    options = Options(threads=threads, seed=seed, sample=True, device="cpu")
    found = chart(models, options, progress)
    line = ("--library", text_of(library), None), ("--threads", threads, None), ("--seed", seed, 0)
    held = {each.entry for family in found.families for each in family}
    return Atlas(
        command=command or command_line("atlas", [], line),
        library=folder.name,
        entries=len(index.entries),
        seconds=round(time.perf_counter() - started, 3),
        families=tuple(
            Family(members=tuple(_placed(each, found, entries) for each in family)) for family in found.families
        ),
        alone=tuple(
            Alone(name=entry.name, compared=int(found.near.comparable[number].sum()))
            for number, entry in enumerate(entries)
            if number not in held
        ),
        skipped=tuple(skipped),
    )


def _placed(hung: Hung, found: Charted, entries: Sequence[Entry]) -> Placed:
    number, judged = hung.entry, found.judged.get(hung.entry)
    tie: Tie | None = None
    beside: tuple[Tie, ...] = ()
    if number in found.same:
        tie = _tie("copy", number, (found.same[number],), found, entries)
    elif judged is not None and number in found.directed:
        kind = "copy" if judged.verdict is VerdictClass.COPY else "merge"
        tie = _tie(kind, number, judged.members, found, entries, judged.shares, directed=True)
    elif hung.under is not None:
        tie = _tie("kin", number, (hung.under,), found, entries)
    if judged is not None and number not in found.directed and number not in found.same:
        kinds = {VerdictClass.ON_LINE: "on-line", VerdictClass.MERGE: "merge", VerdictClass.COPY: "copy"}
        kind = kinds.get(judged.verdict, "")
        beside = (_tie(kind, number, judged.members, found, entries, judged.shares),) if kind else ()
    return Placed(
        name=entries[number].name,
        revision=entries[number].revision,
        depth=hung.depth,
        tie=tie,
        beside=beside,
        verdict=None if judged is None else judged.verdict,
        rule="" if judged is None else judged.rule,
        summary="" if judged is None else judged.summary,
    )


def _tie(
    kind: str, number: int, members: Sequence[int], found: Charted, entries: Sequence[Entry],
    shares: tuple[float, ...] = (), *, directed: bool = False,
) -> Tie:  # fmt: skip
    near, first = found.near, members[0]
    return Tie.model_validate({
        "kind": kind,
        "members": tuple(entries[member].name for member in members),
        "directed": directed,
        "shares": shares,
        "correlation": float(near.correlation[number, first]),
        "equal": float(near.equal[number, first]),
        "chance": float(near.chance[number, first]),
        "elements": int(near.elements[number, first]),
    })  # fmt: skip
