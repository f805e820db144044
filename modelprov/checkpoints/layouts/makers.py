"""Names and order of Meta's and Mistral's own files, and which tensors of the usual layout that makes. No bytes.

Their programs have the two numbers of a rotary pair side by side; transformers has all firsts of a head, then all
seconds. InternLM2 has the same names behind `model.`, and another order. What names and shapes leave open is not
decided here: such a tensor has a reason instead of parts.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from modelprov.checkpoints.layouts.readings import Geometry, Int64, Part, Reading, Shapes, span
from modelprov.checkpoints.layouts.roles import Shape

# Meta's and Mistral's words, and InternLM2's, which has them behind `model.`.
PAIRED = "of Meta and Mistral"
MAKERS = re.compile(r"(?:model\.)?layers\.\d+\.attention\.(?:wq|wqkv)\.weight")
LAYER = re.compile(r"(?:model\.)?layers\.(?P<layer>\d+)\.(?P<rest>.+)")
OUTER = re.compile(r"(?:model\.)?(?P<word>tok_embeddings|output|norm)\.(?P<kind>weight|bias)")
OUTER_WORDS = {"tok_embeddings": "model.embed_tokens", "output": "lm_head", "norm": "model.norm"}
INNER = re.compile(
    r"(?P<word>attention\.w[qkvo]|feed_forward\.gate|attention_norm|ffn_norm"
    r"|(?:feed_forward|mlp)\.(?:experts\.\d+\.)?w[123])\.(?P<kind>weight|bias)"
)
INNER_WORDS = {
    "attention.wo": "self_attn.o_proj", "attention.wv": "self_attn.v_proj", "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj", "feed_forward.gate": "mlp.gate", "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}  # fmt: skip
MLP_WORDS = {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}
SEES = re.compile(
    r"vision_encoder\.(?P<before>(?:.+\.)?)(?P<word>attention\.w[qkvo]|feed_forward\.w[123])\.(?P<kind>weight|bias)"
)
SEES_WORDS = {"wq": "q_proj", "wk": "k_proj", "wv": "v_proj", "wo": "o_proj"} | MLP_WORDS
BRIDGES = {
    "vision_encoder.": "vision_tower.", "vision_language_adapter.w_in.": "multi_modal_projector.linear_1.",
    "vision_language_adapter.w_out.": "multi_modal_projector.linear_2.",
    "patch_merger.": "multi_modal_projector.patch_merger.", "pre_mm_projector_norm.": "multi_modal_projector.norm.",
}  # fmt: skip
"""Mistral's words around the part that sees, as transformers' own table of conversions has them."""
ROOT = "tok_embeddings.weight"
"""In a model of Meta or Mistral; InternLM2 has it behind `model.`."""


def is_makers(shapes: Shapes) -> bool:
    """Whether names are those of Meta, Mistral or InternLM2."""
    return any(map(MAKERS.fullmatch, shapes))


def makers_reading(name: str, shapes: Shapes, geometry: Geometry) -> Reading | None:
    """What a tensor of such a model is in the usual layout; None for one that is nothing there."""
    shape = shapes[name]
    if (outer := OUTER.fullmatch(name)) is not None:
        return _renamed(f"{OUTER_WORDS[outer['word']]}.{outer['kind']}", shape)
    if (bridge := next((before for before in BRIDGES if name.startswith(before)), None)) is not None:
        return _seeing(name, f"{BRIDGES[bridge]}{name.removeprefix(bridge)}", shapes, geometry)
    layer = LAYER.fullmatch(name)
    found = INNER.fullmatch(layer["rest"]) if layer is not None else None
    if layer is None or found is None:
        return None
    before, word = f"model.layers.{layer['layer']}.", found["word"]
    if word in ("attention.wq", "attention.wk"):
        return _paired(name, f"{before}{INNER_WORDS[word]}.{found['kind']}", shapes, geometry)
    if word in INNER_WORDS:
        return _renamed(f"{before}{INNER_WORDS[word]}.{found['kind']}", shape)
    place, _, last = word.rpartition(".")
    place = place.replace("feed_forward", "mlp")
    return _renamed(f"{before}{place}.{MLP_WORDS[last]}.{found['kind']}", shape)


def _renamed(name: str, shape: Shape) -> Reading:
    width = int(np.prod(shape[1:], dtype=object))
    return Reading(
        PAIRED, (Part(name, shape, 0, (shape[0] if shape else 1, width), span(0, shape[0] if shape else 1)),)
    )


def _seeing(stored: str, name: str, shapes: Shapes, geometry: Geometry) -> Reading:
    """A tensor of the part that sees, or of what joins it to the text model, called `name` but for the last words."""
    found = SEES.fullmatch(stored)
    if found is None:
        return _renamed(name, shapes[stored])
    place, _, last = found["word"].rpartition(".")
    name = f"vision_tower.{found['before']}{place}.{SEES_WORDS[last]}.{found['kind']}"
    if last in ("wq", "wk"):
        return _paired(stored, name, shapes, geometry, vision=True)
    return _renamed(name, shapes[stored])


def _paired(stored: str, name: str, shapes: Shapes, geometry: Geometry, vision: bool = False) -> Reading:
    """Rows of q or k from pairs to halves, within each head; of plain attention alone, with q, k and v of its own."""
    shape = shapes[stored]
    attention = stored.rpartition(".attention.")[0] + ".attention."
    width = geometry.width(shape[0], vision=vision)
    plain = ROOT in shapes and all(f"{attention}{word}.weight" in shapes for word in ("wq", "wk", "wv"))
    if not plain or f"{attention}q_norm.weight" in shapes or f"{attention}k_norm.weight" in shapes:
        width = "whether its rows are pairs is not known"
    elif isinstance(width, int) and width % 2:
        width = f"heads of {width} dimensions have no halves"
    if isinstance(width, str):
        return Reading(PAIRED, open=width, wanted=name)
    matrix = (shape[0], shape[1] if len(shape) == 2 else 1)
    return Reading(PAIRED, (Part(name, shape, 0, matrix, _halves(shape[0], width)),))


@lru_cache(maxsize=64)
def _halves(rows: int, width: int) -> Int64:
    return np.arange(rows).reshape(-1, width // 2, 2).swapaxes(1, 2).reshape(-1)
