"""The entries of a safetensors header as columns, every rule about a single tensor checked. Text in, no file, no data.

A header of a hundred thousand tensors is checked column by column. Where any column shows anything unusual, each entry
is looked at by itself: that says which one breaks which rule, or that none does. Text that is written as the format's
own library writes it need not be parsed as JSON for that; whatever differs in a single character is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter, sub
from typing import Any, NoReturn, TypeVar

from modelprov.checkpoints.formats.dtypes import OTHER_SIZES, DType
from modelprov.errors import InvalidHeaderError
from modelprov.foreign.shown import quoted

MOST = 1 << 64
"""Beyond any size, side or offset of a file."""
MOST_SIDES = 64  # numpy's
LONGEST_NAME = 10_000
METADATA = "__metadata__"
DIGITS = 18  # of an offset: more are looked at with more care
NOT_WRITTEN_BY_A_LIBRARY = "No safetensors library writes such a file: do not trust it; download it again."

BITS = {str(dtype): 8 * dtype.size for dtype in DType}
BITS |= {name: 8 * size for name, size in OTHER_SIZES.items()} | {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}

Shape = tuple[int, ...]
T = TypeVar("T")
Entry = tuple[str, str, Shape, int, int]


@dataclass(frozen=True, slots=True)
class Entries:
    """Tensors in the order of their bytes: names, dtypes, shapes, first and last byte (of the data) of each."""

    names: Sequence[str]
    dtypes: Sequence[str]
    shapes: Sequence[Shape]
    begins: Sequence[int]
    ends: Sequence[int]


WHOLE = r"(?:0|[1-9][0-9]*)"
SIDES = re.compile(rf"(?:{WHOLE}(?:,{WHOLE})*)?")
TEXT = r'"[^"\\\x00-\x1f]*"'
BEGIN = re.compile(rf'\{{(?:"__metadata__":(?P<metadata>\{{(?:{TEXT}:{TEXT}(?:,(?="))?)*\}}),)?(?=")')
ENTRY = re.compile(
    r'"([^"\\\x00-\x1f]*)":\{"dtype":"([A-Z0-9_]+)","shape":\[([0-9,]*)\],'
    rf'"data_offsets":\[({WHOLE}),({WHOLE})\]\}}(?:,(?=")|\}} *\Z)'
)
AROUND = len('"":{"dtype":"","shape":[],"data_offsets":[,]},')
"""Characters of an entry beside those of its parts."""


def as_written(text: str) -> tuple[Entries, str] | None:
    """The entries of a header as the format's own library writes it, each sound, and its metadata as JSON text.

    None for any other text, which may be as good: then it is for a reader of JSON to say.
    """
    begin = BEGIN.match(text)
    found = ENTRY.findall(text, begin.end()) if begin else []
    if begin is None or not found:
        return None
    names, dtypes, sides, begins, ends = zip(*found, strict=True)
    parts = sum(sum(map(len, column)) for column in (names, dtypes, sides, begins, ends))
    # Entries are found one after the other: as long together as the text, they are all of it.
    if begin.end() + parts + AROUND * len(names) != len(text.rstrip(" ")) or len(set(names)) != len(names):
        return None
    if METADATA in names or not all(map(SIDES.fullmatch, set(sides))) or max(map(len, begins + ends)) > DIGITS:
        return None
    shapes = {text: tuple(map(int, text.split(","))) if text else () for text in set(sides)}
    columns = list(map(int, begins)), list(map(int, ends))
    entries = _sound(names, dtypes, [shapes[text] for text in sides], *columns)
    return None if entries is None else (_in_order(entries), begin["metadata"] or "{}")


def entries_of(header: Mapping[str, Any], place: str) -> Entries:
    """What a header without its metadata says of each tensor; raises `InvalidHeaderError` for what breaks a rule."""
    found = _at_once(header)
    if found is None:
        each = [_entry(name, entry, place) for name, entry in header.items()]
        found = Entries(*map(list, zip(*each, strict=True))) if each else Entries((), (), (), (), ())
    return _in_order(found)


def refuse(place: str, what: str) -> NoReturn:
    """Raise the `InvalidHeaderError` that says so."""
    raise InvalidHeaderError(f"{place} is not a valid safetensors file: {what}", NOT_WRITTEN_BY_A_LIBRARY)


def _in_order(found: Entries) -> Entries:
    places = list(zip(found.begins, found.ends, strict=True))
    order = sorted(range(len(places)), key=places.__getitem__)
    if order == list(range(len(places))):
        return found

    def moved(column: Sequence[T]) -> list[T]:
        return [column[place] for place in order]

    columns = moved(found.names), moved(found.dtypes), moved(found.shapes), moved(found.begins), moved(found.ends)
    return Entries(*columns)


def _at_once(header: Mapping[str, Any]) -> Entries | None:
    """The entries if all of them are sound; None where any might not be."""
    names, entries = list(header), list(header.values())
    if set(map(type, entries)) != {dict}:
        return None
    try:
        dtypes, sides, offsets = zip(*map(itemgetter("dtype", "shape", "data_offsets"), entries), strict=True)
        known = set(dtypes) <= BITS.keys()
    except (KeyError, TypeError):  # something is missing, or a dtype is a list
        return None
    if not known or set(map(type, sides)) != {list} or set(map(type, offsets)) != {list}:
        return None
    numbers = set(map(type, chain.from_iterable((*sides, *offsets))))  # True is an int to Python, not to the format
    if numbers != {int} or set(map(len, offsets)) != {2}:
        return None
    begins, ends = (list(map(itemgetter(side), offsets)) for side in (0, 1))
    shapes = list(map(tuple, sides))
    distinct = {shape: shape for shape in set(shapes)}  # a few objects, which are compared at once where names agree
    return _sound(names, dtypes, [distinct[shape] for shape in shapes], begins, ends)


def _sound(
    names: Sequence[str], dtypes: Sequence[str], shapes: Sequence[Shape], begins: Sequence[int], ends: Sequence[int]
) -> Entries | None:
    """These entries, if their names can be shown and every shape fills its bytes; None where any might not."""
    if not "".join(names).isprintable() or max(map(len, names)) > LONGEST_NAME or not set(dtypes) <= BITS.keys():
        return None
    forms = list(zip(dtypes, shapes, strict=True))
    sizes = {form: _size(*form) for form in set(forms)}
    sound = min(begins) >= 0 and max(ends) < MOST and [sizes[form] for form in forms] == list(map(sub, ends, begins))
    return Entries(names, dtypes, shapes, begins, ends) if sound else None


def _size(dtype: str, shape: Shape) -> int | None:
    """Bytes of a tensor; None for a shape that cannot be, or that does not fill whole bytes."""
    if len(shape) > MOST_SIDES or any(not 0 <= side < MOST for side in shape):
        return None
    whole, rest = divmod(_product(shape) * BITS[dtype], 8)
    return None if rest else whole


def _entry(name: str, entry: Any, place: str) -> Entry:
    """Name, dtype, shape, first and last byte of one tensor, each checked."""
    if len(name) > LONGEST_NAME:
        refuse(place, f"the tensor name {quoted(name)} has {len(name):,} characters")
    if not name.isprintable():
        refuse(place, f"the tensor name {quoted(name)} has unprintable characters")
    if not isinstance(entry, dict):
        refuse(place, f"tensor {quoted(name)} is not described by a table")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BITS:
        refuse(place, f"tensor {quoted(name)} has the unknown dtype {quoted(dtype)}")
    if isinstance(shape, list) and len(shape) > MOST_SIDES:
        refuse(place, f"tensor {quoted(name)} has {len(shape):,} sides; {MOST_SIDES} is the most that is read")
    # `type(...) is int`: True is an int to Python, not to the format.
    if not isinstance(shape, list) or any(type(side) is not int or not 0 <= side < MOST for side in shape):
        refuse(place, f"tensor {quoted(name)} has the impossible shape {quoted(shape)}")
    offsets = offsets if isinstance(offsets, list) else [offsets]
    if len(offsets) != 2 or any(type(at) is not int or abs(at) >= MOST for at in offsets):
        refuse(place, f"tensor {quoted(name)} has the impossible offsets {quoted(offsets)}")
    begin, end = offsets
    if not 0 <= begin <= end:
        refuse(place, f"tensor {quoted(name)} lies at the impossible offsets {begin} to {end}")
    if _product(shape) * BITS[dtype] != 8 * (end - begin):
        refuse(place, f"tensor {quoted(name)}: {dtype} {quoted(shape)} does not fill its {end - begin:,} bytes")
    return name, dtype, tuple(shape), begin, end


def _product(shape: Sequence[int]) -> int:
    """The number of elements; `MOST` stands for more than any file holds, so that the numbers stay small."""
    product = 1
    for side in shape:
        product = min(product * side, MOST)
    return product
