from __future__ import annotations

import itertools

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import WITHIN_FLOAT32, DType, Float64, round_to
from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.naming import canonical_name
from modelprov.demo.layout import TINY, layout
from modelprov.demo.weights import (
    COMBINE,
    finetune,
    merge_exact,
    merge_trained,
    random_weights,
    split_experts,
    store,
    without_mtp,
)
from modelprov.demo.writing import Float32, Weights
from modelprov.recipes.arithmetics import Arithmetic, evaluate


def model(seed: int) -> Weights:
    return random_weights(layout(TINY), np.random.default_rng(seed))


def three_parents(dtype: DType, count: int = 50_000) -> list[Weights]:
    rng = np.random.default_rng(11)
    base = rng.standard_normal((count // 50, 50), dtype=np.float32) * np.float32(0.02)
    changes = [np.float32(size) * rng.standard_normal(base.shape, dtype=np.float32) for size in (3e-4, 1e-3, 0)]
    return [{"w": (store(base + change, dtype), dtype)} for change in changes]


def cosine(a: Float32, b: Float32) -> float:
    x, y = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def rms(values: Float32 | Float64) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def test_every_value_is_one_that_its_dtype_can_hold():
    for weights in (model(0), finetune(model(0), np.random.default_rng(1))):
        for name, (values, dtype) in weights.items():
            assert values.dtype == np.float32, name
            assert np.isfinite(values).all(), name
            np.testing.assert_array_equal(round_to(values.astype(np.float64), dtype), values, err_msg=name)


def test_unrelated_models_share_nothing_but_their_norms():
    one, other = model(0), model(1)
    norms = [name for name in one if name.endswith("norm.weight")]
    assert len(norms) > 10
    assert min(cosine(one[name][0], other[name][0]) for name in norms) > 0.98
    assert np.mean([cosine(one[name][0], other[name][0]) for name in norms]) > 0.99
    matrices = [name for name, (values, _) in one.items() if values.ndim > 1 and values.size > 4000]
    assert max(abs(cosine(one[name][0], other[name][0])) for name in matrices) < 0.08


def test_a_finetune_changes_components_by_sizes_of_real_ones_and_late_layers_more():
    base = model(0)
    tuned = finetune(base, np.random.default_rng(1))
    changes = {
        name: rms(tuned[name][0] - values)
        for name, (values, _) in base.items()
        if values.size > 2000 and "conv1d" not in name
    }
    assert min(changes.values()) > 1.5e-5
    assert max(changes.values()) < 8e-4
    early, late = (changes[f"model.language_model.layers.{n}.mlp.experts.down_proj"] for n in (0, 3))
    assert late > 3 * early
    assert late > 3 * changes["model.language_model.embed_tokens.weight"]


def test_a_good_share_of_a_finetunes_elements_keep_their_bits():
    base = model(0)
    tuned = finetune(base, np.random.default_rng(1))
    equal = {name: float(np.mean(tuned[name][0] == values)) for name, (values, _) in base.items()}
    assert 0.6 < equal["model.language_model.embed_tokens.weight"] < 0.85
    assert 0.02 < equal["model.language_model.layers.3.self_attn.q_proj.weight"] < 0.2
    total = sum(share * base[name][0].size for name, share in equal.items()) / sum(v.size for v, _ in base.values())
    assert 0.2 < total < 0.5


def test_strength_scales_the_change_and_zero_strength_changes_nothing():
    base = {name: (values, DType.F32) for name, (values, _) in model(0).items()}
    once, twice, never = (finetune(base, np.random.default_rng(1), strength) for strength in (1.0, 2.0, 0.0))
    name = "model.language_model.layers.0.mlp.experts.gate_up_proj"
    assert rms(twice[name][0] - base[name][0]) == pytest.approx(2 * rms(once[name][0] - base[name][0]), rel=1e-3)
    assert all(np.array_equal(never[name][0], values) for name, (values, _) in base.items())


def test_a_finetune_is_half_low_rank():
    base = {"model.layers.0.self_attn.q_proj.weight": (np.zeros((256, 256), np.float32), DType.F32)}
    ((change, _),) = finetune(base, np.random.default_rng(0)).values()
    energy = np.square(np.linalg.svd(change, compute_uv=False))
    assert 0.45 < energy[:4].sum() / energy.sum() < 0.6


def test_two_finetunes_of_one_base_are_independent():
    base = model(0)
    one, other = (finetune(base, np.random.default_rng(seed)) for seed in (1, 2))
    deltas = [np.concatenate([(tuned[n][0] - v).ravel() for n, (v, _) in base.items()]) for tuned in (one, other)]
    assert abs(cosine(*deltas)) < 0.02


@pytest.mark.parametrize(("arithmetic", "dtype"), list(itertools.product(COMBINE, WITHIN_FLOAT32)))
def test_every_merge_has_the_bits_of_the_compiled_arithmetic(arithmetic: Arithmetic, dtype: DType):
    parents, weights = three_parents(dtype, 4000), (0.5, 0.2, 0.3)
    if arithmetic is Arithmetic.FLOAT32_LERP:
        parents, weights = parents[1:], (0.565, 0.435)
    rows = np.stack([parent["w"][0].ravel() for parent in parents])
    expected = np.empty(rows.shape[1], np.float32)
    evaluate(int(arithmetic), rows, np.array(weights), np.arange(len(rows)), dtype.code, expected)
    merged = merge_exact(parents, weights, arithmetic)["w"][0]
    np.testing.assert_array_equal(merged.ravel().view(np.uint32), expected.view(np.uint32))


def test_fused_arithmetics_and_unlike_parents_are_refused():
    with pytest.raises(ValueError, match="FLOAT32_FUSED"):
        merge_exact(three_parents(DType.BF16), (0.5, 0.3, 0.2), Arithmetic.FLOAT32_FUSED)
    with pytest.raises(ValueError, match="same tensors"):
        merge_exact((model(0), {}), (0.5, 0.5))


def test_training_after_the_merge_has_the_asked_share_of_the_parents_distance():
    parents = [{"w": parent["w"]} for parent in three_parents(DType.F32)]
    weights = (0.5, 0.2, 0.3)
    trained = merge_trained(parents, weights, 0.03, np.random.default_rng(0))["w"][0]
    noise = trained - merge_exact(parents, weights)["w"][0]
    distance = rms(parents[0]["w"][0] - parents[2]["w"][0])
    assert rms(noise) / distance == pytest.approx(0.03, rel=0.02)
    untrained = merge_trained(parents, weights, 0.0, np.random.default_rng(0))["w"][0]
    np.testing.assert_array_equal(untrained, merge_exact(parents, weights)["w"][0])


def test_split_experts_keep_every_element_gate_half_first():
    weights = model(0)
    split = split_experts(weights)
    block = "model.language_model.layers.2.mlp.experts"
    stack = weights[f"{block}.gate_up_proj"][0]
    width = TINY.expert_width
    np.testing.assert_array_equal(split[f"{block}.5.gate_proj.weight"][0], stack[5, :width])
    np.testing.assert_array_equal(split[f"{block}.5.up_proj.weight"][0], stack[5, width:])
    np.testing.assert_array_equal(split[f"{block}.5.down_proj.weight"][0], weights[f"{block}.down_proj"][0][5])
    assert sum(v.size for v, _ in split.values()) == sum(v.size for v, _ in weights.values())
    assert max(v.ndim for name, (v, _) in split.items() if ".experts." in name) == 2
    components = {component_of(canonical_name(name), v.shape)[2] for name, (v, _) in split.items()}
    assert components == {None, *range(TINY.experts)}


def test_without_mtp_drops_that_block_only():
    weights = model(0)
    lost = weights.keys() - without_mtp(weights).keys()
    assert lost == {name for name in weights if name.startswith("mtp.")}
    assert lost
