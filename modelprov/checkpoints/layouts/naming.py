"""Canonical names: one name and one contiguous view for the same weights, however a checkpoint spells or fuses them.

Pure arithmetic on names, shapes and byte offsets: nothing is read, nothing is copied. Add a family by adding a line to
a table. The rules are those of transformers' own conversions (Mixtral, Qwen-MoE, Phi-3), restated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from modelprov.checkpoints.layouts.expert_stacks import FLAT, flat_experts, flat_parts, usual_name
from modelprov.checkpoints.layouts.numbered import kinds_of
from modelprov.checkpoints.layouts.roles import Shape, generates, roles_of, says_tied, text_config, vocabulary_role
from modelprov.checkpoints.types import Checkpoint, TensorRef, TensorView, many

Canonical = tuple[str, TensorView, Shape]

# Wrappers that training code leaves around a model, stripped first, as often as they occur.
WRAPPERS = (
    "_orig_mod.", "module.", "base_model.model.", "_fsdp_wrapped_module.", "_forward_module.", "_model.",
    "_checkpoint_wrapped_module.",
)  # fmt: skip

# First match wins. The text model is `model.`, the vision tower and MTP block stand beside it.
PREFIXES = (
    ("model.language_model.model.", "model."),
    ("model.language_model.lm_head.", "lm_head."),
    ("model.language_model.", "model."),
    ("language_model.model.", "model."),
    ("language_model.lm_head.", "lm_head."),
    ("language_model.", "model."),
    ("model.lm_head.", "lm_head."),
    ("model.visual.", "visual."),
    ("model.vision_tower.", "vision_tower."),
    ("model.vision_model.", "vision_model."),
    ("model.multi_modal_projector.", "multi_modal_projector."),
    ("model.mtp.", "mtp."),
    ("embed_out.", "lm_head."),  # GPT-NeoX, as transformers 5 reads it
    # Bare models, saved without their head.
    ("layers.", "model.layers."),
    ("embed_tokens.", "model.embed_tokens."),
    ("norm.", "model.norm."),
    ("h.", "transformer.h."),
    ("wte.", "transformer.wte."),
    ("wpe.", "transformer.wpe."),
    ("ln_f.", "transformer.ln_f."),
)

# Mixtral's words: w1 is the gate, w3 the up and w2 the down projection (transformers, modeling_mixtral.py).
MIXTRAL = re.compile(r"\.block_sparse_moe\.(gate\.|experts\.\d+\.)(w[123]\.)?")
MIXTRAL_WORDS = {"w1.": "gate_proj.", "w2.": "down_proj.", "w3.": "up_proj.", None: ""}

FUSED_EXPERTS = re.compile(r"(?P<block>.*)\.experts\.(?P<what>(?:gate_up|gate|up|down)_proj)(?:\.weight)?")
DENSE_GATE_UP = re.compile(r"(?P<parent>.*)\.gate_up_proj\.weight")
# Words under which q, k and v lie one after the other (Phi-3 and what vLLM writes; Baichuan; MPT and DBRX). What
# interleaves heads has others: query_key_value, wqkv, attn.qkv_proj (GPT-NeoX, Falcon, InternLM2, CodeGen).
QKV = re.compile(
    r"(?P<parent>.*\.(?:self_attn\.(?=qkv_proj|W_pack)|attn\.(?=Wqkv)))(?:qkv_proj|W_pack|Wqkv)\.(?P<kind>weight|bias)"
)
INTERLEAVED = ("minimax",)
"""Beginnings of the `model_type` of families that interleave heads under one of these words all the same."""
FUSED = (FUSED_EXPERTS, DENSE_GATE_UP, QKV, FLAT)
OUTPUTS = ("o_proj", "out_proj", "dense")

# What stands within a name: checkpointing, compilation, sharding and adapters wrap single layers.
WITHIN = re.compile(
    r"(?<=\.)(?:_checkpoint_wrapped_module|_fsdp_wrapped_module|_orig_mod|base_layer|original_module)\."
)

HEAD = "lm_head.weight"


def canonical_name(name: str) -> str:
    """The name in the common spelling; fused tensors keep their fused name."""
    while name.startswith(WRAPPERS):
        name = name.removeprefix(next(wrapper for wrapper in WRAPPERS if name.startswith(wrapper)))
    for prefix, replacement in PREFIXES:
        if name.startswith(prefix):
            name = replacement + name[len(prefix) :]
            break
    if "._" in name or ".base_layer." in name or ".original_module." in name:
        name = WITHIN.sub("", name)
    name = usual_name(name)
    if ".block_sparse_moe." in name:
        name = MIXTRAL.sub(lambda found: f".mlp.{found[1]}{MIXTRAL_WORDS[found[2]]}", name)
    return name


@lru_cache(maxsize=4)  # models that are compared mostly have the same names
def canonical_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """`canonical_name` of each: asked once for each kind of name, as it knows words and keeps all numbers."""
    kinds = kinds_of(names)
    rules = {kind: _head_of(kind) for kind in set(kinds)}
    return tuple(
        canonical_name(name) if (rule := rules[kind]) is None else rule[1] + name[rule[0] :]
        for name, kind in zip(names, kinds, strict=True)
    )


def _head_of(kind: str) -> tuple[int, str] | None:
    """How many characters at the beginning become which others; None where more than the words there changes."""
    name = canonical_name(kind)
    same = next((at for at, pair in enumerate(zip(reversed(kind), reversed(name), strict=False)) if len(set(pair)) > 1),
                min(len(kind), len(name)))  # fmt: skip
    old, new = kind[: len(kind) - same], name[: len(name) - same]
    return None if "0" in old + new else (len(old), new)


def canonical_views(checkpoint: Checkpoint) -> Iterator[Canonical]:
    """Every comparable tensor as (canonical name, contiguous view, shape), in file order; fused ones split.

    The views of one tensor cover it exactly once. A name can occur twice when a checkpoint stores the same weights in
    two spellings: the caller decides.
    """
    return zip(*canonical_columns(checkpoint), strict=True)


def canonical_columns(checkpoint: Checkpoint) -> tuple[Sequence[str], Sequence[TensorView], Sequence[Shape]]:
    """The same as three columns."""
    names, refs = canonical_names(tuple(checkpoint.tensors)), list(checkpoint.tensors.values())
    shapes = [ref.shape for ref in refs]
    counts = {shape: math.prod(shape) for shape in set(shapes)}
    views = many(TensorView, refs, [ref.start for ref in refs], map(counts.__getitem__, shapes))
    fused = _maybe_fused(names)
    if not fused:
        return names, views, shapes
    by_name, config = dict(zip(names, shapes, strict=True)), text_config(checkpoint.config)
    whole = list(zip(names, views, shapes, strict=True))
    found: list[Canonical] = []
    at = 0
    for place in fused:
        found += whole[at:place]
        found += _parts(whole[place], by_name, config)
        at = place + 1
    found += whole[at:]
    return [name for name, _, _ in found], [view for _, view, _ in found], [shape for _, _, shape in found]


@lru_cache(maxsize=4)
def _maybe_fused(names: tuple[str, ...]) -> tuple[int, ...]:
    """Where the names stand that tensors have which hold several."""
    kinds = kinds_of(names)
    fused = {kind for kind in set(kinds) if any(words.fullmatch(kind) for words in FUSED)}
    return tuple(place for place, kind in enumerate(kinds) if kind in fused) if fused else ()


def _parts(whole: Canonical, shapes: Mapping[str, Shape], config: Mapping[str, Any]) -> Iterable[Canonical]:
    """What a tensor holds: several where it is fused, else itself."""
    name, (ref, _, _), _ = whole
    if len(ref.shape) == 3 and (fused := FUSED_EXPERTS.fullmatch(name)):
        return _experts(fused["block"], fused["what"], ref, shapes, config)
    if len(ref.shape) == 2 and (dense := DENSE_GATE_UP.fullmatch(name)) and _rows_are_gate_up(ref, config, shapes):
        half = ref.shape[0] // 2
        return _rows(ref, [(f"{dense['parent']}.{part}_proj.weight", half) for part in ("gate", "up")])
    if flat := flat_experts(name, ref.shape, shapes, config):
        return _rows(ref, list(flat_parts(*flat, ref.shape)))
    if (qkv := QKV.fullmatch(name)) and (sizes := _qkv_rows(ref, qkv["parent"][:-1], shapes, config)):
        names = [f"{qkv['parent']}{part}_proj.{qkv['kind']}" for part in "qkv"]
        return _rows(ref, list(zip(names, sizes, strict=True)))
    return [whole]


def tied_head(checkpoint: Checkpoint) -> Canonical | None:
    """The embedding as `lm_head.weight`, when the checkpoint stores no head of its own but ties it to the embedding.

    Tied means: config says so, or says nothing and the architecture generates text, so that a head there must be.
    """
    tied = says_tied(checkpoint.config)
    if tied is False or (tied is None and not generates(checkpoint.config)):
        return None
    named = dict(zip(canonical_names(tuple(checkpoint.tensors)), checkpoint.tensors.values(), strict=True))
    roles = roles_of({name: ref.shape for name, ref in named.items()})
    if roles.head is not None or roles.embeddings is None:
        return None
    ref = named[roles.embeddings]
    alike = [name for name, other in named.items() if other.shape == ref.shape and vocabulary_role(name)]
    if len(alike) > 1:  # which of them is tied nobody can tell by names, and one of them may be a decoy
        return None
    return HEAD, TensorView(ref, ref.start, ref.count), ref.shape


def squeezed(shape: Shape) -> Shape:
    """A shape without its sides of length 1, which say nothing."""
    return tuple(side for side in shape if side != 1)


def _experts(
    block: str, what: str, ref: TensorRef, shapes: Mapping[str, Shape], config: Mapping[str, Any]
) -> Iterator[Canonical]:
    """A stack [E, A, B] as E slices; a gate_up stack [E, 2I, H] as gate (first I rows) and up of each expert."""
    experts, rows, columns = ref.shape
    if what == "gate_up_proj" and _gate_first(block, ref, shapes, config):
        parts = [(f"{what}_proj.weight", rows // 2) for what in ("gate", "up")]
    else:
        parts = [(f"{what}.weight", rows)]
    size = ref.dtype.size
    start = ref.start
    for expert in range(experts):
        for part, height in parts:
            yield f"{block}.experts.{expert}.{part}", TensorView(ref, start, height * columns), (height, columns)
            start += height * columns * size


def _gate_first(block: str, ref: TensorRef, shapes: Mapping[str, Shape], config: Mapping[str, Any]) -> bool:
    """Whether a stack [E, A, B] is [E, 2I, H], gate half first, and not a transposed or interleaved layout.

    Transposed layouts (Llama-4, gpt-oss) have the hidden size in the middle: the router [E, H], the config and the
    down projection [E, H, I] must agree with H last, and one of them must be there to say so.
    """
    experts, rows, columns = ref.shape
    router = shapes.get(f"{block}.gate.weight") or shapes.get(f"{block}.router.weight")
    down = shapes.get(f"{block}.experts.down_proj") or shapes.get(f"{block}.experts.down_proj.weight")
    signs = []
    if router is not None:
        signs.append(router == (experts, columns))
    elif type(config.get("hidden_size")) is int:
        signs.append(config["hidden_size"] == columns)
    if down is not None:
        signs.append(down == (experts, columns, rows // 2))
    # A square stack (2I = H) shows its layout only in the down projection.
    enough = down is not None if rows == columns else bool(signs)
    return rows % 2 == 0 and enough and all(signs)


def _rows_are_gate_up(ref: TensorRef, config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> bool:
    """Whether [A, B] is [2I, H]: H is known from the config or the embedding [V, H]."""
    hidden = config.get("hidden_size") or (shapes.get("model.embed_tokens.weight") or (0,))[-1]
    return ref.shape[1] == hidden and ref.shape[0] % 2 == 0


def _qkv_rows(
    ref: TensorRef, parent: str, shapes: Mapping[str, Shape], config: Mapping[str, Any]
) -> tuple[int, int, int] | None:
    """Row counts of q, k and v in a matrix or bias that holds them one after the other; None where that is open.

    The output projection [hidden, heads x width] has as many columns as q has rows, and k and v share the rest; the
    config's heads say the same. One of both must be there, and where both are, they must agree.
    """
    if str(config.get("model_type", "")).startswith(INTERLEAVED) or f"{parent}.output_gate.weight" in shapes:
        return None
    rows = ref.shape[0]
    found = set()
    for word in OUTPUTS:
        output = shapes.get(f"{parent}.{word}.weight")
        if output is not None and len(output) == 2 and output[1] < rows and (rows - output[1]) % 2 == 0:
            found.add((output[1], (rows - output[1]) // 2, (rows - output[1]) // 2))
    heads, hidden = config.get("num_attention_heads"), config.get("hidden_size")
    if type(heads) is int and heads > 0 and type(hidden) is int:
        groups, width = config.get("num_key_value_heads") or heads, config.get("head_dim") or hidden // heads
        if type(groups) is int and type(width) is int:
            found.add((heads * width, groups * width, groups * width))
    sizes = found.pop() if len(found) == 1 else None
    return sizes if sizes is not None and min(sizes) > 0 and sum(sizes) == rows else None


def _rows(ref: TensorRef, parts: list[tuple[str, int]]) -> Iterator[Canonical]:
    """Consecutive rows of one tensor under their own names."""
    width = math.prod(ref.shape[1:])
    start = ref.start
    for name, height in parts:
        yield name, TensorView(ref, start, height * width), (height, *ref.shape[1:])
        start += height * width * ref.dtype.size
