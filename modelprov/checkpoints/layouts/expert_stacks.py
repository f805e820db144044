"""Stacks of experts under words of their families' own: their usual names, and the experts in them. Reads no bytes.

Granite-MoE's `input_linear` [experts, 2 units, hidden] has all gates first, `output_linear` [experts, hidden, units].
MLX-LM has `switch_mlp` with a stack for each projection. DBRX lays its experts one below the other, [experts · units,
hidden] each: `w1` is the gate, `v1` the up and `w2` the down projection, the latter with inputs before outputs; a
conversion of it has `mlp_experts`, one by one, w2 turned. Sources: the models of transformers 5.24, mlx-lm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from modelprov.checkpoints.layouts.roles import Shape

GRANITE = {
    "input_linear.weight": "experts.gate_up_proj", "output_linear.weight": "experts.down_proj",
    "router.layer.weight": "gate.weight", "router.weight": "gate.weight",
    "experts.gate_up_proj": "experts.gate_up_proj", "experts.down_proj": "experts.down_proj",
}  # fmt: skip
"""What stands behind `block_sparse_moe.`, as it is stored and as transformers 5 has it in memory."""
SPARSE = ".block_sparse_moe."
SWITCH = ".switch_mlp."
SINGLE = re.compile(r"\.experts\.mlp_experts\.(\d+)\.(w1|v1|w2)\.")
"""DBRX's experts one by one."""
FLAT = re.compile(r"(?P<block>.*\.ffn)\.experts\.mlp\.(?P<word>w1|v1|w2)")
DBRX = {"w1": "gate_proj", "v1": "up_proj", "w2": "down_proj"}
TURNED = "w2"
"""The word whose matrices have inputs before outputs; it is kept in their names, as they are no `down_proj`."""


def usual_name(name: str) -> str:
    """The name by the words that most families have for experts."""
    if SPARSE in name:
        before, _, rest = name.partition(SPARSE)
        if rest in GRANITE:
            return f"{before}.mlp.{GRANITE[rest]}"
    if SWITCH in name:
        return name.replace(SPARSE, ".mlp.").replace(SWITCH, ".experts.")
    if ".mlp_experts." in name:
        return SINGLE.sub(lambda found: f".experts.{found[1]}.{DBRX[found[2]]}.", name)
    return name


def flat_experts(
    name: str, shape: Shape, shapes: Mapping[str, Shape], config: Mapping[str, Any]
) -> tuple[str, str, int] | None:
    """The block, the word and the number of experts of a stack of DBRX's; None for any other, and where they are open.

    The router [experts, hidden] says how many there are, and the config; where both do, they must agree.
    """
    found = FLAT.fullmatch(name)
    if found is None or len(shape) != 2:
        return None
    router, told = shapes.get(f"{found['block']}.router.layer.weight"), config.get("ffn_config")
    counts = {told["moe_num_experts"]} if isinstance(told, dict) and type(told.get("moe_num_experts")) is int else set()
    if router is not None:
        counts.add(router[0])
    experts = counts.pop() if len(counts) == 1 else 0
    return (found["block"], found["word"], experts) if experts > 0 and shape[0] % experts == 0 else None


def flat_parts(block: str, word: str, experts: int, shape: Shape) -> Iterator[tuple[str, int]]:
    """The experts of such a stack by name, and how many rows each has."""
    last = TURNED if word == TURNED else DBRX[word]
    for expert in range(experts):
        yield f"{block}.experts.{expert}.{last}.weight", shape[0] // experts
