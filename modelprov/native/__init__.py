"""The C kernels as Python meets them: found, checked and loaded; or None, and numba computes instead.

A library that was built from other sources, or returns other bits than it should, is not used.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from modelprov.native.build import LIBRARY, digest_of_sources
from modelprov.native.functions import ARGUMENTS, PLAIN, RESULTS, Native

CHOICE = "MODELPROV_KERNEL"
"""In the environment: `numba` leaves the C kernels aside."""
NAMES = {"avx2": "AVX2", "avx512": "AVX-512", "neon": "NEON"}
PLACE = Path(__file__).parent / LIBRARY


@lru_cache
def native() -> Native | None:
    """The library for this processor, checked once a process; None where numba has to do."""
    found = _found()
    return found if isinstance(found, Native) else None


@lru_cache
def for_merging() -> Native | None:
    """The same, with the loops of merges checked too, once a process that merges."""
    from modelprov.native.check import MERGING, merging_digest

    library = native()
    return library if library is not None and merging_digest(library) == MERGING else None


def why_not() -> str:
    """Why there are no C kernels here; empty where there are."""
    found = _found()
    return found if isinstance(found, str) else ""


class NotUsableError(Exception):
    """Why a library is not used, in words."""


def opened(place: Path) -> Native:
    """The library at a place, for this processor, unchecked. Raises `NotUsableError`."""
    try:
        library = ctypes.CDLL(str(place))
        if _text(library.modelprov_sources) != digest_of_sources():
            raise NotUsableError("built from other sources than are here: install modelprov again")
        variant = _text(library.modelprov_variant)
        if not variant:
            raise NotUsableError("this processor lacks the instructions that they were built for")
        names = {name: name if name in PLAIN else f"{name}_{variant}" for name in ARGUMENTS}
        functions = {name: getattr(library, f"modelprov_{there}") for name, there in names.items()}
    except (OSError, AttributeError) as error:
        raise NotUsableError(f"they cannot be loaded: {error}") from error
    for name, function in functions.items():
        function.restype, function.argtypes = RESULTS.get(name), ARGUMENTS[name]
    return Native(variant=NAMES[variant], **{f"_{name}": function for name, function in functions.items()})


@lru_cache
def _found() -> Native | str:
    from modelprov.native.check import same_bits

    if os.environ.get(CHOICE) == "numba":
        return f"{CHOICE} asks for numba"
    if not PLACE.exists():
        return "not built when modelprov was installed: no C compiler, or a kind of processor that they do not know"
    try:
        library = opened(PLACE)
    except NotUsableError as reason:
        return str(reason)
    return library if same_bits(library) else f"their {library.variant} variant computes other bits than it should"


def _text(function: Any) -> str:
    function.restype = ctypes.c_char_p
    return str(function().decode())
