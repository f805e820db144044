"""Fused q, k and v, Conv1D and stacks of experts as their families store them, and what they are apart. No bytes.

Sources: the models of transformers, InternLM2 and Megatron (q, k and v of a group of heads lie together), GPT-2's
Conv1D and the expert stacks of Llama-4, Qwen3-VL and gpt-oss (inputs before outputs). What names and shapes leave open
is not decided here: such a tensor has a reason instead of parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from modelprov.checkpoints.layouts.expert_stacks import DBRX, FLAT, TURNED, flat_experts
from modelprov.checkpoints.layouts.makers import ROOT
from modelprov.checkpoints.layouts.numbered import kinds_of
from modelprov.checkpoints.layouts.readings import Geometry, Int64, Part, Reading, Shapes, span
from modelprov.checkpoints.layouts.roles import LAYER, MTP, VISION, Shape
from modelprov.checkpoints.types import TensorRef

ATTENTION = r"(?:self_attn|attn|attention|self_attention)"
FUSED = re.compile(
    rf"(?P<block>.*\.)?{ATTENTION}\.(?P<word>query_key_value|linear_qkv|wqkv|qkv_proj|qkv|W_pack|Wqkv|c_attn|att_proj"
    r"|in_proj)[._](?P<kind>weight|bias)"
)
QUERY = re.compile(rf"(?P<block>.*\.)?{ATTENTION}\.(?P<word>q_proj|query|q|to_q|q_lin)\.(?P<kind>weight|bias)")
BESIDE = {
    "q_proj": ("k_proj", "v_proj"), "query": ("key", "value"), "q": ("k", "v"), "to_q": ("to_k", "to_v"),
    "q_lin": ("k_lin", "v_lin"),
}  # fmt: skip
QUERIES = tuple(f".{word}.{kind}" for word in BESIDE for kind in ("weight", "bias"))
SIGNS = tuple(
    f".{word}{kind}"
    for word in ("attention.wq", "c_fc", "query_key_value", "linear_qkv", "wqkv", "qkv_proj", "qkv", "W_pack", "Wqkv",
                 "c_attn", "att_proj", "in_proj")
    for kind in (".weight", "_weight")
)  # fmt: skip
"""Endings of names of which a model in one of these layouts has one at least."""
BY_GROUPS = frozenset({"wqkv", "linear_qkv"})
"""Words under which q, k and v of every group of heads lie together, whoever writes them (InternLM2, Megatron)."""
IN_A_ROW = frozenset({"qkv_proj", "qkv", "W_pack", "Wqkv", "att_proj", "in_proj"})
"""Words under which all of q lie before all of k and all of v."""
GROUPED_KINDS = ("gpt_neox", "bloom", "falcon", "refinedweb", "persimmon")
"""Beginnings of the `model_type` of families whose `query_key_value` lies by groups of heads."""
ROW_KINDS = ("chatglm", "glm", "qwen", "gpt2")
"""The same of families whose `query_key_value` or `c_attn` has all of q first."""
BIGCODE = "gpt_bigcode"
"""The same of a family that has all of q first where there is one head of k and v, else q, k and v of every head."""
IN_FOURS, FOURS = ("codegen", "moss"), 4
"""The same of families whose `qkv_proj` was cut for four processors: of each its q, its v and its k."""
UNKNOWN_KINDS = ("minimax", *IN_FOURS)
"""The same of families that have another order under one of these words."""

CONV1D = re.compile(r".*\.(?:c_attn|c_proj|c_fc|q_attn)\.weight")
STACK = re.compile(r"(?P<block>.*\.)experts\.(?P<what>gate_up_proj|down_proj)(?P<bias>_bias)?")
STACKS = ".experts.gate_up_proj"
FLAT_STACK = f".experts.mlp.{TURNED}"
IN_HALVES = ("llama4", "qwen3_vl", "qwen3_omni")
"""Beginnings of the `model_type` of families whose transposed stacks have all gates before all ups."""
Threes = dict[tuple[str, str], tuple[str, str, str] | None]


def fused_reading(name: str, shapes: Shapes, geometry: Geometry, others: Shapes, threes: Threes) -> Reading | None:
    """What a fused q, k and v is beside a model that stores the three; None where that has none of these sizes.

    `others` are that model's shapes, `threes` the `threes_of` them.
    """
    found = FUSED.fullmatch(name)
    shape = shapes[name]
    targets = None if found is None or not 1 <= len(shape) <= 2 else threes.get((_place(name), found["kind"]))
    if found is None or targets is None:
        return None
    sizes = [others[target][0] for target in targets]
    turned = found["word"] == "c_attn" and len(shape) == 2 and shape[0] != sum(sizes) == shape[1]
    height, *width = shape[::-1] if turned else shape
    if sum(sizes) != height or sizes[1] != sizes[2] or any(list(others[each][1:]) != width for each in targets):
        return None
    by_groups = _by_groups(found["word"], geometry, shapes, sizes[0], sizes[1])
    layout = f"with {found['word']} for q, k and v"
    if geometry.kind.startswith(IN_FOURS) and found["word"] == "qkv_proj":
        if height % (3 * FOURS):
            return Reading(layout, open=f"its rows are not {FOURS} times q, v and k", wanted=targets[0])
        return _three(layout, targets, others, shape, _in_fours(sizes[0]), turned)
    if by_groups is None:
        why = "whether q, k and v lie one after the other or head by head is not known"
        return Reading(layout, open=why, wanted=targets[0])
    if by_groups:
        dimensions = geometry.width(*sizes)
        if isinstance(dimensions, str):
            return Reading(layout, open=dimensions, wanted=targets[0])
        groups = sizes[1] // dimensions
        if sizes[0] % groups:
            return Reading(layout, open=f"{groups} groups do not divide q", wanted=targets[0])
        rows = _grouped(groups, sizes[0] // groups, dimensions)
    else:
        rows = span(0, sizes[0]), span(sizes[0], sizes[1]), span(sizes[0] + sizes[1], sizes[2])
    return _three(layout, targets, others, shape, rows, turned)


def _three(
    layout: str, targets: Sequence[str], others: Shapes, shape: Shape, rows: Sequence[Int64], turned: bool
) -> Reading:
    """The fused tensor as three, each of some of its rows."""
    matrix = (shape[0], shape[1]) if len(shape) == 2 else (shape[0], 1)
    parts = tuple(
        Part(target, others[target], 0, matrix, own, turned) for target, own in zip(targets, rows, strict=True)
    )
    return Reading(layout, parts)


def threes_of(names: Iterable[str]) -> Threes:
    """The names of q, k and v by layer and kind; None where a layer has several."""
    held = set(names)
    found: Threes = {}
    for name in held:
        query = QUERY.fullmatch(name) if name.endswith(QUERIES) else None
        if query is None:
            continue
        before, (key, value) = name[: query.start("word")], BESIDE[query["word"]]
        three = (name, f"{before}{key}.{query['kind']}", f"{before}{value}.{query['kind']}")
        place = (_place(name), query["kind"])
        found[place] = three if place not in found and held.issuperset(three) else None
    return found


def may_be_seen_otherwise(tensors: Mapping[str, TensorRef]) -> list[str]:
    """The stored names and stacks that are of a layout that is told here: quickly, for models of many tensors."""
    names = tuple(tensors)
    kinds = kinds_of(names)
    signs = {kind for kind in set(kinds) if kind.endswith((*SIGNS, STACKS, FLAT_STACK))}
    found = []
    for name in (name for name, kind in zip(names, kinds, strict=True) if kind in signs) if signs else ():
        down = tensors.get(f"{name.removesuffix('gate_up_proj')}down_proj") if name.endswith(STACKS) else None
        if not name.endswith(STACKS) or (down is not None and _inputs_first(tensors[name].shape, down.shape)):
            found.append(name)
    return found


def has_own_order(name: str) -> bool:
    """Whether a tensor of this name may hold its rows in an order of its own, so that no shape says what it is."""
    if ".attention.w" in name and name.endswith((".wq.weight", ".wk.weight", ".wq.bias", ".wk.bias")):
        return True
    return FUSED.fullmatch(name) is not None or ".experts.gate_up_proj" in name


def is_conv1d(shapes: Shapes, others: Shapes) -> bool:
    """Whether matrices are stored inputs first, as GPT-2's are, where `others` have those of the same names turned."""
    wide = [name for name in shapes if name.endswith((".c_fc.weight", ".c_attn.weight")) and name in others]
    wide = [name for name in wide if len(shapes[name]) == 2 and shapes[name][0] < shapes[name][1]]
    return bool(wide) and all(others[name] == shapes[name][::-1] for name in wide)


def turned_reading(name: str, shape: Shape) -> Reading | None:
    """A matrix of Conv1D as one of Linear, under the same name."""
    if CONV1D.fullmatch(name) is None or len(shape) != 2:
        return None
    part = Part(name, shape[::-1], 0, (shape[0], shape[1]), span(0, shape[1]), turned=True)
    return Reading("of Conv1D, inputs before outputs", (part,), forced=True)


def stack_reading(name: str, shapes: Shapes, geometry: Geometry) -> Reading | None:
    """Experts of a stack [experts, inputs, outputs] as single matrices; None for a stack in the usual order."""
    found = STACK.fullmatch(name)
    if found is None:
        return None
    pair = [shapes.get(f"{found['block']}experts.{what}", ()) for what in ("gate_up_proj", "down_proj")]
    if not _inputs_first(*pair):
        return None
    layout = "of expert stacks, inputs before outputs"
    biased = f"{found['block']}experts.gate_up_proj_bias" in shapes
    interleaved = biased or geometry.kind.startswith("gpt_oss")
    gate_up = found["what"] == "gate_up_proj"
    if gate_up and not interleaved and not geometry.kind.startswith(IN_HALVES) and ".feed_forward." not in name:
        wanted = f"{found['block']}experts.0.gate_proj.weight"
        return Reading(layout, open="whether gates and ups alternate is not known", wanted=wanted)
    experts = pair[0][0]
    shape = shapes[name]
    if shape[0] != experts or len(shape) != (2 if found["bias"] else 3):
        return None
    return Reading(layout, tuple(_experts(found["block"], gate_up, shape, interleaved)))


def flat_reading(name: str, shapes: Shapes) -> Reading | None:
    """Experts of DBRX's `w2`, one below the other and inputs first, as single matrices; None for any other tensor."""
    found = FLAT.fullmatch(name)
    if found is None or found["word"] != TURNED or len(shapes[name]) != 2:
        return None
    layout = "of flat expert stacks, inputs before outputs"
    flat = flat_experts(name, shapes[name], shapes, {})
    if flat is None:
        wanted = f"{found['block']}.experts.0.{DBRX[TURNED]}.weight"
        return Reading(layout, open="no router says how many experts there are", wanted=wanted)
    block, _, experts = flat
    units, hidden = shapes[name][0] // experts, shapes[name][1]
    return Reading(layout, tuple(
        Part(f"{block}.experts.{expert}.{DBRX[TURNED]}.weight", (hidden, units), expert * units * hidden,
             (units, hidden), span(0, hidden), turned=True)
        for expert in range(experts)
    ))  # fmt: skip


def _experts(block: str, gate_up: bool, shape: Shape, interleaved: bool) -> Iterator[Part]:
    experts, outputs = shape[0], shape[-1]
    matrix = (shape[1], outputs) if len(shape) == 3 else (outputs, 1)
    kind = "weight" if len(shape) == 3 else "bias"
    half = outputs // 2
    both = (("gate_proj", span(0, half)), ("up_proj", span(half, half)))
    if interleaved:
        both = (("gate_proj", span(0, half, 2)), ("up_proj", span(1, half, 2)))
    for expert in range(experts):
        for word, rows in both if gate_up else (("down_proj", span(0, outputs)),):
            own = (rows.size, shape[1]) if len(shape) == 3 else (rows.size,)
            at = expert * matrix[0] * matrix[1]
            yield Part(f"{block}experts.{expert}.{word}.{kind}", own, at, matrix, rows, turned=len(shape) == 3)


def _inputs_first(gate_up: Shape, down: Shape) -> bool:
    """Whether a pair of stacks is [E, H, 2I] and [E, I, H], and not [E, 2I, H] and [E, H, I]."""
    if len(gate_up) != 3 or len(down) != 3 or gate_up[0] != down[0] or gate_up[2] % 2:
        return False
    return down[1:] == (gate_up[2] // 2, gate_up[1])


def _place(name: str) -> str:
    """The layer of a text model that a tensor is in, whatever stands before it; else the names of all around it."""
    layer = LAYER.search(name)
    if layer is None or VISION.match(name) or MTP.search(name):
        return name.rpartition(".")[0].rpartition(".")[0]
    return layer[1]


def _by_groups(word: str, geometry: Geometry, shapes: Shapes, queries: int, keys: int) -> bool | None:
    """Whether q, k and v of a group of heads lie together, of so many rows of q and of k; None: not known."""
    kind, alike = geometry.kind, queries == keys
    if kind.startswith(UNKNOWN_KINDS) or (word == "wqkv" and ROOT in shapes):  # Meta's Llama-4 has this word, too
        return None
    if kind.startswith("chatglm") and alike:  # the first one lies head by head, its successors do not
        return None
    if word in BY_GROUPS:
        return True
    if word in IN_A_ROW:
        return False
    if kind.startswith(BIGCODE):
        return alike
    if geometry.widths == {keys} and not alike:  # a single head of k and v: both orders are the same
        return False
    if kind.startswith(GROUPED_KINDS):
        return True
    return False if kind.startswith(ROW_KINDS) else None


@lru_cache(maxsize=64)
def _in_fours(rows: int) -> tuple[Int64, Int64, Int64]:
    """Rows of q, k and v where a quarter of the rows of each lies together, q before v before k."""
    q, v, k = np.moveaxis(np.arange(3 * rows).reshape(FOURS, 3, -1), 1, 0).reshape(3, -1)
    return q, k, v


@lru_cache(maxsize=64)
def _grouped(groups: int, queries: int, width: int) -> tuple[Int64, Int64, Int64]:
    """Rows of q, k and v where each of the groups has `queries` rows of q, then `width` of k and of v."""
    rows = np.arange(groups * (queries + 2 * width)).reshape(groups, -1)
    cuts = (slice(0, queries), slice(queries, queries + width), slice(queries + width, None))
    q, k, v = (rows[:, cut].reshape(-1) for cut in cuts)
    return q, k, v
