"""What a comparison is asked, checked before anything is opened: a value that can be told. Compares nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelprov.called import DEVICES, ENGINES, refuse_other
from modelprov.checkpoints.labels import unique_labels
from modelprov.checkpoints.layouts.alignment_file import open_alignment
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.forensics.compare import Options
from modelprov.jobs.arguments import (
    READINGS,
    Location,
    path_of,
    refuse_below,
    refuse_repeated,
    several,
    text_of,
    with_reference_last,
)
from modelprov.progress import Progress
from modelprov.recipes.suffixes import is_recipe

SMALLEST_SAMPLE = 4096  # elements of each checkpoint


@dataclass(frozen=True, eq=False)
class Asked:
    """The suspect and its parents with the reference last, the models beside them, and how to compare.

    `alignment` is the file that `options.alignment` was read from.
    """

    locations: tuple[str, ...]
    controls: tuple[str, ...]
    candidates: tuple[str, ...]
    options: Options
    alignment: str | None

    def told(self) -> dict[str, Any]:
        """All of it in plain words and numbers, `again` reads them; not of a sample, which needs no parts."""
        options = self.options
        return {
            "checkpoints": list(self.locations),
            "control": list(self.controls),
            "candidates": list(self.candidates),
            "thorough": options.thorough,
            "alignment": self.alignment,
            "memory": options.memory,
            "threads": options.threads,
            "device": options.device,
            "seed": options.seed,
            "reading": options.method,
        }


def again(told: Mapping[str, Any]) -> Asked:
    """What `told` tells; raises as `asked` does, and `TypeError` and `KeyError` for what nobody told."""
    return asked(told["checkpoints"], **{key: value for key, value in told.items() if key != "checkpoints"})


def asked(
    checkpoints: Sequence[Location], *, reference: Location | None = None,
    control: Location | Sequence[Location] = (), candidates: Location | Sequence[Location] = (),
    sample: bool = False, sample_size: int = 16 << 20, thorough: bool = False, alignment: Location | None = None,
    memory: int = 512 << 20, threads: int | None = None, device: str = "auto", seed: int = 0, reading: str = "auto",
    engine: str = "local",
) -> Asked:  # fmt: skip
    """The arguments of `compare`, whose documentation says what they are; raises `UsageError` where they do not fit."""
    controls, possible = several(control), several(candidates)
    ordered = with_reference_last(several(checkpoints), None if reference is None else text_of(reference))
    refuse_repeated([*ordered, *controls, *possible])
    refuse_other("device", device, DEVICES)
    refuse_other("reading", reading, READINGS)
    refuse_other("engine", engine, ENGINES)
    refuse_below(1, sample_size=sample_size, memory=memory, threads=threads)
    refuse_below(0, seed=seed)
    options = Options(
        memory=memory,
        threads=threads,
        device=device,
        seed=seed,
        sample=sample,
        sample_elements=max(SMALLEST_SAMPLE, sample_size // 2) if sample else Options.sample_elements,
        method=reading,
        engine=engine,
        thorough=thorough,
        alignment=None if alignment is None else open_alignment(path_of(alignment)),
    )
    file = None if alignment is None else text_of(alignment)
    return Asked(tuple(ordered), tuple(controls), tuple(possible), options, file)


def opened(
    locations: Sequence[str], beside: Sequence[str], progress: Progress
) -> tuple[list[Checkpoint], list[Checkpoint]]:
    """The suspect with its parents, and the models beside them, under labels that no two of them share."""
    given = [*locations, *beside]
    progress.stage("opening checkpoints")
    found = [_opened(where, label) for where, label in zip(given, unique_labels(given), strict=True)]
    progress.stage("loading")
    return found[: len(locations)], found[len(locations) :]


def _opened(location: str, label: str) -> Checkpoint:
    if not is_recipe(location):
        return open_checkpoint(location, label)
    from modelprov.merge.virtual import open_any  # who merges is loaded when a merge is looked at

    return open_any(location, label)
