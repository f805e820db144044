"""How much of the weights the recipes in the folder make, bit for bit, without writing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from modelprov.check.interface import ClaimedRecipe
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import ModelprovError
from modelprov.forensics.compare import Progress
from modelprov.forensics.reproduce import Limits, reproduce
from modelprov.merge.plan import plan_merge
from modelprov.merge.recipe import Recipe, parse
from modelprov.merge.virtual import in_memory, open_models


def measure_recipes(
    model: Checkpoint, recipes: Sequence[ClaimedRecipe], places: Mapping[str, str], folder: Path, limits: Limits,
    progress: Progress,
) -> tuple[dict[str, float], dict[str, str]]:  # fmt: skip
    """Share of equal bits by recipe path, and why others could not be tried (`recipe PATH`).

    `places` says where a model that a recipe names lies on this machine, by the name it has there. Random methods
    cannot be repeated and are not tried. A recipe that says the same as one before it is not computed again.
    """
    equal: dict[str, float] = {}
    missing: dict[str, str] = {}
    known: dict[str, float] = {}
    for one in recipes:
        try:
            recipe = _located(parse(yaml.safe_dump(_content(one)), one.path), places)
            key = recipe.as_yaml()
            if key not in known:
                progress.stage(f"computing {one.path}")
                known[key] = _share(model, recipe, folder, limits, progress)
            equal[one.path] = known[key]
        except ModelprovError as error:
            missing[f"recipe {one.path}"] = error.message
    return equal, missing


def _share(model: Checkpoint, recipe: Recipe, folder: Path, limits: Limits, progress: Progress) -> float:
    opened = open_models(recipe, folder)
    plan = plan_merge(recipe, opened)
    if plan.method.random:
        raise ModelprovError(f"{plan.method.name} draws random masks, which another program cannot repeat")
    found = reproduce(model, in_memory(recipe, opened, "recipe"), list, limits, progress)
    return found.equal / found.elements * found.coverage if found.elements else 0.0


def _content(recipe: ClaimedRecipe) -> dict[str, Any]:
    """The recipe itself: a receipt holds it among other things."""
    content = dict(recipe.content)
    if recipe.kind == "merge receipt":
        held = content.get("recipe")
        return dict(held) if isinstance(held, Mapping) else {}
    return content


def _located(recipe: Recipe, places: Mapping[str, str]) -> Recipe:
    """The recipe with every model where it lies on this machine."""
    text = recipe.model_dump(mode="json", exclude_defaults=True)

    def moved(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: moved(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [moved(one, key) for one in value]
        return (
            places.get(value, value)
            if key in ("model", "base_model", "reference") and isinstance(value, str)
            else value
        )

    return parse(yaml.safe_dump(moved(text), sort_keys=False))
