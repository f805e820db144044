"""What a command sets for its own process, which does one thing and ends. Whoever imports modelprov keeps their own."""

from __future__ import annotations

import atexit
import gc
import sys

COLLECTED_AFTER = 10_000
"""Objects from which Python's cycle collector looks through the young ones, in the place of 700: imports make 200,000
that stay."""
MMAP_THRESHOLD, TRIM_THRESHOLD, ARENAS = -3, -1, -8  # of the GNU C library's mallopt
LARGEST_KEPT, KEPT = 32 << 20, 128 << 20  # bytes of an array, and of all that is free at the end of the heap


def collect_seldom() -> None:
    """Look for cycles more seldom, and not at the end, where all goes anyway: that took a tenth of a short run."""
    gc.set_threshold(COLLECTED_AFTER, *gc.get_threshold()[1:])
    atexit.register(_leave_cycles)


def _leave_cycles() -> None:
    """Have no cycles looked for from here on.

    But with triton, which torch brings: what it leaves behind its library (nanobind) reports as leaks, in 30 lines.
    """
    if "triton" not in sys.modules:
        gc.freeze()


def keep_freed_memory() -> None:
    """Have the C library keep the memory of freed arrays for the next ones, where it is GNU's.

    It gives large ones back one by one otherwise, and the system zeroes every page anew: of scouting and judging, which
    make arrays of some MB, that was a tenth. The largest that a process needs at once stays the same.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for setting, value in ((MMAP_THRESHOLD, LARGEST_KEPT), (TRIM_THRESHOLD, KEPT), (ARENAS, 1)):
            mallopt(setting, value)
