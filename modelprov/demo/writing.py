"""Writes safetensors checkpoints: header, shards, index and config; all of them, or nothing. Makes no values.

Files are not forced to the disk (no fsync): what is written here can be made again from its seed.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelprov.checkpoints.formats.dtypes import DType, Float32, encode_single
from modelprov.checkpoints.writing import INDEX, OF, header, write_json
from modelprov.errors import UnreadableFileError, UsageError

__all__ = ["INDEX", "OF", "WITHOUT_OF", "StoredTensor", "Weights", "header", "staged", "write_checkpoint", "write_json"]

Tensor = tuple[Float32, DType]
"""Values as float32, all of them representable in the dtype they are stored as."""
Weights = dict[str, Tensor]

WITHOUT_OF = "model-{number:05d}.safetensors"
"""Some publishers number their shards without saying how many there are."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as it lies in a file: `chunks` are its little-endian bytes in order, made only when they are written."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    chunks: Iterable[bytes | memoryview]

    @property
    def format(self) -> str:
        """Its dtype, as the format calls it."""
        return str(self.dtype)

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.size


@contextlib.contextmanager
def staged(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Give a hidden folder to write the files and folders called `names` into; at the end they move to `folder`.

    If anything fails, `folder` is as it was before (absent, if it was). Raises `UsageError` before any work if one of
    the names is taken, and `UnreadableFileError` when the operating system refuses.
    """
    part = folder / f".modelprov-{secrets.token_hex(8)}.part"
    moved: list[Path] = []
    absent: list[Path] = []
    names = tuple(names)
    try:
        absent += [place for place in (folder, *folder.parents) if not place.exists()]
        for name in names:
            if (folder / name).exists() or (folder / name).is_symlink():
                raise UsageError(f"{folder / name} is already there", "Choose another folder, or remove it first.")
        part.mkdir(parents=True)
        yield part
        for name in names:
            (part / name).rename(folder / name)
            moved.append(folder / name)
        part.rmdir()
    except BaseException as error:
        for place in (part, *moved):
            _remove(place)
        for place in absent:
            with contextlib.suppress(OSError):
                place.rmdir()
        if isinstance(error, OSError):
            raise UnreadableFileError(
                f"Could not write {folder}: {error.strerror or error}.",
                "Choose a folder that you may write to, with enough free space; nothing was left behind.",
            ) from error
        raise


def write_checkpoint(
    folder: Path,
    tensors: Sequence[StoredTensor],
    config: Mapping[str, Any],
    shards: int = 3,
    shard_name: str = OF,
) -> Path:
    """Write a new checkpoint folder, whole or not at all, and return it; raises the errors of `staged`."""
    with staged(folder.parent, [folder.name]) as part:
        fill_checkpoint(part / folder.name, tensors, config, shards, shard_name)
    return folder


def fill_checkpoint(
    folder: Path,
    tensors: Sequence[StoredTensor],
    config: Mapping[str, Any],
    shards: int = 3,
    shard_name: str = OF,
) -> None:
    """Write `shards` files of about equal bytes, an index and `config.json` into a new folder: for use in `staged`.

    Each tensor is read once, in the order given. Raises `OSError`.
    """
    total = sum(tensor.size for tensor in tensors)
    parts: list[list[StoredTensor]] = [[] for _ in range(shards)]
    at = 0
    for tensor in tensors:
        parts[min(at * shards // max(total, 1), shards - 1)].append(tensor)
        at += tensor.size
    parts = [part for part in parts if part]
    files = [shard_name.format(number=number, shards=len(parts)) for number in range(1, len(parts) + 1)]
    weight_map = {tensor.name: file for file, part in zip(files, parts, strict=True) for tensor in part}
    folder.mkdir()
    for file, part in zip(files, parts, strict=True):
        write_shard(folder / file, part)
    write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))})
    write_json(folder / "config.json", config)


def as_stored(weights: Weights) -> list[StoredTensor]:
    """The tensors of a model as they will lie in a file."""
    return [StoredTensor(name, dtype, array.shape, _encoded(array, dtype)) for name, (array, dtype) in weights.items()]


def write_shard(path: Path, tensors: Sequence[StoredTensor]) -> None:
    """Write one safetensors file: wide dtypes first, so that all data is aligned, else in the given order."""
    ordered = sorted(tensors, key=lambda tensor: -tensor.dtype.size)
    with path.open("xb") as file:
        file.write(header(ordered))
        for tensor in ordered:
            written = sum(file.write(chunk) for chunk in tensor.chunks)
            if written != tensor.size:
                raise ValueError(f"{tensor.name} gave {written} bytes, its shape and dtype say {tensor.size}")


def _encoded(array: Float32, dtype: DType) -> Iterator[memoryview]:
    yield encode_single(array, dtype).data


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            place.unlink()
