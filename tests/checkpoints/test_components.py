"""Layer, component and expert from canonical names of many families."""

from __future__ import annotations

import pytest

from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.naming import canonical_name
from modelprov.checkpoints.types import Component
from tests.factories import layout_397b, per_expert

MATRIX = (64, 64)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.embed_tokens.weight", (None, Component.EMBEDDINGS, None)),
        ("lm_head.weight", (None, Component.HEAD, None)),
        ("model.layers.3.self_attn.q_proj.weight", (3, Component.ATTENTION, None)),
        ("model.layers.3.linear_attn.in_proj_qkv.weight", (3, Component.LINEAR_ATTENTION, None)),
        ("model.layers.3.mlp.gate.weight", (3, Component.ROUTER, None)),
        ("model.layers.3.mlp.experts.17.gate_proj.weight", (3, Component.EXPERTS, 17)),
        ("model.layers.3.mlp.experts.gate_up_proj", (3, Component.EXPERTS, None)),
        ("model.layers.3.mlp.experts.gate_up_proj_bias", (3, Component.NORMS, None)),
        ("model.layers.3.mlp.shared_expert.up_proj.weight", (3, Component.SHARED_EXPERT, None)),
        ("model.layers.3.mlp.gate_proj.weight", (3, Component.MLP, None)),
        # DeepSeek
        ("model.layers.3.mlp.shared_experts.up_proj.weight", (3, Component.SHARED_EXPERT, None)),
        ("model.layers.3.self_attn.kv_a_proj_with_mqa.weight", (3, Component.ATTENTION, None)),
        # gpt-oss, Llama-4
        ("model.layers.3.mlp.router.weight", (3, Component.ROUTER, None)),
        ("model.layers.3.feed_forward.router.weight", (3, Component.ROUTER, None)),
        ("model.layers.3.feed_forward.experts.2.gate_up_proj.weight", (3, Component.EXPERTS, 2)),
        # GPT-2
        ("transformer.wte.weight", (None, Component.EMBEDDINGS, None)),
        ("transformer.wpe.weight", (None, Component.EMBEDDINGS, None)),
        ("transformer.h.11.attn.c_attn.weight", (11, Component.ATTENTION, None)),
        ("transformer.h.11.mlp.c_fc.weight", (11, Component.MLP, None)),
        # GPT-NeoX
        ("gpt_neox.embed_in.weight", (None, Component.EMBEDDINGS, None)),
        ("embed_out.weight", (None, Component.HEAD, None)),
        ("gpt_neox.layers.5.attention.query_key_value.weight", (5, Component.ATTENTION, None)),
        ("gpt_neox.layers.5.mlp.dense_h_to_4h.weight", (5, Component.MLP, None)),
        ("bert.encoder.layer.5.attention.output.dense.weight", (None, Component.ATTENTION, None)),
        # Beside the text model
        ("visual.blocks.4.attn.qkv.weight", (None, Component.VISION, None)),
        ("vision_tower.encoder.layers.4.mlp.fc1.weight", (None, Component.VISION, None)),
        ("mtp.layers.0.mlp.experts.9.up_proj.weight", (None, Component.MTP, 9)),
        ("mtp.fc.weight", (None, Component.MTP, None)),
        ("something.else.weight", (None, Component.OTHER, None)),
    ],
)
def test_matrices(name: str, expected: tuple[int | None, Component, int | None]) -> None:
    assert component_of(name, MATRIX) == expected


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("model.layers.3.input_layernorm.weight", (64,)),
        ("model.layers.3.self_attn.q_norm.weight", (64,)),
        ("model.layers.3.self_attn.q_norm.weight", (4, 64)),
        ("model.layers.3.self_attn.q_proj.bias", (64,)),
        ("model.layers.3.linear_attn.A_log", (64,)),
        ("model.layers.3.linear_attn.dt_bias", (64,)),
        ("model.layers.3.linear_attn.norm.weight", (128,)),
        ("model.layers.3.mlp.gate.e_score_correction_bias", (64,)),
        ("transformer.h.3.ln_1.weight", (64,)),
        ("model.layers.3.mlp.whatever.weight", (1, 64, 1)),
    ],
)
def test_norms_biases_and_vectors_carry_no_verdict(name: str, shape: tuple[int, ...]) -> None:
    assert component_of(name, shape) == (3, Component.NORMS, None)


def test_the_shared_experts_gate_is_a_router_though_it_is_a_vector() -> None:
    assert component_of("model.layers.3.mlp.shared_expert_gate.weight", (1, 4096)) == (3, Component.ROUTER, None)


def test_every_tensor_of_the_true_layout_has_a_component_and_every_text_tensor_its_layer() -> None:
    for stored, shape, _ in per_expert(layout_397b()):
        layer, component, expert = component_of(canonical_name(stored), shape)
        assert component is not Component.OTHER, stored
        assert (layer is not None) == (".language_model.layers." in stored), stored
        assert (expert is not None) == (".experts." in stored), stored
