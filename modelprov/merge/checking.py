"""What a recipe must be before anything is opened: a known method, arithmetic and formats, and models enough. Pure.

Whatever plans a merge asks here first, so that a recipe is refused with the same words wherever it is used.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.called import called
from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted
from modelprov.merge.settings import check_settings
from modelprov.native import for_merging
from modelprov.recipes.arithmetics import DESCRIPTIONS
from modelprov.recipes.chat_template import template_text
from modelprov.recipes.methods import ARITHMETICS, METHODS
from modelprov.recipes.methods.choosing import torch_installed
from modelprov.recipes.methods.interface import PRESETS, Method
from modelprov.recipes.notation import METHODS as METHODS_OF_MERGEKIT
from modelprov.recipes.recipe import DTYPES, Recipe, SourceModel
from modelprov.recipes.tokenizer_source import tokenizer_location

DEFAULT_ARITHMETIC = PRESETS[-1]
SORTING = ("ties", "breadcrumbs", "breadcrumbs_ties")
"""Methods whose presets hang on how a program sorts, and on nothing else of it."""


def check_recipe(recipe: Recipe) -> tuple[Method, str]:
    """The method and the arithmetic of a recipe that is right in itself, before anything is read; else `UsageError`."""
    method = method_of(recipe)
    check_settings(recipe, method)
    arithmetic = arithmetic_of(recipe, method)
    _check_formats(recipe)
    tokenizer_location(recipe)
    template_text(recipe)
    return method, arithmetic


def method_of(recipe: Recipe) -> Method:
    """The method by its name, and whether the recipe has as many models as it takes; raises `UsageError`."""
    if recipe.experts:
        return METHODS["passthrough"]  # every tensor of a mixture is a copy
    method = METHODS.get(recipe.merge_method)
    if method is None:
        name = METHODS_OF_MERGEKIT.get(recipe.merge_method)
        what = (
            f"the merge method {recipe.merge_method} of mergekit ({name}) is not built"
            if name
            else (f"there is no merge method {quoted(recipe.merge_method)}")
        )
        raise UsageError(f"{what}; known: {', '.join(METHODS)}", "Correct merge_method.")
    base = recipe.base_model
    if method.needs_base and base is None:
        raise UsageError(f"{method.name} needs base_model", "Add `base_model:` with the location of the common base.")
    for sources in [recipe.models] if recipe.models else [one.sources for one in recipe.slices]:
        _check_count(recipe, method, sources)
    return method


def _check_count(recipe: Recipe, method: Method, sources: Sequence[SourceModel]) -> None:
    """Raise `UsageError` for more or fewer models than the method takes."""
    based = uses_base(recipe, method)
    others = [one.model for one in sources if not (based and one.model == recipe.base_model)]
    if method.fewest <= len(others) and (method.most is None or len(others) <= method.most):
        return
    if method.needs_base and method.most == 1 and len(others) == len(sources) == 2:
        raise UsageError(
            f"{method.name} merges two models, and one of them is base_model; the recipe names {len(others)} beside "
            f"the base: {others[0]}, {others[1]} and, as a third, the base {recipe.base_model}",
            "Make one of the two the base_model; a base that is neither of them (as for task vectors) has no place.",
        )
    most = f" to {method.most}" if method.most != method.fewest else ""
    wanted = f"{method.fewest}{most if method.most is not None else ' or more'}"
    models = "model" if wanted == "1" else "models"
    beside = " beside the base" if based else ""
    raise UsageError(f"{method.name} merges {wanted} {models}{beside}, the recipe names {len(others)}", "Correct it.")


def _check_formats(recipe: Recipe) -> None:
    """Raise `UsageError` for a format that no merge is made in."""
    named = {"dtype": recipe.dtype, "out_dtype": recipe.out_dtype}
    named |= {f"stored_as: {kind}": wanted for kind, wanted in recipe.modelprov.stored_as.items()}
    for place, wanted in named.items():
        if wanted is not None and wanted not in DTYPES:
            raise UsageError(
                f"{place} {quoted(wanted)} is not a format that can be merged; known: {', '.join(DTYPES)}",
                "Correct the recipe.",
            )


def without_torch(method: Method, arithmetic: str) -> tuple[str, ...]:
    """What to say where a preset takes steps from torch (`methods.torch_steps`) and torch is not installed."""
    whole = not method.elementwise and not method.random
    sorts = method.name in SORTING and for_merging() is not None  # which is all that they would need torch for
    if arithmetic not in PRESETS or not whole or sorts or torch_installed():
        return ()
    return (f"torch is not installed: last bits, and changes of equal size, may differ from those of {arithmetic}",)


def uses_base(recipe: Recipe, method: Method) -> bool:
    """Whether the base model is an input of its own."""
    return method.needs_base or (method.optional_base and recipe.base_model is not None)


def arithmetic_of(recipe: Recipe, method: Method) -> str:
    """The exact arithmetic by name, without the order of the models that `compare` adds; raises `UsageError`."""
    wanted = (recipe.modelprov.arithmetic or DEFAULT_ARITHMETIC).partition(" (")[0]
    known = list(ARITHMETICS)
    if method.name == "linear":
        known += [one.name for one in DESCRIPTIONS.values() if one.name not in known]
    if wanted not in known:
        raise UsageError(
            f"there is no arithmetic {wanted!r} for {method.name}; known: {', '.join(known)}",
            f"Correct `modelprov: {{arithmetic: ...}}` or {called('arithmetic')}.",
        )
    return wanted
