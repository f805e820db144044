"""A pass over the weights as something that can be shared out, and the sums of some of its tensors. Reads nothing.

A tensor is summed whole, segment by segment in their order, by whoever sums it. Sums of different tensors never meet
before the judging, so no bit of them depends on how many share a pass.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from modelprov import __version__
from modelprov.checkpoints.digests import manifest_digest
from modelprov.checkpoints.plan import tensor_bytes
from modelprov.checkpoints.types import Alignment
from modelprov.collector import paused
from modelprov.forensics.sums.kernels.interface import RecipePlan
from modelprov.forensics.sums.moments import Moments

Int64 = npt.NDArray[np.int64]
Read = tuple[tuple[str, str], ...]
"""The label of every checkpoint of a pass, with a digest of what it is."""


@dataclass(frozen=True, slots=True)
class Part:
    """Part `number` of `of`, counted from 1, of every pass of a run."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def tensors(self, sizes: Int64) -> Int64:
        """Its tensors, ascending, of those with so many bytes: neighbours, about as many bytes as every other part."""
        before = [0, *np.cumsum(sizes).tolist()]
        share = np.array([at * self.of // max(before[-1], 1) for at in before[:-1]], np.int64)
        return np.flatnonzero(share == self.number - 1)


@dataclass(frozen=True, eq=False)
class Pass:
    """A pass over all weights before it is run: what is read and counted, in segments of at most `piece` bytes.

    `name` is what it is called in messages and files; `sampled` a digest of what its scout read.
    """

    name: str
    alignment: Alignment
    recipes: RecipePlan
    precision: Int64 | None
    piece: int
    sampled: str

    @cached_property
    def key(self) -> str:
        """SHA-256 over all that shapes the sums; covers headers and what the scout read of the weights, not all."""
        with paused():  # half a million small lists for a large model
            told = [
                __version__, self.piece, self.sampled,
                [(each.label, manifest_digest(each)) for each in self.alignment.checkpoints],
                [
                    (tensor.name, tensor.shape, [(view.ref.name, view.start, view.ref.dtype) for view in tensor.views])
                    for tensor in self.alignment.tensors
                ],
            ]  # fmt: skip
            digest = hashlib.sha256(json.dumps(told).encode())
        for array in (self.recipes.arithmetic, self.recipes.order, self.recipes.weights, self.precision):
            digest.update(b"none" if array is None else f"{array.shape}{array.dtype}".encode() + array.tobytes())
        return digest.hexdigest()

    def read(self, *, versions: bool) -> Read:
        """What every checkpoint is: names, sizes and headers, which are the same for a copy elsewhere.

        With `versions` also what its source says of every file, which is another after any change.
        """
        found = []
        for checkpoint in self.alignment.checkpoints:
            lines = [manifest_digest(checkpoint), *(checkpoint.source.versions() if versions else ())]
            found.append((checkpoint.label, hashlib.sha256("\n".join(lines).encode()).hexdigest()))
        return tuple(found)

    @cached_property
    def sizes(self) -> Int64:
        """Bytes of every tensor, int64 [t]."""
        return tensor_bytes(self.alignment)


@dataclass(frozen=True, eq=False)
class Partial:
    """Sums of some tensors of a pass: `moments` [m], a row for each of `tensors` int64 [m], ascending, of `total`.

    `name`, `key` and `read` are those of the pass.
    """

    name: str
    key: str
    read: Read
    total: int
    tensors: Int64
    moments: Moments

    @property
    def complete(self) -> bool:
        """Whether it has every tensor of the pass, once."""
        return np.array_equal(self.tensors, np.arange(self.total))

    def take(self, wanted: Int64) -> Partial:
        """The sums of some of its tensors alone."""
        rows = np.isin(self.tensors, wanted)
        return Partial(self.name, self.key, self.read, self.total, self.tensors[rows], self.moments[rows])


def joined(parts: Sequence[Partial]) -> Partial:
    """All of the same pass as one, each tensor in the place that it has in the whole."""
    tensors = np.concatenate([part.tensors for part in parts])
    order = np.argsort(tensors, kind="stable")
    moments = Moments(
        parts[0].moments.n,
        np.concatenate([part.moments.counts for part in parts])[order],
        np.concatenate([part.moments.sums for part in parts])[order],
    )
    first = parts[0]
    return Partial(first.name, first.key, first.read, first.total, tensors[order], moments)
