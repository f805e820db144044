"""The bytes of a safetensors header, and small JSON files: what everything that writes checkpoints shares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

INDEX = "model.safetensors.index.json"
OF = "model-{number:05d}-of-{shards:05d}.safetensors"


class Described(Protocol):
    """A tensor as a header describes it: `format` is its safetensors dtype, `size` its bytes."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def format(self) -> str:
        """Its dtype, as the format calls it."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sides."""
        ...

    @property
    def size(self) -> int:
        """Its bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor with its bytes, `Described` as it is written."""

    name: str
    format: str
    shape: tuple[int, ...]
    data: bytes

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.data)


def header(tensors: Iterable[Described], metadata: Mapping[str, str] | None = None) -> bytes:
    """Length and JSON of a header for tensors that follow each other; padded so that the data is 8-byte aligned."""
    entries: dict[str, Any] = {"__metadata__": dict(metadata or {"format": "pt"})}
    at = 0
    for tensor in tensors:
        entries[tensor.name] = {
            "dtype": tensor.format,
            "shape": list(tensor.shape),
            "data_offsets": [at, at + tensor.size],
        }
        at += tensor.size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def as_json(value: Mapping[str, Any]) -> bytes:
    """A JSON object for people to read."""
    return (json.dumps(value, indent=2) + "\n").encode()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object for people to read."""
    path.write_bytes(as_json(value))
