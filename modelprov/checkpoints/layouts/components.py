"""What a tensor does in the model, by its canonical name and shape. Tables of words; no bytes, no other tensors."""

from __future__ import annotations

import re

from modelprov.checkpoints.types import Component

LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.([0-9]{1,6})\.")
EXPERT = re.compile(r"\.experts\.([0-9]{1,6})\.")

VISION = re.compile(
    r"(?:model\.)?(?:visual|vision_tower|vision_model|vision_encoder|vit|multi_modal_projector|mm_projector|embed_vision"
    r"|image_newline)(?:\.|$)"
)
MTP = re.compile(r"(?:^|\.)mtp(?:\.|_|$)")

# First match wins; searched in the canonical name, after norms and vectors were taken out.
WORDS = (
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


def component_of(name: str, shape: tuple[int, ...]) -> tuple[int | None, Component, int | None]:
    """Layer, component and expert of the canonical tensor `name`; None where there is none.

    Vision and MTP blocks count their own layers, so they get none: a layer is one of the text model. Norm weights,
    biases and every other vector are norms, except a router's.
    """
    expert = int(found[1]) if (found := EXPERT.search(name)) else None
    if VISION.match(name):
        return None, Component.VISION, expert
    if MTP.search(name):
        return None, Component.MTP, expert
    layer = int(found[1]) if (found := LAYER.search(name)) else None
    if ROUTER.search(name):
        return layer, Component.ROUTER, expert
    if sum(side != 1 for side in shape) < 2 or NORM.search(name):
        return layer, Component.NORMS, expert
    for component, words in WORDS:
        if words.search(name):
            return layer, component, expert
    return layer, Component.OTHER, expert
