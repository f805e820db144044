"""Whose tokenizer a recipe asks for. Pure: says which model it is, or why that cannot be followed."""

from __future__ import annotations

from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted
from modelprov.recipes.notation import OF_MODEL
from modelprov.recipes.recipe import Recipe

UNION = "union"


def tokenizer_location(recipe: Recipe) -> str | None:
    """The location of the model whose tokenizer is taken; None for that of the base (or first) model, or for a union.

    Raises `UsageError` for a source that is no model of the recipe.
    """
    source = recipe.tokenizer_source
    if source in (None, "base", UNION):
        return None
    if source in recipe.locations:
        return source
    model = source.removeprefix(OF_MODEL)
    written = " (mergekit writes `model:` before a model; here its location stands alone)" if model != source else ""
    raise UsageError(
        f"tokenizer_source {quoted(source)} is not a model of the recipe{written}",
        f"Known: base, {UNION}, {', '.join(recipe.locations)}.",
    )
