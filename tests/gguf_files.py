"""Writes models as GGUF files, by the library `gguf` where it quantises, and K-quants by their public description."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.layouts import gguf_names
from modelprov.checkpoints.opening import open_checkpoint

Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
BY_LIBRARY = ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1")
K_QUANTS = ("Q4_K", "Q5_K", "Q6_K")
INNER = {common: word for word, common in gguf_names.INNER.items()}
OUTER = {common: word for word, common in gguf_names.OUTER.items()}


def gguf_name(name: str) -> str:
    """What llama.cpp calls a tensor."""
    stem, _, kind = name.rpartition(".")
    if stem in OUTER:
        return f"{OUTER[stem]}.{kind}"
    _, _, layer, inner = stem.split(".", 3)
    return f"blk.{layer}.{INNER[inner]}.{kind}"


def permuted(values: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """As `LlamaModel.permute` of llama.cpp's converter does."""
    return (
        values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    )


def quantised(values: Float32, kind: str) -> tuple[Bytes, Any]:
    """The bytes of a tensor, by rows, and its type in the library."""
    import gguf

    number = gguf.GGMLQuantizationType[kind]
    if kind in K_QUANTS:
        return k_quantised(values, kind), number
    return np.asarray(gguf.quantize(np.ascontiguousarray(values), number)).view(np.uint8), number


def write_gguf(
    path: Path, tensors: Mapping[str, Float32], kind: str, architecture: str = "qwen3",
    keys: Mapping[str, int | str] | None = None, *, heads: tuple[int, int] | None = None,
) -> Path:  # fmt: skip
    """A GGUF file of tensors by their GGUF names; vectors, and rows that hold no whole blocks, are F32.

    `keys` are those of the architecture (ints) or of the file (texts); `heads` of q and of k, where their rows are
    reordered as the converter of Llama models does.
    """
    import gguf

    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (keys or {}).items():
        if isinstance(value, int):
            writer.add_uint32(f"{architecture}.{key}", value)
        else:
            writer.add_string(key, value)
    if heads is not None:
        writer.add_head_count(heads[0])
        writer.add_head_count_kv(heads[1])
    for name, values in tensors.items():
        own = np.asarray(values, np.float32)
        for number, word in enumerate(("attn_q", "attn_k")):
            if heads is not None and f".{word}." in name:
                own = permuted(own, heads[number])
        block = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]][0]
        if own.ndim == 1 or own.shape[-1] % block or kind == "F32":
            writer.add_tensor(name, np.ascontiguousarray(own))
        else:
            raw, number = quantised(own, kind)
            writer.add_tensor(name, raw, raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def as_gguf(folder: Path, path: Path, kind: str, architecture: str = "qwen3", **more: Any) -> Path:
    """A checkpoint of a folder as one GGUF file."""
    checkpoint = open_checkpoint(str(folder))
    tensors = {}
    for name, ref in checkpoint.tensors.items():
        raw = np.empty(ref.stop - ref.start, np.uint8)
        checkpoint.source.read_into(ref.shard, ref.start, raw.data)
        tensors[gguf_name(name)] = decode(raw, ref.dtype).reshape(ref.shape).astype(np.float32)
    checkpoint.source.close()
    return write_gguf(path, tensors, kind, architecture, **more)


def k_quantised(values: Float32, kind: str) -> Bytes:
    """K-quants in super-blocks of 256: scales from the ends of each sub-block, integers nearest by the stored scales.

    As `quantize_row_q4_K_ref`, `q5_K` and `q6_K` of ggml, but for their search for better scales.
    """
    rows = values.shape[0]
    blocks = values.astype(np.float32).reshape(-1, 256)
    made = _q6(blocks) if kind == "Q6_K" else _q45(blocks, 15 if kind == "Q4_K" else 31)
    return made.reshape(rows, -1)


def _q6(blocks: Float32) -> Bytes:
    sub = blocks.reshape(-1, 16, 16)
    ends = np.take_along_axis(sub, np.abs(sub).argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    wanted = ends / -32
    top = np.take_along_axis(wanted, np.abs(wanted).argmax(axis=1)[:, None], axis=1)
    d = (top / -128).astype(np.float16)
    single = d.astype(np.float32)
    scales = np.clip(np.round(np.divide(wanted, single, out=np.zeros_like(wanted), where=single != 0)), -128, 127)
    step = (single * scales)[:, :, None]
    q = np.clip(np.round(np.divide(sub, step, out=np.zeros_like(sub), where=step != 0)), -32, 31).astype(np.int16) + 32
    flat = q.reshape(-1, 2, 4, 32).astype(np.uint8)  # halves of 128, of four runs of 32
    low = np.concatenate(
        [flat[:, :, 0] & 15 | (flat[:, :, 2] & 15) << 4, flat[:, :, 1] & 15 | (flat[:, :, 3] & 15) << 4], 2
    )
    high = sum((flat[:, :, run] >> 4) << (2 * run) for run in range(4))
    parts = (low.reshape(-1, 128), high.reshape(-1, 64), scales.astype(np.int8).view(np.uint8), d.view(np.uint8))
    return np.concatenate(parts, axis=1)


def _q45(blocks: Float32, levels: int) -> Bytes:
    sub = blocks.reshape(-1, 8, 32)
    least = np.minimum(sub.min(axis=2), 0)
    scale = (sub.max(axis=2) - least) / levels
    d, dmin = ((part.max(axis=1) / 63).astype(np.float16) for part in (scale, -least))
    sc, m = (
        np.clip(np.round(np.divide(part, of.astype(np.float32)[:, None], out=np.zeros_like(part),
                                   where=of[:, None] != 0)), 0, 63).astype(np.uint8)
        for part, of in ((scale, d), (-least, dmin))
    )  # fmt: skip
    step = (d.astype(np.float32)[:, None] * sc)[:, :, None]
    low = (dmin.astype(np.float32)[:, None] * m)[:, :, None]
    q = np.clip(np.round(np.divide(sub + low, step, out=np.zeros_like(sub), where=step != 0)), 0, levels).astype(
        np.uint8
    )
    packed = np.empty((len(blocks), 12), np.uint8)
    packed[:, :4] = sc[:, :4] | (sc[:, 4:] >> 4) << 6
    packed[:, 4:8] = m[:, :4] | (m[:, 4:] >> 4) << 6
    packed[:, 8:] = sc[:, 4:] & 15 | (m[:, 4:] & 15) << 4
    pairs = q.reshape(-1, 4, 2, 32)
    parts = [d.view(np.uint8).reshape(-1, 2), dmin.view(np.uint8).reshape(-1, 2), packed]
    if levels == 31:
        parts.append(sum((q[:, number] >> 4) << number for number in range(8)).astype(np.uint8))
    parts.append((pairs[:, :, 0] & 15 | (pairs[:, :, 1] & 15) << 4).reshape(-1, 128))
    return np.concatenate(parts, axis=1)
