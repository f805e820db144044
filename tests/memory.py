"""Runs the whole pipeline on checkpoints that are only in memory: no files, no command line, the same rooms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelprov.checkpoints.formats.dtypes import encode_single
from modelprov.checkpoints.sources.interface import Piece, Range
from modelprov.checkpoints.types import Checkpoint, Shard, TensorRef
from modelprov.demo.writing import Weights
from modelprov.errors import TruncatedShardError
from modelprov.forensics.compare import Comparison, Options, compare
from modelprov.forensics.judging.findings import Findings


@dataclass(frozen=True)
class Memory:
    """A source whose shards are pieces of memory; ranges arrive in the opposite order."""

    shards: tuple[bytes, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{number}.safetensors" for number in range(len(self.shards)))

    def place(self, shard: int) -> str:
        return f"memory, {self.names[shard]}"

    def size(self, shard: int) -> int:
        return len(self.shards[shard])

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        for number, (shard, start, stop) in reversed(list(enumerate(ranges))):
            if start < stop and stop > self.size(shard):
                raise TruncatedShardError(f"{self.place(shard)} ends before {stop}")
            yield number, self.shards[shard][start:stop]

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        for _, piece in self.read_ranges([(shard, start, start + len(out))]):
            out[:] = piece

    def versions(self) -> tuple[str, ...]:
        return ()

    def check_unchanged(self) -> None: ...

    def close(self) -> None: ...


class Silence:
    """Progress that nobody sees."""

    def stage(self, text: str, total_bytes: int = 0) -> None: ...

    def advance(self, read: int) -> None: ...


def checkpoint(label: str, weights: Weights) -> Checkpoint:
    """An opened checkpoint with these weights, one tensor after the other in a single shard."""
    tensors, pieces, at = {}, [], 0
    for name, (values, dtype) in weights.items():
        data = bytes(encode_single(values, dtype))
        tensors[name] = TensorRef(name, dtype, values.shape, 0, at, at + len(data))
        pieces.append(data)
        at += len(data)
    source = Memory((b"".join(pieces),))
    return Checkpoint(label, label, tensors, (Shard(source.names[0], at, ""),), source)


def run(models: Sequence[Weights], controls: Sequence[Weights] = (), options: Options | None = None) -> Comparison:
    """The comparison of `models`: the suspect first, the reference last, labelled S, P1, P2 ... and control 1 ..."""
    labels = ["S", *(f"P{number}" for number in range(1, len(models)))]
    return compare(
        [checkpoint(label, one) for label, one in zip(labels, models, strict=True)],
        options or Options(threads=1, device="cpu", sample_elements=1 << 17),
        Silence(),
        [checkpoint(f"control {number}", one) for number, one in enumerate(controls, 1)],
    )


def judge(*models: Weights, controls: Sequence[Weights] = ()) -> Findings:
    """What `run` found."""
    return run(models, controls).findings
