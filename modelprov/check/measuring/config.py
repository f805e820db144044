"""Whether config and tokenizer describe the weights beside them: from headers and small files alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelprov.check.interface import Problem
from modelprov.check.results import Location
from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.naming import EMBEDDINGS, HEAD, canonical_views, text_config
from modelprov.checkpoints.opening import read_json_object
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import ModelprovError

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
EXPERTS = ("num_experts", "n_routed_experts", "num_local_experts")


def config_problems(checkpoint: Checkpoint) -> Iterator[Problem]:
    """What config.json says and the tensors contradict: layers, experts, size of the embeddings, tied head."""
    if checkpoint.config is None:
        return
    config, seen = text_config(checkpoint.config), inspect_checkpoint(checkpoint)
    shapes = {name: shape for name, _, shape in canonical_views(checkpoint)}
    embeddings = _embeddings(shapes)
    rows, width = embeddings or (None, None)
    experts = next((config[key] for key in EXPERTS if isinstance(config.get(key), int)), None)
    for key, said, held in (
        ("num_hidden_layers", config.get("num_hidden_layers"), seen.layers or None),
        ("vocab_size", config.get("vocab_size"), rows),
        ("hidden_size", config.get("hidden_size"), width),
        ("num_experts", experts, seen.experts_per_layer or None),
    ):
        if isinstance(said, int) and held is not None and said != held:
            yield Problem(
                f"config.json says {key} {said:,}, the weights hold {held:,}", Location(file=CONFIG), "config", key
            )
    tied = config.get("tie_word_embeddings", checkpoint.config.get("tie_word_embeddings"))
    if tied is False and HEAD not in shapes and embeddings is not None:
        yield Problem(
            "config.json says that the head is not tied to the embeddings, and no head is there",
            Location(file=CONFIG), "config", "tie_word_embeddings",
        )  # fmt: skip


def tokenizer_problems(folder: Path, checkpoint: Checkpoint) -> Iterator[Problem]:
    """Tokens without a row in the embeddings; raises `ModelprovError` where tokenizer.json cannot be read."""
    embeddings = _embeddings({name: shape for name, _, shape in canonical_views(checkpoint)})
    if embeddings is None or not (folder / TOKENIZER).is_file():
        raise ModelprovError("no tokenizer.json" if embeddings is not None else "no embeddings among the weights")
    largest, token = max(_tokens(read_json_object(folder / TOKENIZER)), default=(-1, ""))
    if largest >= embeddings[0]:
        yield Problem(
            f"the tokenizer has the token {token!r} as number {largest:,}; the embeddings have {embeddings[0]:,} rows",
            Location(file=TOKENIZER), "tokenizer", "rows",
        )  # fmt: skip


def _embeddings(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int] | None:
    """Rows and width of the embeddings, under whichever of their names."""
    found = next((shapes[name] for name in EMBEDDINGS if name in shapes), ())
    return (found[0], found[1]) if len(found) == 2 else None


def _tokens(tokenizer: dict[str, Any]) -> Iterator[tuple[int, str]]:
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocabulary, dict):
        yield from ((number, token) for token, number in vocabulary.items() if isinstance(number, int))
    elif isinstance(vocabulary, list):  # unigram models list [token, score]
        yield len(vocabulary) - 1, str(vocabulary[-1]) if vocabulary else ""
    for one in tokenizer.get("added_tokens") or ():
        if isinstance(one, dict) and isinstance(one.get("id"), int):
            yield one["id"], str(one.get("content"))
