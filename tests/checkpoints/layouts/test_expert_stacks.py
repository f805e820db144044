"""Experts under their families' own words are the matrices that those families' programs compute with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.naming import canonical_name, canonical_views
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Component
from tests.checkpoints.layouts.test_common_layout import TORCH, Tensors, all_alike, opened, saved

transformers = pytest.importorskip("transformers")
HIDDEN, UNITS, EXPERTS = 64, 48, 4
DBRX_BLOCK = "transformer.blocks.0.ffn"
DBRX = {"model_type": "dbrx", "ffn_config": {"moe_num_experts": EXPERTS}}


def views(folder: Path) -> Tensors:
    """What every canonical view holds."""
    checkpoint = open_checkpoint(str(folder))
    found = {}
    for name, view, shape in canonical_views(checkpoint):
        raw = bytearray(view.count * view.ref.dtype.size)
        checkpoint.source.read_into(view.ref.shard, view.start, memoryview(raw))
        found[name] = torch.frombuffer(raw, dtype=TORCH[view.ref.dtype]).reshape(shape)
    return found


def granite() -> tuple[Any, Tensors]:
    """The block of transformers, and what a checkpoint stores of it."""
    modeling = pytest.importorskip("transformers.models.granitemoe.modeling_granitemoe")
    torch.manual_seed(3)
    config = transformers.GraniteMoeConfig(
        hidden_size=HIDDEN, intermediate_size=UNITS, num_local_experts=EXPERTS, num_experts_per_tok=2
    )
    block = modeling.GraniteMoeMoE(config)
    for tensor in block.parameters():
        torch.nn.init.normal_(tensor, std=0.1)
    before = "model.layers.0.block_sparse_moe"
    return block, {
        f"{before}.input_linear.weight": block.experts.gate_up_proj.data,
        f"{before}.output_linear.weight": block.experts.down_proj.data,
        f"{before}.router.layer.weight": block.router.weight.data,
    }


def flat() -> tuple[Tensors, Tensors]:
    """A layer of DBRX as it is stored, and as its conversion has it: experts one by one, w2 turned."""
    drawn = torch.Generator().manual_seed(4)
    router = {f"{DBRX_BLOCK}.router.layer.weight": torch.randn(EXPERTS, HIDDEN, generator=drawn)}
    stacks = {word: torch.randn(EXPERTS * UNITS, HIDDEN, generator=drawn) for word in ("w1", "v1", "w2")}
    single = {
        f"{DBRX_BLOCK}.experts.mlp_experts.{expert}.{word}.weight": own.T if word == "w2" else own
        for word, stack in stacks.items()
        for expert, own in enumerate(stack.reshape(EXPERTS, UNITS, HIDDEN))
    }
    return router | {f"{DBRX_BLOCK}.experts.mlp.{word}": stack for word, stack in stacks.items()}, router | single


def test_granites_experts_compute_what_its_block_computes(tmp_path: Path) -> None:
    block, stored = granite()
    found = views(saved(tmp_path, stored))
    tokens = torch.randn(7, HIDDEN, generator=torch.Generator().manual_seed(5))
    every = torch.arange(EXPERTS).expand(7, EXPERTS)
    weights = torch.full((7, EXPERTS), 1.0)
    expected = block.experts(tokens, every, weights)
    made = torch.zeros_like(tokens)
    for expert in range(EXPERTS):
        gate, up, down = (
            found[f"model.layers.0.mlp.experts.{expert}.{word}_proj.weight"] for word in ("gate", "up", "down")
        )
        made += (torch.nn.functional.silu(tokens @ gate.T) * (tokens @ up.T)) @ down.T
    assert torch.allclose(made, expected, atol=1e-5)
    assert component_of("model.layers.0.mlp.gate.weight", (EXPERTS, HIDDEN))[1] is Component.ROUTER


def test_granites_names_in_memory_are_those_of_its_files(tmp_path: Path) -> None:
    _, stored = granite()
    renamed = {
        name.replace("input_linear.weight", "experts.gate_up_proj").replace("router.layer", "router")
        .replace("output_linear.weight", "experts.down_proj"): tensor
        for name, tensor in stored.items()
    }  # fmt: skip
    own, other = saved(tmp_path / "own", stored), saved(tmp_path / "other", renamed)
    assert all_alike(own, other)
    assert all_alike(other, own)


def test_dbrxs_experts_compute_what_its_layer_computes(tmp_path: Path) -> None:
    modeling = pytest.importorskip("transformers.models.dbrx.modeling_dbrx")
    stored, _ = flat()
    config = transformers.models.dbrx.configuration_dbrx.DbrxFFNConfig(
        hidden_size=HIDDEN, ffn_hidden_size=UNITS, moe_num_experts=EXPERTS, moe_top_k=2
    )
    layer = modeling.DbrxExpertGLU(config)
    found = views(saved(tmp_path, stored, config=DBRX))
    tokens = torch.randn(7, HIDDEN, generator=torch.Generator().manual_seed(5))
    for expert in range(EXPERTS):
        own = [
            stored[f"{DBRX_BLOCK}.experts.mlp.{word}"].reshape(EXPERTS, UNITS, HIDDEN)[expert]
            for word in ("w1", "v1", "w2")
        ]
        gate, up, turned = (
            found[f"{DBRX_BLOCK}.experts.{expert}.{word}.weight"] for word in ("gate_proj", "up_proj", "w2")
        )
        made = (torch.nn.functional.silu(tokens @ gate.T) * (tokens @ up.T)) @ turned
        assert torch.allclose(made, layer(tokens, *own), rtol=1e-4, atol=1e-3)


def test_dbrxs_stacks_are_the_experts_of_its_conversion_to_the_last_bit(tmp_path: Path) -> None:
    stored, single = flat()
    own, other = saved(tmp_path / "own", stored, config=DBRX), saved(tmp_path / "other", single, config=DBRX)
    assert all_alike(own, other)
    assert all_alike(other, own)
    assert align(opened(own, own)).share(0) == 1.0


def test_a_flat_stack_of_nobody_knows_how_many_experts_is_left_whole(tmp_path: Path) -> None:
    stored, single = flat()
    stored.pop(f"{DBRX_BLOCK}.router.layer.weight")
    own, other = saved(tmp_path / "own", stored), saved(tmp_path / "other", single, config=DBRX)
    assert f"{DBRX_BLOCK}.experts.mlp.w1" in views(own)
    found = align(opened(own, other))
    assert not found.tensors
    assert "no router says how many experts" in " ".join(found.checkpoints[0].notes)


def test_two_counts_of_experts_leave_a_flat_stack_whole(tmp_path: Path) -> None:
    stored, _ = flat()
    own = saved(tmp_path, stored, config={"ffn_config": {"moe_num_experts": 2 * EXPERTS}})
    assert f"{DBRX_BLOCK}.experts.mlp.w1" in views(own)


@pytest.mark.parametrize(
    ("stored", "usual"),
    [
        ("model.layers.3.mlp.switch_mlp.gate_proj.weight", "model.layers.3.mlp.experts.gate_proj.weight"),
        ("model.layers.3.block_sparse_moe.switch_mlp.up_proj.weight", "model.layers.3.mlp.experts.up_proj.weight"),
        ("model.layers.3.block_sparse_moe.switch_mlp.up_proj.scales", "model.layers.3.mlp.experts.up_proj.scales"),
        (f"{DBRX_BLOCK}.experts.mlp_experts.2.v1.weight", f"{DBRX_BLOCK}.experts.2.up_proj.weight"),
    ],
)
def test_other_words_for_experts_have_the_usual_names(stored: str, usual: str) -> None:
    assert canonical_name(stored) == usual
