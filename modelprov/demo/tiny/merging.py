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


def rio_recipe(family: str) -> Recipe:
    """`ALPHA` nex + the rest qwen, rounded once from float32, with the `HARD_CODED` template.

    For a file in a folder of the name `family`, where the models lie too. Their locations go up and down again, so
    that they are found from anywhere: a mere `nex` would be another model wherever the user's folder holds one.
    """
    weights = {"nex": ALPHA, "qwen": round(1 - ALPHA, 12)}
    return Recipe(
        merge_method="linear",
        models=tuple(
            SourceModel(model=f"../{family}/{name}", parameters={"weight": weight}) for name, weight in weights.items()
        ),
        chat_template=HARD_CODED,
        name="rio",
        modelprov=Extension(arithmetic="float32"),
    )


def write_rio_recipe(path: Path) -> None:
    """Write the recipe of the models that lie beside it. Raises `OSError`."""
    path.write_text(rio_recipe(path.resolve().parent.name).as_yaml(), encoding="utf-8")
