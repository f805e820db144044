"""Whether config and tokenizer describe the weights beside them: from headers and small files alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelprov.check.interface import Problem
from modelprov.check.results import Location
from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.json_files import read_json_object
from modelprov.checkpoints.layouts.naming import canonical_views
from modelprov.checkpoints.layouts.roles import generates, roles_of, says_tied, text_config
from modelprov.checkpoints.layouts.side_files import CONFIG, VOCABULARY
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import ModelprovError

ROWS, ADDED_ROWS = "rows", "added rows"
OTHER_WIDTH = ("embedding_size", "word_embed_proj_dim", "hidden_size_per_layer_input")
"""Keys of models whose embeddings are narrower or wider than their layers."""
SHARED_LAYERS = ("num_hidden_groups", "encoder_layers", "decoder_layers", "num_decoder_layers")
"""Keys of models that store other layers than `num_hidden_layers` counts."""
EXPERTS = ("num_experts", "n_routed_experts", "num_local_experts")


def config_problems(checkpoint: Checkpoint) -> Iterator[Problem]:
    """What config.json says and the tensors contradict: layers, experts, size of the embeddings, tied head."""
    if checkpoint.config is None:
        return
    config, seen = text_config(checkpoint.config), inspect_checkpoint(checkpoint)
    shapes = {name: shape for name, _, shape in canonical_views(checkpoint)}
    roles = roles_of(shapes)
    rows, width = shapes[roles.embeddings] if roles.embeddings is not None else (None, None)
    if any(key in config for key in OTHER_WIDTH):
        width = None
    layers: int | None = seen.layers or None
    extra = config.get("num_nextn_predict_layers")  # predictors that some store as layers behind the last
    if any(key in config for key in SHARED_LAYERS) or (isinstance(extra, int) and layers == _sum(config, extra)):
        layers = None
    experts = next((config[key] for key in EXPERTS if isinstance(config.get(key), int)), None)
    for key, said, held in (
        ("num_hidden_layers", config.get("num_hidden_layers"), layers),
        ("vocab_size", config.get("vocab_size"), rows),
        ("hidden_size", config.get("hidden_size"), width),
        ("num_experts", experts, seen.experts_per_layer or None),
    ):
        if isinstance(said, int) and held is not None and said != held:
            yield Problem(
                f"config.json says {key} {said:,}, the weights hold {held:,}", Location(file=CONFIG), "config", key
            )
    headless = roles.embeddings is not None and roles.head is None and not roles.unnamed
    if says_tied(checkpoint.config) is False and generates(checkpoint.config) and headless:
        yield Problem(
            "config.json says that the head is not tied to the embeddings, and no head is there",
            Location(file=CONFIG), "config", "tie_word_embeddings",
        )  # fmt: skip


def tokenizer_problems(folder: Path, checkpoint: Checkpoint) -> Iterator[Problem]:
    """Tokens without a row in the embeddings; raises `ModelprovError` where tokenizer.json cannot be read."""
    shapes = {name: shape for name, _, shape in canonical_views(checkpoint)}
    embeddings = shapes.get(roles_of(shapes).embeddings or "")
    if embeddings is None or not (folder / VOCABULARY).is_file():
        raise ModelprovError("no tokenizer.json" if embeddings is not None else "no embeddings among the weights")
    tokenizer = read_json_object(folder / VOCABULARY)
    for tokens, about in ((_words(tokenizer), ROWS), (_added(tokenizer), ADDED_ROWS)):
        largest, token = max(tokens, default=(-1, ""))
        if largest >= embeddings[0]:
            yield Problem(
                f"the tokenizer has the token {token!r} as number {largest:,}; the embeddings have "
                f"{embeddings[0]:,} rows",
                Location(file=VOCABULARY), "tokenizer", about,
            )  # fmt: skip
            return


def _sum(config: Mapping[str, Any], extra: int) -> int | None:
    said = config.get("num_hidden_layers")
    return said + extra if isinstance(said, int) else None


def _words(tokenizer: dict[str, Any]) -> Iterator[tuple[int, str]]:
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocabulary, dict):
        yield from ((number, token) for token, number in vocabulary.items() if isinstance(number, int))
    elif isinstance(vocabulary, list):  # unigram models list [token, score]
        yield len(vocabulary) - 1, str(vocabulary[-1]) if vocabulary else ""


def _added(tokenizer: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Tokens that no text gives unless it is typed: published models have some without a row."""
    added = tokenizer.get("added_tokens")
    for one in added if isinstance(added, list) else ():
        if isinstance(one, dict) and isinstance(one.get("id"), int):
            yield one["id"], str(one.get("content"))
