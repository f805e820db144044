"""Bytes that lie in memory or in files, as kernels take them: by address, by descriptor, or read beforehand."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import SIZES
from modelprov.checkpoints.reading import WORD, moved_to_words
from modelprov.checkpoints.sources.interface import Stored
from modelprov.forensics.sums.kernels.interface import Kernel, RecipePlan, Segments
from modelprov.forensics.sums.moments import Moments
from modelprov.native.functions import IN_MEMORY

Bytes = npt.NDArray[np.uint8]


@contextmanager
def lies(source: Bytes | Stored) -> Iterator[tuple[int, int]]:
    """A file's descriptor and 0, or `IN_MEMORY` and an address.

    Raises `OSError` where a file cannot be opened, and where only the source itself can read.
    """
    if isinstance(source, np.ndarray):
        yield IN_MEMORY, source.ctypes.data
        return
    with source.descriptor() as descriptor:
        if descriptor is None:
            raise OSError(errno.EOPNOTSUPP, "not a file")
        yield descriptor, 0


def copy(source: Bytes | Stored, start: int, out: Bytes) -> None:
    """Bytes from `start` on, from memory or from where they are stored."""
    if isinstance(source, np.ndarray):
        out[:] = source[start : start + len(out)]
    else:
        source.read_into(start, out.data)


def read_first(kernel: Kernel, buffers: Sequence[Bytes | Stored], segments: Segments, recipes: RecipePlan) -> Moments:
    """What a kernel makes of segments in memory, from whole words on; what is stored or lies elsewhere is copied there.

    Raises as reading does.
    """
    here = [buffer for buffer in buffers if isinstance(buffer, np.ndarray)]
    if len(here) == len(buffers) and not (segments.start % WORD).any():
        return kernel(here, segments, recipes)
    sizes = segments.count * SIZES[segments.dtype]
    read, start = zip(*map(moved_to_words, buffers, segments.start, sizes), strict=True)
    return kernel(read, replace(segments, start=np.stack(start)), recipes)
