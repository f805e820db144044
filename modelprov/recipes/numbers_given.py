"""What a number or truth value of a recipe may be, before anything is computed with it. Pure; knows no method."""

from __future__ import annotations

import math
import re

import numpy as np

from modelprov.foreign.shown import quoted

LONGEST = 300  # characters of a number
NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def number(given: object) -> float:
    """A finite number within float32; raises `ValueError` whose words follow the number's name.

    Text counts where it spells a number, since YAML takes `1e-5` for text.
    """
    if isinstance(given, str):
        if len(given) > LONGEST or not NUMBER.fullmatch(given):
            raise ValueError(f"is {quoted(given)}, not a number")
    elif isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"is {quoted(given)}, not a number")
    try:
        value = float(given)
    except OverflowError as error:
        raise ValueError("is a whole number too large to compute with") from error
    if not math.isfinite(value):
        raise ValueError(f"is {_shown(given)}, not a number that can be computed with")
    with np.errstate(over="ignore"):
        if not np.isfinite(np.float32(value)):
            raise ValueError(f"is {_shown(given)}, more than float32 holds")
    return value


def truth(given: object) -> bool:
    """True or false; 1 and 0 count as such. Raises `ValueError` whose words follow the name."""
    if isinstance(given, bool | int | float) and given in (0, 1):
        return bool(given)
    raise ValueError(f"is {quoted(given)}, neither true nor false")


def _shown(given: object) -> str:
    return given if isinstance(given, str) else f"{given:.9g}"
