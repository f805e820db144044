"""The job of `modelprov merge`: a recipe in, a merge that is planned and written whole or not at all out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelprov.jobs.arguments import MISSING, refuse_other
from modelprov.jobs.recipes import changed
from modelprov.merge.planned import MergePlan
from modelprov.merge.virtual import plan_recipe
from modelprov.merge.writing import WriteOptions, Written, check_merge, write_merge
from modelprov.progress import SILENT, Progress
from modelprov.recipes.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Merged:
    """The plan of a merge, and what was written of it; `written` is None after a dry run."""

    plan: MergePlan
    written: Written | None


def merge(
    recipe: Recipe,
    folder: Path | None,
    out: Path,
    *,
    arithmetic: str | None = None,
    missing: str | None = None,
    out_dtype: str | None = None,
    seed: int | None = None,
    options: WriteOptions | None = None,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> Merged:
    """Merge models exactly, streaming, into the folder `out`; an interrupted merge goes on from its finished shards.

    Args:
        recipe: What to make.
        folder: What the recipe's locations may be relative to; None for the working folder alone.
        out: The folder to make.
        arithmetic: By name, instead of the recipe's.
        missing: A tensor that not every model has: base, copy, drop or error, instead of the recipe's.
        out_dtype: The format to store (bfloat16, float16, float32), instead of the recipe's.
        seed: For random methods, instead of the recipe's.
        options: Bytes of memory, threads, and bytes in a shard; None for the defaults.
        dry_run: Check everything that can be checked before the merge is computed; write nothing.
        progress: Hears how far the run has come; by default nobody does.

    Returns:
        The plan, and what was written.

    Raises:
        UsageError: the arguments do not fit together.
        MergeError: the models do not fit together, or the folder cannot be written.
        ModelprovError: a model cannot be read; its subclasses say why.

    """
    if missing is not None:
        refuse_other("missing", missing, MISSING)
    claim = changed(recipe, arithmetic=arithmetic, missing=missing, seed=seed, out_dtype=out_dtype)
    progress.stage("opening models")
    plan = plan_recipe(claim, folder)
    wanted = options or WriteOptions()
    if dry_run:
        check_merge(plan, out, wanted)
        return Merged(plan, None)
    return Merged(plan, write_merge(plan, out, wanted, progress))
