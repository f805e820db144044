"""Finds merge recipes that a publisher left with a model: files, front matter, a code block. Runs and believes none.

A file that should hold a recipe and does not is a problem. `recipe.yml` is a common name, so one without a merge in it
is no recipe and no problem. Of the card's text a recipe counts only where it is the only one and no file holds any:
several are steps or examples, and none of them need make the model.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from markdown_it.token import Token

from modelprov.check.interface import ClaimedRecipe, Problem
from modelprov.check.results import Location
from modelprov.check.yaml_text import place, read_yaml
from modelprov.checkpoints.files import read_small_file
from modelprov.errors import UnreadableFileError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.yaml_text import SEVERAL_DOCUMENTS, Value
from modelprov.recipes.notation import SEVERAL
from modelprov.recipes.reading import is_merge

MAX_RECIPE = 1_000_000
MAX_RECEIPT = 50_000_000  # it lists a digest of every file
CONFIGS = ("mergekit_config.yml", "mergekit_config.yaml")
RECIPES = ("recipe.yml", "recipe.yaml")
RECEIPT = "merge_receipt.json"
LANGUAGES = frozenset({"", "yaml", "yml"})
Kind = Literal["mergekit config", "modelprov recipe", "merge receipt"]


def claimed_recipes(
    folder: Path, card: str | None, front: Value | None, tokens: Sequence[Token], first_line: int
) -> tuple[tuple[ClaimedRecipe, ...], tuple[Problem, ...]]:
    """The recipes in a folder and its card; each distinct one once, a file before the card's own text."""
    recipes: list[ClaimedRecipe] = []
    problems: list[Problem] = []
    for name in (*CONFIGS, *RECIPES):
        if os.path.exists(folder / name):
            _from_yaml(folder / name, name in CONFIGS, recipes, problems)
    if os.path.exists(folder / RECEIPT):
        _from_receipt(folder / RECEIPT, recipes, problems)
    if card is not None:
        _from_front(card, front, recipes, problems)
        if not recipes:
            recipes += _from_text(card, tokens, first_line)
    return tuple(recipes), tuple(problems)


def _from_yaml(path: Path, must: bool, recipes: list[ClaimedRecipe], problems: list[Problem]) -> None:
    text = _read(path, MAX_RECIPE, problems)
    if text is None:
        return
    value, found = read_yaml(text, path.name)
    several = f"{path.name}: {SEVERAL}"
    problems += [replace(one, message=several) if must and one.about == SEVERAL_DOCUMENTS else one for one in found]
    if value is not None and is_merge(value.data):
        kind: Kind = "mergekit config" if must else "modelprov recipe"
        _add(recipes, ClaimedRecipe(kind, path.name, value.data, Location(file=path.name, line=value.line)))
    elif must and not found:
        problems.append(_problem(path.name, "is no merge recipe (it needs merge_method and models)", "no recipe"))


def _from_receipt(path: Path, recipes: list[ClaimedRecipe], problems: list[Problem]) -> None:
    text = _read(path, MAX_RECEIPT, problems)
    if text is None:
        return
    try:
        data = parse_json(text)
    except JsonError as error:
        problems.append(_problem(path.name, f"is not valid JSON ({error})", "not JSON", error.line))
        return
    if isinstance(data, dict) and is_merge(data.get("recipe")):
        # kept beside an equal recipe.yml: the receipt also claims the inputs and files by digest
        recipes.append(ClaimedRecipe("merge receipt", path.name, data, Location(file=path.name)))
    else:
        problems.append(_problem(path.name, "is no merge receipt (it needs a recipe)", "no receipt"))


def _from_front(card: str, front: Value | None, recipes: list[ClaimedRecipe], problems: list[Problem]) -> None:
    value = front.entries.get("merge_recipe") if front is not None else None
    if value is None or value.data is None:
        return
    if is_merge(value.data):
        _add(recipes, ClaimedRecipe("modelprov recipe", card, value.data, place(value, card)))
    else:
        what = "merge_recipe is no merge recipe (it needs merge_method and models)"
        problems.append(_problem(card, what, "merge_recipe", value.line))


def _from_text(card: str, tokens: Sequence[Token], first_line: int) -> list[ClaimedRecipe]:
    """The only recipe among the code blocks; what cannot be read there is no recipe."""
    found: list[ClaimedRecipe] = []
    for token in tokens:
        if token.type != "fence" or token.map is None or token.info.strip().lower() not in LANGUAGES:
            continue
        if "merge_method" not in token.content or len(token.content) > MAX_RECIPE:
            continue
        line = first_line + token.map[0] + 1
        value, _ = read_yaml(token.content, card, line)
        if value is not None and is_merge(value.data):
            _add(found, ClaimedRecipe("mergekit config", card, value.data, place(value, card)))
    return found if len(found) == 1 else []


def _add(recipes: list[ClaimedRecipe], recipe: ClaimedRecipe) -> None:
    if not any(_same(one.content, recipe.content) for one in recipes):
        recipes.append(recipe)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equal as text: comparing shared parts pair by pair could take for ever."""
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(other, sort_keys=True, default=str)


def _read(path: Path, limit: int, problems: list[Problem]) -> str | None:
    try:
        return read_small_file(path, limit).decode("utf-8-sig")
    except UnreadableFileError:
        problems.append(_problem(path.name, f"cannot be read, or has more than {limit:,} bytes", "unreadable"))
    except UnicodeDecodeError:
        problems.append(_problem(path.name, "is not UTF-8 text", "encoding"))
    return None


def _problem(file: str, what: str, about: str, line: int | None = None) -> Problem:
    return Problem(f"{file}: {what}", Location(file=file, line=line), about=about)
