"""How families store a model in layouts of their own, and which tensors of the usual layout that makes. No bytes.

Sources: Meta's and Mistral's programs (pairs of a rotary embedding lie side by side; transformers has all firsts, then
all seconds), InternLM2's and transformers' models (q, k and v of a group of heads lie together), GPT-2's Conv1D and the
expert stacks of Llama-4, Qwen3-VL and gpt-oss (inputs before outputs). What names and shapes leave open is not decided
here: such a tensor has a reason instead of parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.layouts.roles import LAYER as LAYER_NUMBER
from modelprov.checkpoints.layouts.roles import MTP, VISION, Shape

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """A tensor of another layout, made of a matrix that begins `offset` elements into the stored tensor.

    `stored` are that matrix's rows and columns, `rows` the rows (`turned`: the columns) that are taken, in this order.
    """

    name: str
    shape: Shape
    offset: int
    stored: tuple[int, int]
    rows: Int64
    turned: bool = False


@dataclass(frozen=True)
class Reading:
    """What a stored tensor is in another layout, in words, its parts there, or why it cannot be told (`open`)."""

    layout: str
    parts: tuple[Part, ...] = ()
    open: str = ""
    wanted: str = ""
    """Where it is open, a name that another model has if it matters."""
    forced: bool = False
    """Whether the parts have the tensor's own name, so that neither name nor shape need show that it is meant."""


@dataclass(frozen=True)
class Geometry:
    """What is known of a model: dimensions of a head, every number that is said, and its `model_type` ("": nothing)."""

    widths: frozenset[int]
    kind: str = ""

    def width(self, *rows: int) -> int | str:
        """Dimensions of a head that divide all of these numbers of rows, or why they are not known."""
        if not self.widths:
            return "nothing says how many heads there are"
        if len(self.widths) > 1:
            return f"heads of {' and of '.join(map(str, sorted(self.widths)))} dimensions are said"
        (width,) = self.widths
        return f"heads of {width} dimensions do not divide it" if any(own % width for own in rows) else width


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
UNKNOWN_KINDS = ("minimax", "codegen", "moss")
"""The same of families that have another order under one of these words."""

CONV1D = re.compile(r".*\.(?:c_attn|c_proj|c_fc|q_attn)\.weight")
STACK = re.compile(r"(?P<block>.*\.)experts\.(?P<what>gate_up_proj|down_proj)(?P<bias>_bias)?")
IN_HALVES = ("llama4", "qwen3_vl", "qwen3_omni")
"""Beginnings of the `model_type` of families whose transposed stacks have all gates before all ups."""

ROOT = "tok_embeddings.weight"
"""In a model of Meta or Mistral; InternLM2 has it behind `model.`."""

Shapes = Mapping[str, Shape]
Threes = dict[tuple[str, str], tuple[str, str, str] | None]


def is_makers(shapes: Shapes) -> bool:
    """Whether names are those of Meta, Mistral or InternLM2."""
    return any(map(MAKERS.fullmatch, shapes))


def makers_reading(name: str, shapes: Shapes, geometry: Geometry) -> Reading | None:
    """What a tensor of such a model is in the usual layout; None for one that is nothing there."""
    shape = shapes[name]
    if (outer := OUTER.fullmatch(name)) is not None:
        return _renamed(f"{OUTER_WORDS[outer['word']]}.{outer['kind']}", shape)
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
    by_groups = _by_groups(found["word"], geometry.kind, shapes, sizes[0] == sizes[1])
    layout = f"with {found['word']} for q, k and v"
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
        rows = _span(0, sizes[0]), _span(sizes[0], sizes[1]), _span(sizes[0] + sizes[1], sizes[2])
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
        query = QUERY.fullmatch(name)
        if query is None:
            continue
        before, (key, value) = name[: query.start("word")], BESIDE[query["word"]]
        three = (name, f"{before}{key}.{query['kind']}", f"{before}{value}.{query['kind']}")
        place = (_place(name), query["kind"])
        found[place] = three if place not in found and held.issuperset(three) else None
    return found


def may_be_seen_otherwise(shapes: Shapes) -> bool:
    """Whether any stored name or stack is of a layout that is told here: quickly, for models of many tensors."""
    if any(name.endswith(SIGNS) for name in shapes):
        return True
    stacks = [name for name in shapes if name.endswith(".experts.gate_up_proj")]
    return any(
        _inputs_first(shapes[name], shapes.get(f"{name[: -len('gate_up_proj')]}down_proj", ())) for name in stacks
    )


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
    part = Part(name, shape[::-1], 0, (shape[0], shape[1]), _span(0, shape[1]), turned=True)
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


def _experts(block: str, gate_up: bool, shape: Shape, interleaved: bool) -> Iterator[Part]:
    experts, outputs = shape[0], shape[-1]
    matrix = (shape[1], outputs) if len(shape) == 3 else (outputs, 1)
    kind = "weight" if len(shape) == 3 else "bias"
    half = outputs // 2
    both = (("gate_proj", _span(0, half)), ("up_proj", _span(half, half)))
    if interleaved:
        both = (("gate_proj", _span(0, half, 2)), ("up_proj", _span(1, half, 2)))
    for expert in range(experts):
        for word, rows in both if gate_up else (("down_proj", _span(0, outputs)),):
            own = (rows.size, shape[1]) if len(shape) == 3 else (rows.size,)
            at = expert * matrix[0] * matrix[1]
            yield Part(f"{block}experts.{expert}.{word}.{kind}", own, at, matrix, rows, turned=len(shape) == 3)


def _inputs_first(gate_up: Shape, down: Shape) -> bool:
    """Whether a pair of stacks is [E, H, 2I] and [E, I, H], and not [E, 2I, H] and [E, H, I]."""
    if len(gate_up) != 3 or len(down) != 3 or gate_up[0] != down[0] or gate_up[2] % 2:
        return False
    return down[1:] == (gate_up[2] // 2, gate_up[1])


def _renamed(name: str, shape: Shape) -> Reading:
    width = int(np.prod(shape[1:], dtype=object))
    return Reading(
        PAIRED, (Part(name, shape, 0, (shape[0] if shape else 1, width), _span(0, shape[0] if shape else 1)),)
    )


def _paired(stored: str, name: str, shapes: Shapes, geometry: Geometry) -> Reading:
    """Rows of q or k from pairs to halves, within each head."""
    shape = shapes[stored]
    attention = stored.rpartition(".attention.")[0] + ".attention."
    width = geometry.width(shape[0])
    if ROOT not in shapes or f"{attention}q_norm.weight" in shapes or f"{attention}k_norm.weight" in shapes:
        width = "whether its rows are pairs is not known"
    elif isinstance(width, int) and width % 2:
        width = f"heads of {width} dimensions have no halves"
    if isinstance(width, str):
        return Reading(PAIRED, open=width, wanted=name)
    matrix = (shape[0], shape[1] if len(shape) == 2 else 1)
    return Reading(PAIRED, (Part(name, shape, 0, matrix, _halves(shape[0], width)),))


def _place(name: str) -> str:
    """The layer of a text model that a tensor is in, whatever stands before it; else the names of all around it."""
    layer = LAYER_NUMBER.search(name)
    if layer is None or VISION.match(name) or MTP.search(name):
        return name.rpartition(".")[0].rpartition(".")[0]
    return layer[1]


def _by_groups(word: str, kind: str, shapes: Shapes, alike: bool) -> bool | None:
    """Whether q, k and v of a group of heads lie together, q as large as k where they are `alike`; None: not known."""
    if kind.startswith(UNKNOWN_KINDS) or (word == "wqkv" and ROOT in shapes):  # Meta's Llama-4 has this word, too
        return None
    if kind.startswith("chatglm") and alike:  # the first one lies head by head, its successors do not
        return None
    if word in BY_GROUPS:
        return True
    if word in IN_A_ROW:
        return False
    if kind.startswith(GROUPED_KINDS):
        return True
    return False if kind.startswith(ROW_KINDS) else None


@lru_cache(maxsize=256)
def _span(first: int, count: int, step: int = 1) -> Int64:
    return first + step * np.arange(count)


@lru_cache(maxsize=64)
def _halves(rows: int, width: int) -> Int64:
    return np.arange(rows).reshape(-1, width // 2, 2).swapaxes(1, 2).reshape(-1)


@lru_cache(maxsize=64)
def _grouped(groups: int, queries: int, width: int) -> tuple[Int64, Int64, Int64]:
    """Rows of q, k and v where each of the groups has `queries` rows of q, then `width` of k and of v."""
    rows = np.arange(groups * (queries + 2 * width)).reshape(groups, -1)
    cuts = (slice(0, queries), slice(queries, queries + width), slice(queries + width, None))
    q, k, v = (rows[:, cut].reshape(-1) for cut in cuts)
    return q, k, v
