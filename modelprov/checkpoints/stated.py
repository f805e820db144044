"""What a quantised model says of itself: how, by whom, from what. Claims of its config, its keys and its card.

Nothing here is measured, and nothing is believed: `inspect` shows it as what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from modelprov.checkpoints.layouts.roles import sections_of
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import ModelprovError
from modelprov.foreign.yaml_text import read_yaml

CARD, RECIPE = "README.md", "recipe.yaml"
MODIFIERS = re.compile(r"\b([A-Z][A-Za-z]{2,40}Modifier)\b")
LARGEST_CARD = 1 << 20
FRONT = re.compile(r"\s*---[ \t]*\r?\n(.*?)\n---[ \t]*(?:\r?\n|$)", re.S)
LONGEST, MOST = 200, 8
WORDS = {
    "bits": "{} bits", "num_bits": "{} bits", "group_size": "groups of {}", "weight_block_size": "blocks of {}",
    "block_structure": "blocks of {}", "strategy": "by {}", "format": "format {}", "fmt": "format {}",
    "sym": "symmetric: {}", "desc_act": "in the order of activations: {}", "version": "version {}",
    "bnb_4bit_quant_type": "type {}", "quant_algo": "algorithm {}",
}  # fmt: skip
"""Keys of `quantization_config` as their makers write them, in words."""
MODELS = re.compile(r"general\.base_model\.(\d{1,3})\.(repo_url|organization|name)")


@dataclass(frozen=True, slots=True)
class Stated:
    """`how` it was quantised, `by` whom, and the models that it was `made_from`; empty where nothing is said."""

    how: tuple[str, ...] = ()
    by: str | None = None
    made_from: tuple[str, ...] = ()


def stated(checkpoint: Checkpoint) -> Stated:
    """What the keys of a GGUF file say, else the config and the card beside the weights."""
    keys = checkpoint.metadata
    front = _front(checkpoint)
    importance = keys.get("quantize.imatrix.file")
    how = [*_configured(checkpoint.config or {}), *_by_recipe(checkpoint)]
    how += [f"importance matrix {importance}"] if importance else []
    by = keys.get("general.quantized_by") or _first(_texts(front.get("quantized_by")))
    made_from = _named(keys) or _texts(front.get("base_model"))
    return Stated(tuple(map(_short, how)), None if by is None else _short(by), tuple(map(_short, made_from[:MOST])))


def _configured(config: Mapping[str, Any]) -> list[str]:
    """The settings of a `quantization_config` that people ask for; of `quantization`, as MLX calls it."""
    for _, section in sections_of(config, "quantization_config", "quantization"):
        meta = section.get("meta")
        tools = meta.get("quantizer") if isinstance(meta, dict) else None
        named = [tool for tool in (tools if isinstance(tools, list) else []) if isinstance(tool, str)]
        return [*_settings(section), *_grouped(section), *(f"by {tool}" for tool in named)]
    return []


def _settings(section: Mapping[str, Any]) -> list[str]:
    """Those settings of a section that have words."""
    return [
        words.format(" × ".join(map(str, value)) if isinstance(value, list) else value)
        for key, words in WORDS.items()
        if isinstance(value := section.get(key), str | int | float | list) and value != ""
    ]


def _grouped(section: Mapping[str, Any]) -> list[str]:
    """The weights of the groups of layers of a compressed-tensors config, each setting once."""
    groups = section.get("config_groups")
    told: list[str] = []
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        told += _settings(weights) if isinstance(weights, dict) else []
    return list(dict.fromkeys(told))


def _by_recipe(checkpoint: Checkpoint) -> list[str]:
    """What changed the numbers, as the recipe says that llm-compressor puts beside them."""
    home = checkpoint.beside
    if home is None:
        return []
    with suppress(ModelprovError, UnicodeDecodeError):
        if home.has(RECIPE):
            named = MODIFIERS.findall(home.read(RECIPE, LARGEST_CARD).decode("utf-8"))
            return [f"by {each}" for each in list(dict.fromkeys(named))[:MOST]]
    return []


def _named(keys: Mapping[str, str]) -> list[str]:
    """The models that a GGUF file names as its base, else as its source."""
    found: dict[int, dict[str, str]] = {}
    for key, value in keys.items():
        if (match := MODELS.fullmatch(key)) is not None:
            found.setdefault(int(match[1]), {})[match[2]] = value
    named = [
        model.get("repo_url") or "/".join(model[part] for part in ("organization", "name") if part in model)
        for _, model in sorted(found.items())
    ]
    sources = [keys[key] for key in ("general.source.repo_url", "general.source.huggingface.repository") if key in keys]
    return named or sources[:1]


def _front(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """The front matter of the card, where there is one that can be read."""
    home = checkpoint.beside
    if home is None:
        return {}
    with suppress(ModelprovError, UnicodeDecodeError):
        if home.has(CARD):
            found = FRONT.match(home.read(CARD, LARGEST_CARD).decode("utf-8"))
            front = read_yaml(found[1])[0] if found is not None else None
            return front.data if front is not None and isinstance(front.data, dict) else {}
    return {}


def _texts(value: Any) -> list[str]:
    """One text or several."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _first(texts: list[str]) -> str | None:
    return texts[0] if texts else None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
