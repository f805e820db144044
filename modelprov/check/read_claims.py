"""Reads everything that a publisher claims in a model's folder. Opens the card and merge recipes; believes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from markdown_it.token import Token

from modelprov.check.card import Card, front_claims, take_apart
from modelprov.check.interface import Claims, Problem
from modelprov.check.markdown_text import own_sentences, parse, plain
from modelprov.check.prose import Names, prose_claims
from modelprov.check.recipes_claimed import claimed_recipes
from modelprov.check.results import Location
from modelprov.check.scores import index_scores, table_scores
from modelprov.checkpoints.files import read_small_file, unreadable
from modelprov.errors import CheckpointNotFoundError, UnreadableFileError

CARD = "README.md"
MAX_CARD = 20_000_000
NO_TITLE = re.compile(r"(?:model card|model details|introduction|overview|readme|merge|model)\b", re.IGNORECASE)
MAX_TITLE = 80
MOST_PROBLEMS = 100


def read_claims(folder: Path) -> Claims:
    """What the card and the merge recipes in `folder` say, each with its line; content never raises, it is a problem.

    Raises `CheckpointNotFoundError` where `folder` is no folder, `UnreadableFileError` where it cannot be listed.
    """
    if not folder.is_dir():
        raise CheckpointNotFoundError(f"{folder} is not a folder", "Give the folder that holds the model and its card.")
    path = _card_path(folder)
    problems: list[Problem] = []
    card = Card("", None, "", 1, ())
    if path is not None:
        try:
            card = take_apart(read_small_file(path, MAX_CARD), path.name)
        except UnreadableFileError:
            what = f"{path.name} cannot be read, or has more than {MAX_CARD:,} bytes"
            problems.append(Problem(what, Location(file=path.name), about="unreadable"))
    file = path.name if path is not None else CARD
    tokens = _tokens(card, file, problems)
    front = front_claims(card)
    entries = card.front.entries if card.front is not None else {}
    names = Names(_own_names(folder, tokens), tuple(one.value for one in front.base_models))
    recipes, in_recipes = claimed_recipes(folder, path.name if path else None, card.front, tokens, card.body_line)
    return Claims(
        card=path.name if path is not None else None,
        front=card.front.data if card.front is not None else {},
        base_models=front.base_models,
        relation=front.relation,
        license=front.license,
        license_name=front.license_name,
        license_link=front.license_link,
        library=front.library,
        tags=front.tags,
        prose=prose_claims(own_sentences(tokens, card.body_line), file, names),
        scores=(
            *table_scores(tokens, card.body_line, file, names),
            *index_scores(entries.get("model-index"), file, names),
        ),
        recipes=recipes,
        problems=_distinct([*problems, *card.problems, *front.problems, *in_recipes]),
    )


def _distinct(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The first of each kind in each file: fifty tags that are no text are one mistake."""
    first: dict[tuple[str, str], Problem] = {}
    for one in problems:
        first.setdefault((one.location.file, one.about or one.message), one)
    return tuple(first.values())[:MOST_PROBLEMS]


def _card_path(folder: Path) -> Path | None:
    """README.md as the hub writes it, else in other letters (readme.md)."""
    try:
        found = sorted(one for one in folder.iterdir() if one.name.lower() == CARD.lower())
    except OSError as error:
        raise unreadable(folder, error) from error
    return next((one for one in found if one.name == CARD), found[0] if found else None)


def _tokens(card: Card, file: str, problems: list[Problem]) -> list[Token]:
    try:
        return parse(card.body)
    except (RecursionError, ValueError, IndexError, KeyError) as error:  # a mistake of the parser is not the user's
        what = f"{file}: the text could not be parsed as Markdown ({type(error).__name__})"
        problems.append(Problem(what, Location(file=file), about="Markdown"))
        return []


def _own_names(folder: Path, tokens: Sequence[Token]) -> tuple[str, ...]:
    """What the model calls itself: its folder (for a cached repository, the repository) and the card's first title."""
    resolved = folder.resolve()
    cached = next((part for part in reversed(resolved.parts) if part.startswith("models--")), None)
    names = [cached.split("--")[-1] if cached else resolved.name]
    for token, after in pairwise(tokens):
        if token.type == "heading_open" and token.tag == "h1":
            title = " ".join(plain(after.content).replace("\0", " ").split())
            if 0 < len(title) <= MAX_TITLE and not NO_TITLE.match(title):
                names.append(title)
            break
    return tuple(names)
