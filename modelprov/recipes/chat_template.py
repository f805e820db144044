"""The chat template that a recipe asks for. A recipe comes from anyone: of files it may name only those beside it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from modelprov.checkpoints.files import Folder, read_small_file
from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted
from modelprov.recipes.known_templates import KNOWN
from modelprov.recipes.recipe import Recipe

MAX_BYTES = 10_000_000
CHOICES = (
    f"Known: auto (the tokenizer's own), {', '.join(KNOWN)}, a Jinja text, or, in a recipe file, the name of a .jinja "
    "file beside it."
)


def with_template_text(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the text of the template in place of the file that it names, if it names one in its `folder`.

    What is written and recorded then depends on no other file. Raises `UsageError` for a file that is elsewhere (what
    a foreign recipe names must not be read, or be copied into what is published) or that holds no template.
    """
    wanted = recipe.chat_template
    if wanted is None or wanted == "auto" or wanted in KNOWN or is_template(wanted):
        return recipe
    named = PurePosixPath(wanted)
    if named.suffix != ".jinja" or named.name != wanted or not wanted.isprintable():
        raise _unknown(wanted)
    Folder.of(folder).check(folder / wanted)
    text = read_small_file(folder / wanted, MAX_BYTES).decode("utf-8", "replace")
    if not is_template(text):
        raise UsageError(f"{folder / wanted} holds no chat template", "A template has {{ ... }} or {% ... %} in it.")
    return recipe.model_copy(update={"chat_template": text})


def template_text(recipe: Recipe) -> str | None:
    """The text of the template; None where the tokenizer's own stays. Reads nothing; raises `UsageError`."""
    wanted = recipe.chat_template
    if wanted is None or wanted == "auto":
        return None
    if wanted in KNOWN:
        return KNOWN[wanted]
    if not is_template(wanted):
        raise _unknown(wanted)
    return wanted


def is_template(text: str) -> bool:
    """Whether a text is Jinja rather than a name."""
    return "{{" in text or "{%" in text


def _unknown(wanted: str) -> UsageError:
    return UsageError(f"chat_template {quoted(wanted)} is neither a template nor a file that may be read", CHOICES)
