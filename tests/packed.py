"""Checkpoints in memory whose matrices are packed as a quantiser packs them, decoded when they are read."""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import encode_single
from modelprov.checkpoints.formats.gguf_blocks import KINDS, NUMBERS, has_cells
from modelprov.checkpoints.layouts.decoded import PackedTensor, with_decoded
from modelprov.checkpoints.layouts.gguf_model import StoredBlocks
from modelprov.checkpoints.types import Checkpoint, Shard, TensorRef
from modelprov.demo.writing import Weights
from tests.gguf_files import quantised
from tests.memory import Memory


def packed(label: str, weights: Weights, name: str) -> Checkpoint:
    """An opened checkpoint with its matrices in blocks of a GGUF type, of whole tensors where rows hold none."""
    kind = KINDS[NUMBERS[name]]
    tensors: dict[str, TensorRef] = {}
    blocks: list[PackedTensor] = []
    pieces, at = [], 0
    for tensor, (values, dtype) in weights.items():
        if values.ndim == 2 and values.size % kind.elements == 0:
            rows = np.ascontiguousarray(values, np.float32).reshape(1, -1)
            data = quantised(rows, name)[0].tobytes()
            blocks.append(StoredBlocks(tensor, values.shape, kind, 0, at, None, has_cells(kind, importance=False)))
        else:
            data = bytes(encode_single(values, dtype))
            tensors[tensor] = TensorRef(tensor, dtype, values.shape, 0, at, at + len(data))
        pieces.append(data)
        at += len(data)
    source = Memory((b"".join(pieces),))
    return with_decoded(Checkpoint(label, label, tensors, (Shard(source.names[0], at, ""),), source), blocks)
