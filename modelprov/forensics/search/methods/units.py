"""Which aligned tensors a merging program had before it as one: what the files stack. Reads no data.

A method with norms, thresholds or votes over a tensor gives other numbers for a stack of experts than for each expert
by itself. Programs take what the files hold, or what the library they load with makes of it: transformers 5 stacks the
experts of a layer, gate and up in one stack, and down in another, whatever the files say.
"""

from __future__ import annotations

from collections import defaultdict

from modelprov.checkpoints.types import AlignedTensor, Alignment, TensorRef

Units = dict[int, tuple[int, ...]]
"""Rows of the alignment that are one tensor, in the order in which that holds them, by the lowest of them."""


def units_of(alignment: Alignment) -> list[Units]:
    """Every way to see the tensors that may have been the merging program's, the likeliest first, each once.

    As the suspect's file stacks them; as a parent's does; singly; and with the experts of a layer stacked.
    """
    ways = [_of_file(alignment, number) for number in range(len(alignment.checkpoints))]
    found: list[Units] = []
    for way in (*(way for way in ways if way), {}, _of_experts(alignment)):
        if way not in found:
            found.append(way)
    return found


def shape_of(tensors: list[AlignedTensor]) -> tuple[int, ...]:
    """The sides of what these are parts of: those of a file where it holds just them, else one stack of matrices."""
    count = sum(tensor.count for tensor in tensors)
    for ref in (view.ref for view in tensors[0].views):
        if ref.count == count:
            return ref.shape
    width = tensors[0].shape[-1]
    return (count // width, width)


def _of_file(alignment: Alignment, number: int) -> Units:
    """The stacks of one checkpoint of which every part is aligned, each part once and without a gap."""
    parts: dict[TensorRef, list[tuple[int, int]]] = defaultdict(list)
    for row, tensor in enumerate(alignment.tensors):
        view = tensor.views[number]
        if view.count < view.ref.count:
            parts[view.ref].append((view.start, row))
    found: Units = {}
    for ref, places in parts.items():
        rows = [row for _, row in sorted(places)]
        starts = [start for start, _ in sorted(places)]
        sizes = [alignment.tensors[row].count * ref.dtype.size for row in rows]
        ends = [start + size for start, size in zip(starts, sizes, strict=True)]
        if starts == [ref.start, *ends[:-1]] and ends[-1] == ref.stop:
            found[min(rows)] = tuple(rows)
    return found


def _of_experts(alignment: Alignment) -> Units:
    """The experts of each layer as transformers 5 stacks them."""
    stacks: dict[tuple[int | None, bool], list[tuple[int, str, int]]] = defaultdict(list)
    for row, tensor in enumerate(alignment.tensors):
        if tensor.expert is not None and tensor.decisive:
            stacks[tensor.layer, "down_proj" in tensor.name].append((tensor.expert, tensor.name, row))
    ordered = [tuple(row for *_, row in sorted(stack)) for stack in stacks.values()]
    return {min(rows): rows for rows in ordered if len(rows) > 1}
