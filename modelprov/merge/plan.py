"""Plans a merge: which bytes of which model make each tensor of the output, by which rule. Reads headers only.

Every tensor of every model is merged, copied by a stated rule, left out by a rule the recipe states, or an error:

* a tensor that all models have (by canonical name and shape) is merged;
* one that only the base (or, without a base, the first model) has is copied from it, bit for bit, and said aloud;
* anything else that is not everywhere is an error, unless `modelprov: {missing: copy}` or `{missing: drop}`;
* layers outside the ranges of `slices` are left out, and counted;
* integers and other formats that cannot be computed with are copied from the base (or first model).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from modelprov.checkpoints.types import Checkpoint
from modelprov.collector import paused
from modelprov.merge.assembling import Assembly
from modelprov.merge.checking import check_recipe
from modelprov.merge.computing import check_formats
from modelprov.merge.dequantised import refuse_undecoded
from modelprov.merge.mixture import plan_mixture
from modelprov.merge.planned import MergePlan
from modelprov.merge.vocabulary_of import in_one_vocabulary
from modelprov.recipes.recipe import Recipe


def plan_merge(recipe: Recipe, opened: Mapping[str, Checkpoint]) -> MergePlan:
    """Plan a recipe over its models, opened by location.

    Raises `UsageError` for what the recipe says wrongly, `MergeError` for models that do not fit together.
    """
    method, arithmetic = check_recipe(recipe)
    checkpoints = tuple(opened[where] for where in recipe.locations)
    for checkpoint in checkpoints:
        refuse_undecoded(checkpoint)
    with paused():
        if recipe.experts:
            return plan_mixture(recipe, method, arithmetic, checkpoints)
        seen = in_one_vocabulary(recipe, checkpoints)
        plan = Assembly(recipe, method, arithmetic, seen.checkpoints).plan()
    tokenizer = None if seen.tokenizer is None else seen.tokenizer.document
    plan = replace(plan, opened=checkpoints, tokenizer=tokenizer, notes=(*plan.notes, *seen.notes))
    check_formats(plan)
    return plan
