"""What was changed after a merge, through the whole pipeline: a little of everything, or a part of the model."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.recipes.arithmetics import Arithmetic
from tests.forensics.families.family import WEIGHTS, family, named, noise
from tests.generated import Size, apply, change, combine, distance, layer_of, merge, model
from tests.memory import judge


def close_pair() -> tuple[Weights, Weights, Weights]:
    """Two finetunes that are a few bf16 steps apart, and their base."""
    rng = np.random.default_rng(8)
    base = model(rng, Size(layers=4, hidden=64, width=128, vocabulary=256), DType.BF16)
    first, second = (apply(base, change(base, rng, 2e-4)) for _ in range(2))
    return first, second, base


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_a_little_training_after_a_merge_is_seen_and_measured(share: float) -> None:
    parent, _, base = family()
    found = judge(apply(merge([parent, base], WEIGHTS), noise(base, 3e-4 * share)), parent, base)
    assert named(found) == ("on-line", "near-the-line")
    assert found.facts.weights == pytest.approx(WEIGHTS, abs=0.01)
    assert found.after_merge.sigma_relative == pytest.approx(share, rel=0.5)


@pytest.mark.parametrize("size", [0.05, 0.1])
def test_a_merge_in_steps_of_bf16_is_known_by_its_rounding_after_training_too(size: float) -> None:
    """Its own rounding bends the line that training leaves straight."""
    first, second, base = close_pair()
    merged = merge([first, second], (0.6, 0.4), Arithmetic.STEPWISE)
    found = judge(apply(merged, noise(base, size * distance(first, base))), first, second)
    assert named(found) == ("on-line", "traced"), found.verdict.summary
    assert "rounded as this merge is" in found.verdict.summary
    assert found.after_merge.sigma_relative is not None


def test_a_mixture_that_no_program_rounded_in_steps_has_no_such_trace() -> None:
    first, second, base = close_pair()
    mixture = merge([first, second], (0.6, 0.4), Arithmetic.FLOAT64, DType.F32)
    found = judge(apply(mixture, noise(base, 0.1 * distance(first, base)), DType.BF16), first, second)
    assert found.verdict.rule != "traced"
    assert found.facts.trace is None or found.facts.trace.kept < 0.6 * found.facts.trace.telling


@pytest.mark.parametrize("along", [0.0, 0.4, 0.9])
def test_the_interval_holds_the_share_that_was_mixed_also_when_training_went_on_along_the_line(along: float) -> None:
    """Training on a parent's data moves alpha itself; beside the line it leaves a trace of at least that size."""
    parent, _, base = family()
    delta = {name: parent[name][0] - base[name][0] for name in base}
    distance = float(np.sqrt(np.mean(np.concatenate([one.ravel() for one in delta.values() if one.ndim == 2]) ** 2)))
    trained = combine([(1.0, noise(base, 0.02 * distance)), (0.02 * along, delta)])
    found = judge(apply(merge([parent, base], WEIGHTS, dtype=DType.F32), trained, DType.BF16), parent, base)
    assert found.verdict.class_ == "on-line"
    assert found.mixing.method == "likelihood"
    assert found.mixing.low is not None
    assert found.mixing.high is not None
    assert found.mixing.low < WEIGHTS[0] < found.mixing.high
    assert found.mixing.high - found.mixing.low < 0.06
    if along < 0.5:  # beyond, a layer with a larger distance of its own moved further along the line than beside it
        bounds = [(one.low, one.high) for one in found.layers if one.low is not None and one.high is not None]
        assert len(bounds) == len(found.layers) > 2
        assert all(low < WEIGHTS[0] < high for low, high in bounds)


def test_a_merge_of_which_one_layer_was_trained_is_exact_in_the_rest() -> None:
    parent, _, base = family()
    extra = change(base, np.random.default_rng(2), 3e-4, only=lambda name: layer_of(name) == 2)
    found = judge(apply(merge([parent, base], WEIGHTS), extra), parent, base)
    assert named(found) == ("merge", "partly-exact")


def test_a_merge_with_an_adapter_is_exact_in_the_rest_beside_a_base_that_has_no_part_in_it() -> None:
    """Of several parents one weighting is looked for in the tensors that have one; siblings have it in none."""
    first, second, base = family()
    rng = np.random.default_rng(3)
    merged = merge([first, second], (0.766, 0.234))
    adapter = change(base, rng, 1e-4, 1.0, 0.0, only=lambda name: "self_attn" in name)
    found = judge(apply(merged, adapter), first, second, base)
    assert named(found) == ("merge", "partly-exact"), found.verdict.summary
    assert [each.alpha for each in found.mixing.coefficients] == pytest.approx([0.766, 0.234])
    sibling = apply(base, combine([(0.5, change(base, rng, 3e-4)), (1.0, adapter)]))
    assert str(judge(sibling, first, second, base).verdict.class_) == "same-origin"


def test_one_small_tensor_trained_after_a_merge_is_not_hidden_by_all_the_others() -> None:
    parent, _, base = family()
    merged = merge([parent, base], WEIGHTS)
    merged["model.layers.1.self_attn.q_proj.weight"][0][:2, :16] += np.float32(0.01)
    found = judge(merged, parent, base)
    assert named(found) == ("merge", "partly-exact")
    assert 0.9 < found.facts.explained < 1


def test_three_parents_with_a_ratio_that_varies_by_layer_are_no_even_mixture() -> None:
    """The test of evenness must not be skipped for more than two parents."""
    first, second, base = family()
    pace = {name: {None: 0.5, 0: 0.25, 1: 0.5, 2: 0.75}[layer_of(name)] for name in base}
    own = {name: values - base[name][0] for name, (values, _) in first.items()}
    found = judge(apply(base, combine([(pace, own), (1.0, noise(base, 5e-6))])), first, second, base)
    assert named(found) == ("inconclusive", "shared-direction")


def test_two_layers_are_too_few_to_see_whether_a_mixture_is_even() -> None:
    rng = np.random.default_rng(8)
    base = model(rng, Size(2, 32, 64, 200))
    parent = apply(base, change(base, rng, 3e-4))
    found = judge(apply(merge([parent, base], WEIGHTS), noise(base, 9e-6)), parent, base)
    assert named(found) == ("inconclusive", "shared-direction")
    assert "too few layers" in (found.verdict.reason or "")


def test_a_tensor_changed_after_a_merge_of_three_is_found_without_an_exact_fit() -> None:
    """One foreign tensor leaves no common point of all rounding cells: the recipe still tells which tensor it is."""
    merged = merge(family(), [0.5, 0.3, 0.2])
    merged["model.layers.1.self_attn.q_proj.weight"][0][:, :8] += np.float32(1e-3)
    found = judge(merged, *family())
    assert named(found) == ("merge", "partly-exact")
    assert found.facts.explained == pytest.approx(1 - 1024 / found.facts.elements)


def test_straightness_is_the_angle_at_the_suspect_and_distinct_counts_what_is_not_a_parents() -> None:
    parent, _, base = family(DType.F32)
    own = {name: values - base[name][0] for name, (values, _) in parent.items()}
    suspect = apply(base, combine([(0.3, own), (1.0, noise(base, 5e-5))]))
    suspect["model.layers.0.self_attn.q_proj.weight"][0][:, :8] = base["model.layers.0.self_attn.q_proj.weight"][0][
        :, :8
    ]
    s, p, b = (
        np.concatenate([values.ravel().astype(np.float64) for values, _ in one.values() if values.ndim == 2])
        for one in (suspect, parent, base)
    )
    cosine = (p - s) @ (b - s) / np.linalg.norm(p - s) / np.linalg.norm(b - s)
    facts = judge(suspect, parent, base).facts
    assert facts.straightness == pytest.approx(-cosine, abs=0.02)
    assert facts.distinct == min(int((s != p).sum()), int((s != b).sum())) < s.size
