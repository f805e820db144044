"""What an adapter is, and the files and arrays that it is given. Asks nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.lineage.labels import Answer
from modelprov.demo.writing import Weights

Float64 = npt.NDArray[np.float64]
REFUSED = Answer(refused=True)
LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.(.+)$")


@dataclass(frozen=True)
class Files:
    """The suspect and its parents as files, the reference last; and their weights, but for a packed suspect.

    `folder` is the case's own: what an adapter writes there is removed with it.
    """

    folder: Path
    suspect: Path
    parents: tuple[Path, ...]
    weights: tuple[Weights, ...] | None

    @property
    def all(self) -> tuple[Path, ...]:
        """All of them, the suspect first."""
        return (self.suspect, *self.parents)


@dataclass(frozen=True)
class Cost:
    """What an answer took: bytes read of all files, None where the tool does not say; CPU seconds where not ours."""

    bytes: int | None = None
    seconds: float | None = None


class Peer(Protocol):
    """A tool: its name, and why it cannot be asked here (empty where it can)."""

    @property
    def name(self) -> str:
        """As the leaderboard calls it."""

    @property
    def absent(self) -> str:
        """Why it is skipped; empty where it is there."""

    def ask(self, files: Files) -> tuple[Answer, Cost]:
        """Its answer about a case."""


def bytes_of(paths: tuple[Path, ...]) -> int:
    """Bytes of weights in these folders or files."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.iterdir())]
    return sum(file.stat().st_size for file in files if file.suffix in (".safetensors", ".gguf", ".mpf"))


def arrays(weights: Weights) -> dict[str, Float64]:
    """The numbers of a model."""
    return {name: values.astype(np.float64) for name, (values, _) in weights.items()}


def in_layers(weights: Weights, ending: str) -> dict[int, Float64]:
    """The tensors of a kind by layer, whatever stands before `layers.` in their names."""
    found = {}
    for name, (values, _) in weights.items():
        told = LAYER.search(name)
        if told and told[2] == ending:
            found[int(told[1])] = values.astype(np.float64)
    return found


def table_of(weights: Weights) -> Float64 | None:
    """The embeddings, [tokens, width]."""
    for name, (values, _) in weights.items():
        if name.endswith("embed_tokens.weight"):
            return values.astype(np.float64)
    return None
