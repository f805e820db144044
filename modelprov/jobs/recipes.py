"""A recipe with what a caller says instead of what its file says. Opens nothing."""

from __future__ import annotations

from modelprov.recipes.reading import parse
from modelprov.recipes.recipe import Recipe


def changed(
    recipe: Recipe, *, arithmetic: str | None = None, missing: str | None = None, seed: int | None = None,
    out_dtype: str | None = None,
) -> Recipe:  # fmt: skip
    """The recipe with what is given; the result is checked as a file would be, and `UsageError` says what is wrong."""
    given = {"arithmetic": arithmetic, "missing": missing, "seed": seed}
    said = {name: value for name, value in given.items() if value is not None}
    update = {"modelprov": recipe.modelprov.model_copy(update=said)} | ({"out_dtype": out_dtype} if out_dtype else {})
    return parse(recipe.model_copy(update=update).as_yaml())
