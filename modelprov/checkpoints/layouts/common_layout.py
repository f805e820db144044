"""Models in layouts of different families, each seen in one that they have in common. Decides by names and shapes.

A tensor is put into another layout only where another model has it there under the names and in the shapes that come
of it; two models of one layout stay as they are. What cannot be told is left as it is, and said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelprov.checkpoints.homes import json_in
from modelprov.checkpoints.layouts.decoded import DecodedSource
from modelprov.checkpoints.layouts.families import (
    Threes,
    flat_reading,
    fused_reading,
    is_conv1d,
    may_be_seen_otherwise,
    stack_reading,
    threes_of,
    turned_reading,
)
from modelprov.checkpoints.layouts.makers import PAIRED, ROOT, is_makers, makers_reading
from modelprov.checkpoints.layouts.naming import canonical_columns, canonical_name, canonical_names, squeezed
from modelprov.checkpoints.layouts.readings import Geometry, Part, Reading
from modelprov.checkpoints.layouts.relaid import RelaidTensor
from modelprov.checkpoints.layouts.roles import Shape, text_config
from modelprov.checkpoints.layouts.side_files import PARAMS
from modelprov.checkpoints.types import Checkpoint, TensorRef
from modelprov.errors import ModelprovError
from modelprov.foreign.shown import quoted

MOST_HEADS = 1 << 16


@dataclass(frozen=True)
class _Model:
    """A checkpoint by canonical name: what it stores, and what of it can be compared as it is."""

    checkpoint: Checkpoint
    stored: Mapping[str, TensorRef]
    shapes: Mapping[str, Shape]
    seen: Mapping[str, Shape]
    views: Mapping[str, tuple[str, ...]]
    """Names in `seen` of what a stored tensor, by its own name, is compared as."""


def in_common_layout(checkpoints: Sequence[Checkpoint]) -> tuple[Checkpoint, ...]:
    """The checkpoints, those in another layout than others of them as checkpoints in theirs, computed when read.

    Quantised ones and fingerprints stay as they are.
    """
    signs = [may_be_seen_otherwise(checkpoint.tensors) for checkpoint in checkpoints]
    if not any(signs):
        return tuple(checkpoints)
    told = _not_everywhere(checkpoints, signs)
    if not any(told):
        return tuple(checkpoints)
    models = [_model(checkpoint, own) for own, checkpoint in zip(told, checkpoints, strict=True)]
    heads = _heads(checkpoints)
    usual = _usual(models, heads)
    return tuple(
        model.checkpoint
        if not own or model.checkpoint.packings or model.checkpoint.fingerprint is not None
        else _relaid(model, [other for other in (*models, *usual) if other is not model], heads)
        for own, model in zip(told, models, strict=True)
    )


def _not_everywhere(checkpoints: Sequence[Checkpoint], signs: Sequence[Sequence[str]]) -> list[bool]:
    """Whether others do not store some of these tensors in the same shape, for each of the checkpoints."""
    held = [
        dict(zip(canonical_names(tuple(checkpoint.tensors)), checkpoint.tensors.values(), strict=True))
        for checkpoint in checkpoints
    ]
    found = []
    for checkpoint, names in zip(checkpoints, signs, strict=True):
        own = [(canonical_name(name), checkpoint.tensors[name].shape) for name in names]
        found.append(any(name not in other or other[name].shape != shape for name, shape in own for other in held))
    return found


def in_usual_layout(checkpoint: Checkpoint) -> Checkpoint:
    """A model of Meta's or Mistral's own layout as one in that of transformers, which others have; any other as it is.

    What cannot be told stays under its own name.
    """
    plain = not checkpoint.packings and checkpoint.fingerprint is None
    if not plain or not any(name.endswith(ROOT) for name in checkpoint.tensors):
        return checkpoint
    model, heads = _model(checkpoint), _heads([checkpoint])
    usual = _as_usual(model, heads) if is_makers(model.shapes) else None
    return checkpoint if usual is None else _relaid(model, [usual], heads)


def _usual(models: Sequence[_Model], heads: Geometry) -> list[_Model]:
    """Models of Meta's and Mistral's layout as they are in the usual one, for others beside which nobody has that."""
    paired = [model for model in models if ROOT in model.shapes and is_makers(model.shapes)]
    if len(paired) == len(models):
        return []
    return [_as_usual(model, heads) for model in paired]


def _as_usual(model: _Model, heads: Geometry) -> _Model:
    """What of a model of Meta's or Mistral's layout is in the usual one, by names and shapes."""
    readings = [makers_reading(name, model.shapes, heads) for name in model.shapes]
    seen = {part.name: part.shape for reading in readings if reading is not None for part in reading.parts}
    return replace(model, shapes=seen, seen=seen)


def _model(checkpoint: Checkpoint, whole: bool = True) -> _Model:
    """The checkpoint by canonical name; no more than what can be compared unless it is seen otherwise itself."""
    names, columns, shapes = canonical_columns(checkpoint)
    seen = dict(zip(reversed(names), reversed(shapes), strict=True))  # of two of a name, the first
    if not whole:
        return _Model(checkpoint, {}, seen, seen, {})
    stored: dict[str, TensorRef] = {}
    for name, ref in zip(canonical_names(tuple(checkpoint.tensors)), checkpoint.tensors.values(), strict=True):
        stored.setdefault(name, ref)
    views: dict[str, list[str]] = {}
    for name, view in zip(names, columns, strict=True):
        views.setdefault(view.ref.name, []).append(name)
    own = {name: ref.shape for name, ref in stored.items()}
    return _Model(checkpoint, stored, own, seen, {name: tuple(of) for name, of in views.items()})


def _relaid(model: _Model, others: Sequence[_Model], heads: Geometry) -> Checkpoint:
    """A model with the tensors in another layout that another model has there."""
    chosen: dict[str, Reading] = {}
    open_: dict[str, Reading] = {}
    alike: dict[str, Reading] = {}
    for name, reading, other in _readings(model, others, heads):
        if reading.open:
            if reading.wanted in other.seen:
                open_.setdefault(name, reading)
        elif name not in chosen and _has_parts(reading, other):
            (alike if _has_it_too(model, name, reading, other) else chosen)[name] = reading
    if chosen:  # then all of it, under the other names
        chosen = {name: each for name, each in alike.items() if each.layout == PAIRED} | chosen
    taken = Counter(part.name for reading in chosen.values() for part in reading.parts)
    seen_otherwise = {model.stored[name].name for name in chosen}
    kept = {name for ref_name, names in model.views.items() if ref_name not in seen_otherwise for name in names}
    chosen = {
        name: reading
        for name, reading in chosen.items()
        if all(taken[part.name] == 1 and part.name not in kept for part in reading.parts)
    }
    notes = [*_told(chosen), *_told_open({name: each for name, each in open_.items() if name not in chosen})]
    if not chosen:
        return replace(model.checkpoint, notes=(*model.checkpoint.notes, *notes)) if notes else model.checkpoint
    return _with(model, chosen, notes)


def _readings(model: _Model, others: Sequence[_Model], heads: Geometry) -> Iterator[tuple[str, Reading, _Model]]:
    """Every way to see a stored tensor, by canonical name, in the layout of another model."""
    config = text_config(model.checkpoint.config)
    geometry = replace(heads, kind=str(config.get("model_type", "")).lower())
    makers = is_makers(model.shapes)
    for other in others:
        conv1d = is_conv1d(model.shapes, other.seen)
        threes: Threes = threes_of(other.seen)
        for name in model.shapes:
            reading = makers_reading(name, model.shapes, geometry) if makers else None
            reading = reading or fused_reading(name, model.shapes, geometry, other.seen, threes)
            reading = reading or (turned_reading(name, model.shapes[name]) if conv1d else None)
            if ".experts." in name:
                reading = reading or stack_reading(name, model.shapes, geometry) or flat_reading(name, model.shapes)
            if reading is not None:
                yield name, reading, other


def _has_parts(reading: Reading, other: _Model) -> bool:
    """Whether another model has all parts of a reading."""
    return all(squeezed(other.seen.get(part.name, (0,))) == squeezed(part.shape) for part in reading.parts)


def _has_it_too(model: _Model, name: str, reading: Reading, other: _Model) -> bool:
    """Whether another model has the tensor as it is stored, too."""
    own = () if reading.forced else model.views.get(model.stored[name].name, ())
    return bool(own) and all(squeezed(other.seen.get(each, (0,))) == squeezed(model.seen[each]) for each in own)


def _with(model: _Model, chosen: Mapping[str, Reading], notes: Sequence[str]) -> Checkpoint:
    """The checkpoint with some tensors as their parts, in file order."""
    checkpoint = model.checkpoint
    parts = {model.stored[name].name: (model.stored[name], reading.parts) for name, reading in chosen.items()}
    computed = [
        RelaidTensor(part.name, part.shape, ref.dtype, ref.shard, ref.start + part.offset * ref.dtype.size,
                     part.stored, part.rows, part.turned)
        for ref, own in parts.values() for part in own if not _in_place(part)
    ]  # fmt: skip
    source = DecodedSource(checkpoint.source, computed) if computed else None
    refs = {} if source is None else source.refs
    tensors: dict[str, TensorRef] = {}
    for name, stored in checkpoint.tensors.items():
        if name not in parts:
            tensors[name] = stored
            continue
        for part in parts[name][1]:
            tensors[part.name] = refs[part.name] if part.name in refs else _place_of(stored, part)
    return replace(checkpoint, tensors=tensors, source=source or checkpoint.source, notes=(*checkpoint.notes, *notes))


def _in_place(part: Part) -> bool:
    """Whether a part is consecutive rows of what is stored, which is read where it lies."""
    first = int(part.rows[0]) if part.rows.size else 0
    return not part.turned and np.array_equal(part.rows, first + np.arange(part.rows.size))


def _place_of(stored: TensorRef, part: Part) -> TensorRef:
    width = part.stored[1] * stored.dtype.size
    first = int(part.rows[0]) if part.rows.size else 0
    start = stored.start + part.offset * stored.dtype.size + first * width
    return TensorRef(part.name, stored.dtype, part.shape, stored.shard, start, start + part.rows.size * width)


def _told(chosen: Mapping[str, Reading]) -> list[str]:
    """Which layouts were seen as others, a sentence each."""
    counts = Counter(reading.layout for reading in chosen.values())
    examples = {reading.layout: (name, reading) for name, reading in reversed(list(chosen.items()))}
    told = []
    for layout, count in counts.items():
        name, reading = examples[layout]
        parts = ", ".join(quoted(part.name) for part in reading.parts[:3])
        told.append(f"{count:,} tensors in a layout {layout} were read in another, e.g. {quoted(name)} as {parts}")
    return told


def _told_open(open_: Mapping[str, Reading]) -> list[str]:
    """What might be the same as tensors of other models and cannot be told, a sentence for each reason."""
    counts = Counter((reading.layout, reading.open) for reading in open_.values())
    examples = {(reading.layout, reading.open): name for name, reading in reversed(list(open_.items()))}
    return [
        f"{count:,} tensors in a layout {layout} were left in it, e.g. {quoted(examples[layout, why])}: {why}"
        for (layout, why), count in counts.items()
    ]


def _heads(checkpoints: Sequence[Checkpoint]) -> Geometry:
    """What all of them say of their heads."""
    told = [(checkpoint, _params(checkpoint)) for checkpoint in checkpoints]
    return Geometry(
        frozenset(width for checkpoint, params in told for width in _widths(checkpoint, params)),
        vision=frozenset(width for checkpoint, params in told for width in _vision_widths(checkpoint, params)),
    )


def _params(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """Meta's or Mistral's own config; nothing where none can be read."""
    home = checkpoint.beside
    try:
        return json_in(home, PARAMS) if home is not None and home.has(PARAMS) else {}
    except ModelprovError:
        return {}


def _vision_widths(checkpoint: Checkpoint, params: Mapping[str, Any]) -> Iterator[int]:
    """Dimensions of a head of the part that sees."""
    for told in ((checkpoint.config or {}).get("vision_config"), params.get("vision_encoder")):
        if isinstance(told, dict):
            yield from _width(told.get("head_dim"), told.get("hidden_size"), told.get("num_attention_heads"))


def _widths(checkpoint: Checkpoint, params: Mapping[str, Any]) -> Iterator[int]:
    """Dimensions of a head of attention, as its config, Meta's or Mistral's `params.json` and a stored table say."""
    config = text_config(checkpoint.config)
    yield from _width(config.get("head_dim"), config.get("hidden_size"), config.get("num_attention_heads"))
    if "n_head" in config:  # GPT-2, Bloom
        yield from _width(None, config.get("n_embd", config.get("hidden_size")), config["n_head"])
    yield from _width(params.get("head_dim"), params.get("dim"), params.get("n_heads"))
    table = checkpoint.tensors.get("rope.freqs")
    if table is not None and len(table.shape) == 1:
        yield 2 * table.shape[0]


def _width(width: Any, hidden: Any, heads: Any) -> Iterator[int]:
    if type(width) is int and 0 < width <= MOST_HEADS:
        yield width
    elif type(hidden) is int and type(heads) is int and 0 < heads <= MOST_HEADS and hidden > 0 and hidden % heads == 0:
        yield hidden // heads
