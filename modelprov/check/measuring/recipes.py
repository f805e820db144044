"""How much of the weights the recipes in the folder make, bit for bit, without writing anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelprov.check.interface import ClaimedRecipe
from modelprov.checkpoints.digests import sampled_digest
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import ModelprovError
from modelprov.forensics.search.reproduce import Limits, reproduce
from modelprov.merge.alternatives import alternatives
from modelprov.merge.plan import plan_merge
from modelprov.merge.virtual import in_memory, open_models
from modelprov.progress import Progress
from modelprov.recipes.chat_template import with_template_text
from modelprov.recipes.reading import from_data
from modelprov.recipes.recipe import Recipe

INPUTS = "whether these are the very models that it was run on is not recorded (a receipt does)"
ARITHMETIC = "it does not say which arithmetic made it, and none that is known here does"
OTHERS = "the models on this machine are not those of the receipt"


@dataclass(frozen=True)
class Remade:
    """Share of equal bits by recipe path; why less than all proves nothing; why others could not be tried."""

    equal: dict[str, float] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def measure_recipes(
    model: Checkpoint, recipes: Sequence[ClaimedRecipe], places: Mapping[str, str], folder: Path, limits: Limits,
    progress: Progress,
) -> Remade:  # fmt: skip
    """Share of equal bits by recipe path, and why others could not be tried (`recipe PATH`).

    `places` says where a model that a recipe names lies on this machine, by the name it has there. Random methods
    cannot be repeated and are not tried. A recipe that says the same as one before it is not computed again. A recipe
    is held to its bits only where a receipt in the folder names its inputs by digest and these are the same.
    """
    found = Remade()
    known: dict[str, tuple[float, str]] = {}
    digests = _input_digests(recipes)
    for one in recipes:
        try:
            content = _content(one)
            recipe = _located(with_template_text(from_data(content, one.path), folder), places)
            key = _key(content)
            if key not in known:
                progress.stage(f"computing {one.path}")
                known[key] = _share(model, recipe, digests, folder, limits, progress)
            found.equal[one.path], doubt = known[key]
            if doubt:
                found.doubts[one.path] = doubt
        except ModelprovError as error:
            found.missing[f"recipe {one.path}"] = error.message
    return found


def _share(
    model: Checkpoint, recipe: Recipe, digests: frozenset[str], folder: Path, limits: Limits, progress: Progress
) -> tuple[float, str]:
    """The largest share that the recipe makes, in its own arithmetic or, where it names none, in any; and the doubt."""
    if recipe.experts:
        raise ModelprovError("it is a mixture of experts, whose routers another program or machine cannot repeat")
    opened = open_models(recipe, folder)
    plan = plan_merge(recipe, opened)
    if plan.method.random:
        raise ModelprovError(f"{plan.method.name} draws random masks, which another program cannot repeat")
    stated = recipe.modelprov.arithmetic is not None
    found = reproduce(
        model, in_memory(recipe, opened, "recipe"), lambda: () if stated else alternatives(recipe, opened), limits,
        progress,
    )  # fmt: skip
    if not found.elements:
        raise ModelprovError("nothing that it makes is in the weights")
    best = found
    if found.equal < found.elements and found.alternatives:
        name = max(found.alternatives, key=lambda one: one.bit_equal).name
        other = next((one for key, one in alternatives(recipe, opened) if key == name), None)
        if other is not None:
            tried = reproduce(model, other, list, limits, progress)
            best = max(found, tried, key=lambda one: one.equal)
    doubt = _doubt(stated, digests, opened)
    if best.equal == best.elements and best.coverage < 1:
        doubt = f"it makes no more than {best.coverage:.2%} of the weights, and all of those are as it makes them"
    return best.equal / best.elements * best.coverage, doubt


def _input_digests(recipes: Sequence[ClaimedRecipe]) -> frozenset[str]:
    """Sampled digests of the models that receipts in the folder say they were run on."""
    named = [one.content.get("inputs") for one in recipes if one.kind == "merge receipt"]
    entries = [entry for one in named if isinstance(one, list) for entry in one if isinstance(entry, Mapping)]
    return frozenset(str(entry["sampled_digest"]) for entry in entries if entry.get("sampled_digest"))


def _doubt(stated: bool, digests: frozenset[str], opened: Mapping[str, Checkpoint]) -> str:
    if not digests:
        return INPUTS if stated else f"{ARITHMETIC}; {INPUTS}"
    if any(sampled_digest(one) not in digests for one in opened.values()):
        return OTHERS
    return "" if stated else ARITHMETIC


def _key(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, default=str)


def _content(recipe: ClaimedRecipe) -> dict[str, Any]:
    """The recipe itself: a receipt holds it among other things."""
    content = dict(recipe.content)
    if recipe.kind == "merge receipt":
        held = content.get("recipe")
        return dict(held) if isinstance(held, Mapping) else {}
    return content


def _located(recipe: Recipe, places: Mapping[str, str]) -> Recipe:
    """The recipe with every model where it lies on this machine."""
    text = recipe.as_data()

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

    return from_data(moved(text))
