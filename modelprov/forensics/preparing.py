"""Makes the processor's kernels ready, and says whether they are compiled and for how long that took."""

from __future__ import annotations

import time

from modelprov.forensics.sums.kernels.cpu import compile_kernel
from modelprov.native import native
from modelprov.progress import Progress, tell

NOTICED = 2.0
"""Seconds from which it is said how long it took: numba's kept code is there in less."""


def prepare_kernels(progress: Progress) -> None:
    """Ready to compute: in C at once; in numba after some seconds of compiling on the first run, which is said."""
    built = native() is not None
    progress.stage("preparing kernels" if built else "preparing kernels (the first run compiles them: a minute or so)")
    begun = time.monotonic()
    compile_kernel()
    took = time.monotonic() - begun
    if not built and took > NOTICED:
        tell(progress, f"preparing kernels took {took:.0f} s; compiled ones are kept, and ready on the next run")
