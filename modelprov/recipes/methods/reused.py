"""Memory of a thread that blocks share one after the other: asking the system for more costs as much as a pass.

What was in it is gone when the thread asks for the same name again. Knows no methods.
"""

from __future__ import annotations

import math
import threading

import numpy as np

from modelprov.recipes.methods.interface import Float32


class Reused(threading.local):
    """Arrays by name, those of the calling thread."""

    def __init__(self) -> None:
        self._held: dict[str, Float32] = {}

    def array(self, name: str, *shape: int) -> Float32:
        """A float32 array of this shape with anything in it; it is overwritten after the next call with this name."""
        count = math.prod(shape)
        held = self._held.get(name)
        if held is None or len(held) < count:
            held = self._held[name] = np.empty(count, np.float32)
        return held[:count].reshape(shape)
