"""Experts that are packed one by one meet parents of one tensor for each, of stacks, and of stacks inputs first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.common_layout import in_common_layout
from modelprov.checkpoints.layouts.quantised import refuse_quantised
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Alignment
from tests.factories import Tensor, write_checkpoint
from tests.packing import FORMS, mlx

Weights = dict[str, np.ndarray]
HIDDEN, UNITS, EXPERTS, SEED = 64, 96, 4, 20261128
BLOCK = "model.layers.0.mlp."
SIDES = {"gate_proj": (UNITS, HIDDEN), "up_proj": (UNITS, HIDDEN), "down_proj": (HIDDEN, UNITS)}
ORDINARY = {"model_type": "qwen3_moe", "hidden_size": HIDDEN}
SAYS = {
    "GPTQ": {"quant_method": "gptq", "bits": 4, "group_size": 32}, "AWQ": {"quant_method": "awq"},
    "W4A16": {"quant_method": "compressed-tensors", "format": "pack-quantized"},
}  # fmt: skip
LEAST = {"GPTQ": 0.98, "AWQ": 0.8, "W4A16": 0.98, "MLX 4": 0.98}
"""Correlation with the own matrix; AWQ's columns are multiplied. With any other expert's it is below 0.1."""


def model(seed: int = SEED) -> Weights:
    drawn = np.random.default_rng(seed)
    shapes = {f"{BLOCK}experts.{expert}.{word}.weight": SIDES[word] for expert in range(EXPERTS) for word in SIDES}
    shapes |= {"model.embed_tokens.weight": (100, HIDDEN), f"{BLOCK}gate.weight": (EXPERTS, HIDDEN)}
    return {name: 0.02 * drawn.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def stacked(weights: Weights, turned: bool = False) -> Weights:
    """The experts as `gate_up_proj` and `down_proj`."""
    of = {word: np.stack([weights[f"{BLOCK}experts.{e}.{word}.weight"] for e in range(EXPERTS)]) for word in SIDES}
    stacks = {"gate_up_proj": np.concatenate([of["gate_proj"], of["up_proj"]], axis=1), "down_proj": of["down_proj"]}
    plain = {name: numbers for name, numbers in weights.items() if ".experts." not in name}
    return plain | {
        f"{BLOCK}experts.{word}": np.ascontiguousarray(stack.transpose(0, 2, 1) if turned else stack)
        for word, stack in stacks.items()
    }


def as_mlx(weights: Weights) -> dict[str, Tensor]:
    """What mlx-lm makes of it: a packed stack for each projection."""
    made = in_bf16({name: numbers for name, numbers in weights.items() if ".experts." not in name})
    for word in SIDES:
        each = [mlx(weights[f"{BLOCK}experts.{expert}.{word}.weight"], size=32) for expert in range(EXPERTS)]
        for part, first in each[0].items():
            if isinstance(first, tuple):
                stack = (np.stack([np.asarray(own[part][0]) for own in each]), str(first[1]))
                made[f"{BLOCK}switch_mlp.{word}.{part}"] = stack
            else:
                made[f"{BLOCK}switch_mlp.{word}.{part}"] = np.stack([np.asarray(own[part]) for own in each])
    return made


def in_bf16(weights: Weights) -> dict[str, Tensor]:
    return {name: (numbers, "BF16") for name, numbers in weights.items()}


def packed(weights: Weights, form: str) -> dict[str, Tensor]:
    """Experts packed, each by itself; the router and embeddings plain, as programs leave them."""
    made = in_bf16({name: numbers for name, numbers in weights.items() if ".experts." not in name})
    for name in weights.keys() - made.keys():
        parts = FORMS[form](weights[name])
        assert parts is not None
        made |= {name.removesuffix("weight") + part: tensor for part, tensor in parts.items()}
    return made


def numbers(alignment: Alignment, number: int, row: int) -> np.ndarray:
    view = alignment.tensors[row].views[number]
    raw = np.empty(view.count * view.ref.dtype.size, np.uint8)
    alignment.checkpoints[number].source.read_into(view.ref.shard, view.start, raw.data)
    return decode(raw, view.ref.dtype)


def aligned(*folders: Path) -> Alignment:
    opened = [open_checkpoint(str(folder)) for folder in folders]
    refuse_quantised(opened[0])
    return align(in_common_layout(opened))


def correlations(found: Alignment) -> list[float]:
    return [
        float(np.corrcoef(numbers(found, 0, row), numbers(found, 1, row))[0, 1]) for row in range(len(found.tensors))
    ]


PARENTS: dict[str, tuple[Callable[[Weights], Weights], dict[str, Any]]] = {
    "one by one": (dict, ORDINARY),
    "stacks": (stacked, ORDINARY),
    "stacks, inputs first": (lambda own: stacked(own, turned=True), {**ORDINARY, "model_type": "qwen3_vl_moe_text"}),
}


@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize("form", SAYS)
def test_packed_experts_are_compared_with_a_parents_of_any_layout(tmp_path: Path, form: str, parent: str) -> None:
    own, other = model(), model(SEED + 1)
    config = {**ORDINARY, "quantization_config": SAYS[form]}
    suspect = write_checkpoint(tmp_path / "suspect", packed(own, form), config=config)
    lay, said = PARENTS[parent]
    found = aligned(suspect, write_checkpoint(tmp_path / "parent", in_bf16(lay(own)), config=said))
    assert found.share(0) == found.share(1) == 1.0
    assert len(found.tensors) == 3 * EXPERTS + 2
    assert min(correlations(found)) > LEAST[form]
    stranger = aligned(suspect, write_checkpoint(tmp_path / "stranger", in_bf16(lay(other)), config=said))
    assert max(map(abs, correlations(stranger))) < 0.2


@pytest.mark.parametrize("form", SAYS)
def test_mixtrals_names_are_those_of_the_same_experts(tmp_path: Path, form: str) -> None:
    own = model()
    words = {"gate_proj": "w1", "up_proj": "w3", "down_proj": "w2"}
    renamed = {name.replace(".mlp.", ".block_sparse_moe."): tensor for name, tensor in packed(own, form).items()}
    for word, mixtrals in words.items():
        renamed = {name.replace(word, mixtrals): tensor for name, tensor in renamed.items()}
    suspect = write_checkpoint(tmp_path / "suspect", renamed, config={"quantization_config": SAYS[form]})
    found = aligned(suspect, write_checkpoint(tmp_path / "parent", in_bf16(stacked(own)), config=ORDINARY))
    assert found.share(0) == found.share(1) == 1.0
    assert min(correlations(found)) > LEAST[form]


@pytest.mark.parametrize("parent", PARENTS)
def test_stacks_of_mlx_are_compared_expert_by_expert(tmp_path: Path, parent: str) -> None:
    own, config = model(), {**ORDINARY, "quantization": {"group_size": 32, "bits": 4}}
    suspect = write_checkpoint(tmp_path / "suspect", as_mlx(own), config=config)
    lay, said = PARENTS[parent]
    found = aligned(suspect, write_checkpoint(tmp_path / "parent", in_bf16(lay(own)), config=said))
    assert found.share(0) == found.share(1) == 1.0
    assert len(found.tensors) == 3 * EXPERTS + 2
    assert min(correlations(found)) > LEAST["MLX 4"]
