"""The job of `modelprov compare --part`: a part of a comparison in, a file of its sums out. Judges nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from modelprov.called import called
from modelprov.errors import UsageError
from modelprov.forensics.compare import sum_part
from modelprov.forensics.sums.partial import Part
from modelprov.forensics.sums.sums_file import Sums, sums_bytes
from modelprov.jobs.arguments import Location, path_of
from modelprov.jobs.asked import asked, opened
from modelprov.jobs.kept import kept
from modelprov.progress import SILENT, Progress
from modelprov.reports.writing import refuse_weights, write_atomically

MOST_PARTS = 1 << 16


def compare_part(
    suspect: Location,
    *parents: Location,
    part: str,
    output: Location,
    reference: Location | None = None,
    control: Location | Sequence[Location] = (),
    candidates: Location | Sequence[Location] = (),
    thorough: bool = False,
    alignment: Location | None = None,
    memory: int = 512 << 20,
    threads: int | None = None,
    device: str = "auto",
    seed: int = 0,
    reading: str = "auto",
    resume: Location | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Do one part of a comparison, on this machine, while others do the others; `add` makes the report of all.

    Reads a share of every model's tensors, and a small sample of all. The same as `modelprov compare --part`.

    Args:
        suspect: As in `compare`.
        *parents: As in `compare`.
        part: Which part of how many, counted from 1: "3/16". All parts are asked the same otherwise.
        output: Where the sums are written, such as "part3.mpsums": a few hundred bytes a tensor.
        reference: As in `compare`.
        control: As in `compare`.
        candidates: As in `compare`; `add` looks at them.
        thorough: As in `compare`; `add` does it.
        alignment: As in `compare`; `add` reads it.
        memory: Most bytes for buffers.
        threads: How many; None for all cores.
        device: Where to compute: auto, cpu or cuda.
        seed: Chooses the sampled blocks.
        reading: How files are read: auto, map, direct or buffered.
        resume: As in `compare`, another file for each part.
        progress: Hears how far the part has come.

    Returns:
        The path of the file.

    Raises:
        UsageError: the arguments do not fit together.
        CheckpointNotFoundError: nothing is at a location.
        CouldNotJudgeError: nothing can be compared at equal places; what lies in other coordinates has no parts.
        ModelprovError: a checkpoint cannot be read; its subclasses say why.

    Example:
        for number in range(1, 4):
            modelprov.compare_part("rio", "nex", "qwen", part=f"{number}/3", output=f"part{number}.mpsums")
        report = modelprov.add("part1.mpsums", "part2.mpsums", "part3.mpsums")

    """
    wanted, path = part_of(part), path_of(output)
    given = asked(
        (suspect, *parents), reference=reference, control=control, candidates=candidates, thorough=thorough,
        alignment=alignment, memory=memory, threads=threads, device=device, seed=seed, reading=reading,
    )  # fmt: skip
    refuse_weights(path)
    compared, beside = opened(given.locations, given.controls, progress)
    with kept(resume, wanted) as ledger:
        assert ledger is not None
        words = sum_part(compared, given.options, progress, beside, ledger)
        progress.stage("writing the sums")
        write_atomically(path, sums_bytes(Sums(ledger.share(), words, wanted, given.told())))
    return path


def part_of(text: str) -> Part:
    """Reads "3/16"; `UsageError` for what is no part."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip(), re.ASCII)
    part = Part(int(found[1]), int(found[2])) if found else Part(0, 0)
    if not 1 <= part.number <= part.of <= MOST_PARTS:
        raise UsageError(
            f"{called('part')} is a part of how many, such as 3/16, not {text!r:.40}", "Parts are counted from 1."
        )
    return part
