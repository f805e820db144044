"""The cases of the calibration are what they say: disguises compute the same function, planted files give the bits."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import numpy.typing as npt
import pytest

import benchmarks.cases  # noqa: F401  (fills the list of kinds)
from benchmarks.cases import coordinates, heads, planting
from benchmarks.cases.coordinates import Step
from benchmarks.cases.decoders import HEAD_WIDTH, Decoder
from benchmarks.cases.kinds import KINDS, Case, Kind, chosen
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.weights import random_weights

Float64 = npt.NDArray[np.float64]
STEPS = (
    coordinates.permute_residual,
    coordinates.permute_residual_with_signs,
    coordinates.rotate_residual,
    coordinates.permute_units,
    coordinates.permute_heads,
    coordinates.reorder_experts,
    coordinates.scale_by_powers_of_two,
    coordinates.scale_anyhow,
    coordinates.fold_norms,
    heads.turn_values,
    heads.mix_values,
    heads.turn_frequencies,
    heads.turn_queries,
)


def case_of(kind: Kind, number: int) -> Case:
    return kind.make(np.random.default_rng([0, crc32(kind.name.encode()), number]))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_case_is_made_from_its_number_alone_and_what_is_right_is_no_error(kind: Kind) -> None:
    first, again, other = case_of(kind, 0), case_of(kind, 0), case_of(kind, 1)
    same = [
        all(left[name][0].tobytes() == right[name][0].tobytes() and left[name][1] == right[name][1] for name in left)
        for left, right in zip(first.models, again.models, strict=True)
    ]
    assert all(same)
    assert len(first.models) >= 2
    assert other.models[0].keys() != first.models[0].keys() or any(
        values.tobytes() != first.models[0][name][0].tobytes() for name, (values, _) in other.models[0].items()
    )
    assert kind.make.__doc__
    assert kind.expected
    assert not kind.expected & kind.never


def test_a_theme_and_a_kind_are_chosen_by_name_and_an_unknown_one_is_refused() -> None:
    assert {kind.theme for kind in chosen(["frame-ups"])} == {"frame-ups"}
    assert [kind.name for kind in chosen(["exact-merge"])] == ["exact merge"]
    with pytest.raises(SystemExit, match="frame-upz"):
        chosen(["frame-upz"])


def logits(arrays: dict[str, Float64], shape: Decoder, tokens: npt.NDArray[np.int64]) -> Float64:
    """What the decoder computes, written out by hand: RMSNorm, causal grouped attention, no positions."""

    def normed(x: Float64, name: str) -> Float64:
        return arrays[name] * x / np.sqrt((x**2).mean(-1, keepdims=True))

    def expert(x: Float64, place: str) -> Float64:
        gate, up = (x @ arrays[f"{place}.{name}_proj.weight"].T for name in ("gate", "up"))
        return (gate / (1 + np.exp(-gate)) * up) @ arrays[f"{place}.down_proj.weight"].T

    stream = arrays["model.embed_tokens.weight"][tokens]
    hidden_future = np.triu(np.full((len(tokens), len(tokens)), -np.inf), 1)
    for layer in range(shape.layers):
        block = f"model.layers.{layer}."
        x = normed(stream, f"{block}input_layernorm.weight")
        q, k, v = (x @ arrays[f"{block}self_attn.{name}_proj.weight"].T for name in "qkv")
        heads = []
        for head in range(shape.heads):
            group = head // (shape.heads // shape.groups)
            own, shared = (slice(number * HEAD_WIDTH, (number + 1) * HEAD_WIDTH) for number in (head, group))
            scores = q[:, own] @ k[:, shared].T / np.sqrt(HEAD_WIDTH) + hidden_future
            scores = np.exp(scores - scores.max(1, keepdims=True))
            heads.append(scores / scores.sum(1, keepdims=True) @ v[:, shared])
        stream = stream + np.concatenate(heads, 1) @ arrays[f"{block}self_attn.o_proj.weight"].T
        x = normed(stream, f"{block}post_attention_layernorm.weight")
        if shape.experts:
            router = np.exp(x @ arrays[f"{block}mlp.gate.weight"].T)
            router /= router.sum(1, keepdims=True)
            if shape.shared:
                open_by = 1 / (1 + np.exp(-x @ arrays[f"{block}mlp.shared_expert_gate.weight"].T))
                router = np.concatenate([router, open_by], 1)
            stream = stream + sum(
                router[:, [number]] * expert(x, place) for number, place in enumerate(shape.places(layer))
            )
        else:
            stream = stream + expert(x, f"{block}mlp")
    return normed(stream, "model.norm.weight") @ arrays.get("lm_head.weight", arrays["model.embed_tokens.weight"]).T


def changed(shape: Decoder, steps: tuple[Step, ...], seed: int) -> tuple[Float64, Float64, int]:
    """Logits before and after, and how many tensors changed."""
    rng = np.random.default_rng(seed)
    weights = random_weights(shape.specs(DType.F32), rng)
    arrays = {name: 4.0 * values.astype(np.float64) for name, (values, _) in weights.items()}
    after = arrays
    for step in steps:
        after = step(after, shape, rng)
    tokens = rng.integers(0, shape.vocabulary, 12)
    different = sum(not np.array_equal(values, after[name]) for name, values in arrays.items())
    return logits(arrays, shape, tokens), logits(after, shape, tokens), different


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("steps", [*((step,) for step in STEPS), STEPS], ids=lambda steps: steps[-1].__name__)
def test_a_model_in_other_coordinates_computes_the_same_function(steps: tuple[Step, ...], tied: bool) -> None:
    experts = 4 if coordinates.reorder_experts in steps else 0
    before, after, different = changed(Decoder(experts=experts, head=not tied), steps, 1)
    assert different >= 2
    assert np.abs(before).max() > 0.1
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)


def test_experts_that_share_a_part_compute_the_same_function_in_other_coordinates() -> None:
    before, after, _ = changed(Decoder(experts=4, shared=True), STEPS, 2)
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)


def test_frequencies_turned_against_each_other_leave_rotary_attention_as_it_is() -> None:
    rng, shape = np.random.default_rng(3), Decoder(layers=1)
    weights = {
        name: values.astype(np.float64) for name, (values, _) in random_weights(shape.specs(DType.F32), rng).items()
    }
    half, seen = HEAD_WIDTH // 2, []
    for arrays in (weights, heads.turn_frequencies(weights, shape, rng), heads.turn_queries(weights, shape, rng)):
        q, k = (arrays[f"model.layers.0.self_attn.{name}_proj.weight"][:HEAD_WIDTH] for name in "qk")
        turned = []
        for values, place in ((q, 5.0), (k, 2.0)):
            complex_rows = (values[:half] + 1j * values[half:]) * np.exp(1j * place / 10 ** np.arange(half))[:, None]
            turned.append(np.concatenate([complex_rows.real, complex_rows.imag]))
        seen.append(turned[0].T @ turned[1])
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-9, atol=1e-12)
    assert not np.allclose(seen[2], seen[0])


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16])
def test_noise_that_dresses_up_a_value_stays_below_its_rounding(dtype: DType) -> None:
    rng = np.random.default_rng(2)
    values = store(rng.standard_normal(20_000).astype(np.float32) * np.float32(0.02), dtype)
    values[:3] = 0.0078125, -0.5, 2.0
    fine = planting.dressed({"x": (values, dtype)}, dtype, rng, 1.0, uniform=True)["x"][0]
    assert (fine != values).mean() > 0.99
    np.testing.assert_array_equal(store(fine, dtype), values)


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16])
def test_steps_on_the_lattice_are_the_neighbours_and_come_back(dtype: DType) -> None:
    values = store(np.random.default_rng(3).standard_normal(5_000).astype(np.float32), dtype)
    step = np.ones(values.shape, np.int64)
    out = planting.moved(values, step, dtype)
    assert (np.abs(out) > np.abs(values)).all()
    np.testing.assert_array_equal(
        store(((out + values.astype(np.float64)) / 2).astype(np.float32), DType.F32) != out, True
    )
    np.testing.assert_array_equal(planting.moved(out, -step, dtype), values)
    between = store(values + np.float32(0.3) * (out - values), dtype)
    np.testing.assert_array_equal(between, values)


def test_the_suspect_of_a_planted_parent_comes_out_to_its_last_bit() -> None:
    rng = np.random.default_rng(4)
    _, (suspect, base) = planting.honest(rng)
    suspect, base = planting.in_f32([suspect, base])
    planted = planting.mixture([(2.0, suspect), (-1.0, base)], DType.F32)
    again = planting.mixture([(0.5, planted), (0.5, base)], DType.F32)
    same = np.concatenate([(again[name][0] == suspect[name][0]).ravel() for name in suspect])
    assert same.mean() > 0.999
