"""What a fingerprint is made of, as records. Reads and writes nothing: `fingerprint_file.py` has the bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.types import Overlaps
from modelprov.records import Frozen

Int64 = npt.NDArray[np.int64]
Sizes = Mapping[tuple[str, str], npt.NDArray[np.float64]]


class Manifest(Frozen):
    """What a fingerprint says of itself: of `shards` name and size, of `sizes` tensor, side and count."""

    name: str
    revision: str | None
    seed: int
    run: int
    shards: tuple[tuple[str, int], ...]
    header_bytes: tuple[int, ...]
    sizes: tuple[tuple[str, str, int], ...]
    config: dict[str, Any] | None
    tokenizer: str | None
    tokens: tuple[str, ...] = ()
    tokens_by: Literal["strings", "numbers"] = "numbers"
    overlaps: tuple[str, ...] = ()
    head_width: int = 1


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of an embedding as they are stored: of each token its `data`, `width` elements of `dtype`."""

    tokens: tuple[str, ...]
    by: Literal["strings", "numbers"]
    dtype: DType
    width: int
    data: bytes


@dataclass(frozen=True, eq=False)
class Contents:
    """What a fingerprint is made of: `blocks` int64 [b, 3] are shard, first byte, bytes; `weights` theirs, in order.

    The blocks are sorted and do not overlap. `rows` and `overlaps` are None of what is no decoder.
    """

    name: str
    revision: str | None
    seed: int
    run: int
    shards: Sequence[tuple[str, int]]
    headers: Sequence[bytes]
    blocks: Int64
    weights: bytes
    sizes: Sizes
    config: Mapping[str, Any] | None
    tokenizer: str | None
    rows: Rows | None = None
    overlaps: Overlaps | None = None
