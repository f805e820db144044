"""Partial sums as a file (`.mpsums`), to be added elsewhere or gone on from: safetensors, each rule checked.

The metadata holds two texts. `modelprov_sums` is a JSON object: `version` 1; `tool`, the version of modelprov; `part`,
[number, of] or null; `device`, words for what computed; `asked`, what the run was asked or null; `passes`, each with
`name`, `key`, `read` (pairs of label and digest), `total` (tensors of the whole pass) and `checkpoints` (how many).
`sha256` is the digest of that text followed by all data. Pass number i is stored as `i.tensors` (I64 [m]), `i.counts`
(I64 [m, C]) and `i.sums` (F64 [m, F]), the columns of `Moments`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from modelprov import __version__
from modelprov.checkpoints.header import Header, read_headers
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.checkpoints.types import RefusedTensor, TensorRef
from modelprov.checkpoints.writing import Held, header
from modelprov.errors import InvalidCheckpointError, InvalidSumsError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.forensics.sums.moments import Moments, layout
from modelprov.forensics.sums.partial import Part, Partial

KEY, DIGEST, VERSION = "modelprov_sums", "sha256", 1
NUMPY = {"I64": "<i8", "F64": "<f8"}
ADVICE = "Have `modelprov compare` make it anew."
MOST_CHECKPOINTS = 1 << 10


@dataclass(frozen=True, eq=False)
class Sums:
    """What a file of sums holds; `part` and `asked` are None where it is the state of a run."""

    passes: Sequence[Partial]
    device: str | None = None
    part: Part | None = None
    asked: Mapping[str, Any] | None = None


def sums_bytes(sums: Sums) -> bytes:
    """The content of the file."""
    stored, passes = [], []
    for number, held in enumerate(sums.passes):
        columns = {"tensors": held.tensors, "counts": held.moments.counts, "sums": held.moments.sums}
        for part, values in columns.items():
            form = "F64" if part == "sums" else "I64"
            data = np.ascontiguousarray(values, NUMPY[form])
            stored.append(Held(f"{number}.{part}", form, data.shape, data.tobytes()))
        passes.append({
            "name": held.name, "key": held.key, "read": held.read, "total": held.total, "checkpoints": held.moments.n,
        })  # fmt: skip
    told = {
        "version": VERSION,
        "tool": __version__,
        "part": None if sums.part is None else [sums.part.number, sums.part.of],
        "device": sums.device,
        "asked": sums.asked,
        "passes": passes,
    }
    text, content = json.dumps(told, separators=(",", ":")), b"".join(each.data for each in stored)
    return header(stored, {KEY: text, DIGEST: _digest(text, content)}) + content


def _digest(text: str, data: bytes) -> str:
    return hashlib.sha256(text.encode() + data).hexdigest()


def read_sums(path: Path) -> Sums:
    """What is in a file; raises `InvalidSumsError` for what no run of this version wrote, and what reading raises."""
    source = LocalFiles(path.parent, (path.name,))
    try:
        (head,) = read_headers(source)
        text = head.metadata.get(KEY, "")
        told = _told(text, path)
        stored: list[TensorRef | RefusedTensor] = sorted([*head.tensors, *head.refused], key=lambda ref: ref.start)
        arrays, data = {}, []
        for ref in stored:
            raw = bytearray(ref.stop - ref.start)
            source.read_into(ref.shard, ref.start, memoryview(raw))
            data.append(bytes(raw))
            arrays[ref.name] = _array(ref, data[-1], path)
    except InvalidCheckpointError as error:
        raise InvalidSumsError(f"{path} is no file of sums that can be read: {error.message}", ADVICE) from error
    finally:
        source.close()
    _check_digest(head, text, b"".join(data), path)
    try:
        passes = [_partial(each, number, arrays, path) for number, each in enumerate(told["passes"])]
        part = None if told["part"] is None else Part(*map(int, told["part"]))
        return Sums(passes, told["device"], part, told["asked"])
    except (KeyError, TypeError, ValueError) as error:
        _refuse(path, f"what it says of itself does not fit ({error})")


def _told(text: str, path: Path) -> dict[str, Any]:
    if not text:
        _refuse(path, f"its metadata has no {KEY}")
    try:
        told = parse_json(text, unique=True, finite=True, stored=True)
    except JsonError as error:
        _refuse(path, f"{KEY} is not JSON ({error})")
    if not isinstance(told, dict) or told.get("version") != VERSION:
        _refuse(path, f"it is not of version {VERSION} of these files")
    if told.get("tool") != __version__:
        _refuse(path, f"another version of modelprov wrote it, not {__version__}")
    return dict(told)


def _check_digest(head: Header, text: str, data: bytes, path: Path) -> None:
    if head.metadata.get(DIGEST) != _digest(text, data):
        _refuse(path, "its content is not what its digest says")


def _array(ref: TensorRef | RefusedTensor, data: bytes, path: Path) -> npt.NDArray[Any]:
    form = str(ref.dtype) if isinstance(ref, TensorRef) else ref.format
    if form not in NUMPY:
        _refuse(path, f"{ref.name} is stored as {form}")
    return np.frombuffer(data, NUMPY[form]).reshape(ref.shape)


def _partial(told: Mapping[str, Any], number: int, arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> Partial:
    """One pass; a digest says that nothing fell over, not that whoever wrote it meant well."""
    n, total = int(told["checkpoints"]), int(told["total"])
    tensors, counts, sums = (arrays[f"{number}.{part}"] for part in ("tensors", "counts", "sums"))
    if not 2 <= n <= MOST_CHECKPOINTS or tensors.ndim != 1:
        _refuse(path, "a pass is of too few or too many checkpoints")
    rows, columns = len(tensors), layout(n)
    if counts.shape != (rows, columns.counts) or sums.shape != (rows, columns.sums):
        _refuse(path, "its sums have other columns")
    if rows and (tensors[0] < 0 or tensors[-1] >= total or (np.diff(tensors) <= 0).any()):
        _refuse(path, "its tensors are not in order")
    if (counts < 0).any() or [array.dtype.kind for array in (tensors, counts, sums)] != ["i", "i", "f"]:
        _refuse(path, "its counts are none")
    read = tuple((str(label), str(digest)) for label, digest in told["read"])
    return Partial(str(told["name"]), str(told["key"]), read, total, tensors, Moments(n, counts, sums))


def _refuse(path: Path, what: str) -> NoReturn:
    raise InvalidSumsError(f"{path} is no file of sums that can be read: {what}", ADVICE)
