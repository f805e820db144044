"""A realignment as a safetensors file, so that others can check it: orders I64, factors F64, bases and blocks F32.

The metadata holds one text, `modelprov_alignment`, a JSON object: `version` 1; `suspect` and `parent`, the locations as
they were named; `layers`, pairs (suspect's layer, parent's layer); `tensors`, rows of (suspect's name, parent's name,
axis of the rows or null, axis of the columns or null, [suspect's norm, parent's norm] or null), by canonical names;
`axes`, their keys; and, where the configs do not say so, `one_plus`, whether norms of the suspect and of the parent
multiply by 1 + weight. Axis number i is stored as `i.own` and `i.theirs`, with `i.factors`, `i.basis` or `i.blocks` if
it has them. Entry j of an axis is entry own[j] of the suspect, and of the parent entry theirs[j] times factors[j].
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.header import read_headers
from modelprov.checkpoints.layouts.realignment import Axis, PairedTensor, Realignment
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.checkpoints.types import RefusedTensor, TensorRef
from modelprov.checkpoints.writing import Held, header
from modelprov.errors import InvalidCheckpointError
from modelprov.foreign.json_text import JsonError, parse_json

KEY, VERSION = "modelprov_alignment", 1
FORMATS = {"own": "I64", "theirs": "I64", "factors": "F64", "basis": "F32", "blocks": "F32"}
NUMPY = {"I64": "<i8", "F64": "<f8", "F32": "<f4"}


@dataclass(frozen=True, eq=False)
class AlignmentFile:
    """A realignment that was read from a file: where it lay, as it was named, and the SHA-256 of its bytes."""

    realignment: Realignment
    location: str
    sha256: str


def alignment_bytes(realignment: Realignment, suspect: str, parent: str) -> bytes:
    """The content of the file."""
    axes = realignment.used()
    stored = []
    for number, axis in enumerate(axes.values()):
        for part, form in FORMATS.items():
            values = getattr(axis, part)
            if values is not None:
                data = np.ascontiguousarray(values, NUMPY[form])
                stored.append(Held(f"{number}.{part}", form, data.shape, data.tobytes()))
    told = {
        "version": VERSION,
        "suspect": suspect,
        "parent": parent,
        "layers": sorted(realignment.layers.items()),
        "axes": list(axes),
        "tensors": [
            [tensor.name, tensor.parent, tensor.rows, tensor.columns, tensor.norms] for tensor in realignment.tensors
        ],
    }
    if realignment.one_plus is not None:
        told["one_plus"] = realignment.one_plus
    head = header(stored, {KEY: json.dumps(told, separators=(",", ":"))})
    return head + b"".join(tensor.data for tensor in stored)


def open_alignment(path: Path) -> AlignmentFile:
    """The realignment in a file, with the digest of its bytes; raises what `read_alignment` raises."""
    realignment = read_alignment(path)
    with path.open("rb") as file:
        return AlignmentFile(realignment, str(path), hashlib.file_digest(file, "sha256").hexdigest())


def read_alignment(path: Path) -> Realignment:
    """The realignment in a file, every rule checked; raises `InvalidCheckpointError`, and what reading raises."""
    source = LocalFiles(path.parent, (path.name,))
    try:
        (head,) = read_headers(source)
        held: dict[str, TensorRef | RefusedTensor] = {ref.name: ref for ref in head.tensors}
        held |= {ref.name: ref for ref in head.refused}
        told = _told(head.metadata, path)
        axes = {key: _axis(source, held, number, path) for number, key in enumerate(_texts(told, "axes", path))}
    finally:
        source.close()
    tensors = tuple(_tensor(row, axes, path) for row in _list(told, "tensors", path))
    if len({tensor.name for tensor in tensors}) != len(tensors):
        _refuse(path, "a tensor is told twice")
    pairs = _list(told, "layers", path)
    if any(not isinstance(pair, list) or [type(side) for side in pair] != [int, int] for pair in pairs):
        _refuse(path, "its layers are not pairs of numbers")
    plus = told.get("one_plus")
    if plus is not None and (not isinstance(plus, list) or [type(side) for side in plus] != [bool, bool]):
        _refuse(path, "its one_plus is not a pair of true and false")
    return Realignment(axes, tensors, dict(map(tuple, pairs)), None if plus is None else (plus[0], plus[1]))


def _told(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    if KEY not in metadata:
        _refuse(path, f"its metadata has no {KEY}")
    try:
        told = parse_json(metadata[KEY], unique=True, finite=True, stored=True)
    except JsonError as error:
        _refuse(path, f"{KEY} is not JSON ({error})")
    if not isinstance(told, dict) or told.get("version") != VERSION:
        _refuse(path, f"it is not of version {VERSION}")
    return dict(told)


def _list(told: dict[str, Any], key: str, path: Path) -> list[Any]:
    value = told.get(key)
    if not isinstance(value, list):
        _refuse(path, f"it has no list of {key}")
    return value


def _texts(told: dict[str, Any], key: str, path: Path) -> list[str]:
    values = _list(told, key, path)
    if not all(isinstance(value, str) for value in values) or len(set(values)) != len(values):
        _refuse(path, f"its {key} are not texts, each once")
    return values


def _tensor(row: Any, axes: dict[str, Axis], path: Path) -> PairedTensor:
    if not isinstance(row, list) or len(row) != 5:
        _refuse(path, "a tensor is not told in five parts")
    name, parent, rows, columns, norms = row
    if not isinstance(name, str) or not isinstance(parent, str):
        _refuse(path, "a tensor has no name")
    if any(key is not None and (not isinstance(key, str) or key not in axes) for key in (rows, columns)):
        _refuse(path, "a tensor has an axis that is not there")
    if norms is not None and not (isinstance(norms, list) and [type(norm) for norm in norms] == [str, str]):
        _refuse(path, "the norms of a tensor are not two names")
    return PairedTensor(name, parent, rows, columns, None if norms is None else (norms[0], norms[1]))


def _axis(source: LocalFiles, held: dict[str, TensorRef | RefusedTensor], number: int, path: Path) -> Axis:
    parts = {part: _values(source, held.get(f"{number}.{part}"), part, path) for part in FORMATS}
    own, theirs, factors, basis, blocks = (parts[part] for part in FORMATS)
    if own is None or theirs is None or own.ndim != 1 or theirs.ndim != 1:
        _refuse(path, f"axis {number} is not there")
    if (basis is None and theirs.size != own.size) or (factors is not None and factors.shape != theirs.shape):
        _refuse(path, f"the sides of axis {number} differ in length")
    if basis is not None and (basis.ndim != 2 or basis.shape[1] != own.size):
        _refuse(path, f"the basis of axis {number} does not fit")
    if blocks is not None and (
        blocks.ndim != 3
        or blocks.shape[1:] != (own.size // max(1, len(blocks)),) * 2
        or blocks[..., 0].size != own.size
    ):
        _refuse(path, f"the blocks of axis {number} do not fit")
    for order in (own, theirs):
        if order.size and (order.min() < 0 or (np.unique(order).size != order.size and order is own)):
            _refuse(path, f"axis {number} is no order")
    for values in (factors, basis, blocks):
        if values is not None and not (np.isfinite(values).all() and (values is not factors or (values != 0).all())):
            _refuse(path, f"axis {number} has impossible factors")
    return Axis(own, theirs, factors, basis, blocks)


def _values(
    source: LocalFiles, ref: TensorRef | RefusedTensor | None, part: str, path: Path
) -> npt.NDArray[Any] | None:
    if ref is None:
        return None
    form = str(ref.dtype) if isinstance(ref, TensorRef) else ref.format
    if form != FORMATS[part]:
        _refuse(path, f"{ref.name} is stored as {form}, not {FORMATS[part]}")
    raw = bytearray(ref.stop - ref.start)
    source.read_into(ref.shard, ref.start, memoryview(raw))
    return np.frombuffer(bytes(raw), NUMPY[form]).reshape(ref.shape)


def _refuse(path: Path, what: str) -> NoReturn:
    raise InvalidCheckpointError(f"{path} is not an alignment that can be read: {what}", "Have `compare` save one.")
