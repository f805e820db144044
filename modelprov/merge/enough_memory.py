"""Whether a merge, and every recipe that is a model of it, can be computed within so many bytes. Reads nothing.

Whoever is about to read the bytes of a merge asks here first: what would be refused in the middle is refused before.
"""

from __future__ import annotations

from modelprov.called import called
from modelprov.errors import MergeError
from modelprov.merge.computing import Computer
from modelprov.merge.planned import MergePlan, Planned
from modelprov.merge.source import VirtualSource, in_passes
from modelprov.recipes.methods.interface import PRESETS


def check_memory(plan: MergePlan, memory: int) -> None:
    """Raise `MergeError` for a tensor of a plan, or of a recipe in it, that needs more memory than is allowed."""
    for checkpoint in plan.models:
        if isinstance(checkpoint.source, VirtualSource):
            check_memory(checkpoint.source.plan, memory)
    found = _largest(plan, memory)
    if found is None:
        return
    tensor, size = found
    preset = plan.arithmetic in PRESETS and plan.method.passes is not None
    other = f", or an arithmetic that needs no whole tensors, {called('arithmetic', 'float32')}" if preset else ""
    raise MergeError(
        f"{plan.method.name} in {plan.arithmetic} looks at whole tensors: {tensor.name} needs {size / 1e9:,.2f} GB of "
        f"memory, {memory / 1e9:,.2f} GB are allowed",
        f"Allow at least {-(-size // (1 << 20))}M ({called('memory')}){other}.",
    )


def _largest(plan: MergePlan, memory: int) -> tuple[Planned, int] | None:
    """A tensor that cannot be computed within so many bytes, whole or in passes, and how many it takes."""
    if plan.elementwise:
        return None
    computer = Computer(plan)
    whole = {tensor.name: computer.needed(tensor) for tensor in plan.tensors if tensor.copy is None}
    least = [
        (tensor, min(whole[tensor.name], in_passes(computer, tensor, block)) if block else whole[tensor.name])
        for tensor in plan.tensors
        if whole.get(tensor.name, 0) > memory
        for block in [computer.block(tensor)]
    ]
    tensor, size = max(least, key=lambda pair: pair[1], default=(None, 0))
    return (tensor, size) if tensor is not None and size > memory else None
