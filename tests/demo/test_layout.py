from __future__ import annotations

import math

import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.naming import canonical_name
from modelprov.checkpoints.types import MIN_MATRIX_SIDE, Component
from modelprov.demo.layout import PUBLISHED, SMALL, TINY, FamilyScale, config, layout
from tests.factories import layout_397b


def test_the_layout_at_published_scale_is_the_published_one_tensor_for_tensor():
    ours = [(spec.name, spec.shape, str(spec.dtype)) for spec in layout(PUBLISHED)]
    assert ours == layout_397b()
    assert sum(spec.size for spec in layout(PUBLISHED)) == 806_795_875_168


def test_a_small_family_has_five_to_eight_million_parameters_and_stays_below_120_megabytes():
    specs = layout(SMALL)
    assert 5e6 < sum(math.prod(spec.shape) for spec in specs) < 8e6
    assert 7 * sum(spec.size for spec in specs) < 120e6


@pytest.mark.parametrize("scale", [SMALL, TINY])
def test_routers_and_experts_are_wide_enough_to_carry_a_verdict(scale: FamilyScale):
    specs = layout(scale)
    routers = [spec.shape for spec in specs if spec.name.endswith("mlp.gate.weight")]
    halves = [
        (spec.shape[1] // 2, spec.shape[2]) if spec.name.endswith("gate_up_proj") else spec.shape[1:]
        for spec in specs
        if ".experts." in spec.name and len(spec.shape) == 3
    ]
    assert len(routers) == scale.layers + 1
    assert len(halves) == 2 * scale.layers
    assert min(side for shape in routers + halves for side in shape) >= MIN_MATRIX_SIDE


def test_every_component_is_there_and_only_decay_and_gated_norms_are_float32():
    specs = layout(TINY)
    found = {component_of(canonical_name(spec.name), spec.shape)[1] for spec in specs}
    assert found == set(Component) - {Component.MLP, Component.OTHER}
    single = {spec.name.rpartition("linear_attn.")[2] for spec in specs if spec.dtype is DType.F32}
    assert single == {"A_log", "norm.weight"}


def test_every_fourth_layer_has_full_attention_in_the_config_and_in_the_names():
    kinds = config(SMALL)["text_config"]["layer_types"]
    assert [number for number, kind in enumerate(kinds) if kind == "full_attention"] == [3, 7]
    queries = [spec.name for spec in layout(SMALL) if "language_model" in spec.name and "q_proj" in spec.name]
    assert [name.split(".")[3] for name in queries] == ["3", "7"]
