"""What tensors do in a model, by name and shape: the one table that compare, merge, check and inspect ask. No bytes.

The words are those of transformers 5.24 (`get_input_embeddings`, `get_output_embeddings`, `_tied_weights_keys` of its
classes, which a test asks) and of the makers' own formats (Meta, Mistral, ChatGLM, OLMo). A new family is a new word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import filterfalse
from typing import Any

from modelprov.checkpoints.types import Component

Shape = tuple[int, ...]

LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.([0-9]{1,6})\.")
INSIDE = re.compile(r"\.\d+\.")  # of a layer, block, stage or module of any kind
EXPERT = re.compile(r"\.experts\.([0-9]{1,6})\.")

VISION = re.compile(
    r"(?:model\.)?(?:visual|vision_tower|vision_model|vision_encoder|vit|multi_modal_projector|mm_projector|embed_vision"
    r"|image_newline)(?:\.|$)"
)
MTP = re.compile(r"(?:^|\.)mtp(?:\.|_|$)")

# First match wins; searched in the canonical name, after norms and vectors were taken out.
COMPONENTS = (
    (Component.HEAD, re.compile(r"^(?:model\.)?(?:lm_head|embed_out|output|score)\.")),
    (
        Component.EMBEDDINGS,
        re.compile(r"(?:embed_tokens|embed_in|tok_embeddings|word_embeddings|\bwte|\bwpe|embeddings)"),
    ),
    (Component.LINEAR_ATTENTION, re.compile(r"\.(?:linear_attn|mamba|mixer|ssm)\.")),
    (Component.ATTENTION, re.compile(r"\.(?:self_attn|attn|attention|self_attention|cross_attn|crossattention)\.")),
    (Component.SHARED_EXPERT, re.compile(r"\.(?:shared_experts?|shared_mlp)\.")),
    (Component.EXPERTS, re.compile(r"\.experts\.")),
    (Component.MLP, re.compile(r"\.(?:mlp|feed_forward|ffn)\.")),
)
ROUTER = re.compile(
    r"\.(?:shared_expert_gate|mlp\.gate|ffn\.gate|feed_forward\.router|router(?:\.layer|\.proj)?)\.weight$"
)
NORM = re.compile(
    r"(?:norm\d*|ln_\w+|layernorm\w*|layer_norm\w*)\.(?:weight|bias)$|[._]bias$|\.(?:A_log|dt_bias|D)$|e_score_correction"
)

# The last words of a name, before `.weight`: the matrix [vocabulary, width] that gives tokens their vectors ...
EMBEDDINGS_WORDS = """
embed_tokens word_embeddings word_embedding wte tok_embeddings embed_in shared tokens_embed input_embedding
token_embedding embeddings transformer.w
"""
# ... and the one that gives vectors their tokens.
HEADS_WORDS = """
lm_head lm_head.decoder lm_head.out_proj lm_head.linear embed_out cls.predictions.decoder predictions.decoder
generator_lm_head pred_layer.proj vocab_projector lm_loss
"""
# Words that mean a head only where the matrix is as large as the embeddings.
HEADS_IF_ALIKE_WORDS = """
output head decoder head.decoder proj_out output_projection output_layer ff_out lm_heads.0 lm_head.0
"""
EMBEDDINGS = frozenset(EMBEDDINGS_WORDS.split())
HEADS = frozenset(HEADS_WORDS.split())
HEADS_IF_ALIKE = frozenset(HEADS_IF_ALIKE_WORDS.split())
GENERATES = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel", "ForMaskedLM")
"""Endings of architectures that have a head over the vocabulary."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of a checkpoint's embeddings and head over the vocabulary; None where there is none.

    `unnamed` are other matrices that are as large as the embeddings and in no layer: a head of a family that is not
    in the table may be among them.
    """

    embeddings: str | None = None
    head: str | None = None
    unnamed: tuple[str, ...] = ()


def unnumbered(name: str) -> str:
    """The canonical name with # for its layer's number: what a tensor is called in whatever layer."""
    found = LAYER.search(name)
    return name if found is None else f"{name[: found.start(1)]}#{name[found.end(1) :]}"


def roles_of(shapes: Mapping[str, Shape]) -> Roles:
    """The embeddings and the head among tensors by canonical name; the one nearest to the root counts."""
    outer = {name: shapes[name] for name in _outside(tuple(shapes)) if len(shapes[name]) == 2}
    embeddings = _nearest(name for name in outer if _words(name) & EMBEDDINGS)
    size = outer.get(embeddings) if embeddings is not None else None
    head = _nearest(name for name, shape in outer.items() if _is_head(name, shape, size))
    others = (name for name, shape in outer.items() if shape == size and not _words(name) & EMBEDDINGS)
    return Roles(embeddings, head, tuple(name for name in others if name != head))


@lru_cache(maxsize=4)  # models that are compared mostly have the same names
def _outside(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of what is in no layer, and in no part beside the text model."""
    outside = filterfalse(INSIDE.search, names)
    return tuple(name for name in outside if not VISION.match(name) and not MTP.search(name))


def vocabulary_role(name: str) -> Component | None:
    """HEAD or EMBEDDINGS for a tensor that the table knows by its canonical name alone, else None."""
    words = frozenset() if INSIDE.search(name) or VISION.match(name) or MTP.search(name) else _words(name)
    if words & HEADS:
        return Component.HEAD
    return Component.EMBEDDINGS if words & EMBEDDINGS else None


def may_be_head(name: str) -> bool:
    """Whether the table knows the name as a head's, if the shape agrees."""
    return not INSIDE.search(name) and bool(_words(name) & (HEADS | HEADS_IF_ALIKE))


def text_config(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The part of `config.json` that describes the text model: nested in multimodal checkpoints, else the whole."""
    nested = (config or {}).get("text_config")
    return nested if isinstance(nested, dict) else (config or {})


def sections_of(config: Mapping[str, Any] | None, *keys: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects under these keys of the whole model, and then of its text part, each with its key."""
    for own in (config or {}, text_config(config)):
        for key in keys:
            section = own.get(key)
            if isinstance(section, dict):
                yield key, section


def generates(config: Mapping[str, Any] | None) -> bool:
    """Whether the config names an architecture that has a head over the vocabulary."""
    names = (config or {}).get("architectures")
    return isinstance(names, list) and bool(names) and str(names[0]).endswith(GENERATES)


def says_tied(config: Mapping[str, Any] | None) -> bool | None:
    """Whether the config says that the head is the embeddings once more; None where it says nothing."""
    whole = config or {}
    said = whole.get("tie_word_embeddings", text_config(whole).get("tie_word_embeddings"))
    return said if isinstance(said, bool) else None


def _is_head(name: str, shape: Shape, size: Shape | None) -> bool:
    words = _words(name)
    return bool(words & HEADS) or (shape == size and bool(words & HEADS_IF_ALIKE))


def _words(name: str) -> frozenset[str]:
    """The last one, two and three words of a weight's name; none for anything else."""
    if not name.endswith(".weight"):
        return frozenset()
    parts = name.split(".")[-4:-1]
    return frozenset(".".join(parts[first:]) for first in range(len(parts)))


def _nearest(names: Any) -> str | None:
    """The name with the fewest words, the first of several."""
    return min(names, key=lambda name: name.count("."), default=None)
