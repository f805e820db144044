"""Headers of files that torch.save wrote (`.bin`, `.pt`, `.pth`): which tensors lie where. Runs none of their code.

Such a file is a zip archive of stored bytes and a pickle that says what they are. The pickle is read by torch's own
`weights_only` reader in a process of its own, within limits of time and memory; what it answers is checked here as any
header is. The weights are then read from where they lie, like those of safetensors: nothing is ever loaded whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.header import COMPARABLE, Header
from modelprov.checkpoints.header_entries import BITS, LONGEST_NAME
from modelprov.checkpoints.mistaken import CONVERT, HEAD_BYTES, what_it_is
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.types import RefusedTensor, Shard, TensorRef
from modelprov.errors import InvalidHeaderError, UnsupportedFormatError
from modelprov.foreign.limited_process import EndedError, LimitedProcess
from modelprov.foreign.shown import quoted

CHILD = Path(__file__).with_name("torch_files_child.py")
ZIP = b"PK\x03\x04"
SECONDS = 60.0
"""For one file. Nothing is read of it but its pickle, which takes well under a second."""
MEMORY = 1 << 30
"""Bytes beyond what torch takes and the mapped file: names and shapes of a large model take 50 MB."""
DISTRUST = "Do not trust this file; download it again."
SAVE_AGAIN = (
    "Save it again in a place you trust, as safetensors or with a torch since 1.6: "
    "`torch.save(torch.load(path, weights_only=True), new_path)`."
)


def read_torch_headers(source: Source, notes: list[str]) -> tuple[Header, ...]:
    """What all shards hold, which are local files of torch.save; what was left out of them is added to `notes`.

    Raises `UnsupportedFormatError` where torch is missing, or for a file in torch's form before 1.6, elsewhere, or
    with more than tensors in it; `InvalidHeaderError` for one that contradicts itself.
    """
    shards = range(len(source.names))
    for shard in shards:
        _check_beginning(source, shard)
    if find_spec("torch") is None:
        raise UnsupportedFormatError(
            f"{source.place(0)} was written by torch.save, which takes torch to read; it is not installed here",
            f"Install it (`pip install torch`). Or: {CONVERT}",
        )
    largest = max((source.size(shard) for shard in shards), default=0)
    process = None
    try:
        process = LimitedProcess(CHILD, "reading a file of torch.save", MEMORY + largest)
        headers = []
        for shard in shards:
            path = os.path.abspath(source.place(shard))
            (answer,) = process.ask({"path": path}, 1, SECONDS)
            headers.append(_header(source, shard, answer, notes))
    except TimeoutError as error:
        raise InvalidHeaderError(
            f"{source.place(len(headers))} took longer than {SECONDS:g} s to say what it holds", DISTRUST
        ) from error
    except EndedError as error:
        raise InvalidHeaderError(f"{source.place(0)} could not be read: {error}", DISTRUST) from error
    finally:
        if process is not None:
            process.end()
    return tuple(headers)


def _check_beginning(source: Source, shard: int) -> None:
    """Refuse what torch is not even asked about: pickles without an archive, and what is no file of torch at all."""
    place, size = source.place(shard), source.size(shard)
    if not os.path.isfile(place):
        raise UnsupportedFormatError(
            f"{place} was written by torch.save and is not on this machine: such files are read here only",
            "Download it, give its folder.",
        )
    head = bytearray(min(size, HEAD_BYTES))
    source.read_into(shard, 0, memoryview(head))
    if head.startswith(ZIP):
        return
    other = what_it_is(bytes(head))
    if other is not None and "pickle" in other.what:
        raise UnsupportedFormatError(
            f"{place} is a bare pickle, as torch wrote before 1.6, and can run code when opened; it is never opened "
            "here",
            SAVE_AGAIN,
        )
    if other is not None:
        raise InvalidHeaderError(f"{place} is not a file of torch.save: it is {other.what}", other.advice)
    raise InvalidHeaderError(f"{place} is not a file of torch.save, which begins as a zip archive", CONVERT)


def _header(source: Source, shard: int, answer: Mapping[str, Any], notes: list[str]) -> Header:
    """A child's answer as a header, checked as one."""
    place = source.place(shard)
    if "refused" in answer:
        refusal = UnsupportedFormatError if answer.get("code") else InvalidHeaderError
        raise refusal(f"{place} cannot be read: {answer['refused']}", CONVERT)
    name_of_file = quoted(source.names[shard])
    if answer["where"]:
        notes.append(f"of {name_of_file}, the tensors under {quoted(answer['where'])} were read")
    if answer["left"]:
        listed = ", ".join(map(quoted, answer["left"][:5]))
        notes.append(f"{name_of_file} holds tensors under {listed}, too, which were not read")
    tensors: list[TensorRef] = []
    refused: list[RefusedTensor] = []
    seen: dict[tuple[int, int], str] = {}
    shared = []
    for name, form, shape, start, stop in sorted(answer["tensors"], key=lambda entry: (entry[3], entry[4])):
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise InvalidHeaderError(f"{place}: the tensor name {quoted(name)} is none", DISTRUST)
        if not 0 <= start <= stop <= source.size(shard) or _bits(form, shape) != 8 * (stop - start):
            raise InvalidHeaderError(f"{place}: tensor {quoted(name)} does not fit its bytes", DISTRUST)
        if stop > start and seen.setdefault((start, stop), name) != name:
            shared.append(f"{quoted(name)} is {quoted(seen[start, stop])}")
        if form in COMPARABLE:
            tensors.append(TensorRef(name, DType(form), tuple(shape), shard, start, stop))
        else:
            refused.append(RefusedTensor(name, form, tuple(shape), shard, start, stop))
    if shared:
        more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
        notes.append(f"tensors stored once under two names: {', '.join(shared[:3])}{more}")
    own = Shard(source.names[shard], source.size(shard), str(answer["digest"]))
    return Header(own, tuple(tensors), tuple(refused), {})


def _bits(form: str, shape: list[int]) -> int:
    count = BITS[form]
    for side in shape:
        count *= side
    return count
