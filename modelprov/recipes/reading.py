"""The one reader of recipes: a file, a text or plain data in, a `Recipe` out. Nothing in a recipe is ignored.

A key that is not known is an error that lists those that are; a notation of mergekit that is not built is named for
what it is (`notation`). Opens no model.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ValidationError

from modelprov.checkpoints.files import read_small_file
from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted, shortened
from modelprov.foreign.yaml_text import SEVERAL_DOCUMENTS, read_yaml
from modelprov.recipes import notation
from modelprov.recipes.chat_template import with_template_text
from modelprov.recipes.experts import Expert
from modelprov.recipes.recipe import Extension, Group, Recipe, Slice, SourceModel

MAX_BYTES = 10_000_000
MODELS = ("model", "base_model", "tokenizer_source")
BETWEEN = re.compile(r"^---[ \t]*(?:#[^\n]*)?\r?\n", re.MULTILINE)
SOMETHING = re.compile(r"^[ \t]*[^\s#]", re.MULTILINE)
SHOWN = 200  # characters of a recipe's own words in a message


def is_merge(document: object) -> bool:
    """Whether plain data means a merge: a method, and models, slices or a base; or a mixture made of experts.

    Whether it is a recipe that can be followed, `from_data` says.
    """
    if not isinstance(document, dict):
        return False
    sources = any(key in document for key in ("models", "slices", "base_model"))
    return (isinstance(document.get("merge_method"), str) and sources) or isinstance(document.get("experts"), list)


def load(path: Path) -> Recipe:
    """The recipe in a file, with the text of the chat template that it names beside it.

    Raises `UnreadableFileError`, `UsageError`, or `ForeignLinkError` for a template that is a link elsewhere.
    """
    text = read_small_file(path, MAX_BYTES).decode("utf-8", "replace")
    return with_template_text(parse(text, str(path)), path.parent)


def parse(text: str, where: str = "the recipe") -> Recipe:
    """The recipe in a text; raises `UsageError` that says what is wrong, where, and what is known.

    Of several documents the one without a name is the recipe, and the others are `recipes` that it names as models.
    """
    documents = [(line, each) for line, each in _documents(text) if SOMETHING.search(each)]
    if len(documents) < 2:
        return _parse(text, where)
    given = [(line, _parse(each, f"{where}, the document from line {line} on")) for line, each in documents]
    unnamed = [each for _, each in given if each.name is None]
    if len(unnamed) != 1:
        raise UsageError(f"{where}, line {documents[1][0]}: {notation.SEVERAL}", notation.SEVERAL_ADVICE)
    named: dict[str, Recipe] = {}
    for line, each in given:
        if each.name is not None and (each.name in named or each.recipes):
            raise UsageError(f"{where}, line {line}: two recipes are called {quoted(each.name)}", "Rename one.")
        if each.name is not None:
            named[each.name] = each
    used = {location for _, each in given for location in each.locations}
    idle = next((name for name in named if name not in used), None)
    if idle is not None:
        raise UsageError(
            f"{where}: the recipe {quoted(idle)} is a model of no other in the file", "Name it, or remove it."
        )
    return unnamed[0].model_copy(update={"recipes": named | unnamed[0].recipes})


def _documents(text: str) -> list[tuple[int, str]]:
    """The YAML documents of a text, each with the line that it begins at."""
    found, line = [], 1
    for each in BETWEEN.split(text):
        found.append((line, each))
        line += each.count("\n") + 1
    return found


def _parse(text: str, where: str) -> Recipe:
    value, mistakes = read_yaml(text, merge_keys=True)
    if mistakes:
        first = mistakes[0]
        if first.about == SEVERAL_DOCUMENTS:
            raise UsageError(f"{where}, line {first.line}: {notation.SEVERAL}", notation.SEVERAL_ADVICE)
        said = "" if first.about == "not YAML" else "not a recipe that can be read: "
        raise UsageError(f"{where}, line {first.line}: {said}{first.message}", "See docs/merge.md for examples.")
    return from_data(None if value is None else value.data, where)


def from_data(document: object, where: str = "the recipe") -> Recipe:
    """The recipe in plain data, as YAML or JSON hold it; raises as `parse` does."""
    if not isinstance(document, dict):
        raise UsageError(f"{where} is not a merge recipe", "It needs merge_method and models; see docs/merge.md.")
    notation.refuse_other_programs(document, where)
    try:
        return Recipe.model_validate(notation.in_our_words(document))
    except ValidationError as error:
        raise UsageError(f"{where}: {_in_words(error)}", "See docs/merge.md for what a recipe may say.") from error


def _in_words(error: ValidationError) -> str:
    """The first thing that is wrong, with the place and the keys that are known there."""
    first = error.errors(include_url=False)[0]
    place = shortened(".".join(str(part) for part in first["loc"]), SHOWN) or "the document"
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"][:-1])
        hint = notation.hint(str(first["loc"][-1]), first["loc"][:-1])
        return f"unknown key {place!r}{f' ({hint})' if hint else ''}; known here: {', '.join(known)}"
    if first["type"] == "missing":
        return f"{place} is missing"
    if first["loc"] and first["loc"][-1] in MODELS and isinstance(first["input"], dict):
        return f"{place} {notation.MODEL_MAPPING}"
    said = first["msg"].removeprefix("Value error, ")
    return shortened(f"{place} {said}" if said.startswith("is ") else f"{place}: {said}", 2 * SHOWN)


def _known_keys(place: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys of the model at a place in the document."""
    names = [part for part in place if isinstance(part, str)]
    while names and names[0] == "recipes":  # what is called anything, and says what a recipe says
        names = names[2:]
    kinds: dict[str, type[BaseModel]] = {
        "models": SourceModel, "slices": Slice, "sources": SourceModel, "modelprov": Extension, "groups": Group,
        "experts": Expert, "shared_experts": Expert,
    }  # fmt: skip
    return tuple((kinds[names[-1]] if names else Recipe).model_fields)
