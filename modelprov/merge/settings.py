"""Turns what a recipe says about parameters into the numbers of one tensor: filters, gradients, defaults. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelprov.errors import UsageError
from modelprov.merge.methods.interface import Method
from modelprov.merge.recipe import Recipe, Setting, Slice, SourceModel

NO_EFFECT = ("int8_mask",)
"""Parameters of mergekit that change how it computes, never what: accepted."""


@dataclass(frozen=True)
class Settings:
    """The parameters of one tensor, complete: one dictionary a model (the base left out), and the global ones."""

    models: tuple[dict[str, Any], ...]
    options: dict[str, Any]


def resolve(name: str, setting: Setting, position: float) -> Any:
    """The value of `setting` for the tensor called `name`, at `position` (0 first layer, 1 last); None if none applies.

    A list of numbers is interpolated over the layers; of a list of {filter, value} the first counts whose filter is
    absent, `*`, or part of the tensor's name.
    """
    if not isinstance(setting, list):
        return setting
    if isinstance(setting[0], dict):
        for choice in setting:
            wanted = choice.get("filter")
            if wanted is None or wanted == "*" or wanted in name:
                return resolve(name, choice["value"], position)
        return None
    place = min(max(position, 0.0), 1.0) * (len(setting) - 1)
    left = int(place)
    right, share = min(left + 1, len(setting) - 1), place - left
    return (1 - share) * setting[left] + share * setting[right]


def varies(recipe: Recipe) -> bool:
    """Whether parameters differ by tensor: a gradient or a filter stands somewhere."""
    sources = [*recipe.models, *(source for one in recipe.slices for source in one.sources)]
    places = [recipe.parameters, *(one.parameters for one in sources), *(one.parameters for one in recipe.slices)]
    return any(isinstance(setting, list) for place in places for setting in place.values())


def check_settings(recipe: Recipe, method: Method) -> None:
    """Raise `UsageError` for a parameter that the method does not know, or not there, or that is malformed."""
    known = {one.name: one for one in method.parameters}
    own = [name for name, one in known.items() if one.per_model]
    slices = recipe.slices
    places: list[tuple[str, Mapping[str, Setting], Sequence[str]]] = [("parameters", recipe.parameters, list(known))]
    places += [(f"the parameters of {one.model}", one.parameters, own) for one in recipe.models]
    for number, one in enumerate(slices):
        places.append((f"the parameters of slice {number}", one.parameters, list(known)))
        places += [(f"slice {number}, {source.model}", source.parameters, own) for source in one.sources]
    for place, given, allowed in places:
        for name, setting in given.items():
            if name in NO_EFFECT:
                continue
            if name not in allowed:
                there = ", ".join(allowed) or "none"
                hint = " (it is a global parameter)" if name in known else ""
                raise UsageError(
                    f"{place}: {recipe.merge_method} does not know {name!r} here{hint}; known: {there}",
                    "Correct the name, or move it; `modelprov merge --help` shows examples.",
                )
            _check_shape(f"{place}: {name}", setting)


def settings_of(
    name: str, position: float, method: Method, recipe: Recipe, piece: Slice | None, sources: Sequence[SourceModel]
) -> Settings:
    """All parameters for one tensor; `sources` are the models in order, without the base.

    A model's own setting comes first, then its slice's, then the recipe's, then the method's default. Raises
    `UsageError` where a recipe has to say something and does not.
    """
    shared = ([piece.parameters] if piece is not None else []) + [recipe.parameters]
    models = tuple(
        {
            one.name: _first(name, one.name, position, [source.parameters, *shared], one.default, source.model)
            for one in method.parameters if one.per_model
        }
        for source in sources
    )  # fmt: skip
    options = {
        one.name: _first(name, one.name, position, shared, one.default, None)
        for one in method.parameters if not one.per_model
    }  # fmt: skip
    return Settings(models, options)


def _first(
    tensor: str, name: str, position: float, places: Sequence[Mapping[str, Setting]], default: Any, model: str | None
) -> Any:
    for place in places:
        if name in place:
            value = resolve(tensor, place[name], position)
            if value is not None:
                return value
    if default is None:
        of = f" for {model}" if model else ""
        raise UsageError(
            f"the recipe gives no {name!r}{of} (needed for {tensor})",
            f"Add `{name}:` to the model's parameters, or to the global ones; a filter list needs a last entry "
            "without a filter.",
        )
    return default


def _check_shape(place: str, setting: Setting) -> None:
    """A setting is a scalar, a list of numbers, or a list of {filter, value}."""
    if isinstance(setting, bool | int | float | str):
        return
    if isinstance(setting, list) and setting:
        if all(isinstance(one, int | float) and not isinstance(one, bool) for one in setting):
            return
        if all(isinstance(one, dict) and "value" in one and set(one) <= {"filter", "value"} for one in setting):
            for one in setting:
                _check_shape(place, one["value"])
            return
    raise UsageError(
        f"{place} is neither a value, a list of numbers, nor a list of {{filter, value}}",
        "A list of numbers is a gradient over layers; a filter is a part of a tensor's name.",
    )
