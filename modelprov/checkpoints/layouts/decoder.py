"""What each tensor of a decoder reads and writes: its axes, by name and shape alone. Reads no bytes, judges nothing.

A decoder's coordinates are those of its residual stream, of the units of each MLP or expert, of its queries, keys and
values, of its experts and of its vocabulary. Each has a key; two tensors whose sides carry one key must be reordered
together. A side whose coordinates nobody can know (of a layer of another kind) has none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.naming import canonical_views, tied_head
from modelprov.checkpoints.layouts.roles import Shape, roles_of, text_config
from modelprov.checkpoints.types import Checkpoint, Component, TensorView

RESIDUAL, VOCABULARY = "residual", "vocabulary"

# The last word before `.weight`; those of attention and of MLPs are told apart by the component.
WORDS: dict[Component, dict[str, tuple[str, ...]]] = {
    Component.ATTENTION: {
        "q": ("q_proj", "query", "wq"),
        "k": ("k_proj", "key", "wk"),
        "v": ("v_proj", "value", "wv"),
        "o": ("o_proj", "out_proj", "wo"),
    },
    Component.MLP: {
        "gate": ("gate_proj", "w1"),
        "up": ("up_proj", "w3", "fc1", "fc_in", "dense_h_to_4h", "c_fc"),
        "down": ("down_proj", "w2", "fc2", "fc_out", "dense_4h_to_h", "c_proj"),
    },
}
UNITS = (Component.MLP, Component.EXPERTS, Component.SHARED_EXPERT)
ATTENTION_NORMS = ("input_layernorm", "ln_1", "attention_norm", "attn_norm")
MLP_NORMS = ("pre_feedforward_layernorm", "post_attention_layernorm", "ln_2", "ffn_norm")
LAST_NORMS = ("model.norm.weight", "transformer.ln_f.weight", "norm.weight")
PLACE = re.compile(r"^(?P<block>.*\.(?:layers|h|blocks|block)\.\d+\.)(?P<rest>.*)$")
AXES = {"q": "queries", "k": "keys", "v": "values", "router": "experts"}
ONE_PLUS = ("gemma", "qwen3_next", "qwen3_5")
"""Families whose norms multiply by 1 + weight, by the beginning of their model type."""
SWAPPED = {"gate": "up", "up": "gate"}


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor in its decoder: `kind` is q, k, v, o, gate, up, down, router, embeddings, head, norm or other.

    `rows` and `columns` are the keys of its axes, None where nothing is known; `norm` the tensor whose gains stand
    before its columns. Of a vector only `rows` is meant. A matrix that is `flipped` is stored the other way round
    (GPT-2): its rows are what it reads from, and the norm stands before them.
    """

    name: str
    view: TensorView
    shape: Shape
    kind: str
    layer: int | None
    expert: int | None
    shared: bool
    rows: str | None
    columns: str | None
    norm: str | None
    flipped: bool = False

    @property
    def inner(self) -> str | None:
        """The key of the axis that is not the residual stream: of units, queries, keys or values."""
        return self.columns if self.flipped is not (self.kind in ("o", "down")) else self.rows


Key = tuple[int | None, str, int | None, bool]


@dataclass(frozen=True, eq=False)
class Decoder:
    """A checkpoint as a decoder of so many `hidden` dimensions; `one_plus` whether norms multiply by 1 + weight."""

    checkpoint: Checkpoint
    hidden: int
    places: Mapping[str, Place]
    embeddings: Place
    head: Place | None
    one_plus: bool

    @property
    def head_width(self) -> int | None:
        """Dimensions of a head as the config says, None where it says nothing."""
        config = text_config(self.checkpoint.config)
        heads, width = config.get("num_attention_heads"), config.get("head_dim")
        if type(width) is int and width > 0:
            return width
        return self.hidden // heads if type(heads) is int and 0 < heads <= self.hidden else None

    @property
    def told(self) -> bool:
        """Whether a config says of which family it is, and so what its norms multiply by."""
        return bool(text_config(self.checkpoint.config).get("model_type"))

    def read_as(self, *, one_plus: bool, swapped: bool) -> Decoder:
        """The same tensors, norms read as multiplying by 1 + weight or not, gates and ups `swapped` or as named."""
        places = self.places
        if swapped:
            places = {name: replace(place, kind=SWAPPED.get(place.kind, place.kind)) for name, place in places.items()}
        return replace(self, places=places, one_plus=one_plus)

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """The numbers of its layers."""
        return tuple(sorted(layer for layer in self._by_layer if layer is not None))

    def of(self, layer: int | None, kind: str, expert: int | None = None, shared: bool = False) -> Place | None:
        """The tensor of this kind in a layer, of an expert or of the part that all experts share."""
        return self._by_key.get((layer, kind, expert, shared))

    def in_layer(self, layer: int | None) -> tuple[Place, ...]:
        """All tensors of a layer; of None, those outside of all."""
        return tuple(self._by_layer.get(layer, ()))

    def experts(self, layer: int) -> tuple[int, ...]:
        """The numbers of a layer's experts."""
        return tuple(sorted({place.expert for place in self.in_layer(layer) if place.expert is not None}))

    @cached_property
    def held(self) -> dict[str, tuple[TensorView, Shape]]:
        """Every tensor by canonical name, a head that is tied to the embeddings among them."""
        head = [self.head] if self.head else []
        return {place.name: (place.view, place.shape) for place in (*self.places.values(), *head)}

    @cached_property
    def _by_key(self) -> dict[Key, Place]:
        found: dict[Key, Place] = {}
        for place in self.places.values():
            found.setdefault((place.layer, place.kind, place.expert, place.shared), place)
        return found

    @cached_property
    def _by_layer(self) -> dict[int | None, list[Place]]:
        found: dict[int | None, list[Place]] = defaultdict(list)
        for place in self.places.values():
            found[place.layer].append(place)
        return found


def decoder_of(checkpoint: Checkpoint) -> Decoder | None:
    """The checkpoint's tensors with their axes; None where no embeddings or no layers are known."""
    held: dict[str, tuple[TensorView, Shape]] = {}
    for name, view, shape in canonical_views(checkpoint):
        held.setdefault(name, (view, shape))
    shapes = {name: shape for name, (_, shape) in held.items()}
    roles = roles_of(shapes)
    if roles.embeddings is None:
        return None
    hidden = shapes[roles.embeddings][1]
    last = next((name for name in LAST_NORMS if shapes.get(name) == (hidden,)), None)
    places = {}
    for name, (view, shape) in held.items():
        if name == roles.embeddings:
            place = Place(name, view, shape, "embeddings", None, None, False, VOCABULARY, RESIDUAL, None)
        elif name == roles.head:
            place = Place(name, view, shape, "head", None, None, False, VOCABULARY, RESIDUAL, last)
        else:
            place = _place(name, view, shape, shapes, hidden)
        places[name] = place
    tied = tied_head(checkpoint)
    head = places.get(roles.head) if roles.head else None
    if head is None and tied is not None:
        head = Place(tied[0], tied[1], tied[2], "head", None, None, False, VOCABULARY, RESIDUAL, last)
    kind = str(text_config(checkpoint.config).get("model_type", ""))
    found = Decoder(checkpoint, hidden, places, places[roles.embeddings], head, kind.startswith(ONE_PLUS))
    return found if found.layers else None


def _place(name: str, view: TensorView, shape: Shape, shapes: Mapping[str, Shape], hidden: int) -> Place:
    layer, component, expert = component_of(name, shape)
    inside = PLACE.match(name)
    shared = component is Component.SHARED_EXPERT
    if inside is None or component in (Component.VISION, Component.MTP):
        rows = RESIDUAL if shape == (hidden,) and layer is None and component is Component.NORMS else None
        return Place(name, view, shape, "norm" if rows else "other", layer, expert, shared, rows, None, None)
    kind = _kind(name, component)
    block = inside["block"]
    if len(shape) == 1:
        owner = shapes.get(name.removesuffix(".bias") + ".weight")
        weight = _place(name.removesuffix(".bias") + ".weight", view, owner, shapes, hidden) if owner and (
            name.endswith(".bias") and len(owner) == 2) else None  # fmt: skip
        rows = weight.rows if weight else RESIDUAL if shape == (hidden,) and component is Component.NORMS else None
        return Place(
            name, view, shape, "norm" if rows == RESIDUAL else "other", layer, expert, shared, rows, None, None
        )
    if len(shape) != 2:
        return Place(name, view, shape, "other", layer, expert, shared, None, None, None)
    axis = f"{block}{_part(component, expert)}"
    writes = kind in ("o", "down")
    norms = MLP_NORMS if component in (*UNITS, Component.ROUTER) else ATTENTION_NORMS
    norm = next((found for word in norms if shapes.get(found := f"{block}{word}.weight") == (hidden,)), None)
    if name.endswith((".c_fc.weight", ".c_proj.weight")) and kind != "other" and _flipped(shape, hidden, writes):
        sides = (f"{axis}units", RESIDUAL) if writes else (RESIDUAL, f"{axis}units")
        return Place(name, view, shape, kind, layer, expert, shared, *sides, None if writes else norm, flipped=True)
    if kind == "other" or shape[0 if writes else 1] != hidden:
        reads, into = shape[1] == hidden != shape[0], shape[0] == hidden != shape[1]
        rows, columns = RESIDUAL if into else None, RESIDUAL if reads else None
        return Place(name, view, shape, "other", layer, expert, shared, rows, columns, norm if reads else None)
    if writes:
        inner = f"{axis}units" if kind == "down" else f"{axis}mixed"
        return Place(name, view, shape, kind, layer, expert, shared, RESIDUAL, inner, None)
    return Place(name, view, shape, kind, layer, expert, shared, axis + AXES.get(kind, "units"), RESIDUAL, norm)


def _flipped(shape: Shape, hidden: int, writes: bool) -> bool:
    """Whether the side of the residual stream is where the other one should be, and only there."""
    return shape[1 if writes else 0] == hidden != shape[0 if writes else 1]


def _kind(name: str, component: Component) -> str:
    if component is Component.ROUTER:
        return "other" if "shared_expert_gate" in name else "router"
    words = WORDS.get(Component.MLP if component in UNITS else component, {})
    last = name.removesuffix(".weight").removesuffix(".bias").rsplit(".", 1)[-1]
    return next((kind for kind, known in words.items() if last in known), "other")


def _part(component: Component, expert: int | None) -> str:
    """The part of a layer that units belong to: an expert, what all share, or the MLP."""
    if expert is not None:
        return f"experts.{expert}."
    return "shared." if component is Component.SHARED_EXPERT else ""
