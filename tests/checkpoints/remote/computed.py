"""Checkpoints of any size that are nowhere: the bytes of any range of their files are computed when they are asked for.

A family of a known history: `base`, `tune` (a finetune of it), and `mix`, which stores `share` of the finetune and the
rest of the base, computed in float32 and rounded once, with one layer trained further. `moved` is the base with its
experts and their inner units in another order; `small` the base in FP8 with a scale for each 128 x 128 block. Every
element follows from a hash of its place, so that all files are the same wherever and whenever they are computed.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, encode_single, round_bf16
from modelprov.recipes.arithmetics import Arithmetic, evaluate
from tests.factories import BITS, Layout, layout_header, per_expert

Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.uint64]
KINDS = ("base", "tune", "mix", "moved", "small")
SPREAD, TUNED, FURTHER = 0.02, 5e-4, 2e-4
BLOCK, SCALE = 128, 0.02 * 6 / 448
EXPERT = re.compile(r"(.+\.experts)\.(\d+)\.(gate|up|down)_proj\.weight")
LAYER = re.compile(r"\.layers\.(\d+)\.")


@dataclass(frozen=True)
class Place:
    """Where a stored tensor's elements come from: `key` of a tensor of the base, from element `first` on."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    key: int
    first: int
    layer: int | None


def gauss(stream: int, key: int, index: Index) -> Float32:
    """Numbers of mean 0 and variance 1, nearly normal, one for each index; others for each stream and key."""
    with np.errstate(over="ignore"):
        x = index * np.uint64(0x9E3779B97F4A7C15) + np.uint64(
            (stream * 0xD1342543DE82EF95 + key * 0xA0761D6478BD642F) % (1 << 64)
        )
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    parts = x.view(np.uint16).reshape(-1, 4)
    total = parts.sum(axis=1, dtype=np.int64)
    return ((total - 2 * 65535) / (65536 * math.sqrt(4 / 12))).astype(np.float32)


@dataclass(frozen=True)
class Model:
    """One checkpoint of the family: its layout, what kind it is, and the layer that was trained further."""

    kind: str
    places: tuple[Place, ...]
    share: float = 0.0
    further: int | None = None

    def values(self, place: Place, index: Index) -> Float32:
        """The numbers of these elements, as its format holds them but for FP8, float32."""
        at = index + np.uint64(place.first)
        offset = np.float32(1.0 if len(place.shape) == 1 else 0.0)
        base = round_bf16(offset + np.float32(SPREAD) * gauss(1, place.key, at))
        if self.kind in ("base", "moved", "small"):
            return base
        tune = round_bf16(base + np.float32(TUNED) * gauss(2, place.key, at))
        if self.kind == "tune":
            return tune
        out = np.empty(len(at), np.float32)
        weights = np.array([self.share, 1 - self.share])
        code = DType.BF16.code if place.dtype == "BF16" else DType.F32.code
        evaluate(int(Arithmetic.FLOAT32), np.stack([tune, base]), weights, np.arange(2), code, out)
        if self.further is not None and place.layer == self.further:
            out = round_bf16(out + np.float32(FURTHER) * gauss(3, place.key, at))
        return out


@dataclass(frozen=True)
class Computed:
    """A safetensors file whose bytes are computed: it has a length, and slices; `digest` stands for its content's."""

    model: Model
    header: bytes
    starts: tuple[int, ...]
    places: tuple[Place, ...]
    size: int
    digest: str = field(default="")

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, asked: slice) -> bytes:
        start, stop, _ = asked.indices(self.size)
        found, at = [self.header[start:stop]] if start < len(self.header) else [], max(start, len(self.header))
        number = bisect_right(self.starts, at) - 1
        while at < stop:
            place, begin = self.places[number], self.starts[number]
            width = BITS[place.dtype] // 8
            end = min(stop, begin + math.prod(place.shape) * width)
            first, last = (at - begin) // width, -(-(end - begin) // width)
            data = self._stored(place, np.arange(first, last, dtype=np.uint64))
            found.append(data[at - begin - first * width : end - begin - first * width])
            at, number = end, number + 1
        return b"".join(found)

    def _stored(self, place: Place, index: Index) -> bytes:
        if place.name.endswith("_scale_inv"):
            return np.full(len(index), SCALE, "<f4").tobytes()
        values = self.model.values(place, _moved(place, index) if self.model.kind == "moved" else index)
        if place.dtype == "F8_E4M3":
            return _as_fp8(values / np.float32(SCALE))
        return bytes(encode_single(values, DType(place.dtype)))


def _as_fp8(values: Float32) -> bytes:
    """The nearest FP8 (E4M3) codes."""
    code = np.arange(127)
    exponent, fraction = code >> 3, code & 7
    known = np.where(exponent == 0, fraction * 2.0**-9, (8 + fraction) * 2.0 ** (exponent - 10.0))
    nearest = np.searchsorted((known[1:] + known[:-1]) / 2, np.abs(values)).astype(np.uint8)
    return (nearest | (np.signbit(values).astype(np.uint8) << 7)).tobytes()


def _moved(place: Place, index: Index) -> Index:
    """The elements of the base that lie here once experts' inner units are in another order."""
    found = re.search(r"\.(gate|up|down)_proj\.weight$", place.name)
    if found is None or len(place.shape) != 2:
        return index
    side = place.shape[0] if found[1] != "down" else place.shape[1]
    order = np.random.default_rng([5, place.layer or 0, side]).permutation(side).astype(np.uint64)
    columns = np.uint64(place.shape[1])
    row, column = index // columns, index % columns
    return order[row] * columns + column if found[1] != "down" else row * columns + order[column]


def _places(layout: Layout, kind: str) -> tuple[Place, ...]:
    """Where each stored tensor of a kind comes from, by the layout of the base."""
    keys = {name: number for number, (name, _, _) in enumerate(layout)}
    shapes = {name: shape for name, shape, _ in layout}
    whole = kind in ("base", "tune")
    apart = [each for each in per_expert(layout) if "mtp." not in each[0] and "visual." not in each[0]]
    stored = layout if whole else apart
    found: list[Place] = []
    for name, shape, dtype in stored:
        layer, expert = LAYER.search(name), EXPERT.fullmatch(name)
        key, first = keys.get(name, -1), 0
        if expert is not None and key < 0:
            fused = f"{expert[1]}.{'down' if expert[3] == 'down' else 'gate_up'}_proj"
            key, first = keys[fused], int(expert[2]) * math.prod(shapes[fused][1:])
            first += math.prod(shape) if expert[3] == "up" else 0
        place = Place(name, shape, dtype, key, first, int(layer[1]) if layer else None)
        packed = kind == "small" and len(shape) == 2 and name.endswith("_proj.weight")
        if packed:
            blocks = tuple(-(-side // BLOCK) for side in shape)
            found.append(Place(name, shape, "F8_E4M3", key, first, place.layer))
            found.append(Place(f"{name}_scale_inv", blocks, "F32", key, 0, place.layer))
        else:
            found.append(place)
    return tuple(found)


def repository(
    layout: Layout, kind: str, shards: int, share: float = 0.0, further: int | None = None
) -> dict[str, bytes | Computed]:  # fmt: skip
    """The files of one checkpoint of the family, as a server holds them."""
    places = _places(layout, kind)
    model = Model(kind, places, share, further)
    files: dict[str, bytes | Computed] = {}
    weight_map: dict[str, str] = {}
    for number in range(shards):
        part = places[number * len(places) // shards : (number + 1) * len(places) // shards]
        name = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        files[name] = _file(model, part)
        weight_map |= dict.fromkeys((each.name for each in part), name)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    config: dict[str, object] = {"model_type": "qwen3_5_moe", "architectures": ["Qwen3_5MoeForConditionalGeneration"]}
    if kind == "small":
        config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [BLOCK, BLOCK]}
    return files | {
        "model.safetensors.index.json": json.dumps(index).encode(), "config.json": json.dumps(config).encode(),
    }  # fmt: skip


def _file(model: Model, places: Iterable[Place]) -> Computed:
    held = tuple(places)
    text, size = layout_header([(each.name, each.shape, each.dtype) for each in held])
    header = len(text).to_bytes(8, "little") + text
    starts, at = [], len(header)
    for each in held:
        starts.append(at)
        at += math.prod(each.shape) * BITS[each.dtype] // 8
    assert at == len(header) + size
    digest = hashlib.sha256(f"{model.kind} {model.share}".encode() + header).hexdigest()
    return Computed(model, header, tuple(starts), held, at, digest)
