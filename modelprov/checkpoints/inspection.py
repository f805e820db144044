"""What one checkpoint is, from headers and config alone: sizes, dtypes, components, oddities. Reads no weights."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from math import prod
from typing import Any, Literal

from modelprov.checkpoints.digests import MANIFEST_COVERS, manifest_digest
from modelprov.checkpoints.homes import json_in
from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.files import PICKLES
from modelprov.checkpoints.layouts.naming import canonical_name, canonical_views, tied_head
from modelprov.checkpoints.layouts.quantised import quantisation
from modelprov.checkpoints.layouts.roles import roles_of, text_config
from modelprov.checkpoints.layouts.side_files import CONFIG
from modelprov.checkpoints.types import Checkpoint, Component, TensorRef
from modelprov.errors import ModelprovError
from modelprov.records import Frozen
from modelprov.savable import Page

SCHEMA_VERSION = "1.0"


class DTypeCount(Frozen):
    """How much is stored in one format; `comparable` is False for formats that `compare` refuses."""

    dtype: str
    tensors: int
    elements: int
    comparable: bool


class ComponentCount(Frozen):
    """One component of the model: canonical tensors (experts counted one by one), elements, share of all elements."""

    component: Component
    tensors: int
    elements: int
    share: float


class PartSummary(Frozen):
    """One model of a composite folder, by its sub-folder (`.` for the folder itself)."""

    folder: str
    architecture: str | None
    parameters: int
    bytes: int
    dtypes: tuple[str, ...]


class ShardSummary(Frozen):
    """One file, by its name inside the checkpoint: its size in bytes and the SHA-256 of its header."""

    name: str
    bytes: int
    header_digest: str


class Inspection(Frozen, Page):
    """Everything `modelprov inspect` shows. `digest` is the manifest's; `warnings` are sentences.

    `layers` counts the text model's layers, `experts_per_layer` the routed experts of one layer (the most that any
    has). `tied` is None when neither the weights nor the config say. `vocabulary` is the config's or the embedding's.
    `weights_digest` is None unless every byte was hashed. `bits_per_weight` is that of tensors which are decoded when
    they are read, scales included. `quantised_how`, `quantised_by` and `made_from` are what the model says of itself;
    `adapter` what an adapter's config says. `parts` are the models of a folder that holds several.
    """

    tool: Literal["modelprov inspect"] = "modelprov inspect"
    schema_version: str = SCHEMA_VERSION
    label: str
    location: str
    revision: str | None
    architecture: str | None
    model_type: str | None
    parameters: int
    bytes: int
    dtypes: tuple[DTypeCount, ...]
    quantisation: str | None
    bits_per_weight: float | None = None
    quantised_how: tuple[str, ...] = ()
    quantised_by: str | None = None
    made_from: tuple[str, ...] = ()
    adapter: str | None = None
    layers: int
    experts_per_layer: int
    components: tuple[ComponentCount, ...]
    parts: tuple[PartSummary, ...] = ()
    shards: tuple[ShardSummary, ...]
    digest: str
    digest_covers: str
    tied: bool | None
    has_vision: bool
    has_mtp: bool
    vocabulary: int | None
    warnings: tuple[str, ...]
    weights_digest: str | None = None


def inspect_checkpoint(checkpoint: Checkpoint) -> Inspection:
    """The inspection of an open checkpoint; lists the folder for oddities, and reads nothing else."""
    config = checkpoint.config or {}
    tensors: Counter[Component] = Counter()
    elements: Counter[Component] = Counter()
    layers: set[int] = set()
    experts: dict[int, set[int]] = defaultdict(set)
    parts = [(name, view.count, shape) for name, view, shape in canonical_views(checkpoint)]
    parts += [(canonical_name(item.name), item.count, item.shape) for item in checkpoint.refused.values()]
    shapes = {name: shape for name, _, shape in parts}
    roles = roles_of(shapes)
    for name, count, shape in parts:
        layer, component, expert = component_of(name, shape)
        tensors[component] += 1
        elements[component] += count
        if layer is not None:
            layers.add(layer)
            if expert is not None:
                experts[layer].add(expert)
    total = checkpoint.parameters
    method = quantisation(checkpoint)
    from modelprov.checkpoints.stated import Stated, stated  # cards are YAML, which reports of weights do without

    said = stated(checkpoint) if method is not None else Stated()
    return Inspection(
        label=checkpoint.label,
        location=checkpoint.location,
        revision=checkpoint.revision,
        architecture=architecture(config),
        model_type=_text(config.get("model_type")),
        parameters=total,
        bytes=sum(shard.size for shard in checkpoint.shards),
        dtypes=_dtypes(checkpoint),
        quantisation=method,
        bits_per_weight=_bits(checkpoint),
        quantised_how=said.how,
        quantised_by=said.by,
        made_from=said.made_from,
        adapter=checkpoint.adapter,
        layers=len(layers),
        experts_per_layer=max(map(len, experts.values()), default=0),
        components=tuple(
            ComponentCount(
                component=component,
                tensors=tensors[component],
                elements=elements[component],
                share=elements[component] / total if total else 0.0,
            )
            for component in Component
            if tensors[component]
        ),
        parts=_parts(checkpoint),
        shards=tuple(
            ShardSummary(name=shard.name, bytes=shard.size, header_digest=shard.header_digest)
            for shard in checkpoint.shards
        ),
        digest=manifest_digest(checkpoint),
        digest_covers=MANIFEST_COVERS,
        tied=False if roles.head else (True if tied_head(checkpoint) else None),
        has_vision=bool(tensors[Component.VISION]),
        has_mtp=bool(tensors[Component.MTP]),
        vocabulary=_vocabulary(checkpoint, shapes.get(roles.embeddings or "")),
        warnings=(*checkpoint.notes, *_folder_warnings(checkpoint), *_config_warnings(config)),
    )


def _parts(checkpoint: Checkpoint) -> tuple[PartSummary, ...]:
    """The models of a folder whose weights lie in several folders, in the order of their files."""
    folders = [shard.name.rpartition("/")[0] for shard in checkpoint.shards]
    if len(set(folders)) < 2:
        return ()
    held: dict[str, Counter[str]] = {folder: Counter() for folder in folders}
    for name, ref in checkpoint.tensors.items():
        held[folders[ref.shard]][_format(checkpoint, name, ref)] += ref.count
    for refused in checkpoint.refused.values():
        held[folders[refused.shard]][refused.format] += refused.count
    return tuple(
        PartSummary(
            folder=folder or ".",
            architecture=_class(checkpoint, folder),
            parameters=sum(counts.values()),
            bytes=sum(shard.size for shard, own in zip(checkpoint.shards, folders, strict=True) if own == folder),
            dtypes=tuple(form for form, _ in counts.most_common()),
        )
        for folder, counts in held.items()
    )


def _class(checkpoint: Checkpoint, folder: str) -> str | None:
    """What the config of a part calls it."""
    home = checkpoint.files
    with suppress(ModelprovError):
        if home is not None and (own := home.sub(folder) if folder else home).has(CONFIG):
            config = json_in(own, CONFIG)
            return architecture(config) or _text(config.get("_class_name")) or _text(config.get("model_type"))
    return None


def architecture(config: Mapping[str, Any] | None) -> str | None:
    """The first of the config's `architectures`, or None."""
    names = (config or {}).get("architectures")
    return _text(names[0]) if isinstance(names, list) and names else None


def dtype_elements(checkpoint: Checkpoint) -> dict[str, int]:
    """Elements by stored format, most first."""
    counts: Counter[str] = Counter()
    packings = checkpoint.packings
    for name, ref in checkpoint.tensors.items():  # a hundred thousand, perhaps; the format is put into words at the end
        counts[packings[name].format if name in packings else ref.dtype] += prod(ref.shape)
    for tensor in checkpoint.refused.values():
        counts[tensor.format] += tensor.count
    return {str(name): count for name, count in counts.most_common()}


def _bits(checkpoint: Checkpoint) -> float | None:
    """Bits a weight of what is packed, scales included."""
    counts = {name: checkpoint.tensors[name].count for name in checkpoint.packings}
    total = sum(counts.values())
    return sum(checkpoint.packings[name].bits * count for name, count in counts.items()) / total if total else None


def _format(checkpoint: Checkpoint, name: str, ref: TensorRef) -> str:
    """What a tensor is stored as, whatever it is decoded to."""
    packing = checkpoint.packings.get(name)
    return str(ref.dtype) if packing is None else packing.format


def _dtypes(checkpoint: Checkpoint) -> tuple[DTypeCount, ...]:
    tensors = Counter(_format(checkpoint, name, ref) for name, ref in checkpoint.tensors.items())
    refused = Counter(tensor.format for tensor in checkpoint.refused.values())
    return tuple(
        DTypeCount(dtype=name, tensors=(tensors + refused)[name], elements=count, comparable=name in tensors)
        for name, count in dtype_elements(checkpoint).items()
    )


def _vocabulary(checkpoint: Checkpoint, embeddings: tuple[int, ...] | None) -> int | None:
    size = text_config(checkpoint.config).get("vocab_size")
    if type(size) is int:
        return size
    return embeddings[0] if embeddings else None


def _config_warnings(config: Mapping[str, Any]) -> list[str]:
    warnings = []
    if config.get("auto_map"):
        warnings.append("config.json asks transformers to load code (auto_map); nothing here runs it")
    if config.get("custom_generate"):
        warnings.append("config.json names custom generation code (custom_generate); nothing here runs it")
    return warnings


def _folder_warnings(checkpoint: Checkpoint) -> list[str]:
    """Code and pickles that lie in the folders of the shards."""
    code: set[str] = set()
    pickles: set[str] = set()
    custom = False
    home = checkpoint.beside
    read = {shard.file_name for shard in checkpoint.shards}
    inside = {name for shard in checkpoint.shards if (name := shard.name.rpartition("/")[0])}
    listed = []
    if home is not None:
        listed = [home.names(), *(home.sub(name).names() for name in sorted(inside) if home.has(name))]
    for names in listed:
        for name in names:
            if name.endswith(".py"):
                code.add(name)
            elif name.endswith(PICKLES) and name not in read:
                pickles.add(name)
            custom |= name == "custom_generate"
    warnings = []
    if code:
        warnings.append(f"the folder holds code ({_few(code)}); nothing here runs it")
    if custom:
        warnings.append("the folder holds custom generation code (custom_generate); nothing here runs it")
    if pickles:
        warnings.append(f"pickles lie beside the weights that were read ({_few(pickles)}); they were not opened")
    return warnings


def _few(names: set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
