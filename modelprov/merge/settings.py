"""Turns what a recipe says about parameters into the numbers of one tensor: filters, gradients, defaults. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted
from modelprov.recipes.gradients import resolve
from modelprov.recipes.methods.interface import Method, Parameter
from modelprov.recipes.recipe import Recipe, Setting, Slice, SourceModel

NO_EFFECT = ("int8_mask",)
"""Parameters of mergekit that change how it computes, never what: accepted."""


@dataclass(frozen=True)
class Settings:
    """The parameters of one tensor, complete: one dictionary a model (the base left out), and the global ones."""

    models: tuple[dict[str, Any], ...]
    options: dict[str, Any]


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
    for at, one in enumerate(slices):
        places.append((f"the parameters of slice {at}", one.parameters, list(known)))
        places += [(f"slice {at}, {source.model}", source.parameters, own) for source in one.sources]
    for place, given, allowed in places:
        for name, setting in given.items():
            if name in NO_EFFECT:
                continue
            if name not in allowed:
                there = ", ".join(allowed) or "none"
                hint = " (it is a global parameter)" if name in known else ""
                raise UsageError(
                    f"{place}: {recipe.merge_method} does not know {name!r} here{hint}; known: {there}",
                    "Correct the name, or move it; the help of `modelprov merge` shows examples.",
                )
            _check(f"{place}: {name}", setting, known[name])
    if not varies(recipe):  # else what counts together is known tensor by tensor, when the merge is planned
        based = method.needs_base or method.optional_base
        for piece in slices or [None]:
            sources = piece.sources if piece is not None else recipe.models
            models = [one for one in sources if not (based and one.model == recipe.base_model)]
            settings_of("every tensor", 0.0, method, recipe, piece, models)


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
            one.name: _first(name, one, position, [source.parameters, *shared], source.model)
            for one in method.parameters if one.per_model
        }
        for source in sources
    )  # fmt: skip
    options = {
        one.name: _first(name, one, position, shared, None)
        for one in method.parameters if not one.per_model
    }  # fmt: skip
    doubt = method.doubt(models, options)
    if doubt:
        raise UsageError(f"{recipe.merge_method}: {doubt} ({name})", "Correct the recipe.")
    return Settings(models, options)


def _first(
    tensor: str, parameter: Parameter, position: float, places: Sequence[Mapping[str, Setting]], model: str | None
) -> Any:
    name = parameter.name
    for place in places:
        if name in place:
            value = resolve(tensor, place[name], position)
            if value is not None:
                try:
                    return parameter.read(value)
                except ValueError as error:  # between two layers of a gradient; the rest was checked before
                    raise UsageError(f"{name} of {tensor} {error}", "Correct the recipe.") from error
    if parameter.default is None:
        of = f" for {model}" if model else ""
        raise UsageError(
            f"the recipe gives no {name!r}{of} (needed for {tensor})",
            f"Add `{name}:` to the model's parameters, or to the global ones; a filter list needs a last entry "
            "without a filter.",
        )
    return parameter.default


def _check(place: str, setting: Setting, parameter: Parameter) -> None:
    """A setting is a value, a list of numbers, or a list of {filter, value}; each value one that the method takes."""
    if isinstance(setting, list) and setting:
        if all(isinstance(one, dict) for one in setting):
            for at, one in enumerate(setting):
                if "value" not in one or not set(one) <= {"filter", "value"}:
                    raise _malformed(place)
                if not isinstance(one.get("filter"), str | None):
                    raise UsageError(f"{place}: a filter is {quoted(one['filter'])}", "It is a part of a name.")
                if isinstance(one["value"], list) and any(isinstance(inner, dict) for inner in one["value"]):
                    raise _malformed(place)
                _check(f"{place}: filter {at}", one["value"], parameter)
            return
        if parameter.is_truth or any(isinstance(one, dict | list) for one in setting):
            raise _malformed(place)
        for at, one in enumerate(setting):
            _check(f"{place}: entry {at} of the list of numbers", one, parameter)
        return
    if isinstance(setting, dict | list):
        raise _malformed(place)
    try:
        parameter.read(setting)
    except ValueError as error:
        raise UsageError(f"{place} {error}", f"It is the {parameter.meaning}; correct the recipe.") from error


def _malformed(place: str) -> UsageError:
    return UsageError(
        f"{place} is neither a value, a list of numbers, nor a list of {{filter, value}}",
        "A list of numbers is a gradient over layers; a filter is a part of a tensor's name.",
    )
