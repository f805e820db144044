"""The file format of fingerprints: what they hold, as bytes and back. Chooses no blocks; every byte read is hostile.

A fingerprint is a safetensors file (`docs/fingerprints.md`). It has the headers of the checkpoint that it is of, word
for word, so that it opens as that checkpoint; of the weights behind them it has some blocks.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import ValidationError

from modelprov.checkpoints.fingerprint_contents import Contents, Int64, Manifest, Rows
from modelprov.checkpoints.formats.dtypes import DType, decode, finite_or_zero
from modelprov.checkpoints.header import LENGTH_BYTES, MAX_HEADER_BYTES, Header, header_of, read_headers
from modelprov.checkpoints.sources.held import HeldBytes
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.types import Checkpoint, Fingerprint, Overlaps, RefusedTensor, TensorRef, TokenRows
from modelprov.checkpoints.writing import Held, header
from modelprov.errors import InvalidFingerprintError, InvalidHeaderError, UnsupportedFormatError
from modelprov.foreign.json_text import JsonError, parse_json

KIND, VERSION = "modelprov fingerprint", "3"
PARTS = {
    "2": ("blocks", "sizes", "headers", "weights"),
    "3": ("blocks", "sizes", "headers", "weights", "embeddings", "overlaps"),
}
"""The tensors of each version that is read, in the order of their digest; 1 had places of its own in every layer."""
LARGEST = 1 << 30  # bytes of a file that are read into memory
AGAIN = "Download it again, or make it anew: `modelprov fingerprint MODEL -o FILE.mpf`."
PLACES = 1 << 60  # bytes of a checkpoint, beyond any disk


@dataclass(frozen=True, eq=False)
class Opened:
    """A fingerprint that was read: the headers of its checkpoint, and what is there of it."""

    manifest: Manifest
    headers: tuple[Header, ...]
    source: HeldBytes
    fingerprint: Fingerprint


def header_texts(checkpoint: Checkpoint) -> list[bytes]:
    """The headers of a checkpoint's shards, word for word.

    Raises `UnsupportedFormatError` where a shard has none, or where they do not say what the checkpoint's tensors are:
    then no fingerprint would open as the same model.
    """
    read, shards = checkpoint.source.read_ranges, checkpoint.shards
    if min((shard.size for shard in shards), default=0) < LENGTH_BYTES:
        raise _other_format(checkpoint)
    lengths = dict(read([(number, 0, LENGTH_BYTES) for number in range(len(shards))]))
    sizes = [int.from_bytes(lengths[number], "little") for number in range(len(shards))]
    if any(size > min(MAX_HEADER_BYTES, shard.size - LENGTH_BYTES) for size, shard in zip(sizes, shards, strict=True)):
        raise _other_format(checkpoint)
    pieces = dict(read([(number, LENGTH_BYTES, LENGTH_BYTES + size) for number, size in enumerate(sizes)]))
    texts = [bytes(pieces[number]) for number in range(len(shards))]
    tensors: dict[str, TensorRef] = {}
    for number, (text, shard) in enumerate(zip(texts, shards, strict=True)):
        if hashlib.sha256(text).hexdigest() != shard.header_digest:
            raise _other_format(checkpoint)
        tensors |= {ref.name: ref for ref in header_of(checkpoint.source, number, text).tensors}
    if tensors != dict(checkpoint.tensors):
        raise _other_format(checkpoint)
    return texts


def _other_format(checkpoint: Checkpoint) -> UnsupportedFormatError:
    return UnsupportedFormatError(
        f"{checkpoint.label} is no model in plain safetensors files; fingerprints are made of those only",
        "Take the fingerprint of the safetensors release, or write the model as one: `modelprov merge`.",
    )


def fingerprint_bytes(of: Contents) -> bytes:
    """The file: the same bytes for the same contents (with the same version of zlib)."""
    sizes = np.concatenate([*of.sizes.values(), np.zeros(0)]).astype("<f8")
    rows = of.rows or Rows((), "numbers", DType.F32, 0, b"")
    overlaps = of.overlaps or Overlaps((), 1, np.zeros((0, 0), np.float32))
    manifest = Manifest(
        name=of.name,
        revision=of.revision,
        seed=of.seed,
        run=of.run,
        shards=tuple(of.shards),
        header_bytes=tuple(map(len, of.headers)),
        sizes=tuple((name, side, len(values)) for (name, side), values in of.sizes.items()),
        config=None if of.config is None else dict(of.config),
        tokenizer=of.tokenizer,
        tokens=rows.tokens,
        tokens_by=rows.by,
        overlaps=overlaps.names,
        head_width=overlaps.head_width,
    )
    said = json.dumps(manifest.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    headers = zlib.compress(b"".join(of.headers), 9)
    tensors = [
        Held("blocks", "I64", of.blocks.shape, of.blocks.astype("<i8").tobytes()),
        Held("sizes", "F64", sizes.shape, sizes.tobytes()),
        Held("headers", "U8", (len(headers),), headers),
        Held("weights", "U8", (len(of.weights),), of.weights),
        Held("embeddings", rows.dtype, (len(rows.tokens), rows.width), rows.data),
        Held("overlaps", "F32", overlaps.table.shape, overlaps.table.astype("<f4").tobytes()),
    ]
    digest = _digest(said, [tensor.data for tensor in tensors])
    metadata = {"kind": KIND, "version": VERSION, "sha256": digest, "manifest": said}
    return header(tensors, metadata) + b"".join(tensor.data for tensor in tensors)


def read_fingerprint(source: Source, label: str) -> Opened:
    """What a source of one file holds; `label` is what the fingerprint is called in messages.

    Raises `InvalidFingerprintError` for anything that is no whole fingerprint of this version, and what reading raises.
    """
    place = source.place(0)
    if source.size(0) > LARGEST:
        raise InvalidFingerprintError(f"{place} is larger than {LARGEST:,} bytes: no fingerprint is", AGAIN)
    try:
        (outer,) = read_headers(source)
    except InvalidHeaderError as error:
        raise InvalidFingerprintError(f"{place} is no fingerprint: {error.message}", AGAIN) from error
    if outer.metadata.get("kind") != KIND:
        raise InvalidFingerprintError(f"{place} is a safetensors file, but no fingerprint", AGAIN)
    if outer.metadata.get("version") not in PARTS:
        raise InvalidFingerprintError(
            f"{place} is a fingerprint of version {outer.metadata.get('version', '')[:20]!r}; this modelprov reads "
            f"versions {' and '.join(PARTS)}",
            "Make it anew with this version, or use the one that wrote it.",
        )
    parts = _parts(source, outer, place)
    manifest = _manifest(outer.metadata, parts, place)
    opened = _checked(manifest, parts, outer.metadata["sha256"], label, place)
    if "embeddings" not in parts:
        return opened
    rows, overlaps = _rows(manifest, outer, parts, place), _overlaps(manifest, parts, place)
    return replace(opened, fingerprint=replace(opened.fingerprint, rows=rows, overlaps=overlaps))


def _parts(source: Source, outer: Header, place: str) -> dict[str, bytes]:
    """The bytes of the tensors by name, in the order of their digest."""
    names = PARTS[outer.metadata["version"]]
    stored: dict[str, TensorRef | RefusedTensor] = {each.name: each for each in outer.tensors}
    stored |= {each.name: each for each in outer.refused}
    if stored.keys() != set(names):
        raise InvalidFingerprintError(f"{place} has other parts than a fingerprint", AGAIN)
    ranges = [(0, stored[name].start, stored[name].stop) for name in names]
    pieces = dict(source.read_ranges(ranges))
    source.close()
    return {name: bytes(pieces[number]) for number, name in enumerate(names)}


def _manifest(metadata: Mapping[str, str], parts: Mapping[str, bytes], place: str) -> Manifest:
    said = metadata.get("manifest", "")
    own = _digest(said, list(parts.values()))
    if metadata.get("sha256") != own:
        raise InvalidFingerprintError(f"{place} is not what was written: its digest is another one", AGAIN)
    try:
        return Manifest.model_validate(parse_json(said, unique=True, finite=True, stored=True))
    except (JsonError, ValidationError) as error:
        raise InvalidFingerprintError(f"{place} does not say what it holds", AGAIN) from error


def _checked(manifest: Manifest, parts: Mapping[str, bytes], digest: str, label: str, place: str) -> Opened:
    """The parts as what they stand for, each checked against the others."""
    lengths = [size for _, size in manifest.shards]
    held = [count for *_, count in manifest.sizes]
    blocks = np.frombuffer(parts["blocks"], "<i8").astype(np.int64)
    sizes = np.frombuffer(parts["sizes"], "<f8").astype(np.float64)
    sound = (
        len(manifest.header_bytes) == len(lengths) > 0
        and min(lengths) > 0
        and sum(lengths) < PLACES
        and min(manifest.header_bytes) >= 0
        and sum(manifest.header_bytes) <= LARGEST
        and min(held, default=0) >= 0
        and sum(held) == len(sizes)
        and bool(np.isfinite(sizes).all())
        and len(blocks) % 3 == 0
        and manifest.run > 0
    )
    if not sound:
        raise InvalidFingerprintError(f"{place} contradicts itself", AGAIN)
    begins = np.cumsum([0, *lengths], dtype=np.int64)
    starts, stops = _places(blocks.reshape(-1, 3), begins, len(parts["weights"]), place)
    data = np.frombuffer(parts["weights"], np.uint8)
    names = tuple(name for name, _ in manifest.shards)
    source = HeldBytes(label, names, begins[:-1], starts, stops, data, tuple(lengths), digest)
    headers = _headers(manifest, parts["headers"], source, place)
    stored = sum(each.stop - each.start for header in headers for each in header.tensors)
    stored += sum(each.stop - each.start for header in headers for each in header.refused)
    ends = np.cumsum([0, *held])
    fingerprint = Fingerprint(
        begins[:-1],
        starts,
        stops,
        {(name, side): sizes[ends[i] : ends[i + 1]] for i, (name, side, _) in enumerate(manifest.sizes)},
        (len(data) + len(parts.get("embeddings", b""))) / stored if stored else 0.0,
        manifest.seed,
        manifest.run,
        manifest.tokenizer,
    )
    return Opened(manifest, headers, source, fingerprint)


def _rows(manifest: Manifest, outer: Header, parts: Mapping[str, bytes], place: str) -> TokenRows | None:
    """The embeddings of the tokens that the manifest names; what is not finite is 0."""
    stored = next((each for each in outer.tensors if each.name == "embeddings"), None)
    tokens = manifest.tokens
    if stored is None or len(stored.shape) != 2 or stored.shape[0] != len(tokens) or len(set(tokens)) < len(tokens):
        raise InvalidFingerprintError(f"{place} names other tokens than it holds embeddings of", AGAIN)
    if not tokens:
        return None
    values = decode(np.frombuffer(parts["embeddings"], np.uint8), stored.dtype).reshape(stored.shape)
    return TokenRows(tokens, manifest.tokens_by, finite_or_zero(values).astype(np.float32))


def _overlaps(manifest: Manifest, parts: Mapping[str, bytes], place: str) -> Overlaps | None:
    """The table of the matrices that the manifest names."""
    table, names = np.frombuffer(parts["overlaps"], "<f4").astype(np.float32), manifest.overlaps
    sound = table.size == len(names) ** 2 and np.isfinite(table).all() and len(set(names)) == len(names)
    if not sound or manifest.head_width < 1:
        raise InvalidFingerprintError(f"{place} names other matrices than it holds overlaps of", AGAIN)
    return Overlaps(names, manifest.head_width, table.reshape(len(names), -1)) if names else None


def _places(blocks: Int64, begins: Int64, weights: int, place: str) -> tuple[Int64, Int64]:
    """Where the blocks lie in all shards laid one after the other; those that touch are put together."""
    shard, first, size = blocks.T
    inside = (shard >= 0).all() and (shard < len(begins) - 1).all() and (first >= 0).all() and (size > 0).all()
    inside = inside and (first < PLACES).all() and (size < PLACES).all()
    if inside:
        starts = begins[shard] + first
        stops = starts + size
        inside = (stops <= begins[shard + 1]).all() and (starts[1:] >= stops[:-1]).all() and size.sum() == weights
    if not inside:
        raise InvalidFingerprintError(f"{place} has blocks where its checkpoint has no bytes", AGAIN)
    apart = starts[1:] > stops[:-1]
    return starts[np.r_[True, apart]] if len(starts) else starts, stops[np.r_[apart, True]] if len(stops) else stops


def _headers(manifest: Manifest, packed: bytes, source: HeldBytes, place: str) -> tuple[Header, ...]:
    """The headers of the checkpoint, by every rule that headers are read by."""
    whole = sum(manifest.header_bytes)
    unpack = zlib.decompressobj()
    try:
        text = unpack.decompress(packed, whole + 1)
    except zlib.error as error:
        raise InvalidFingerprintError(f"{place} has headers that cannot be unpacked", AGAIN) from error
    if len(text) != whole:
        raise InvalidFingerprintError(f"{place} has headers of another size than it says", AGAIN)
    ends = np.cumsum([0, *manifest.header_bytes]).tolist()
    return tuple(header_of(source, shard, text[ends[shard] : ends[shard + 1]]) for shard in range(len(ends) - 1))


def _digest(said: str, parts: Sequence[bytes]) -> str:
    digest = hashlib.sha256(said.encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
