"""The job of `modelprov merge`: a recipe in, a merge that is planned and written whole or not at all out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelprov.called import DEVICES, called, refuse_other
from modelprov.errors import UsageError
from modelprov.jobs.arguments import MISSING, Location, path_of, refuse_below, refuse_repeated, text_of
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.jobs.recipes import changed
from modelprov.merge.planned import MergePlan
from modelprov.merge.virtual import plan_recipe
from modelprov.merge.writing import WriteOptions, Written, check_merge, write_merge
from modelprov.progress import SILENT, Progress
from modelprov.recipes.reading import load
from modelprov.recipes.recipe import Recipe, linear
from modelprov.recipes.suffixes import is_recipe


@dataclass(frozen=True, eq=False)
class Merged:
    """The plan of a merge, and what was written of it; `written` is None after a dry run."""

    plan: MergePlan
    written: Written | None


@shown_in_notebooks
def merge(
    recipe: Location | Recipe | Mapping[Location, float],
    out: Location,
    *,
    arithmetic: str | None = None,
    missing: str | None = None,
    out_dtype: str | None = None,
    seed: int | None = None,
    memory: int = WriteOptions.memory,
    threads: int | None = None,
    device: str = "auto",
    shard_size: int = WriteOptions.shard_size,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> Merged:
    """Merge models exactly, streaming, into the folder `out`; an interrupted merge goes on from its finished shards.

    Args:
        recipe: What to make: the file of a merge recipe (.yml), such a recipe, or models with their weights, as in
            `{"nex": 0.6, "qwen": 0.4}`, for a weighted mean in float32.
        out: The folder to make: shards, index, config, tokenizer files, model card, recipe, receipt.
        arithmetic: By name, instead of the recipe's.
        missing: A tensor that not every model has: base, copy, drop or error, instead of the recipe's.
        out_dtype: The format to store (bfloat16, float16, float32), instead of the recipe's.
        seed: For random methods, instead of the recipe's.
        memory: Most bytes for buffers.
        threads: How many; None for all cores.
        device: auto or cpu, which is the same: what is read has to be written by the processors, which hash it too, and
            a GPU would not make that faster; cuda is refused.
        shard_size: Most bytes in a file of weights.
        dry_run: Check everything that can be checked before the merge is computed; write nothing.
        progress: Hears how far the run has come; by default nobody does, and in a notebook a bar.

    Returns:
        `plan`, what is made of what: `tensors`, `bytes` of them all, `arithmetic`, `notes`; and `written`: `folder`,
        `files` with their digests, `notes`; None after a dry run.

    Raises:
        UsageError: the arguments do not fit together, or the recipe is none.
        MergeError: the models do not fit together, or the folder cannot be written.
        ModelprovError: a model cannot be read; its subclasses say why.

    Example:
        made = modelprov.merge({"nex": 0.565, "qwen": 0.435}, "rio-again")
        print(len(made.plan.tensors), "tensors in", made.written.folder)

    """
    refuse_other("missing", missing, MISSING)
    refuse_other("device", device, DEVICES)
    if device == "cuda":
        raise UsageError(
            f"a merge is computed by processors, not with {called('device', 'cuda')}: its disks and its files' hashes "
            "bound it, which are no faster with a GPU",
            f"Leave {called('device')} out; {called('threads')} says how many processors.",
        )
    refuse_below(1, memory=memory, threads=threads, shard_size=shard_size)
    refuse_below(0, seed=seed)
    said, folder = read(recipe)
    claim = changed(said, arithmetic=arithmetic, missing=missing, seed=seed, out_dtype=out_dtype)
    progress.stage("opening models")
    plan = plan_recipe(claim, folder)
    options = WriteOptions(memory, threads, shard_size)
    if dry_run:
        check_merge(plan, path_of(out), options)
        return Merged(plan, None)
    return Merged(plan, write_merge(plan, path_of(out), options, progress))


def read(recipe: Location | Recipe | Mapping[Location, float]) -> tuple[Recipe, Path | None]:
    """The recipe, and the folder that its locations may be relative to; None for the working folder alone."""
    if isinstance(recipe, Recipe):
        return recipe, None
    if isinstance(recipe, Mapping):
        if not recipe:
            raise UsageError("nothing is to be merged", "Give at least one model with its weight.")
        weights = {text_of(location): weight for location, weight in recipe.items()}
        refuse_repeated(list(weights))
        return linear(weights), None
    path = path_of(recipe)
    if not is_recipe(str(path)):
        raise UsageError(f"{path} is not a recipe file", "A recipe's name ends in .yml or .yaml.")
    return load(path), path.parent
