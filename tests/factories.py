"""Builds checkpoints on disk for tests: real safetensors files, sparse ones of true size, and malformed ones."""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import TensorSpec, serialize_file

from modelprov.checkpoints.formats.dtypes import DType, encode
from modelprov.checkpoints.header_entries import BITS

# A numpy array (stored as its own dtype), an array with the name of the dtype to store it as, or raw bytes.
Tensor = npt.NDArray[Any] | tuple[npt.NDArray[Any], str] | tuple[bytes, str, Sequence[int]]
Layout = list[tuple[str, tuple[int, ...], str]]

NUMPY_NAMES = {
    "float16": "F16", "float32": "F32", "float64": "F64", "int8": "I8", "uint8": "U8", "int16": "I16", "uint16": "U16",
    "int32": "I32", "uint32": "U32", "int64": "I64", "uint64": "U64", "bool": "BOOL",
}  # fmt: skip

# What the safetensors library calls the formats when it writes.
LIBRARY_NAMES = {name: numpy_name for numpy_name, name in NUMPY_NAMES.items()} | {
    "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "C64": "complex64",
}  # fmt: skip

LAYOUT_397B = Path(__file__).parent / "data" / "qwen3_5_397b_a17b_layout.json.gz"


def stored(tensor: Tensor) -> tuple[bytes, str, list[int]]:
    """Bytes, dtype name and shape of a tensor."""
    if isinstance(tensor, np.ndarray):
        return tensor.tobytes(), NUMPY_NAMES[tensor.dtype.name], list(tensor.shape)
    if isinstance(tensor[0], bytes):
        return tensor[0], tensor[1], list(tensor[2])
    return encode(tensor[0], DType(tensor[1])).tobytes(), tensor[1], list(tensor[0].shape)


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Path:
    """One file, written by the safetensors library; the file order is the library's (by dtype, then name)."""
    specs, keep = {}, []
    for name, tensor in tensors.items():
        data, dtype, shape = stored(tensor)
        array = np.frombuffer(data, np.uint8) if data else np.zeros(1, np.uint8)
        keep.append(array)
        specs[name] = TensorSpec(
            dtype=LIBRARY_NAMES[dtype], shape=shape, data_ptr=array.ctypes.data, data_len=len(data)
        )
    serialize_file(specs, path, metadata=dict(metadata) if metadata else None)
    return path


def write_checkpoint(
    folder: Path,
    tensors: Mapping[str, Tensor],
    shards: int = 1,
    *,
    index: bool = True,
    config: Mapping[str, Any] | None = None,
    shard_name: str = "model-{number:05d}-of-{shards:05d}.safetensors",
) -> Path:
    """A checkpoint folder; tensors are dealt to the shards in order, in equal numbers. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(tensors)
    weight_map: dict[str, str] = {}
    for number, part in enumerate(np.array_split(np.arange(len(names)), shards), start=1):
        file = shard_name.format(number=number, shards=shards) if shards > 1 else "model.safetensors"
        here = {names[i]: tensors[names[i]] for i in part}
        write_safetensors(folder / file, here, {"format": "pt"})
        weight_map |= dict.fromkeys(here, file)
    if index and shards > 1:
        write_index(folder, weight_map)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def write_index(folder: Path, weight_map: Mapping[str, str], name: str = "model.safetensors.index.json") -> Path:
    """An index file with the given map from tensor to shard."""
    path = folder / name
    path.write_text(json.dumps({"metadata": {}, "weight_map": dict(weight_map)}))
    return path


def write_raw(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    """A file by hand: `header` as JSON (or bytes as they are), `length` as claimed, then `data`."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def layout_header(layout: Iterable[tuple[str, tuple[int, ...], str]]) -> tuple[bytes, int]:
    """The header bytes of a file with this layout, in this order, and the number of data bytes that follow."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape, dtype in layout:
        size = math.prod(shape) * BITS[dtype] // 8
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8), at


def write_sparse(folder: Path, layout: Layout, shards: int, config: Mapping[str, Any] | None = None) -> Path:
    """A checkpoint of true size that takes no disk: headers are written, the data is a hole (all zeros)."""
    folder.mkdir(parents=True, exist_ok=True)
    weight_map: dict[str, str] = {}
    for number in range(shards):
        part = layout[number * len(layout) // shards : (number + 1) * len(layout) // shards]
        file = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        text, size = layout_header(part)
        write_raw(folder / file, text)
        os.truncate(folder / file, 8 + len(text) + size)
        weight_map |= {name: file for name, _, _ in part}
    write_index(folder, weight_map)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def layout_397b() -> Layout:
    """The published layout of Qwen3.5-397B-A17B: 2,924 names, shapes and dtypes, in file order."""
    with gzip.open(LAYOUT_397B, "rt") as file:
        return [(tensor["name"], tuple(tensor["shape"]), tensor["dtype"]) for tensor in json.load(file)]


def per_expert(layout: Layout) -> Layout:
    """The same weights with one tensor for each expert and projection, as derivatives often store them."""
    result: Layout = []
    for name, shape, dtype in layout:
        if name.endswith(".experts.gate_up_proj"):
            block, half = name.removesuffix(".gate_up_proj"), (shape[1] // 2, shape[2])
            for expert in range(shape[0]):
                result += [(f"{block}.{expert}.{part}_proj.weight", half, dtype) for part in ("gate", "up")]
        elif name.endswith(".experts.down_proj"):
            block = name.removesuffix(".down_proj")
            result += [(f"{block}.{expert}.down_proj.weight", shape[1:], dtype) for expert in range(shape[0])]
        else:
            result.append((name, shape, dtype))
    return result
