"""A GGUF model as a checkpoint: canonical names, experts one by one, reordered rows put back, packed tensors decoded.

Opens by headers alone. What is packed is decoded when it is read (`decoded.py`); plain floats in their own order are
read where they lie.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Bytes, DType, Float64
from modelprov.checkpoints.formats.gguf_blocks import UNDECODED, Kind, cells, decode, has_cells
from modelprov.checkpoints.gguf_header import GgufHeader, GgufTensor, Length, read_gguf_headers
from modelprov.checkpoints.homes import Home
from modelprov.checkpoints.layouts import gguf_names
from modelprov.checkpoints.layouts.decoded import PackedTensor, with_decoded
from modelprov.checkpoints.layouts.files import GGUF, WEIGHTS, few
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.types import Checkpoint, Packing, RefusedTensor, TensorRef
from modelprov.errors import DuplicateTensorError, InvalidCheckpointError, MissingShardError
from modelprov.foreign.shown import quoted

PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.gguf")
PROJECTOR = re.compile(r"(?:.*[-_.])?mmproj(?:[-_.].*)?\.gguf", re.IGNORECASE)
IMPORTANCE = "quantize.imatrix.file"
LONGEST_TEXT = 300
Int64 = npt.NDArray[np.int64]


def gguf_files(home: Home, name: str | None) -> list[str]:
    """The GGUF files that are meant, all parts of a split one; none where safetensors are, or something else is named.

    Raises `InvalidCheckpointError` where a folder holds several models, `MissingShardError` for a part that is not
    there.
    """
    if name is not None and not name.endswith(GGUF):
        return []
    names = home.names() if name is None or PART.fullmatch(name) else [name]
    if name is None and any(each.endswith(WEIGHTS) for each in names):
        return []
    found = [each for each in names if each.endswith(GGUF) and not PROJECTOR.fullmatch(each)]
    sets = {PART.sub(r"\g<stem>", each) for each in found}
    if name is None and len(sets) > 1:
        raise InvalidCheckpointError(
            f"{home.place()} holds several GGUF models: {few(sorted(found), 12)}", "Give the path of the one you mean."
        )
    wanted = name or (sorted(found)[0] if found else None)
    if wanted is None:
        return []
    part = PART.fullmatch(wanted)
    if part is None:
        return [wanted]
    total = int(part["total"])
    parts = [f"{part['stem']}-{number:05d}-of-{part['total']}{GGUF}" for number in range(1, total + 1)]
    if missing := [each for each in parts if each not in names]:
        raise MissingShardError(
            f"{home.place(wanted)} is one of {total:,} parts, and {quoted(missing[0])} is missing",
            "Download the missing file, or all of them.",
        )
    return parts


@dataclass(frozen=True, eq=False)
class StoredBlocks:
    """A tensor, or one expert of a stack, in blocks from byte `start`; `rows` says which stored row is which.

    `nearest`: whether its numbers are the nearest to what they were rounded from, so that cells are known.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind
    shard: int
    start: int
    rows: Int64 | None
    nearest: bool

    @property
    def dtype(self) -> DType:
        """What it is read as."""
        return self.kind.plain or DType.F32

    @property
    def packing(self) -> Packing | None:
        """See `PackedTensor`."""
        if self.kind.plain is not None:
            return None
        return Packing(f"GGUF {self.kind.name}", self.kind.bits, self.nearest)

    def read(self, source: Source, first: int, count: int) -> Bytes:
        """See `PackedTensor`."""
        return self._rows(first, count, lambda begin, size: self._plain(source, begin, size))

    def cells(self, source: Source, first: int, count: int) -> tuple[Float64, Float64] | None:
        """See `PackedTensor`."""
        if self.kind.plain is not None or not self.nearest:
            return None
        both = self._rows(first, count, lambda begin, size: self._cells(source, begin, size)).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def _rows(self, first: int, count: int, get: Any) -> npt.NDArray[Any]:
        """What `get` returns of stored elements, for these elements: rows in their canonical order."""
        if self.rows is None:
            return np.asarray(get(first, count))
        columns = 1 if len(self.shape) == 1 else self.shape[-1]
        begin, end = first // columns, -(-(first + count) // columns)
        stored = self.rows[begin:end]
        least, most = int(stored.min()), int(stored.max()) + 1
        held = np.asarray(get(least * columns, (most - least) * columns)).reshape(most - least, -1)
        each = held.shape[1] // columns
        ordered = held[stored - least].reshape(-1)
        return ordered[(first - begin * columns) * each :][: count * each]

    def _raw(self, source: Source, first: int, count: int) -> tuple[Bytes, int]:
        """The blocks that hold stored elements, uint8 [n, bytes], and the number of the first element in them."""
        begin, end = first // self.kind.elements, -(-(first + count) // self.kind.elements)
        raw = np.empty((end - begin) * self.kind.bytes, np.uint8)
        source.read_into(self.shard, self.start + begin * self.kind.bytes, raw.data)
        return raw.reshape(end - begin, self.kind.bytes), begin * self.kind.elements

    def _plain(self, source: Source, first: int, count: int) -> Bytes:
        raw, begin = self._raw(source, first, count)
        if self.kind.plain is not None:
            return raw.reshape(-1)
        values = decode(raw, self.kind).reshape(-1)[first - begin :][:count]
        return np.ascontiguousarray(values, "<f4").view(np.uint8)

    def _cells(self, source: Source, first: int, count: int) -> Float64:
        raw, begin = self._raw(source, first, count)
        lower, upper = cells(raw, self.kind)
        return np.stack([lower.reshape(-1), upper.reshape(-1)], axis=1)[first - begin :][:count].reshape(-1)


def open_gguf(home: Home, names: Sequence[str], label: str, location: str, notes: Sequence[str] = ()) -> Checkpoint:
    """The model in these GGUF files, by their headers; raises what reading raises, and as `read_gguf_headers` does."""
    for name in names:
        home.check(name)
    source = home.source(names)
    headers = read_gguf_headers(source)
    source.close()
    keys: dict[str, Any] = {}
    for header in reversed(headers):  # the first one has those of the model
        keys |= header.keys
    architecture = str(keys.get("general.architecture", ""))
    told = list(notes)
    plain, packed, refused = _sorted(headers, keys, architecture, told)
    checkpoint = Checkpoint(
        label=label, location=location, tensors=plain, shards=tuple(header.shard for header in headers),
        source=source, config=_config(keys, architecture, {*plain, *(each.name for each in packed)}),
        revision=home.revision, metadata=_metadata(keys), refused=refused, folder=home.folder, files=home,
    )  # fmt: skip
    return with_decoded(replace(checkpoint, notes=tuple(told)), packed)


def _sorted(
    headers: Sequence[GgufHeader], keys: Mapping[str, Any], architecture: str, notes: list[str]
) -> tuple[dict[str, TensorRef], list[PackedTensor], dict[str, RefusedTensor]]:
    """What can be read where it lies, what is decoded, and what is not read, each by its common name."""
    plain: dict[str, TensorRef] = {}
    packed: list[PackedTensor] = []
    refused: dict[str, RefusedTensor] = {}
    importance, seen, reordered = IMPORTANCE in keys, set[str](), 0
    for stored in (tensor for header in headers for tensor in header.tensors):
        why = _unread(stored, architecture)
        if why is not None:
            name = gguf_names.canonical(stored.name, architecture) or stored.name
            refused[name] = RefusedTensor(name, why, stored.shape, stored.shard, stored.start, stored.stop)
            continue
        for part in _parts(stored, keys, architecture, importance):
            if part.name in seen:
                raise DuplicateTensorError(
                    f"two GGUF tensors are {quoted(part.name)}", "Do not trust this file; download it again."
                )
            seen.add(part.name)
            if part.kind.plain is not None and part.rows is None:
                size = int(np.prod(part.shape, dtype=object)) * part.kind.bytes
                plain[part.name] = TensorRef(
                    part.name, part.kind.plain, part.shape, part.shard, part.start, part.start + size
                )
            else:
                packed.append(part)
            reordered += part.rows is not None
    if architecture not in gguf_names.KNOWN:
        notes.append(
            f"the GGUF architecture {quoted(architecture)} is not known here: its converter may have changed weights, "
            "so that none are compared"
        )
    if reordered:
        notes.append(f"rows of {reordered:,} tensors that the converter to GGUF reordered were put back")
    return plain, packed, refused


def _unread(stored: GgufTensor, architecture: str) -> str | None:
    """Why a tensor is not read, as words for its format; None for one that is."""
    if architecture not in gguf_names.KNOWN:
        return f"GGUF {stored.kind.name} of {quoted(architecture)}"
    if stored.kind.name in UNDECODED:
        return f"GGUF {stored.kind.name}"
    if gguf_names.canonical(stored.name, architecture) is None:
        return f"GGUF {stored.kind.name}, unknown to {quoted(architecture)}"
    changed = gguf_names.changed(stored.name, architecture, stored.shape)
    return None if changed is None else f"GGUF {stored.kind.name} {changed}"


def _parts(stored: GgufTensor, keys: Mapping[str, Any], architecture: str, importance: bool) -> Iterator[StoredBlocks]:
    """The tensor by its common name; a stack of experts one by one."""
    name = gguf_names.canonical(stored.name, architecture)
    assert name is not None
    nearest = has_cells(stored.kind, importance)
    if not gguf_names.is_stack(stored.name):
        rows = _rows(stored, keys, architecture)
        yield StoredBlocks(name, stored.shape, stored.kind, stored.shard, stored.start, rows, nearest)
        return
    experts, *shape = stored.shape if len(stored.shape) > 1 else (1, *stored.shape)
    size = (stored.stop - stored.start) // max(experts, 1)
    for number in range(experts):
        start = stored.start + number * size
        own = gguf_names.expert(name, number)
        yield StoredBlocks(own, tuple(shape), stored.kind, stored.shard, start, None, nearest)


def _rows(stored: GgufTensor, keys: Mapping[str, Any], architecture: str) -> Int64 | None:
    """Which stored row is which: the converter puts rows h, half, i of a head at h, i, half."""
    key = gguf_names.heads_of(stored.name, architecture)
    if key is None:
        return None
    heads = keys.get(f"{architecture}.{key}", keys.get(f"{architecture}.attention.head_count"))
    height = stored.shape[0]
    if type(heads) is not int or heads < 1 or height % (2 * heads):
        raise InvalidCheckpointError(
            f"GGUF tensor {quoted(stored.name)} of {height:,} rows does not have the heads that the file names "
            f"({quoted(heads)})",
            "Download the file again, or convert the model anew.",
        )
    return np.arange(height).reshape(heads, -1, 2).swapaxes(1, 2).reshape(-1)


def _config(keys: Mapping[str, Any], architecture: str, names: Iterable[str]) -> dict[str, Any]:
    """What a `config.json` would say, from the file's keys."""
    tokens = keys.get("tokenizer.ggml.tokens")
    words = {
        "hidden_size": "embedding_length", "num_hidden_layers": "block_count",
        "num_attention_heads": "attention.head_count", "num_key_value_heads": "attention.head_count_kv",
        "head_dim": "attention.key_length", "intermediate_size": "feed_forward_length",
    }  # fmt: skip
    config: dict[str, Any] = {
        word: keys[f"{architecture}.{key}"]
        for word, key in words.items()
        if type(keys.get(f"{architecture}.{key}")) is int
    }
    size = tokens.items if isinstance(tokens, Length) else len(tokens) if isinstance(tokens, list) else None
    if size is not None:
        config["vocab_size"] = size
    return {"model_type": architecture, "tie_word_embeddings": "lm_head.weight" not in set(names), **config}


def _metadata(keys: Mapping[str, Any]) -> dict[str, str]:
    """The file's keys that say what it is and where it comes from, as texts."""
    told = {}
    for key, value in keys.items():
        if key.startswith(("general.", "quantize.")) and isinstance(value, str | int | float):
            told[key] = str(value)[:LONGEST_TEXT]
    return told
