"""Copies, finetunes, stages, ancestors and strangers through the whole pipeline: none is a merge."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from tests.forensics.families.family import family, named, noise
from tests.generated import Size, apply, cast, combine, layer_of, merge, model, quantised, sparse
from tests.memory import judge


def test_norms_and_biases_alone_never_decide() -> None:
    parent, _, base = family()

    def vectors(weights: Weights) -> Weights:
        return {name: tensor for name, tensor in weights.items() if tensor[0].ndim == 1}

    assert named(judge(*map(vectors, (merge([parent, base], [0.5, 0.5]), parent, base)))) == (
        "inconclusive", "no-evidence",
    )  # fmt: skip
    assert named(judge(vectors(base), vectors(base))) == ("inconclusive", "no-evidence")


def test_other_norms_do_not_hide_that_all_matrices_were_copied() -> None:
    parent, _, base = family()
    mixed = {name: parent[name] if tensor[0].ndim == 1 else tensor for name, tensor in base.items()}
    found = judge(mixed, parent, base)
    assert named(found) == ("copy", "identical")
    assert found.verdict.parent == "P2"


def test_two_checkpoints_are_a_copy_a_finetune_or_unrelated() -> None:
    parent, _, base = family()
    assert named(judge(base, base)) == ("copy", "identical")
    assert named(judge(parent, base)) == ("same-origin", "near-one-parent")
    assert named(judge(model(np.random.default_rng(99), Size(3, 32, 64, 200)), base)) == ("unrelated", "unrelated")


def test_a_cast_to_another_format_is_a_copy() -> None:
    parent, _, base = family(DType.F32)
    for dtype in (DType.BF16, DType.F16):
        assert named(judge(cast(parent, dtype), parent, base)) == ("copy", "identical")


def test_shared_matrices_in_a_model_that_is_otherwise_different_are_no_copy() -> None:
    """Two models may share a frozen vision tower or embeddings without one being a copy of the other."""
    base = family()[-1]
    other = model(np.random.default_rng(5), Size(3, 40, 64, 200))
    suspect = other | {"model.visual.blocks.0.attn.qkv.weight": base["model.layers.0.mlp.gate_proj.weight"]}
    parent = base | {"model.visual.blocks.0.attn.qkv.weight": base["model.layers.0.mlp.gate_proj.weight"]}
    found = judge(suspect, parent)
    assert named(found) == ("inconclusive", "partial")
    assert "could be compared" in found.verdict.summary


def test_a_few_copied_tensors_in_an_independent_model_are_not_called_unrelated() -> None:
    base = family()[-1]
    stranger = model(np.random.default_rng(5), Size(3, 32, 64, 200))
    stranger["model.layers.0.self_attn.q_proj.weight"] = base["model.layers.0.self_attn.q_proj.weight"]
    assert named(judge(stranger, base)) == ("inconclusive", "weak-kinship")


@pytest.mark.parametrize("share", [1e-2, 1e-3, 1e-4, 3e-5])
@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
@pytest.mark.parametrize("which", [0, 2])
def test_a_parent_with_a_few_changed_elements_is_its_finetune(share: float, dtype: DType, which: int) -> None:
    parent, _, base = family(DType.F32)
    of = family(DType.F32)[which]
    suspect = apply(of, sparse(noise(base, 1e-3), np.random.default_rng(3), share))
    suspect["model.layers.0.self_attn.q_proj.weight"][0][0, :4] += np.float32(0.01)
    found = judge(cast(suspect, dtype), parent, base)
    assert named(found) == ("same-origin", "near-one-parent")
    assert found.verdict.parent == ("P1" if which == 0 else "P2")


@pytest.mark.parametrize("time", [0.5, 0.8, 0.93, 0.95])
def test_an_earlier_stage_of_the_parents_training_is_not_called_a_merge(time: float) -> None:
    base = family()[-1]
    early, late = noise(base, 3e-4, 1), noise(base, 3e-4, 2)
    suspect = apply(base, combine([(time**0.5, early)]))
    parent = apply(base, combine([(time**0.5, early), ((1 - time) ** 0.5, late)]))
    assert named(judge(suspect, parent, base))[0] in ("inconclusive", "same-origin")


def test_what_a_finetune_says_of_the_other_parent_is_true() -> None:
    parent, _, base = family()
    found = judge(apply(parent, noise(base, 3e-5)), parent, base)
    assert "gives no weight to P2" in found.verdict.summary
    most = apply(base, combine([(0.93, {name: v - base[name][0] for name, (v, _) in parent.items()}),
                                (1.0, noise(base, 1e-4))]))  # fmt: skip
    found = judge(most, parent, base)
    assert named(found) == ("same-origin", "near-one-parent")
    assert "No share" not in found.verdict.summary
    assert "0.07 of P2" in found.verdict.summary


@pytest.mark.parametrize("bits", [8, 4])
def test_quantised_and_restored_weights_are_not_called_a_merge(bits: int) -> None:
    parent, _, base = family()
    for of in (parent, base):
        assert named(judge(quantised(of, bits), parent, base))[0] in ("same-origin", "inconclusive")


def test_an_ancestor_is_not_called_a_mixture_of_its_descendants() -> None:
    first, second, base = family()
    assert named(judge(base, first, second)) == ("inconclusive", "shared-direction")


def test_a_suspect_of_which_most_is_not_a_number_is_not_judged() -> None:
    parent, _, base = family()
    broken = {
        name: (np.full_like(v, np.nan) if layer_of(name) != 0 else v, dtype) for name, (v, dtype) in parent.items()
    }
    assert named(judge(broken, parent, base)) == ("inconclusive", "no-evidence")


def test_strangers_whose_matrices_began_as_the_identity_are_no_kin() -> None:
    """The diagonal owns the correlation; all other numbers are each model's own."""

    def begun(seed: int) -> Weights:
        made = model(np.random.default_rng(seed), Size(4, 64, 64, 64, head=False), DType.BF16)
        return {
            name: (store((values + 0.5 * np.eye(64)).astype(np.float32), dtype), dtype)
            if values.shape == (64, 64) and "layers" in name
            else (values, dtype)
            for name, (values, dtype) in made.items()
        }

    found = judge(begun(1), begun(2))
    assert named(found) == ("inconclusive", "weak-kinship")
    assert "by their signs at 0.0" in found.verdict.summary
