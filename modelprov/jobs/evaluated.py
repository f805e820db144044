"""The models that an evaluation asks: each loaded when its turn comes, a recipe merged in memory. Asks nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from modelprov.behavior.evaluation.run import Subject
from modelprov.checkpoints.labels import unique_labels
from modelprov.jobs.runnable import runnable
from modelprov.progress import Progress


@contextmanager
def local_subjects(
    locations: Sequence[str], device: str, dtype: str, memory: int | None, progress: Progress
) -> Iterator[list[Subject]]:  # fmt: skip
    """The models, to be loaded in turn."""
    with runnable(locations, progress) as found:
        yield [
            Subject(
                label,
                partial(found[location].load, label, device, dtype, memory),
                location if found[location].plan is not None else None,
            )
            for location, label in zip(locations, unique_labels(locations), strict=True)
        ]
