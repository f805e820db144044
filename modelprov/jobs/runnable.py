"""Models for jobs that run them: a merge recipe is planned at once and computed in memory when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from modelprov.called import called
from modelprov.errors import MergeError, UnreadableFileError
from modelprov.merge.enough_memory import check_memory
from modelprov.merge.planned import MergePlan
from modelprov.merge.side_files import check_side_files, write_side_files
from modelprov.merge.source import DEFAULT_MEMORY, VirtualSource
from modelprov.merge.virtual import plan_recipe, virtual_checkpoint
from modelprov.progress import Progress
from modelprov.recipes.reading import load
from modelprov.recipes.suffixes import is_recipe

if TYPE_CHECKING:
    from modelprov.behavior.loading import LocalModel


@dataclass(frozen=True, eq=False)
class Runnable:
    """A model that can be loaded: what lies at `location`, or the merge that the recipe there describes."""

    location: str
    progress: Progress
    plan: MergePlan | None = None

    def load(self, label: str | None, device: str, dtype: str, memory: int | None) -> LocalModel:
        """The model, on `device` in `dtype`, within so many bytes a device; raises as loading and merging do."""
        from modelprov.behavior.loading import load_computed, load_model

        if self.plan is None:
            return load_model(self.location, label, device, dtype, memory)
        name = Path(self.location).name
        beside = _side_files(self.plan)
        merge = virtual_checkpoint(self.plan, label or Path(name).stem, self.location, Path(beside.name))
        if isinstance(merge.source, VirtualSource):
            merge = replace(merge, source=merge.source.within(DEFAULT_MEMORY, only_finite=True))
        self.progress.stage(f"merging {name} in memory", len(merge.tensors))
        return load_computed(merge, beside, device, dtype, memory, self.progress.advance)


@contextmanager
def runnable(locations: Sequence[str], progress: Progress) -> Iterator[dict[str, Runnable]]:
    """Each of the locations, by itself; what is wrong with a recipe is said before a model is loaded.

    Raises what planning a merge raises, and `MergeError` where it takes more memory than is set apart for it.
    """
    with ExitStack() as stack:
        found = {}
        for location in dict.fromkeys(locations):
            path = Path(location).expanduser()
            plan = _planned(path) if is_recipe(location) and path.is_file() else None
            if plan is not None:
                stack.callback(_close, plan)
            found[location] = Runnable(location, progress, plan)
        yield found


def _planned(recipe: Path) -> MergePlan:
    plan = plan_recipe(load(recipe), recipe.parent)
    check_side_files(plan)
    try:
        check_memory(plan, DEFAULT_MEMORY)
    except MergeError as error:
        advice = f"Write it first (modelprov merge {recipe} OUT {called('memory')} SIZE) and give the folder."
        raise MergeError(error.message, advice) from error
    return plan


def _close(plan: MergePlan) -> None:
    for checkpoint in plan.checkpoints:
        checkpoint.source.close()


def _side_files(plan: MergePlan) -> TemporaryDirectory[str]:
    """A folder with the files beside the weights, for as long as somebody holds it."""
    beside = TemporaryDirectory(prefix="modelprov-")

    def write(name: str, data: bytes) -> None:
        (Path(beside.name) / name).write_bytes(data)

    try:
        write_side_files(plan, write)
    except OSError as error:
        raise UnreadableFileError(
            f"could not write config and tokenizer of the merge to {beside.name}: {error.strerror or error}",
            "Free some space, or name another folder in the environment variable TMPDIR.",
        ) from error
    return beside
