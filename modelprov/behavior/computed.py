"""The weights of a checkpoint whose bytes are computed, handed to a model as it is built: nothing of them is written.

transformers fills a model from slices of safetensors files, each read when its place is filled. These are such slices:
their shape and format are known before, their numbers are made once, straight in the memory that the model keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from modelprov.checkpoints.digests import SAMPLE_BYTES
from modelprov.checkpoints.types import Checkpoint, RefusedTensor, TensorRef
from modelprov.errors import UnsupportedFormatError

Stored = TensorRef | RefusedTensor


class ComputedState(Mapping[str, "ComputedTensor"]):
    """A state dict by the names of a checkpoint's tensors; safe to read from many threads.

    `on_made` hears of each tensor, with 1. `starts` holds the first bytes of every tensor that was, for its digest;
    `failure` is what went wrong first, which a library in between may have turned into something else.
    """

    def __init__(self, checkpoint: Checkpoint, on_made: Callable[[int], None]) -> None:
        stored: dict[str, Stored] = {**checkpoint.tensors, **checkpoint.refused}
        self._tensors = {name: ComputedTensor(self, each) for name, each in stored.items()}
        self._source, self._on_made = checkpoint.source, on_made
        self.starts: dict[str, bytes] = {}
        self.failure: Exception | None = None

    def __getitem__(self, name: str) -> ComputedTensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def made(self, stored: Stored) -> Any:
        """The tensor in main memory; raises what reading its source raises."""
        import torch

        tensor = torch.empty(stored.shape, dtype=torch_format(stored))
        out = memoryview(tensor.reshape(-1).view(torch.uint8).numpy())
        try:
            self._source.read_into(stored.shard, stored.start, out)
        except Exception as error:
            self.failure = self.failure or error
            raise
        self.starts[stored.name] = bytes(out[:SAMPLE_BYTES])
        self._on_made(1)
        return tensor


class ComputedTensor:
    """One tensor as safetensors' slices are: of known shape and format, made (whole) when it is indexed."""

    def __init__(self, state: ComputedState, stored: Stored) -> None:
        self._state, self._stored = state, stored

    def __getitem__(self, where: Any) -> Any:
        return self._state.made(self._stored)[where]

    def get_shape(self) -> list[int]:
        """Its sides."""
        return list(self._stored.shape)

    def get_dtype(self) -> str:
        """Its format by the name that safetensors has for it."""
        return _format(self._stored)

    @property
    def dtype(self) -> Any:
        """Its format as torch's."""
        return torch_format(self._stored)

    def is_floating_point(self) -> bool:
        """Whether its numbers are floats."""
        return bool(self.dtype.is_floating_point)


def torch_format(stored: Stored) -> Any:
    """The format of a tensor by its torch name; raises `UnsupportedFormatError` where it has none of whole bytes."""
    from transformers.modeling_utils import str_to_torch_dtype

    found = str_to_torch_dtype.get(_format(stored))
    if found is None:
        raise UnsupportedFormatError(
            f"{stored.name} is in {_format(stored)}, which is not run here",
            "Write the merge with out_dtype bfloat16, say, and give the folder.",
        )
    return found


def _format(stored: Stored) -> str:
    return str(stored.dtype) if isinstance(stored, TensorRef) else stored.format
