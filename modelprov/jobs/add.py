"""The job of `modelprov add`: the parts of a comparison in, the report of the whole out. Writes and shows nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from modelprov.errors import IncompletePartsError, InvalidSumsError, OtherRunError, UsageError
from modelprov.forensics.sums.ledger import Ledger
from modelprov.forensics.sums.partial import Partial, joined
from modelprov.forensics.sums.sums_file import ADVICE, Sums, read_sums
from modelprov.jobs.arguments import Location, command_line, path_of, several
from modelprov.jobs.asked import Asked, again
from modelprov.jobs.compare import run
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.progress import SILENT, Progress
from modelprov.reports.comparison.report import Report
from modelprov.reports.writing import refuse_weights


@shown_in_notebooks
def add(
    *parts: Location, save_alignment: Location | None = None, progress: Progress = SILENT, command: str | None = None
) -> Report:
    """Add up the parts of a comparison that `compare_part` did, and judge: the report that `compare` gives.

    The models are opened where the parts found them, to look at samples once more. The same numbers to the last bit
    as those of one run, where all ran on the same kind of machine.

    Args:
        *parts: The files of all parts, in any order.
        save_alignment: As in `compare`.
        progress: Hears how far the run has come; by default nobody does, and in a notebook a bar.
        command: What the report says was run; by default, the command line that does the same.

    Returns:
        The report, as `compare` gives it.

    Raises:
        IncompletePartsError: a part is missing, or given twice.
        OtherRunError: the parts are of different runs, or a model has changed since.
        InvalidSumsError: a file is no part, was cut short or changed, or is of another version.
        ModelprovError: a checkpoint cannot be read; its subclasses say why.

    Example:
        report = modelprov.add("part1.mpsums", "part2.mpsums", "part3.mpsums")
        print(report.verdict.class_)

    """
    named = several(parts)
    if not named:
        raise UsageError("add needs the parts of a run", "Give all files that `modelprov compare` made of its parts.")
    held = {name: read_sums(path_of(name)) for name in named}
    _refuse_incomplete(named, held)
    given, passes = _same_run(held)
    saved = None if save_alignment is None else path_of(save_alignment)
    if saved is not None:
        refuse_weights(saved)
    devices = dict.fromkeys(sums.device for sums in held.values() if sums.device)
    ledger = Ledger(passes, "the parts", device="; ".join(devices) or "unknown")
    line = command or command_line("add", named, (("--save-alignment", saved, None),))
    return run(given.locations, given.controls, given.options, line, progress, given.candidates, saved, ledger=ledger)


def _refuse_incomplete(named: list[str], held: Mapping[str, Sums]) -> None:
    """Every part of one number of parts, once."""
    seen: dict[int, str] = {}
    first = held[named[0]].part
    for name in named:
        part = held[name].part
        if part is None or first is None:
            raise InvalidSumsError(f"{name} is what a stopped run left, not a part of a run", ADVICE)
        if part.of != first.of:
            raise OtherRunError(f"{named[0]} is a part of {first.of}, {name} of {part.of}", "Add parts of one run.")
        if part.number in seen:
            raise IncompletePartsError(
                f"part {part} is given twice, as {seen[part.number]} and as {name}", "Give every part once."
            )
        seen[part.number] = name
    assert first is not None
    missing = [number for number in range(1, first.of + 1) if number not in seen]
    if missing:
        words = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise IncompletePartsError(
            f"part {words} of {first.of} is missing"
            if len(missing) == 1
            else f"{len(missing)} of {first.of} parts are missing: {words}",
            "Give the files of all parts, or make these.",
        )


def _same_run(held: Mapping[str, Sums]) -> tuple[Asked, list[Partial]]:
    """What all parts were asked, and their passes joined."""
    (first, sums), *others = held.items()
    for name, other in others:
        if other.asked != sums.asked:
            differ = [key for key, value in (sums.asked or {}).items() if (other.asked or {}).get(key) != value]
            _refuse(first, name, f"were asked different things ({', '.join(differ)})")
        if [each.name for each in other.passes] != [each.name for each in sums.passes]:
            _refuse(first, name, "hold sums of different models")
        for ours, theirs in zip(sums.passes, other.passes, strict=True):
            for label, digest in ours.read:
                if dict(theirs.read).get(label) != digest:
                    _refuse(first, name, f"did not read the same {label}")
            if (ours.key, ours.total) != (theirs.key, theirs.total):
                _refuse(first, name, f"read other weights of {ours.name} or its parents, or their scouts differ")
    passes = [joined(of) for of in zip(*(sums.passes for sums in held.values()), strict=True)]
    if not all(each.complete for each in passes):
        raise IncompletePartsError("the parts together do not hold every tensor once", ADVICE)
    try:
        return again(sums.asked or {}), passes
    except (TypeError, KeyError) as error:
        raise InvalidSumsError(f"{first} does not say what its run was asked ({error})", ADVICE) from error


def _refuse(first: str, name: str, what: str) -> NoReturn:
    raise OtherRunError(
        f"{first} and {name} {what}",
        "Have all parts do the same command but for the part, on the same files and the same kind of machine.",
    )
