"""A `model.safetensors` beside an index that does not name it: two models in one folder, and programs load either.

The index is followed. What the other file holds is said from its header; none of its weights are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelprov.checkpoints.header import read_headers
from modelprov.checkpoints.homes import Home
from modelprov.checkpoints.layouts.files import SINGLE
from modelprov.checkpoints.types import RefusedTensor, TensorRef
from modelprov.errors import ModelprovError
from modelprov.foreign.shown import quoted

TAKEN_FIRST = f"transformers would take {SINGLE} first"
"""In the note on such a folder, and in no other: reports put it beside their headline."""

Stored = Mapping[str, TensorRef | RefusedTensor]


def beside_index(home: Home, read: Sequence[str], stored: Stored) -> list[str]:
    """The note on the single file of a folder whose index was followed; none without one.

    `read` are the names of the files that the index names, `stored` their tensors.
    """
    if SINGLE in read or SINGLE not in home.names():
        return []
    return [
        f"{SINGLE}, not named by the index and not read, {_what_it_holds(home, stored)}: {TAKEN_FIRST}, vLLM takes "
        "the files that the index names; these are what was read here"
    ]


def _what_it_holds(home: Home, stored: Stored) -> str:
    try:
        home.check(SINGLE)
        source = home.source([SINGLE])
        try:
            (header,) = read_headers(source)
        finally:
            source.close()
    except ModelprovError as error:  # nobody asked for this file: whatever it is, the rest can be judged
        return f"cannot be read ({error.message})"
    own: Stored = {each.name: each for each in header.tensors} | {each.name: each for each in header.refused}
    differing = {
        "only in it": own.keys() - stored.keys(),
        "missing in it": stored.keys() - own.keys(),
        "of another shape or format in it": {
            name for name in own.keys() & stored.keys() if _form(own[name]) != _form(stored[name])
        },
    }
    told = [f"{len(found):,} {what}, e.g. {quoted(min(found))}" for what, found in differing.items() if found]
    if not told:
        return "holds tensors of the same names, shapes and formats (whether of the same bits was not looked at)"
    return f"holds another model than the files of the index ({'; '.join(told)})"


def _form(tensor: TensorRef | RefusedTensor) -> tuple[str, tuple[int, ...]]:
    return tensor.format if isinstance(tensor, RefusedTensor) else str(tensor.dtype), tensor.shape
