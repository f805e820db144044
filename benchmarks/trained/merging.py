"""Merges of a family by mergekit: YAML and checkpoints in, checkpoint out. Empty where mergekit cannot be imported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trained.settings import SEED, Family
from modelprov.checkpoints.formats.dtypes import DType, encode_single
from modelprov.demo.writing import StoredTensor, write_checkpoint

FIRST, SECOND, THIRD = "tune", "tune on other data", "tune on text"


def _weighted(*pairs: tuple[str, float], **more: float) -> list[dict[str, Any]]:
    return [{"model": name, "parameters": {"weight": weight, **more}} for name, weight in pairs]


def _recipe(method: str, models: list[dict[str, Any]], base: str = "", **options: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"merge_method": method, "models": models}
    if base:
        made["base_model"] = base
    return made | ({"parameters": options} if options else {})


RECIPES: dict[str, dict[str, Any]] = {
    "linear": _recipe("linear", _weighted((FIRST, 0.6), (SECOND, 0.4))),
    "linear of tenths": _recipe("linear", _weighted((FIRST, 0.3), (SECOND, 0.7))),
    "linear odd": _recipe("linear", _weighted((FIRST, 0.565), (THIRD, 0.435))),
    "linear with base": _recipe("linear", _weighted((FIRST, 0.7), ("base", 0.3))),
    "linear of three": _recipe("linear", _weighted((FIRST, 0.5), (SECOND, 0.3), (THIRD, 0.2))),
    "linear of rates": _recipe("linear", _weighted(("tune at 0.5", 0.5), ("tune at 2", 0.5))),
    "linear of stages": _recipe("linear", _weighted(("tune after 24", 0.25), (FIRST, 0.75))),
    "linear of adapters": _recipe("linear", _weighted(("adapter", 0.4), ("adapter on other data", 0.6))),
    "linear in F32": _recipe("linear", _weighted((FIRST, 0.6), (SECOND, 0.4))) | {"dtype": "float32"},
    "gradient": _recipe(
        "linear",
        [
            {"model": FIRST, "parameters": {"weight": [0.2, 0.8]}},
            {"model": SECOND, "parameters": {"weight": [0.8, 0.2]}},
        ],
    ),
    "task arithmetic": _recipe("task_arithmetic", _weighted((FIRST, 0.6), (SECOND, 0.4)), "base"),
    "task arithmetic beyond": _recipe("task_arithmetic", _weighted((FIRST, 0.8), (SECOND, 0.7)), "base"),
    "slerp": _recipe("slerp", [{"model": FIRST}, {"model": SECOND}], FIRST, t=0.4),
    "slerp of half": _recipe("slerp", [{"model": FIRST}, {"model": THIRD}], FIRST, t=0.5),
    "ties": _recipe("ties", _weighted((FIRST, 0.6), (SECOND, 0.4), density=0.5), "base", normalize=True),
    "dare_linear": _recipe("dare_linear", _weighted((FIRST, 0.6), (SECOND, 0.4), density=0.5), "base"),
    "dare_ties": _recipe("dare_ties", _weighted((FIRST, 0.6), (SECOND, 0.4), density=0.6), "base"),
}


SHARED, AFTERWARDS = ("linear", "dare_ties"), (2, 8, 32)
"""Merges that are trained afterwards, for so many steps."""


def parents_of(name: str) -> list[str]:
    """The models of a recipe, its base last if it has one and does not list it."""
    recipe = RECIPES[name]
    models = [model["model"] for model in recipe["models"]]
    base = recipe.get("base_model")
    return models if base is None or base in models else [*models, base]


def stored_as(name: str, family: Family) -> DType:
    """The format of a merge: the family's, but for recipes that say another."""
    return DType.F32 if RECIPES[name].get("dtype") == "float32" else family.formats[1]


def merges_of(pool: Mapping[str, dict[str, np.ndarray]], family: Family, folder: Path) -> dict[str, Any]:
    """The outputs of all recipes by name, as float32 arrays; the folder is removed afterwards."""
    try:
        from mergekit.config import MergeConfiguration  # type: ignore[import-not-found]
        from mergekit.merge import run_merge  # type: ignore[import-not-found]
        from mergekit.options import MergeOptions  # type: ignore[import-not-found]
    except ImportError as error:
        print(f"mergekit is not here ({error}): no merges")
        return {}
    from safetensors.torch import load_file

    shutil.rmtree(folder, ignore_errors=True)
    for name in {parent for recipe in RECIPES for parent in parents_of(recipe)}:
        dtype = family.formats[0] if name == "base" else family.formats[1]
        stored = [
            StoredTensor(key, dtype, values.shape, [bytes(encode_single(values, dtype))])
            for key, values in pool[name].items()
        ]
        write_checkpoint(folder / _file(name), stored, _config(family), shards=1)
    made = {}
    for name, recipe in RECIPES.items():
        asked = json.loads(json.dumps(recipe))
        for model in asked["models"]:
            model["model"] = str(folder / _file(model["model"]))
        if "base_model" in asked:
            asked["base_model"] = str(folder / _file(asked["base_model"]))
        asked.setdefault("dtype", "bfloat16" if family.formats[1] is DType.BF16 else "float32")
        options = MergeOptions(random_seed=SEED % 2**31, copy_tokenizer=False, write_model_card=False, quiet=True)
        run_merge(MergeConfiguration.model_validate(asked), str(folder / "out"), options)
        out: dict[str, np.ndarray] = {}
        for file in sorted((folder / "out").glob("*.safetensors")):
            out |= {key: values.float().numpy().copy() for key, values in load_file(file).items()}
        made[name] = {key: out[key] for key in pool["base"]}
        shutil.rmtree(folder / "out")
    shutil.rmtree(folder)
    return made


def _file(name: str) -> str:
    return name.replace(" ", "-")


def _config(family: Family) -> dict[str, Any]:
    shape = family.shape
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.width,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.groups,
        "num_hidden_layers": shape.layers,
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": not shape.head,
        "torch_dtype": "bfloat16" if family.formats[1] is DType.BF16 else "float32",
    }
