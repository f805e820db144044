"""Two checkpoints held against each other element by element, a tensor at a time. Says where, and judges nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, decode, round_to
from modelprov.checkpoints.types import Alignment

CHUNK = 1 << 18


def chunks(alignment: Alignment, row: int) -> Iterable[tuple[int, int, float, float]]:
    """For each chunk of a tensor: differing elements, the first of them (-1: none), found and expected value."""
    tensor = alignment.tensors[row]
    dtype = tensor.views[0].ref.dtype
    for first in range(0, tensor.count, CHUNK):
        count = min(CHUNK, tensor.count - first)
        raw = []
        for checkpoint, view in zip(alignment.checkpoints, tensor.views, strict=True):
            held = np.empty(count * view.ref.dtype.size, np.uint8)
            start = view.start + first * view.ref.dtype.size
            checkpoint.source.read_into(view.ref.shard, start, held.data)
            raw.append(held)
        one, other = decode(raw[0], dtype), decode(raw[1], tensor.views[1].ref.dtype)
        if tensor.views[1].ref.dtype is dtype:
            words = {2: np.uint16, 4: np.uint32, 8: np.uint64}[dtype.size]
            differ = raw[0].view(words) != raw[1].view(words)
        else:
            differ = one != round_to(other, DType(dtype))
        at = int(np.argmax(differ)) if differ.any() else -1
        yield int(differ.sum()), first + at if at >= 0 else -1, float(one[at]), float(other[at])
