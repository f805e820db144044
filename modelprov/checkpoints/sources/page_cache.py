"""What the system knows of a file: is it cached, can it be read past the cache. Linux calls, with fallbacks."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable

import numpy as np

from modelprov.checkpoints.sources.positioned import read_at

O_DIRECT = getattr(os, "O_DIRECT", 0)
ALIGNMENT = 4096


def cached_share(mapping: mmap.mmap, samples: int = 64) -> float:
    """Share of pages of a mapped file that are in memory, 0 to 1, from evenly spaced samples; 0 where unknown."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        mincore = library.mincore
    except (OSError, AttributeError):
        return 0.0
    array = np.frombuffer(mapping, np.uint8)
    address, pages = array.ctypes.data, -(-len(array) // mmap.PAGESIZE)
    flag = ctypes.c_ubyte()
    found = 0
    places = sorted(set(np.linspace(0, pages - 1, min(samples, pages)).astype(int).tolist()))
    for page in places:
        where = ctypes.c_void_p(address + page * mmap.PAGESIZE)
        if mincore(where, ctypes.c_size_t(1), ctypes.byref(flag)) == 0:
            found += flag.value & 1
    return found / len(places)


def open_direct(open_with: Callable[[int], int]) -> int | None:
    """A descriptor that reads past the page cache, or None where the system or file system refuses.

    `open_with` opens the file with the flags that it is given.
    """
    if not O_DIRECT:
        return None
    try:
        descriptor = open_with(O_DIRECT)
    except OSError:
        return None
    try:
        probe = aligned_buffer(ALIGNMENT)
        read_at(descriptor, probe.data, 0)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def aligned_buffer(size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """A uint8 array of `size` bytes that starts on a page, as direct reads need."""
    # Python shares such memory with children unless told otherwise, and the system is slower to hand out shared pages.
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    memory = mmap.mmap(-1, max(size, 1), **private)
    return np.frombuffer(memory, np.uint8)
