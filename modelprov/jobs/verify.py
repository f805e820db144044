"""The job of `modelprov verify`: a checkpoint and a recipe in, whether the one is what the other makes out."""

from __future__ import annotations

from datetime import UTC, datetime

from modelprov.called import refuse_other
from modelprov.checkpoints.digests import SAMPLE_COVERS, sampled_digest
from modelprov.checkpoints.layouts.alignment_file import read_alignment
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import UsageError
from modelprov.forensics.search.reproduce import Limits, reproduce
from modelprov.forensics.search.verified import Compared, Verified
from modelprov.jobs.arguments import MISSING, Location, path_of, refuse_below, text_of
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.jobs.recipes import changed
from modelprov.merge.alternatives import alternatives
from modelprov.merge.enough_memory import check_memory
from modelprov.merge.plan import plan_merge
from modelprov.merge.virtual import open_any, open_models, virtual_checkpoint
from modelprov.progress import SILENT, Progress
from modelprov.recipes.reading import load
from modelprov.recipes.suffixes import is_recipe


@shown_in_notebooks
def verify(
    suspect: Location,
    recipe: Location,
    *,
    arithmetic: str | None = None,
    missing: str | None = None,
    alignment: Location | None = None,
    memory: int = 512 << 20,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> Verified:
    """Check a claim such as "this is 0.6 A + 0.4 B", bit for bit, without writing the merge.

    Computes the recipe's output block by block and compares it with every weight of the suspect.

    Args:
        suspect: A folder, a .safetensors file, an org/name on the Hugging Face Hub (or in its local cache), or an
            address; of what is elsewhere every weight is fetched.
        recipe: The file of a merge recipe (.yml): mergekit's YAML, or what `compare` found.
        arithmetic: By name, instead of the recipe's.
        missing: A tensor that not every model has: base, copy, drop or error, instead of the recipe's.
        alignment: A file that `compare` wrote (`save_alignment`): the recipe's output is seen in the suspect's
            coordinates as it says. One that loses bits reproduces nothing.
        memory: Most bytes for buffers.
        threads: How many; None for all cores.
        progress: Hears how far the run has come; by default nobody does, and in a notebook a bar.

    Returns:
        `reproduced`, and what is behind it: `equal` of `elements` hold the bits (`bit_equal` is the share, 0 to 1),
        `layers` and `components` say where, `alternatives` which other arithmetic fits better.
        `save("verification.html")` writes it, also as .json or .md.

    Raises:
        UsageError: the arguments do not fit together, or the recipe is none.
        CheckpointNotFoundError: nothing is at a location.
        CouldNotJudgeError: nothing can be compared.
        ModelprovError: a checkpoint cannot be read or merged; its subclasses say why.

    Example:
        Path("claim.yml").write_text(report.reproduction.yaml)
        checked = modelprov.verify("rio", "claim.yml")
        print(checked.reproduced, checked.equal, "of", checked.elements)

    """
    started = datetime.now(UTC)
    path = path_of(recipe)
    if not is_recipe(str(path)):
        raise UsageError(f"{path} is not a recipe file", "A recipe's name ends in .yml or .yaml.")
    refuse_other("missing", missing, MISSING)
    refuse_below(1, memory=memory, threads=threads)
    folder = path.expanduser().parent
    claim = changed(load(path.expanduser()), arithmetic=arithmetic, missing=missing)
    progress.stage("opening models")
    checked = open_any(text_of(suspect))
    opened = open_models(claim, folder)
    plan = plan_merge(claim, opened)
    check_memory(plan, memory)
    expected = virtual_checkpoint(plan, path.stem, str(path), folder, memory=memory)
    undone = None if alignment is None else read_alignment(path_of(alignment))
    found = reproduce(checked, expected, lambda: alternatives(claim, opened), Limits(memory, threads), progress, undone)
    return Verified(
        **dict(found),
        started=started.isoformat(timespec="seconds"),
        suspect=_compared(checked, checked.location),
        recipe_file=path.name,
        recipe=plan.recipe.as_data(),
        arithmetic=plan.arithmetic,
        inputs=tuple(map(_compared, plan.models, plan.recipe.locations)),
        digest_covers=SAMPLE_COVERS,
        notes=tuple(plan.notes),
    )


def _compared(model: Checkpoint, location: str) -> Compared:
    """What another run needs; the digest is of what is read now."""
    return Compared(label=model.label, location=location, sampled_digest=sampled_digest(model))
