"""What an opposing expert did to models through the whole pipeline: no innocent is accused by it, and nothing cleared.

Each is an example of a kind; the kinds stand in `benchmarks/cases/`.
"""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from tests.forensics.families.family import named
from tests.generated import Size, apply, change, combine, layer_of, merge, model, quantised
from tests.memory import judge

SIZE = Size(layers=4, hidden=64, width=128, vocabulary=256)


def tuned(seed: int, size: float = 5e-4) -> tuple[Weights, Weights, np.random.Generator]:
    """A finetune, its base, and what else may be drawn."""
    rng = np.random.default_rng(seed)
    base = model(rng, SIZE, DType.BF16)
    return apply(base, change(base, rng, size)), base, rng


def stepped(of: Weights, rng: np.random.Generator) -> Weights:
    """Every number of the matrices one bf16 step up or down."""

    def moved(values: np.ndarray) -> np.ndarray:
        return (values.view(np.uint32) + (rng.choice([-1, 1], values.shape) << 16)).astype(np.uint32).view(np.float32)

    return {name: (moved(values) if values.ndim == 2 else values, dtype) for name, (values, dtype) in of.items()}


def test_giants_in_places_that_are_never_read_hide_no_copy() -> None:
    parent, _, rng = tuned(1)
    suspect = {name: (values.copy(), dtype) for name, (values, dtype) in parent.items()}
    for values, dtype in suspect.values():
        if values.ndim == 2:
            values[3] = store((4 * rng.standard_normal(values.shape[1])).astype(np.float32), dtype)
    found = judge(suspect, parent).verdict
    assert str(found.class_) not in ("unrelated", "same-origin"), found.summary


def test_a_tenth_of_the_rows_is_no_stranger_s() -> None:
    parent, _, rng = tuned(2)
    suspect = model(rng, SIZE, DType.BF16)
    for name, (values, _) in suspect.items():
        if values.ndim == 2:
            rows = rng.choice(len(values), len(values) // 12, replace=False)
            values[rows] = parent[name][0][rows]
    assert str(judge(suspect, parent).verdict.class_) == "inconclusive"


@pytest.mark.parametrize("parents", [1, 2])
def test_a_step_of_rounding_everywhere_or_a_scale_is_no_all_clear(parents: int) -> None:
    parent, base, rng = tuned(3)
    scaled = {name: (store((np.float32(1.01) * values), dtype), dtype) for name, (values, dtype) in parent.items()}
    for suspect, rule in ((stepped(parent, rng), "near-copy"), (scaled, "scaled")):
        found = judge(suspect, *[parent, base][:parents])
        assert named(found) == ("inconclusive", rule), found.verdict.summary
    assert str(judge(parent, base).verdict.class_) == "same-origin"


def test_single_numbers_changed_leave_a_copy() -> None:
    parent, base, _ = tuned(4)
    suspect = {name: (values.copy(), dtype) for name, (values, dtype) in parent.items()}
    for values, _ in suspect.values():
        if values.ndim == 2:
            values[5, 7] = np.float32(0.5)
    for parents in ([parent], [parent, base]):
        found = judge(suspect, *parents)
        assert named(found) == ("copy", "identical")
        assert "but for single numbers" in found.verdict.summary


def test_a_copy_in_eight_bits_is_said_to_be_one() -> None:
    parent, base, _ = tuned(5)
    for parents in ([parent], [parent, base]):
        found = judge(quantised(parent, 8), *parents)
        assert named(found) == ("inconclusive", "rounded")
        assert "is P1, rounded" in found.verdict.summary


def test_two_models_on_one_public_tower_are_no_copies_of_each_other() -> None:
    rng = np.random.default_rng(6)
    tower = {f"vision_tower.{name}": tensor for name, tensor in model(rng, SIZE, DType.BF16).items()}
    own, other = (
        {f"language_model.{name}": tensor for name, tensor in model(rng, size, DType.BF16).items()}
        for size in (Size(2, 48, 96, 160), Size(2, 80, 128, 160))
    )
    assert named(judge(own | tower, other | tower)) == ("inconclusive", "partial")


def test_decoys_under_the_parent_s_names_clear_nobody() -> None:
    parent, _, rng = tuned(7)
    decoys = {name: tensor for name, tensor in model(rng, SIZE, DType.BF16).items() if layer_of(name) in (0, None)}
    flat = {f"store.{number}": (values.ravel(), dtype) for number, (values, dtype) in enumerate(parent.values())}
    assert named(judge(decoys | flat, parent)) == ("inconclusive", "partial")


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
def test_a_few_rows_carried_on_make_no_merge_of_parts_taken_whole(dtype: DType) -> None:
    rng = np.random.default_rng(8)
    base = model(rng, SIZE, DType.BF16)
    suspect = apply(base, change(base, rng, 5e-4, only=lambda name: layer_of(name) in (0, 1)))
    rows, name = [5, 50, 120], "model.embed_tokens.weight"
    trained = base[name][0][rows] + 5e-4 * rng.standard_normal((3, 64))
    suspect[name][0][rows] = store(trained.astype(np.float32), DType.BF16)
    planted = apply(suspect, change(suspect, rng, 5e-4, only=lambda name: layer_of(name) in (2, 3)), dtype)
    planted[name][0][rows] = store((2 * suspect[name][0][rows] - base[name][0][rows]).astype(np.float32), dtype)
    assert named(judge(suspect, planted, base)) == ("inconclusive", "whole-parts")


def test_the_suspect_under_another_name_is_no_control() -> None:
    first, base, rng = tuned(9)
    second = apply(base, change(base, rng, 5e-4))
    merged = merge([first, second], [0.6, 0.4])
    assert named(judge(merged, first, second, controls=[merged])) == ("merge", "reproduced")


def test_a_control_on_the_same_frozen_part_takes_the_copy_away() -> None:
    parent = tuned(10)[0]

    def headed(seed: int) -> Weights:
        own = np.random.default_rng(seed).standard_normal((3, 64)).astype(np.float32)
        return parent | {"classifier.weight": (store(own, DType.BF16), DType.BF16)}

    assert named(judge(headed(1), headed(2))) == ("copy", "identical")
    assert named(judge(headed(1), headed(2), controls=[headed(3)])) == ("inconclusive", "identical")


def cast(of: Weights, dtype: DType) -> Weights:
    return {name: (store(values, dtype), dtype) for name, (values, _) in of.items()}


def test_a_base_is_no_copy_of_a_finetune_that_moved_by_less_than_a_step() -> None:
    base, _, rng = tuned(11)
    finer = {
        name: (np.asarray(values * (1 + 3e-4 * rng.standard_normal(values.shape)), np.float32), DType.F32)
        for name, (values, _) in base.items()
    }
    beneath = {
        name: (np.where(store(values, DType.BF16) == base[name][0], values, base[name][0]), DType.F32)
        for name, (values, _) in finer.items()
    }
    found = judge(base, beneath).verdict
    assert (str(found.class_), found.rule) == ("inconclusive", "beneath-rounding"), found.summary


@pytest.mark.parametrize("dtype", [DType.F32, DType.F16])
def test_the_finer_original_of_a_rounded_copy_is_what_it_was_copied_from(dtype: DType) -> None:
    original = cast(model(np.random.default_rng(12), SIZE, DType.F32), dtype)
    copied = cast(original, DType.BF16)
    assert named(judge(copied, original)) == ("copy", "identical")


def test_a_part_that_is_another_parent_s_is_no_all_clear() -> None:
    base = model(np.random.default_rng(13), SIZE, DType.BF16)
    rng = np.random.default_rng(14)
    first, second = (apply(base, change(base, rng, 8e-4)) for _ in range(2))
    suspect = stepped(first | {"lm_head.weight": second["lm_head.weight"]}, rng)
    found = judge(suspect, first, second, base).verdict
    assert (str(found.class_), found.rule) == ("inconclusive", "two-directions"), found.summary
    assert "head" in found.summary


def test_a_component_that_is_a_parent_s_to_the_bit_is_said_to_be() -> None:
    parent, base, rng = tuned(15)
    own = apply(base, change(base, rng, 5e-4))
    suspect = {name: parent[name] if "embed" in name or "lm_head" in name else own[name] for name in own}
    assert "All bits of its embeddings and head are those of P1." in judge(suspect, parent).verdict.summary


def test_numbers_of_norms_that_coincide_make_no_sibling_the_one_that_was_copied() -> None:
    base = tuned(4)[1]
    own = [name for name, (values, _) in base.items() if values.ndim == 1]
    suspect, sibling = (
        base | {name: (store(np.float32(factor) * base[name][0], base[name][1]), base[name][1]) for name in own}
        for factor in (1.01, 1.02)
    )
    sibling[own[0]][0][:3] = suspect[own[0]][0][:3]
    found = judge(suspect, sibling, base).verdict
    assert (str(found.class_), found.parent) == ("copy", "P2"), found.summary
    taken = {name: (suspect if name in own[:-1] else sibling)[name] for name in sibling}
    assert judge(suspect, taken, base).verdict.parent == "P1"


def test_a_sibling_by_learning_rate_beside_another_is_no_random_mask() -> None:
    rng = np.random.default_rng([0, 0])
    base = model(rng, Size(4, 48, 96, 200), DType.BF16)
    shared, other, own = (change(base, rng, size, 0.5, 0.3) for size in (1e-3, 1e-3, 2e-6))
    models = [apply(base, combine(parts)) for parts in ([(0.75, shared), (1.0, own)], [(1.0, shared)], [(1.0, other)])]
    found = judge(*models, base).verdict
    assert str(found.class_) not in ("merge", "copy"), found.summary


def test_a_model_of_frozen_blocks_and_trained_copies_is_no_stack_with_a_parent_cut_out_of_it() -> None:
    base = tuned(6)[1]
    trained = apply(base, change(base, np.random.default_rng(7), 5e-4))
    suspect = {name: stored for name, stored in base.items() if layer_of(name) is None}
    for name, stored in base.items():
        layer = layer_of(name)
        if layer is not None:
            suspect[name.replace(f".{layer}.", f".{2 * layer}.", 1)] = stored
            suspect[name.replace(f".{layer}.", f".{2 * layer + 1}.", 1)] = trained[name]
    cut = {name: trained[name] if layer_of(name) is not None else stored for name, stored in base.items()}
    found = judge(suspect, cut, base).verdict
    assert (str(found.class_), found.rule) == ("inconclusive", "whole-parts"), found.summary
