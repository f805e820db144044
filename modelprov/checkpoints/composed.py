"""A model of several parts in folders of their own as one checkpoint: names get their part's before them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modelprov.checkpoints.layouts.folders import Part
from modelprov.checkpoints.layouts.quantised import refuse_decoded
from modelprov.checkpoints.sources.joined import JoinedSource
from modelprov.checkpoints.types import Checkpoint, RefusedTensor, Shard, TensorRef
from modelprov.errors import DuplicateTensorError, UnsupportedFormatError
from modelprov.foreign.shown import quoted


def composed(parts: Sequence[tuple[Part, Checkpoint]]) -> Checkpoint:
    """The parts as one, the first of them with its config, its place and its label.

    Raises `DuplicateTensorError` where a part's name with its prefix is another's, `UnsupportedFormatError` for a part
    that is decoded when it is read.
    """
    tensors: dict[str, TensorRef] = {}
    refused: dict[str, RefusedTensor] = {}
    shards: list[Shard] = []
    notes: list[str] = []
    for part, opened in parts:
        first = len(shards)
        if opened.packings:  # their cells are known to the part's own source alone
            raise UnsupportedFormatError(
                f"{part.folder or 'the model'} of {opened.location} is quantised, a part among others",
                "Give the folder of one part.",
            )
        refuse_decoded(opened, "read as one of several parts")
        for name in (*opened.tensors, *opened.refused):
            if part.prefix + name in tensors or part.prefix + name in refused:
                raise DuplicateTensorError(
                    f"tensor {quoted(part.prefix + name)} is in two parts of {parts[0][1].location}",
                    "Give the folder of one of them.",
                )
        for name, ref in opened.tensors.items():
            tensors[part.prefix + name] = ref._replace(name=part.prefix + name, shard=ref.shard + first)
        for name, other in opened.refused.items():
            refused[part.prefix + name] = replace(other, name=part.prefix + name, shard=other.shard + first)
        before = f"{part.folder}/" if part.prefix else ""
        shards += [replace(shard, name=f"{before}{shard.name}") for shard in opened.shards]
        notes += [f"{part.folder}: {note}" if part.prefix else note for note in opened.notes]
    whole = parts[0][1]
    return replace(
        whole,
        tensors=tensors,
        shards=tuple(shards),
        source=JoinedSource(
            tuple(opened.source for _, opened in parts), tuple(part.folder if part.prefix else "" for part, _ in parts)
        ),
        refused=refused,
        metadata={},
        notes=tuple(notes),
    )
