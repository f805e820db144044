"""SHA-256 digests that say which checkpoint was read. Reads shards only to hash them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from modelprov.checkpoints.types import Checkpoint

MANIFEST_COVERS = "names, sizes and headers of the shards, not the weights"
WEIGHTS_COVER = "names, sizes and every byte of the shards"
SAMPLE_COVERS = "names, sizes and headers of the shards, and the first 4,096 bytes of every tensor"
CHUNK_BYTES = 8 << 20
SAMPLE_BYTES = 4096
AT_ONCE = 1024  # tensors whose first bytes are asked for together
NONE_READ: Mapping[str, bytes] = MappingProxyType({})


def manifest_digest(checkpoint: Checkpoint) -> str:
    """SHA-256 over the sorted (file name, size, header digest) of the shards, one line each, separated by tabs.

    It covers names, sizes and headers, not the weights: an edit of values alone does not change it. Folder and order
    do not matter.
    """
    lines = sorted(f"{shard.file_name}\t{shard.size}\t{shard.header_digest}\n" for shard in checkpoint.shards)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class HashedWeights:
    """SHA-256 of every shard by file name (what `sha256sum` and the Hub show), and `weights_digest` of the whole."""

    shards: Mapping[str, str]
    whole: str


def weights_digest(checkpoint: Checkpoint, on_bytes: Callable[[int], None] | None = None) -> str:
    """SHA-256 over the sorted (file name, size, SHA-256 of the file) of the shards, one line each, as above.

    Reads every byte as `hash_weights` does.
    """
    return hash_weights(checkpoint, on_bytes).whole


def hash_weights(checkpoint: Checkpoint, on_bytes: Callable[[int], None] | None = None) -> HashedWeights:
    """Hash every byte of the shards, 8 MiB at a time; `on_bytes` is called with the length of each piece.

    Raises what reading raises (`TruncatedShardError`, `UnreadableFileError`, `ChangedFileError`).
    """
    buffer = memoryview(bytearray(CHUNK_BYTES))
    shards, lines = {}, []
    for number, shard in enumerate(checkpoint.shards):
        digest = hashlib.sha256()
        for start in range(0, shard.size, CHUNK_BYTES):
            piece = buffer[: min(CHUNK_BYTES, shard.size - start)]
            checkpoint.source.read_into(number, start, piece)
            digest.update(piece)
            if on_bytes is not None:
                on_bytes(len(piece))
        shards[shard.name if shard.file_name in shards else shard.file_name] = digest.hexdigest()
        lines.append(f"{shard.file_name}\t{shard.size}\t{digest.hexdigest()}\n")
    checkpoint.source.check_unchanged()
    return HashedWeights(shards, hashlib.sha256("".join(sorted(lines)).encode()).hexdigest())


def sampled_digest(checkpoint: Checkpoint, starts: Mapping[str, bytes] = NONE_READ) -> str:
    """SHA-256 over the manifest digest and the first 4,096 bytes of every tensor, in the order of their names.

    Tells checkpoints of one layout apart at the price of a few MB read; an edit elsewhere in a tensor escapes it.
    `starts` are first bytes, by tensor, that were read already: a merge would compute them again.
    Raises what reading raises.
    """
    digest = hashlib.sha256(manifest_digest(checkpoint).encode())
    names = sorted({**checkpoint.tensors, **checkpoint.refused})
    for first in range(0, len(names), AT_ONCE):
        batch = names[first : first + AT_ONCE]
        wanted = [name for name in batch if name not in starts]
        stored = [checkpoint.tensors.get(name) or checkpoint.refused[name] for name in wanted]
        ranges = [(each.shard, each.start, min(each.start + SAMPLE_BYTES, each.stop)) for each in stored]
        pieces = {wanted[number]: piece for number, piece in checkpoint.source.read_ranges(ranges)}
        for name in batch:
            digest.update(f"{name}\t".encode())
            digest.update(starts[name] if name in starts else pieces[name])
    checkpoint.source.check_unchanged()
    return digest.hexdigest()
