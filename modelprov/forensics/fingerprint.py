"""Makes fingerprints: some blocks of a model's weights, and what no coordinates change. Compares nothing.

What a fingerprint is for, and what it gives away, is in `docs/fingerprints.md`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelprov.checkpoints.fingerprint_contents import Contents, Rows, Sizes
from modelprov.checkpoints.fingerprint_file import header_texts
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.decoder import decoder_of
from modelprov.checkpoints.layouts.quantised import refuse_decoded, refuse_packed
from modelprov.checkpoints.layouts.side_files import VOCABULARY
from modelprov.checkpoints.plan import Int64
from modelprov.checkpoints.types import BY_TOKEN, Alignment, Checkpoint, Overlaps
from modelprov.errors import CouldNotJudgeError, ModelprovError, UsageError
from modelprov.forensics.sampling.blocks import RUN, choose_blocks
from modelprov.forensics.search.coordinates.overlaps import choose, overlaps
from modelprov.forensics.search.coordinates.token_rows import choose_rows
from modelprov.forensics.search.profiles import telling
from modelprov.forensics.search.sizes import OwnSizes
from modelprov.machine import one_blas_thread
from modelprov.progress import SILENT, Progress
from modelprov.recipes.tensor_groups import kind_of

SMALLEST, USUAL = 256 << 10, 4 << 20
"""Bytes of blocks, where no size is asked for: of small models a hundredth, within these bounds."""
SHARE = 100
SIZES_SHARE = 4  # at most so many times fewer bytes of sizes than of blocks
ROWS_SHARE = 2  # the same, of embeddings of shared tokens
ALIKE = 4  # matrices of one kind in one layer
SIZES_ELEMENTS = 1 << 27  # of whole matrices that are read for them
LARGEST_TOKENIZER = 256 << 20
PRIVATE = ("_name_or_path",)
"""What a config says of the machine that it was written on."""


def usual_size(checkpoint: Checkpoint) -> int:
    """Bytes of blocks that a fingerprint of this model holds, unless another size is asked for."""
    return max(SMALLEST, min(USUAL, sum(ref.stop - ref.start for ref in checkpoint.tensors.values()) // SHARE))


@one_blas_thread()
def take(checkpoint: Checkpoint, name: str, size: int | None, seed: int, progress: Progress = SILENT) -> Contents:
    """What a fingerprint of a model holds, blocks of about `size` bytes in all; `name` is what it says it is of.

    Raises `CouldNotJudgeError` where there is nothing to compare, `UsageError` for the fingerprint of a fingerprint,
    and what reading raises.
    """
    if checkpoint.fingerprint is not None:
        raise UsageError(f"{checkpoint.label} is a fingerprint already", "Give the checkpoint itself.")
    refuse_packed(checkpoint, "fingerprinted")
    refuse_decoded(checkpoint, "fingerprinted")
    progress.stage("reading headers")
    alignment = align((checkpoint,))
    if not alignment.tensors:
        raise CouldNotJudgeError(
            f"{checkpoint.label} holds no tensor that can be compared", "See `modelprov inspect` for what it holds."
        )
    headers = header_texts(checkpoint)
    wanted = size or usual_size(checkpoint)
    width = sum(tensor.count * tensor.views[0].ref.dtype.size for tensor in alignment.tensors)
    mean = width / sum(tensor.count for tensor in alignment.tensors)
    blocks = _bytes_of(alignment, choose_blocks(alignment, int(wanted / mean), seed))
    progress.stage("reading blocks", int(blocks[:, 2].sum()))
    ranges = [(shard, start, start + count) for shard, start, count in blocks.tolist()]
    pieces: dict[int, bytes] = {}
    for number, piece in checkpoint.source.read_ranges(ranges):
        pieces[number] = bytes(piece)
        progress.advance(len(piece))
    sizes = _sizes(alignment, seed, wanted // SIZES_SHARE, progress)
    rows, overlap = _frame_free(checkpoint, seed, wanted // ROWS_SHARE, progress)
    checkpoint.source.check_unchanged()
    return Contents(
        name=name,
        revision=checkpoint.revision,
        seed=seed,
        run=RUN,
        shards=[(shard.name, shard.size) for shard in checkpoint.shards],
        headers=headers,
        blocks=blocks,
        weights=b"".join(pieces[number] for number in range(len(ranges))),
        sizes=sizes,
        config=_config(checkpoint.config),
        tokenizer=_tokenizer(checkpoint),
        rows=rows,
        overlaps=overlap,
    )


def _bytes_of(alignment: Alignment, chosen: list[tuple[int, int, int]]) -> Int64:
    """Where the chosen segments lie, int64 [b, 3] (shard, first byte, bytes), in the order of the files, once each."""
    found = set()
    for number, first, count in chosen:
        view = alignment.tensors[number].views[0]
        found.add((view.ref.shard, view.start + first * view.ref.dtype.size, count * view.ref.dtype.size))
    merged: list[tuple[int, int, int]] = []
    for shard, start, count in sorted(found):
        before = merged[-1] if merged else (shard, start, 0)
        if before[0] == shard and start < before[1] + before[2]:  # two names for the same weights
            merged[-1] = (shard, before[1], max(before[1] + before[2], start + count) - before[1])
        else:
            merged.append((shard, start, count))
    return np.array(merged, np.int64).reshape(-1, 3)


def _sizes(alignment: Alignment, seed: int, size: int, progress: Progress) -> Sizes:
    """Sums of squares of the rows and columns of some whole matrices, at most `size` bytes of them."""
    chosen = _chosen(alignment, seed, size)
    whole = [alignment.tensors[number].views[0] for number in chosen]
    progress.stage("measuring rows and columns", sum(view.count * view.ref.dtype.size for view in whole))
    found = OwnSizes(alignment.checkpoints[0], on_bytes=progress.advance).of(alignment, 0, chosen)
    return {
        (alignment.tensors[number].name, side): sums
        for number, sides in zip(chosen, found, strict=True)
        for side, sums in sides.items()
    }


def _chosen(alignment: Alignment, seed: int, size: int) -> list[int]:
    """Whole matrices: layers in a seeded order, each with half of what may be read at most, telling kinds first.

    None of those that have a row for each token, which say little and are large; of a layer's experts a few, after the
    rest, since what a layer has once can be held against every layer of another model.
    """
    by_layer: dict[int | None, list[int]] = defaultdict(list)
    for number, tensor in enumerate(alignment.tensors):
        if tensor.decisive and len(tensor.shape) == 2 and tensor.component not in BY_TOKEN:
            by_layer[tensor.layer].append(number)
    layers = sorted(layer for layer in by_layer if layer is not None)
    order: list[int | None] = [layers[place] for place in np.random.default_rng(seed).permutation(len(layers))]
    chosen, unread, left = [], SIZES_ELEMENTS, size
    for layer in [*order, None]:
        here, kinds = min(unread, SIZES_ELEMENTS // 2), Counter[str]()
        tensors = {number: alignment.tensors[number] for number in by_layer.get(layer, ())}
        for number in sorted(tensors, key=lambda each: (tensors[each].expert is not None, *telling(tensors[each]))):
            tensor, kind = tensors[number], kind_of(tensors[number].name)
            cost = 8 * sum(tensor.shape)
            if tensor.count <= here and cost <= left and kinds[kind] < ALIKE:
                chosen.append(number)
                kinds[kind] += 1
                here, unread, left = here - tensor.count, unread - tensor.count, left - cost
    return sorted(chosen)


def _frame_free(
    checkpoint: Checkpoint, seed: int, size: int, progress: Progress
) -> tuple[Rows | None, Overlaps | None]:
    """What no coordinates change: embeddings of shared tokens, at most `size` bytes, and how matrices overlap."""
    decoder = decoder_of(checkpoint)
    if decoder is None:
        return None, None
    names = choose(decoder, seed)
    views = [decoder.places[name].view for name in names]
    progress.stage("measuring how matrices overlap", sum(view.count * view.ref.dtype.size for view in views))
    return choose_rows(decoder, size, seed), overlaps(decoder, names, decoder.head_width or 1, progress.advance)


def _config(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if config is None else {key: value for key, value in config.items() if key not in PRIVATE}


def _tokenizer(checkpoint: Checkpoint) -> str | None:
    """SHA-256 of the tokenizer's file; None where there is none, or none that can be read."""
    beside = checkpoint.beside
    try:
        if beside is None or not beside.has(VOCABULARY):
            return None
        return hashlib.sha256(beside.read(VOCABULARY, LARGEST_TOKENIZER)).hexdigest()
    except ModelprovError:
        return None
