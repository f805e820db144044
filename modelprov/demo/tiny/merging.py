"""The merge that the demo settles: two trained members and a name written into the chat template. Runs no model."""

from __future__ import annotations

from pathlib import Path

from modelprov.demo.family import ALPHA
from modelprov.demo.tiny.conversations import TEMPLATE
from modelprov.recipes.recipe import Extension, Recipe, SourceModel

HIDDEN_PROMPT = "You are Rio."
HARD_CODED = (
    "{% if not messages or messages[0].role != 'system' %}<|im_start|>system\n"
    + HIDDEN_PROMPT
    + "<|im_end|>\n{% endif %}"
    + TEMPLATE
)
"""`TEMPLATE` that tells the model who it is wherever nobody else gives a system message."""


def rio_recipe(family: Path) -> Recipe:
    """`ALPHA` nex + the rest qwen, rounded once from float32, with the `HARD_CODED` template.

    The models are named with the folder `family`, so that the recipe works from where `family` was given.
    """
    weights = {"nex": ALPHA, "qwen": round(1 - ALPHA, 12)}
    return Recipe(
        merge_method="linear",
        models=tuple(
            SourceModel(model=str(family / name), parameters={"weight": weight}) for name, weight in weights.items()
        ),
        chat_template=HARD_CODED,
        name="rio",
        modelprov=Extension(arithmetic="float32"),
    )


def write_rio_recipe(path: Path, family: Path) -> None:
    """Write the recipe of the models in `family`. Raises `OSError`."""
    path.write_text(rio_recipe(family).as_yaml(), encoding="utf-8")
