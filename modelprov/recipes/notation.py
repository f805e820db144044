"""What recipes of other programs say and ours do not: each notation by its name, and what to do. Pure; words only.

The notations are mergekit's: its YAML (`mergekit-yaml`), its other programs, and how it names a model.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelprov.errors import UsageError
from modelprov.recipes.experts import MIXTURE

SEVERAL = "several recipes stand in one file (as mergekit-multi reads them), and not exactly one of them has no name"
SEVERAL_ADVICE = (
    "The recipe without a `name` is what is made; the others have one, by which it names them as models. Merges that "
    "are to be written beside each other are files of their own."
)
OTHER_PROGRAMS: Mapping[str, tuple[str, str]] = {
    "genome": ("a search for a recipe (mergekit-evolve)", "Give the recipe that it found, which it writes as YAML."),
    "layer_slices": (
        "a stack of layers (mergekit's bakllama)", "Say the same with merge_method: passthrough and `slices`.",
    ),
}  # fmt: skip
"""By the key that only such a document has."""
KEYS = {
    "tokenizer": "of mergekit's table only `source` is built, which is `tokenizer_source`",
    "modules": "merge the text model of each checkpoint as a whole",
    "lora": "merge adapters into their base first",
    "residual_weight": "mergekit's weight of the residual is not built",
    "input_model_parameters": "give each model its own `parameters`",
    "override_architecture": "a model's config.json says what it is",
}
BASE_OF_SLICE = "mergekit's base of one slice is not built: give one base_model for all slices"
METHODS = {"ram": "Reinforced Agent Merging", "ramplus_tl": "Reinforced Agent Merging Plus"}
"""Methods of mergekit that are not built."""
MODEL_MAPPING = (
    "is mergekit's mapping of a model (path, revision, lora), which is not read; write org/name, org/name@revision or "
    "a folder"
)
OF_MODEL = "model:"


def refuse_other_programs(document: Mapping[str, object], where: str) -> None:
    """Raise `UsageError` for a document that another program of mergekit reads."""
    for key, (what, advice) in OTHER_PROGRAMS.items():
        if key in document and "merge_method" not in document:
            raise UsageError(f"{where} is {what}, not a merge recipe", advice)


def in_our_words(document: Mapping[str, object]) -> Mapping[str, object]:
    """The same document where mergekit has two ways: `tokenizer: {source: ...}`, files of mergekit-moe."""
    if "experts" in document and "merge_method" not in document:
        document = {"merge_method": MIXTURE, **document}
    table = document.get("tokenizer")
    if not isinstance(table, dict) or table.keys() != {"source"} or "tokenizer_source" in document:
        return document
    rest = {key: value for key, value in document.items() if key != "tokenizer"}
    return {**rest, "tokenizer_source": table["source"]}


def hint(key: str, place: tuple[int | str, ...]) -> str:
    """What to say of a key that mergekit knows and a recipe here does not; "" for one that nobody knows."""
    if key == "base_model" and place and place[0] == "slices":
        return BASE_OF_SLICE
    return KEYS.get(key, "")
